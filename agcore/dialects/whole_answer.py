"""An upstream's whole answer, read: the JSON object that it is, or the fault that it holds.

An answer with an error status, and a 200 that holds an error, become a fault in the upstream's own words. Nothing of
the body passes raw. Before a client sees such a fault, the gateway's credential is taken out of it
(`upstream.errors.presentable`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import first, media_type
from agcore.dialects.base import Dialect
from agcore.dialects.shared.error_words import words_of_text
from agcore.protocol.fault import NO_RETRY, Fault
from agcore.protocol.http import Headers

_PAGES: Final = frozenset({b"text/html", b"application/xhtml+xml"})
_PAGE_HEAD: Final = 256
"""Bytes in which a page begins, blank ones included."""


def read_object(
    body: bytes, *, dialect: Dialect, provider: str, status: int, headers: Headers
) -> dict[str, object] | Fault:
    """The JSON object that an upstream answered with success, or what is wrong with it.

    Args:
        body: The whole answer.
        dialect: What the upstream speaks.
        provider: Its name, for people.
        status: Of the answer, for people.
        headers: Of the answer.
    """
    try:
        answer = json_text.decode(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        coding = first(headers, b"content-encoding")
        if coding is None:
            from agcore.dialects.folded_stream import folded  # few answer with a stream that nobody asked for

            told = folded(body, answer, dialect=dialect, headers=headers)
            if told is not None:
                return told
        if coding is None:
            message = f"{provider} answered {status} without a JSON object ({_kind(headers)})"
        else:
            unknown = "which was not asked for and is not known here"
            message = f"{provider} answered {status} in the coding {_shown(coding)}, {unknown}"
        final = coding is not None or is_page(headers, body)
        return Fault(status=502, message=message, code="upstream_invalid_answer", headers=NO_RETRY if final else ())
    # A failed Response is that dialect's own form of an answer, and says so itself.
    if answer.get("error") and answer.get("object") != "response":
        named = error_status(answer["error"])
        return fault_from_answer(dialect, provider=provider, status=named, headers=headers, body=body)
    return answer


def array_of_chunks(body: bytes, *, dialect: Dialect) -> list[object] | None:
    """What a Gemini server sends that ignores `alt=sse`: the chunks of its stream as one array; None for all else."""
    if dialect.traits.name != "gemini" or not body.lstrip().startswith(b"["):
        return None
    try:
        chunks = json_text.decode(body)
    except ValueError:
        return None
    return chunks if isinstance(chunks, list) and chunks else None


def error_status(error: object) -> int:
    """The status that an error inside a 200 names for itself; 502 when it names none."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 502


def fault_from_answer(dialect: Dialect, *, provider: str, status: int, headers: Headers, body: bytes) -> Fault:
    """The fault, in the upstream's own words, for an answer with `status` 300 or more."""
    if status < 400:
        message = f"{provider} answered {status}, which the gateway does not follow"
        return Fault(status=502, message=message, code="upstream_redirect", headers=NO_RETRY)
    said = ""
    try:
        fault = dialect.errors.parse_error(status, json_text.decode(body))
    except ValueError:
        fault = Fault(status=status, message="")
        if first(headers, b"content-encoding") is None:
            said = words_of_text(body, media_type(headers))
    if fault.message:
        return fault
    words = f": {said}" if said else f" without an error message ({_kind(headers)})"
    return msgspec.structs.replace(fault, message=f"{provider} answered {status}{words}")


def is_page(headers: Headers, body: bytes = b"") -> bool:
    """Returns True where an answer is a page for browsers: a portal's, a login's, a site's where no API is."""
    return media_type(headers) in _PAGES or body[:_PAGE_HEAD].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _kind(headers: Headers) -> str:
    kind = media_type(headers).decode("latin-1") or "no content type"
    coding = first(headers, b"content-encoding")
    return kind if coding is None else f"{kind}, in the unknown coding {_shown(coding)}"


def _shown(coding: bytes) -> str:
    return repr(coding[:40].decode("latin-1"))
