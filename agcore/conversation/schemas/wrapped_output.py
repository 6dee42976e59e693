"""Structured output whose root is no plain object, at upstreams that take only such roots.

The schema goes up as the one property of an object, and the answer comes home without that object, while it streams.
What an upstream says instead (a refusal, words before a call) passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agcore.conversation.schemas.json_schema import DEFINITIONS
from agcore.conversation.schemas.references import Resolved
from agcore.conversation.schemas.writer import is_plain_object
from agcore.conversation.values import Cited, Delta, Finished, Output, TextDelta, ToolStarted

MEMBER: Final = "value"
"""The property that holds the client's value."""

_BLANK: Final = " \t\r\n"
_OPENING: Final = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"value"[ \t\r\n]*:[ \t\r\n]*')
_LONGEST_OPENING: Final = 256
"""Characters after which what did not open by then is no wrapped value."""


def wrapped(output: Output) -> Output | None:
    """Structured output with the client's schema in an object; None where it is one, or there is no schema."""
    schema = output.schema
    if not isinstance(schema, dict):
        return None
    inner = Resolved(schema, "kept").schema
    if is_plain_object(inner):
        return None
    whole: dict[str, object] = {
        "type": "object",
        "properties": {MEMBER: {name: value for name, value in inner.items() if name not in DEFINITIONS}},
        "required": [MEMBER],
        "additionalProperties": False,
    }
    whole |= {name: inner[name] for name in DEFINITIONS if name in inner}
    title = inner.get("title")
    if isinstance(title, str):
        whole["title"] = title
    return msgspec.structs.replace(output, schema=whole)


class Unwrapping:
    """The texts of an answer without the object around its value."""

    def __init__(self) -> None:
        self._texts: dict[int, _Value] = {}

    def deltas(self, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Yields the deltas, whose texts are the client's value."""
        for delta in deltas:
            if isinstance(delta, TextDelta):
                text = self._texts.setdefault(delta.choice, _Value()).fed(delta.text)
                if text:
                    yield TextDelta(text, choice=delta.choice)
                continue
            if isinstance(delta, Finished | ToolStarted):
                rest = self._texts.pop(delta.choice, _Value()).rest
                if rest:
                    yield TextDelta(rest, choice=delta.choice)
            yield msgspec.structs.replace(delta, span=None) if isinstance(delta, Cited) else delta


class _Value:
    """One text on its way: what opens it, the value, and what closes it."""

    def __init__(self) -> None:
        self.rest = ""
        """What was held back, for it may belong to the object around."""
        self._opened: bool | None = None  # False: this is no wrapped value
        self._depth = 0
        self._quoted = self._escaped = self._closed = False

    def fed(self, text: str) -> str:
        """What of the text so far may be shown now."""
        if self._opened is None:
            text, self.rest = self.rest + text, ""
            opening = _OPENING.match(text)
            if opening is not None and opening.end() < len(text):
                self._opened = True
                text = text[opening.end() :]
            elif _may_open(text):
                self.rest = text
                return ""
            else:
                self._opened = False
        return self._inside(text) if self._opened else text

    def _inside(self, text: str) -> str:
        if self._closed:
            return ""
        before, self.rest = self.rest, ""
        for at, char in enumerate(text):
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._quoted = False
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                if not self._depth:
                    self._closed = True
                    return (before + text[:at]).rstrip(_BLANK)
                self._depth -= 1
        whole = before + text
        shown = whole if self._quoted or self._depth else whole.rstrip(_BLANK)
        self.rest = whole[len(shown) :][:_LONGEST_OPENING]
        return shown


def _may_open(text: str) -> bool:
    """Whether more text could make it open a wrapped value."""
    squeezed = "".join(text.split())
    return len(text) < _LONGEST_OPENING and '{"value":'.startswith(squeezed)
