"""What upstreams say of an error, in whatever body they say it (docs/wire/errors.md#bodies-of-other-servers).

Vendors have an object under `error`. What stands in front of them, and servers that only resemble them, answer in the
forms of their frameworks: members of other names, lists, plain text, pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text

MAX_LINE: Final = 300
"""Characters of a text that become a message."""

_NAMES: Final = (
    "message",
    "msg",
    "error_msg",  # Baidu
    "error_message",
    "errorMessage",
    "error_description",  # OAuth 2.0, RFC 6749 section 5.2
    "status_msg",  # MiniMax, within `base_resp`
    "Message",
    "detail",  # FastAPI; RFC 9457
    "errors",
    "base_resp",
    "title",  # RFC 9457
    "faultstring",  # Apigee, within `fault`
    "description",
    "reason",
    "fault",
    "result",
    "data",
    "error",
)
"""Members that hold the words, the first one that has any."""
_KEPT: Final = ("type", "code", "param", "status")
"""Members that are understood beside words under another name."""
_DEPTH: Final = 4
_MOST: Final = 5
"""Words of a list that are joined."""
_READ: Final = 8192
_TITLE: Final = re.compile(r"<(title|message|h1)\b[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_UNFINISHED: Final = re.compile(r"[!-~]*\Z")
_DATA: Final = re.compile(r"^data:(.*)$", re.MULTILINE)
_TEXTS: Final = (b"text/", b"application/json", b"application/problem", b"application/xml", b"application/xhtml")


def unwrapped(error: object) -> Mapping[str, object]:
    """The object that an upstream's decoded error comes down to; empty where there is none.

    It may stand under `error`, be a mere text, or come as an array of one, as Google sends it. Where its words have
    another name than `message`, they are shown under that one.
    """
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, Mapping):
        return {}
    inner = error.get("error")
    if isinstance(inner, Mapping | list) and (told := unwrapped(inner)):
        return told
    if "error" not in error and isinstance(error.get("message"), str):
        return error
    beside = _words({name: value for name, value in error.items() if name != "error"}, _DEPTH)
    label = inner if isinstance(inner, str) else ""
    said = beside if not label or beside.startswith(label) else f"{label}: {beside}" if beside else label
    kept = {name: error[name] for name in _KEPT if name in error}
    return {**kept, "message": said} if said else {}


def words_of_text(body: bytes, kind: bytes) -> str:
    """The first line of a text, the title of a page, or the words of an event; empty where a body is none of these.

    Args:
        body: Of an error answer, which is not JSON.
        kind: Its media type.
    """
    if b"\0" in body or (kind and not kind.startswith(_TEXTS)):
        return ""
    text = body[:_READ].decode("utf-8", "replace").strip()
    event = _DATA.search(text) if text.startswith(("data:", "event:", ":", "id:")) else None
    if event is not None:
        try:
            message = unwrapped(json_text.decode(event[1].strip().encode())).get("message")
        except ValueError:
            message = event[1]
        return _line(message) if isinstance(message, str) else ""
    if text.startswith("<"):
        title = _TITLE.search(text)
        text = _TAG.sub("\n", title[2] if title is not None else text)
    elif text.startswith(("{", "[", '"')):  # JSON that breaks off
        return ""
    return _line(text)


def _words(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if depth == 0:
        return ""
    if isinstance(value, Mapping):
        said = next((said for name in _NAMES if (said := _words(value.get(name), depth - 1))), "")
        return _placed(said, value.get("loc")) if said else _fields(value)
    if isinstance(value, list):
        all_said = (_words(each, depth - 1) for each in value[:_MOST] if isinstance(each, Mapping | str))
        return "; ".join(filter(None, all_said))
    return ""


def _placed(said: str, place: object) -> str:
    """Words with the place in the body that FastAPI names beside them: `{"loc": ["body", "model"], "msg": "..."}`."""
    names = [str(each) for each in place if each != "body"] if isinstance(place, list) else []
    return f"{'.'.join(names)}: {said}" if names else said


def _fields(error: Mapping[str, object]) -> str:
    """What is wrong with each field of a request, as frameworks list it: `{"errors": {"model": ["is unknown"]}}`."""
    errors = error.get("errors")
    if not isinstance(errors, Mapping):
        return ""
    found = ((name, _words(value, 2)) for name, value in errors.items())
    return "; ".join(f"{name}: {said}" for name, said in found if said)


def _line(text: str) -> str:
    """The first line of a text that says anything, without what cannot be printed, cut to a length for people.

    No word is cut: it might be a key, which is known by its whole length only.
    """
    for line in text.splitlines():
        said = " ".join("".join(each if each.isprintable() else " " for each in line).split())
        if said:
            return said if len(said) <= MAX_LINE else _UNFINISHED.sub("", said[: MAX_LINE - 1], count=1) + "…"
    return ""
