"""Fields of a client's request, checked.

`null` is the same as absent (docs/wire/json.md). What is of another type than its field raises
`conversation.values.Invalid`, with the field's path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from agcore.conversation.values import Invalid

Fields: TypeAlias = Mapping[str, object]

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How hard a model may be asked to think, from nothing to all."""


def text(fields: Fields, name: str, path: str = "") -> str:
    """A string, or empty."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(path + name, "a string")
    return value


def needed_text(fields: Fields, name: str, path: str = "") -> str:
    """A string that must be there and not be empty."""
    value = text(fields, name, path)
    if not value:
        raise Invalid(f"`{path}{name}` is required and must be a non-empty string", param=path + name)
    return value


def number(fields: Fields, name: str) -> float | None:
    """A number, an integer as one."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, "a number")
    return value


def integer(fields: Fields, name: str, path: str = "") -> int | None:
    """An integer; a whole float is one too."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(path + name, "an integer")
    return value


def flag(fields: Fields, name: str, path: str = "") -> bool | None:
    """True or false."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(path + name, "true or false")
    return value


def members(fields: Fields, name: str, path: str = "") -> dict[str, object] | None:
    """An object."""
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong(path + name, "an object")
    return value


def items(fields: Fields, name: str, path: str = "") -> list[object]:
    """An array; empty when absent."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(path + name, "an array")
    return value


def as_members(value: object, path: str) -> dict[str, object]:
    """`value`, which must be an object."""
    if not isinstance(value, dict):
        raise wrong(path, "an object")
    return value


def wrong(path: str, kind: str) -> Invalid:
    """The error for a field at `path` that is not `kind`."""
    return Invalid(f"`{path}` must be {kind}", param=path)
