"""JSON Schema as each vendor takes it (wire.md D7): its dialects are subsets, and each subset is another one.

All functions are pure and deterministic, take any JSON value, and leave their argument alone. They look at schemas
only: what stands under `properties` are names of the user's, never keywords, so that a property called `title` or
`format` survives. What a subset cannot say moves into the description, where the model still reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agcore.conversation import Json

_Schema = dict[str, object]

MAX_DEPTH: Final = 12
"""Levels that `for_gemini` keeps: Google refuses deeper ones, and inlined references could go on for ever."""
_MAX_NODES: Final = 4_000
_MAX_WALK: Final = 100
"""Levels that the other functions walk; what is nested deeper stays as it is."""

_ONE: Final = frozenset({"items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else"})
_LIST: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAP: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_ANY_OF: Final = ("anyOf", "oneOf")


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


# JSON Schema -> Gemini's OpenAPI subset

_KEPT: Final = (
    "title",
    "description",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
)
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})
_FORMATS: Final[Mapping[str, frozenset[str]]] = {
    "STRING": frozenset({"date-time", "enum"}),
    "NUMBER": frozenset({"float", "double"}),
    "INTEGER": frozenset({"int32", "int64"}),
}


def for_gemini(schema: Json) -> dict[str, object]:
    """A JSON Schema as Google's `Schema`, for `parameters` and `responseSchema` where those are what is taken.

    References are inlined, a recursive one ends in a bare object, `allOf` is merged, `oneOf` is `anyOf`, a union with
    null is `nullable`; constraints without a word are told in the description. No more than `MAX_DEPTH` levels.
    """
    root = schema if isinstance(schema, dict) else {}
    return _ForGemini(root).clean(root, (), 1)


class _ForGemini:
    """One cleaning. References can multiply a schema, so that its nodes are counted too."""

    def __init__(self, root: _Schema) -> None:
        self._root = root
        self._nodes = 0

    def clean(self, node: object, opened: tuple[str, ...], depth: int) -> _Schema:
        self._nodes += 1
        if not isinstance(node, dict):
            return {"type": "STRING"}
        if depth > MAX_DEPTH or self._nodes > _MAX_NODES:
            return {"type": "OBJECT", "description": "nested too deeply to describe"}
        node, opened, cycle = self._resolved(node, opened)
        if cycle:
            return {"type": "OBJECT", "description": f"recursive {cycle}"}
        out: _Schema = {name: node[name] for name in _KEPT if _well_typed(name, node.get(name))}
        lost: _Schema = {}
        kind = self._kind(node, out, opened, depth)
        self._values(node, out)
        if "type" not in out and "anyOf" not in out:
            out["type"] = kind
        if out.get("type") == "OBJECT":
            self._object(node, out, opened, depth)
        elif out.get("type") == "ARRAY":
            out["items"] = self.clean(_items(node), opened, depth + 1)
        self._bounds(node, out, lost)
        return _described(out, lost)

    def _resolved(self, node: _Schema, opened: tuple[str, ...]) -> tuple[_Schema, tuple[str, ...], str]:
        """The node with its reference and its `allOf` merged in; what they name is open from here on down."""
        merged = dict(node)
        while "$ref" in merged or isinstance(merged.get("allOf"), list):
            inner: list[object] = []
            reference = merged.pop("$ref", None)
            if isinstance(reference, str):
                if reference in opened or len(opened) > _MAX_WALK:
                    return merged, opened, reference.rpartition("/")[2] or "schema"
                opened = (*opened, reference)
                inner.append(self._target(reference))
            every = merged.pop("allOf", None)
            inner += every if isinstance(every, list) else []
            for other in inner:
                if isinstance(other, dict):
                    merged = _merge(merged, other)
        return merged, opened, ""

    def _target(self, reference: str) -> object:
        value: object = self._root
        if not reference.startswith("#"):
            return None
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and name.isdigit() and int(name[:9]) < len(value):
                value = value[int(name[:9])]
            elif isinstance(value, dict):
                value = value.get(name)
            else:
                return None
        return value

    def _kind(self, node: _Schema, out: _Schema, opened: tuple[str, ...], depth: int) -> str:
        """Set `type`, `nullable` and `anyOf`; return the type that the other keywords imply."""
        declared = node.get("type")
        names = declared if isinstance(declared, list) else [declared]
        kinds = list(dict.fromkeys(name.lower() for name in names if isinstance(name, str)))
        nullable = "null" in kinds or node.get("nullable") is True
        kinds = [kind for kind in kinds if kind in _TYPES]
        variants: list[object] = []
        for name in _ANY_OF:
            value = node.get(name)
            variants += value if isinstance(value, list) else []
        real = [item for item in variants if not (isinstance(item, dict) and item.get("type") == "null")]
        nullable = nullable or len(real) < len(variants)
        if len(kinds) == 1:
            out["type"] = kinds[0].upper()
        elif kinds and not real:
            shared = {name: value for name, value in node.items() if name not in ("type", "title", "description")}
            real = [{**shared, "type": kind} for kind in kinds]
        if real and "type" not in out:
            out["anyOf"] = [self.clean(item, opened, depth + 1) for item in real]
        if nullable:
            out["nullable"] = True
        if isinstance(node.get("properties"), dict):
            return "OBJECT"
        return "ARRAY" if "items" in node or "prefixItems" in node else "STRING"

    def _values(self, node: _Schema, out: _Schema) -> None:
        """Set `enum`, which knows texts only: numbers keep their type and lose the list."""
        values = [node["const"]] if "const" in node else node.get("enum")
        if not isinstance(values, list) or "anyOf" in out:
            return
        real = [value for value in values if value is not None]
        if len(real) < len(values):
            out["nullable"] = True
        numeric = all(isinstance(value, int | float) for value in real)
        if out.get("type") not in (None, "STRING") or not real:
            return
        if numeric and "type" not in out:
            whole = all(isinstance(value, int) and not isinstance(value, bool) for value in real)
            flags = all(isinstance(value, bool) for value in real)
            out["type"] = "BOOLEAN" if flags else "INTEGER" if whole else "NUMBER"
            return
        out["type"] = "STRING"
        out["enum"] = list(dict.fromkeys(_plain(value) for value in real))

    def _object(self, node: _Schema, out: _Schema, opened: tuple[str, ...], depth: int) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict) or not properties:
            return
        out["properties"] = {name: self.clean(value, opened, depth + 1) for name, value in properties.items()}
        required = node.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        known = [name for name in dict.fromkeys(names) if name in properties]
        if known:
            out["required"] = known

    def _bounds(self, node: _Schema, out: _Schema, lost: _Schema) -> None:
        kind = str(out.get("type"))
        for name, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            value = node.get(name)
            if _well_typed(bound, value):
                out.setdefault(bound, value)
                lost[name] = value
        spelled = node.get("format")
        if isinstance(spelled, str):
            if spelled in _FORMATS.get(kind, ()) and not (spelled == "enum" and "enum" not in out):
                out["format"] = spelled
            else:
                lost["format"] = spelled
        for name in ("multipleOf", "uniqueItems"):
            if node.get(name):
                lost[name] = node[name]
        if kind not in ("STRING", "None"):
            lost |= {name: node[name] for name in ("enum", "const") if name in node}


def _well_typed(name: str, value: object) -> bool:
    if name in ("title", "description", "pattern"):
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _items(node: _Schema) -> object:
    """The one schema for all items that Google knows."""
    items, first = node.get("items"), node.get("prefixItems")
    if isinstance(items, dict):
        return items
    tuple_items = first if isinstance(first, list) else items if isinstance(items, list) else []
    return tuple_items[0] if len(tuple_items) == 1 else {"anyOf": tuple_items} if tuple_items else {"type": "string"}


def _merge(one: _Schema, other: _Schema) -> _Schema:
    """Both schemas at once, as far as that can be written: the first one's word counts, members are united."""
    out = dict(one)
    for name, value in other.items():
        mine = out.get(name)
        if name == "properties" and isinstance(mine, dict) and isinstance(value, dict):
            out[name] = {**value, **mine}
        elif name in ("required", "allOf") and isinstance(mine, list) and isinstance(value, list):
            out[name] = [*mine, *(item for item in value if item not in mine)]
        elif name not in out:
            out[name] = value
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
