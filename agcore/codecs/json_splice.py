"""Editing the text of a JSON object without touching any other byte.

A gateway that passes a body through changes a member or two and must leave the rest alone: white space, key order,
number spellings, escapes, members it has never heard of. So nothing is rendered again; values are spliced in at the
offsets where the old ones stood.

How the offsets are found: msgspec decodes the object once as name -> raw value, which checks the whole text. The text
is then walked member by member. A regular expression reads a key, and the raw value of that name must stand right
behind it, so values are skipped by their length and never read twice. msgspec keeps the *last* value of a name that
stands twice; the walk therefore meets either a value that does not match or a name it has met before. Such an object
is refused, because two parsers could take it to mean two things. Only the top level is walked: a duplicate further
down is data of the member it stands in.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.codecs import json_text

_BOM: Final = b"\xef\xbb\xbf"
_OPEN: Final = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_KEY: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*')
_NEXT: Final = re.compile(rb"[ \t\n\r]*(?:,[ \t\n\r]*|(?=\}))")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_KINDS: Final = {"[": "an array", '"': "a string", "t": "true", "f": "false", "n": "null"}
_POSITION: Final = re.compile(r" \(byte (\d+)\)$")
_MAX_QUOTED: Final = 80
_WINDOW: Final = 64 * 1024


class BodyError(ValueError):
    """A body that is not a JSON object with a single meaning. The message is written for the one who sent it."""


class _Span(msgspec.Struct, frozen=True):
    """Where a member stands in the text."""

    key: int
    value: int
    end: int
    """Behind the value."""
    next: int
    """At the next member's key, or at the closing brace."""


class Members:
    """The top-level members of a JSON object's text; made by `parse`."""

    __slots__ = ("_first", "_spans", "body")

    body: bytes
    """The text as it was parsed."""

    def __init__(self, body: bytes, spans: dict[str, _Span], first: int) -> None:
        self.body = body
        self._spans = spans
        self._first = first  # at the first key, or at the closing brace of an empty object

    def __contains__(self, name: object) -> bool:
        return name in self._spans

    def raw(self, name: str) -> bytes | None:
        """Return the text of a member's value as it stands, or None where there is no such member."""
        span = self._spans.get(name)
        return None if span is None else self.body[span.value : span.end]

    def value(self, name: str, default: object = None) -> object:
        """Decode a member's value, anew at each call; `default` where there is no such member.

        Raises:
            BodyError: The value is valid JSON but cannot be held (a number out of range, or a nesting too deep for
                what is left of the stack).
        """
        span = self._spans.get(name)
        if span is None:
            return default
        try:
            return msgspec.json.decode(self.body[span.value : span.end])
        except (msgspec.DecodeError, RecursionError) as error:
            raise BodyError(f"`{_quoted(name)}` cannot be read: {_reason(error)}") from None

    def edited(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the text with some members changed and every other byte as it was.

        Args:
            changes: Name -> JSON text (UTF-8, not checked here) that replaces the member's value, or None to remove
                the member with one comma. Names that are not there are added at the end, in the order given.

        Returns:
            The new text; `body` itself, the same object, where nothing changes.
        """
        if not changes or all(self.raw(name) == value for name, value in changes.items()):
            return self.body
        body, spans = self.body, self._spans
        # Up to `kept` each removed member takes the comma behind it along; those after it go as one, with the comma
        # before them.
        kept = last = self._first
        for name, span in spans.items():
            last = span.end
            if changes.get(name, b"") is not None:
                kept = last

        view = memoryview(body)  # so that a large body is copied once, by the join
        pieces: list[bytes | memoryview] = []
        done = 0
        for name, span in spans.items():
            if name not in changes or span.end > kept:
                continue
            value = changes[name]
            if value is None:
                pieces.append(view[done : span.key])
                done = span.next
            else:
                pieces += (view[done : span.value], value)
                done = span.end
        pieces.append(view[done:kept])

        added = [
            msgspec.json.encode(name) + b":" + value
            for name, value in changes.items()
            if value is not None and name not in spans
        ]
        before = [b""] if kept > self._first else []
        pieces += (b",".join(before + added), view[last:])
        return b"".join(pieces)


def parse(body: bytes | bytearray) -> Members:
    """Find the members of a JSON object.

    Raises:
        BodyError: The body is empty, not UTF-8, starts with a byte order mark, is not valid JSON (RFC 8259) or not an
            object, nests too deeply, or has a name twice (escapes in names are resolved first).
    """
    text = bytes(body)
    if not text or text.isspace():
        raise BodyError("the body is empty; it must be a JSON object")
    if text.startswith(_BOM):
        raise BodyError("the body starts with a byte order mark; JSON is sent as UTF-8 without one")
    try:
        # msgspec does not look into the strings it skips.
        if not text.isascii():
            _check_utf8(text)
        raws = _OBJECT.decode(text)
    except msgspec.ValidationError:
        kind = _KINDS.get(text.lstrip()[:1].decode(), "a number")
        raise BodyError(f"the body must be a JSON object, not {kind}") from None
    except msgspec.DecodeError as error:
        raise BodyError(f"the body is not valid JSON: {_reason(error)}") from None
    except RecursionError:
        raise BodyError("the body is nested too deeply") from None
    return _walk(text, raws)


def parse_mended(body: bytes) -> Members:
    """Find the members of a JSON object, as `parse` does, once more where lone surrogates stand in it: clients cut an
    emoji, and say so in each later request. They become U+FFFD.

    Raises:
        BodyError: As for `parse`.
    """
    try:
        return parse(body)
    except BodyError:
        mended = json_text.mended(body)
        if mended is body:
            raise
        return parse(mended)


def _check_utf8(text: bytes) -> None:
    """Decode window by window: as one string, a large text could take four times its size."""
    view, at = memoryview(text), 0
    try:
        while at < len(text):
            at += codecs.utf_8_decode(view[at : at + _WINDOW], "strict", at + _WINDOW >= len(text))[1]
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8 at byte {at + error.start}") from None


def splice(body: bytes, path: tuple[str, ...], value: bytes) -> bytes | None:
    """Replace one value, at a path of object keys, by the JSON text `value`.

    Returns:
        The new text, every other byte as it was. None where there is nothing to replace: a key of the path is missing,
        or what should hold it is not an object that `parse` accepts.
    """
    start, end = 0, len(body)
    for name in path:
        try:
            members = parse(body[start:end])
        except BodyError:
            return None
        span = members._spans.get(name)
        if span is None:
            return None
        start, end = start + span.value, start + span.end
    return body[:start] + value + body[end:]


def _walk(text: bytes, raws: Mapping[str, msgspec.Raw]) -> Members:
    """Locate the members of `text`, which is valid JSON and has `raws` for its members."""
    spans: dict[str, _Span] = {}
    opening = _OPEN.match(text)
    assert opening
    at = first = opening.end()
    while not text.startswith(b"}", at):
        key = _KEY.match(text, at)
        assert key
        token = key[1]
        name = _STRING.decode(token) if b"\\" in token else token[1:-1].decode()
        raw = bytes(raws[name])
        value = key.end()
        end = value + len(raw)
        behind = _NEXT.match(text, end)
        if behind is None or name in spans or not text.startswith(raw, value):
            raise BodyError(f"`{_quoted(name)}` stands twice in the body")
        spans[name] = _Span(at, value, end, behind.end())
        at = behind.end()
    return Members(text, spans, first)


def _reason(error: Exception) -> str:
    """Put msgspec's finding in words for the sender."""
    message = str(error).removeprefix("JSON is malformed: ")
    if message == "Input data was truncated":
        return r"it ends early, or a `\u` escape lacks the other half of its surrogate pair"
    return _POSITION.sub(r" at byte \1", message)


def _quoted(name: str) -> str:
    return name if len(name) <= _MAX_QUOTED else name[:_MAX_QUOTED] + "…"
