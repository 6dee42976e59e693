"""JSON Schema: its parts, and Google's relative of it, read (docs/wire/json-schema.md).

All functions are pure and deterministic, take any JSON value, and leave their argument alone. They look at schemas
only: what stands under `properties` are names of the user's, never keywords, so that a property called `title` or
`format` survives. What vendors take of it stands in `targets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from agcore.conversation.values import Json

Schema: TypeAlias = dict[str, object]

DEFINITIONS: Final = ("$defs", "definitions")
"""Where schemas stand that references lead to."""
_MAX_WALK: Final = 100
"""Levels that are walked; what is nested deeper stays as it is."""

_ONE: Final = frozenset({"items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else"})
_LIST: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAP: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def mapped(schema: Schema, change: Callable[[str, object], object]) -> Schema:
    """A schema with each one directly inside it changed by `change`, which is told where that stands."""
    out: Schema = {}
    for name, value in schema.items():
        if name in _ONE and isinstance(value, dict):
            out[name] = change(name, value)
        elif (name in _LIST or name == "items") and isinstance(value, list):
            out[name] = [change(name, item) for item in value]
        elif name in _MAP and isinstance(value, dict):
            out[name] = {key: change(name, item) for key, item in value.items()}
        else:
            out[name] = value
    return out


def inner_schemas(schema: Mapping[str, object]) -> Iterator[object]:
    """Each schema directly inside of one."""
    for name, value in schema.items():
        if name in _ONE and isinstance(value, dict):
            yield value
        elif (name in _LIST or name == "items") and isinstance(value, list):
            yield from value
        elif name in _MAP and isinstance(value, dict):
            yield from value.values()


# What OpenAI's strict tools refuse


def has_optional(schema: Json) -> bool:
    """Whether some object of a schema has a property that may be missing."""
    return _has_optional(schema, _MAX_WALK)


def _has_optional(schema: object, levels: int) -> bool:
    if not isinstance(schema, dict) or not levels:
        return False
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and not properties.keys() <= set(_texts(required)):
        return True
    return any(_has_optional(inner, levels - 1) for inner in inner_schemas(schema))


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


# Gemini's OpenAPI subset -> JSON Schema

_SNAKE: Final[Mapping[str, str]] = {
    "any_of": "anyOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "property_ordering": "propertyOrdering",
    "additional_properties": "additionalProperties",
    "prefix_items": "prefixItems",
    "ref": "$ref",
    "defs": "$defs",
}
_COUNTS: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})


def from_gemini(schema: Json) -> Json:
    """Google's `Schema` (`parameters`, `responseSchema`) as JSON Schema.

    Types become lower case, `nullable` a union with null, int64 texts numbers; both spellings of each member are read.
    Keywords that are JSON Schema already stay as they are. What is no object is returned as it is.
    """
    return _from_gemini(schema, _MAX_WALK)


def _from_gemini(schema: object, levels: int) -> object:
    if not isinstance(schema, dict) or not levels:
        return schema
    out: Schema = {}
    for name, value in schema.items():
        key = _SNAKE.get(name, name)
        if value is None and key not in ("default", "const", "example"):
            continue
        if key == "type":
            value = _lower(value)
            if value is None:
                continue
        elif key in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:18])
        elif key in ("nullable", "propertyOrdering", "example") or (key == "format" and value == "enum"):
            continue
        out[key] = value
    out = mapped(out, lambda _, inner: _from_gemini(inner, levels - 1))
    return _nullable(out) if schema.get("nullable") is True else out


def _lower(kind: object) -> object:
    """A type in JSON Schema's words; None for the unspecified one."""
    if isinstance(kind, str):
        return None if kind.upper() == "TYPE_UNSPECIFIED" else kind.lower()
    return [item.lower() if isinstance(item, str) else item for item in kind] if isinstance(kind, list) else kind


def _nullable(schema: Schema) -> Schema:
    out = dict(schema)
    kind, variants, values = out.get("type"), out.get("anyOf"), out.get("enum")
    if isinstance(kind, str) and kind != "null":
        out["type"] = [kind, "null"]
    if isinstance(variants, list) and {"type": "null"} not in variants:
        out["anyOf"] = [*variants, {"type": "null"}]
    if isinstance(values, list) and None not in values:
        out["enum"] = [*values, None]
    return out
