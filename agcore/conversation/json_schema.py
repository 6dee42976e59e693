"""JSON Schema as Google writes it and as Anthropic takes it, each another subset (docs/wire/json-schema.md).

All functions are pure and deterministic, take any JSON value, and leave their argument alone. They look at schemas
only: what stands under `properties` are names of the user's, never keywords, so that a property called `title` or
`format` survives. What a subset cannot say moves into the description, where the model still reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agcore.conversation.values import Json

_Schema = dict[str, object]

_MAX_WALK: Final = 100
"""Levels that are walked; what is nested deeper stays as it is."""

_ONE: Final = frozenset({"items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else"})
_LIST: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAP: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def _mapped(schema: _Schema, change: Callable[[object], object]) -> _Schema:
    """`schema` with each schema directly inside it changed."""
    out: _Schema = {}
    for name, value in schema.items():
        if name in _ONE and isinstance(value, dict):
            out[name] = change(value)
        elif name in _LIST and isinstance(value, list):
            out[name] = [change(item) for item in value]
        elif name in _MAP and isinstance(value, dict):
            out[name] = {key: change(item) for key, item in value.items()}
        else:
            out[name] = value
    return out


def _plain(value: object) -> str:
    """A value as it reads in a description."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _described(schema: _Schema, lost: Mapping[str, object]) -> _Schema:
    """`schema` with the constraints in `lost` said in its description."""
    if not lost:
        return schema
    said = "{" + ", ".join(f"{name}: {_plain(value)}" for name, value in lost.items()) + "}"
    before = schema.get("description")
    return {**schema, "description": f"{before}\n\n{said}" if isinstance(before, str) and before else said}


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
    found = False

    def look(inner: object) -> object:
        nonlocal found
        found = found or _has_optional(inner, levels - 1)
        return inner

    _mapped(schema, look)
    return found


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
    out: _Schema = {}
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
    out = _mapped(out, lambda inner: _from_gemini(inner, levels - 1))
    return _nullable(out) if schema.get("nullable") is True else out


def _lower(kind: object) -> object:
    """A type in JSON Schema's words; None for the unspecified one."""
    if isinstance(kind, str):
        return None if kind.upper() == "TYPE_UNSPECIFIED" else kind.lower()
    return [item.lower() if isinstance(item, str) else item for item in kind] if isinstance(kind, list) else kind


def _nullable(schema: _Schema) -> _Schema:
    out = dict(schema)
    kind, variants, values = out.get("type"), out.get("anyOf"), out.get("enum")
    if isinstance(kind, str) and kind != "null":
        out["type"] = [kind, "null"]
    if isinstance(variants, list) and {"type": "null"} not in variants:
        out["anyOf"] = [*variants, {"type": "null"}]
    if isinstance(values, list) and None not in values:
        out["enum"] = [*values, None]
    return out


# JSON Schema -> Anthropic's structured outputs

_ANTHROPIC_KEPT: Final = frozenset(
    {"type", "$defs", "$ref", "anyOf", "allOf", "enum", "const", "title", "description", "properties", "required",
     "items"}
)  # fmt: skip
_ANTHROPIC_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_SILENT: Final = frozenset({"$schema", "$id", "$comment", "additionalProperties"})


def for_anthropic(schema: Json) -> Json:
    """A JSON Schema as Anthropic takes it for `output_config.format` and strict tools.

    Objects are closed, `oneOf` is `anyOf`, `definitions` are `$defs`; of `minItems` 0 and 1 stay, of formats those that
    are known there. All other constraints are told in the description. What is no object is returned as it is.
    """
    return _for_anthropic(schema, _MAX_WALK)


def _for_anthropic(schema: object, levels: int) -> object:
    if not isinstance(schema, dict) or not levels:
        return schema
    out: _Schema = {}
    lost: _Schema = {}
    for name, value in schema.items():
        if name == "definitions":
            mine, more = out.get("$defs"), value
            out["$defs"] = {**more, **mine} if isinstance(mine, dict) and isinstance(more, dict) else more
        elif name == "oneOf" and "anyOf" not in schema:
            out["anyOf"] = value
        elif name == "$ref" and isinstance(value, str):
            out["$ref"] = value.replace("#/definitions/", "#/$defs/", 1)
        elif (
            name in _ANTHROPIC_KEPT
            or (name == "minItems" and value in (0, 1))
            or (name == "format" and isinstance(value, str) and value in _ANTHROPIC_FORMATS)
        ):
            out[name] = value
        elif name not in _SILENT:
            lost[name] = value
    if out.get("type") == "object" or "properties" in out:
        out["additionalProperties"] = False
    return _described(_mapped(out, lambda inner: _for_anthropic(inner, levels - 1)), lost)
