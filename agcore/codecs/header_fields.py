"""Header fields: reading them, choosing those that pass by an allow list, and writing text as a field's value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from agcore.protocol.http import Headers


class Allowed(msgspec.Struct, frozen=True):
    """Names that pass, and prefixes of names that pass."""

    names: frozenset[bytes]
    prefixes: tuple[bytes, ...] = ()


USER_AGENT: Final = (b"user-agent", b"agcore")
"""Sent where the client names none."""


def passing(headers: Headers, allowed: Allowed) -> Headers:
    """The fields of `headers` that `allowed` lets through, in order."""
    names, prefixes = allowed.names, allowed.prefixes
    return tuple([field for field in headers if field[0] in names or (prefixes and field[0].startswith(prefixes))])


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The value of the first field called `name` (lower case), or None."""
    for each, value in headers:
        if each == name:
            return value
    return None


def firsts(headers: Headers, names: Collection[bytes]) -> dict[bytes, bytes]:
    """For each of `names` (lower case) that there is, the value of the first field so called."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            found.setdefault(name, value)
    return found


TRACE: Final = (b"traceparent", b"tracestate")
"""A client's trace, which goes up (https://www.w3.org/TR/trace-context/)."""
UPSTREAM_IDS: Final = (
    b"x-request-id",
    b"request-id",
    b"apim-request-id",
    b"x-ms-request-id",
    b"x-amzn-requestid",
    b"x-goog-request-id",
    b"cf-ray",
)
"""Where servers tell the id that they gave a request, the best first."""
CLIENT_IDS: Final = (b"x-request-id", b"x-client-request-id")
"""Where clients tell the id that they gave a request, the best first."""
_LONGEST_ID: Final = 128


def named_id(fields: Mapping[bytes, bytes], names: tuple[bytes, ...]) -> str:
    """The id in the first of `names` that is among these fields, as printable text; empty for none."""
    for name in names:
        if name in fields:
            text = fields[name][:_LONGEST_ID].decode("latin-1")
            return text if text.isprintable() else ""
    return ""


def media_type(headers: Headers) -> bytes:
    """The media type of `content-type` in lower case without parameters; empty when there is none."""
    return plain_media_type(first(headers, b"content-type") or b"")


def plain_media_type(value: bytes) -> bytes:
    """The media type of a `content-type`'s value, in lower case without parameters."""
    return value.partition(b";")[0].strip().lower()


def field_value(text: str) -> bytes:
    """`text` as a field value: what may not stand in one (controls, anything beyond ASCII, and white space at either
    end) is percent-encoded."""
    if text.isascii() and text.isprintable() and text == text.strip():
        return text.encode("ascii")
    return quote(text, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}").encode("ascii")
