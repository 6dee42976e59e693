"""Reading Google's messages in JSON: every field in camelCase or snake_case, null as absent, int64 as text.

Proto JSON allows both spellings in one body, and Google's own SDKs mix them (docs/wire/json.md). A `Message` reads one
object's fields by their camelCase names, checks their types as they are taken, and knows what nobody took. Free-form
maps (a call's arguments, a schema's properties) are taken whole and never looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid

MAX_CHOICES: Final = 8
"""Answers that one request may ask for."""

_UNDERSCORE: Final = re.compile(r"(?<=[A-Za-z0-9])_+([A-Za-z0-9])")


def _camel(name: str) -> str:
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name)


class Message:
    """One object. `path` says where it stood, in the client's own spelling; empty for the whole body."""

    def __init__(self, value: object, path: str) -> None:
        """Raises `Invalid` for what is no object."""
        self.path = path
        if not isinstance(value, dict):
            raise Invalid(f"{path or 'the body'} must be an object", param=path or None)
        self.value = value
        self._fields: dict[str, object] = {}
        self._spelled: dict[str, str] = {}
        for name, item in value.items():
            camel = _camel(name)
            if item is not None and (camel not in self._fields or camel == name):
                self._fields[camel] = item
                self._spelled[camel] = name

    def at(self, name: str) -> str:
        """The path of a field."""
        spelled = self._spelled.get(name, name)
        return f"{self.path}.{spelled}" if self.path else spelled

    def has(self, name: str) -> bool:
        """Whether a field is there and was not taken yet."""
        return name in self._fields

    def left(self) -> list[str]:
        """The fields that nobody took."""
        return list(self._fields)

    def note_left(self, losses: Losses) -> None:
        """Record the fields that nobody took, as notes: whatever a reader does not know is told of."""
        for name in self._fields:
            losses.note_first(self.at(name), "other dialects have no such field")

    def take(self, name: str) -> object:
        """A field as it is; None where it is absent."""
        return self._fields.pop(name, None)

    def peek(self, name: str) -> Iterator[Message]:
        """The objects in a field, or the one that it is, without taking it; nothing where it is something else."""
        value = self._fields.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield Message(item, self.at(name))

    def peek_text(self, name: str) -> str:
        """A text without taking it; empty where it is something else."""
        value = self._fields.get(name)
        return value if isinstance(value, str) else ""

    def text(self, name: str) -> str:
        """A text; empty where it is absent."""
        value = self.take(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false where it is absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return bool(value)

    def number(self, name: str) -> float | None:
        """A finite number."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self._wrong(name, "a number") from None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            raise self._wrong(name, "a number")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, also as text (int64) or as a float."""
        value = self.number(name)
        if value is None:
            return None
        if value != int(value) or abs(value) >= 2**63:
            raise self._wrong(name, "a whole number")
        return int(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text that stands for a list of it."""
        return tuple(str(item) for item in self._items(name, str, "strings"))

    def message(self, name: str) -> Message | None:
        """An object."""
        value = self.take(name)
        return None if value is None else Message(value, self.at(name))

    def messages(self, name: str) -> list[Message]:
        """A list of objects, or one that stands for a list of it (docs/wire/json.md#two-spellings-at-google)."""
        alone = isinstance(self._fields.get(name), dict)
        values = self._items(name, dict, "objects")
        place = self.at(name)
        return [Message(value, place if alone else f"{place}[{index}]") for index, value in enumerate(values)]

    def _items(self, name: str, kind: type, noun: str) -> list[object]:
        value = self.take(name)
        if value is None:
            return []
        if isinstance(value, kind):
            return [value]
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise self._wrong(name, f"a list of {noun}")
        return value

    def _wrong(self, name: str, wanted: str) -> Invalid:
        return Invalid(f"{self.at(name)} must be {wanted}", param=self.at(name))
