"""JSON Schemas written for whoever gets them: references, roots and keywords as a `SchemaTarget` takes them.

What cannot be said moves into the description, where the model still reads it. All is pure and deterministic, takes any
JSON value and leaves its argument alone; a schema that has nothing to change is returned as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import UnionType
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.schemas.json_schema import Schema, inner_schemas, mapped
from agcore.conversation.schemas.references import MAX_LEVELS, Resolved, joined
from agcore.conversation.schemas.targets import SchemaTarget
from agcore.conversation.values import Json

_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_CONDITIONS: Final = ("enum", "const", "not", "if", "then", "else")
_BESIDE_OBJECT: Final = frozenset({*_ALTERNATIVES, *_CONDITIONS})
"""What stands at no root that has to be a plain object."""
_OBJECT: Final = (None, "object", ["object"], ["object", "null"], ["null", "object"])
"""Types of alternatives that may be objects."""
_SILENT: Final = frozenset({"$schema", "$id", "$comment", "$anchor", "additionalProperties", "nullable"})
"""What says nothing to a model."""
_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_LONGEST_TOLD: Final = 1_000
"""Characters of a constraint that is told in a description."""
_EXCLUSIVE: Final = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


def write_schema(schema: Json, target: SchemaTarget, path: str, losses: Losses) -> Json:
    """Returns the schema as the target takes it; what is no object is returned as it is.

    Args:
        schema: The client's.
        target: Whom it is for.
        path: Of the schema in the client's request, for people.
        losses: Told of references that lead nowhere, alternatives that were merged, and what may be missing now.
    """
    if not isinstance(schema, dict):
        return schema
    resolved = Resolved(schema, target.references)
    if resolved.recursive and target.cycles == "cut":
        losses.add(path, "the upstream takes no schema that holds itself", action="cut")
        resolved = Resolved(schema, "copied", cut=True)
    for reference in resolved.missing:
        losses.add(path, f"{reference[:100]} leads nowhere", action="reference left out")
    found = resolved.schema
    if target.plain_root and (plain := plain_object(found)) is not found:
        if any(name in found for name in _ALTERNATIVES):
            losses.add(path, "a schema takes no alternatives at its root", action="merged")
        elif found.get("type") not in _OBJECT:
            losses.add(path, "a schema's root is an object", action="any object")
        found = plain
    if resolved.recursive and target.cycles == "optional":
        losses.add(path, "schemas that hold themselves must be optional", action="no longer required", weight="note")
    fitted = _fitted(found, target, MAX_LEVELS)
    return fitted if isinstance(fitted, dict) else {}


def is_plain_object(schema: Json) -> bool:
    """Whether a schema's root is an object without alternatives or conditions."""
    return isinstance(schema, dict) and schema.get("type") == "object" and _BESIDE_OBJECT.isdisjoint(schema)


def is_recursive(schema: Json) -> bool:
    """Whether a schema holds itself."""
    return isinstance(schema, dict) and Resolved(schema, "kept").recursive


def plain_object(schema: Schema) -> Schema:
    """A schema whose root is an object that has properties: alternatives are merged into one object.

    A property that differs among them may be any of theirs; what all of them require stays required.
    """
    if is_plain_object(schema) and isinstance(schema.get("properties"), dict):
        return schema
    merged = schema
    for name in _ALTERNATIVES:
        branches = [each for each in _listed(schema, name) if isinstance(each, dict) and each.get("type") in _OBJECT]
        if branches:
            merged = _merged(merged, [plain_object(each) for each in branches], every=name == "allOf")
    plain: Schema = {"type": "object"}
    plain |= {name: value for name, value in merged.items() if name not in _BESIDE_OBJECT and name != "type"}
    if not isinstance(plain.get("properties"), dict):
        plain["properties"] = {}
    return _described(plain, {name: merged[name] for name in _CONDITIONS if name in merged})


def _merged(schema: Schema, branches: list[Schema], *, every: bool) -> Schema:
    """A schema and its alternatives as one; `every` of them holds, or any."""
    found: dict[str, list[object]] = {}
    for branch in branches:
        properties = branch["properties"]
        assert isinstance(properties, dict)
        for name, value in properties.items():
            found.setdefault(name, []).append(value)
    merged: Schema = {name: _either(_distinct(seen)) for name, seen in found.items()}
    own = schema.get("properties")
    merged.update(own if isinstance(own, dict) else {})
    needed = Counter(name for each in branches for name in dict.fromkeys(_texts(each.get("required"))))
    required = dict.fromkeys(_texts(schema.get("required")))
    required |= {name: None for name, count in needed.items() if every or count == len(branches)}
    out = {**schema, "properties": merged}
    return {**out, "required": list(required)} if required else out


def _either(schemas: list[object]) -> object:
    """A schema for what is one of several; literals that are told apart by it become one list."""
    if len(schemas) == 1:
        return schemas[0]
    values: list[object] = []
    for schema in schemas:
        literal = isinstance(schema, dict) and schema.keys() <= {"const", "enum", "type", "title", "description"}
        if not literal or not isinstance(schema, dict) or ("const" not in schema and "enum" not in schema):
            return {"anyOf": schemas}
        listed = schema.get("enum")
        values += [schema["const"]] if "const" in schema else listed if isinstance(listed, list) else []
    first = schemas[0]
    kind = first.get("type") if isinstance(first, dict) else None
    same = all(isinstance(each, dict) and each.get("type") == kind for each in schemas)
    return {**({"type": kind} if same and kind else {}), "enum": _distinct(values)}


def _fitted(schema: object, target: SchemaTarget, levels: int) -> object:
    """A schema and all in it, as the target takes them."""
    if schema is True and target.keywords is not None:
        schema = {}
    if not isinstance(schema, dict) or not levels:
        return schema
    out = _modern(schema)
    if target.keywords is not None:
        out = _reduced(out, target, target.keywords)
    out = mapped(out, lambda _, inner: _fitted(inner, target, levels - 1))
    if target.closed and (out.get("type") == "object" or "properties" in out):
        out["additionalProperties"] = False
    if target.declared and isinstance(out.get("required"), list):
        out = _declared(out, optional=target.cycles == "optional")
    if target.listed and "items" not in out and "array" in _kinds(out):
        out["items"] = _fitted({}, target, levels - 1) if target.typed else {}
    if target.typed and "$ref" not in out:
        out = _typed(out)
    return _google(out) if target.google_types else out


def _google(schema: Schema) -> Schema:
    """A schema with types as Google writes them."""
    kinds = [kind for kind in _kinds(schema) if kind != "null"]
    branches = [each for each in _listed(schema, "anyOf") if each != {"type": "NULL"}]
    out = {name: value for name, value in schema.items() if name not in ("type", "anyOf")}
    if (kinds and len(kinds) != len(_kinds(schema))) or len(branches) != len(_listed(schema, "anyOf")):
        out["nullable"] = True
    if len(kinds) > 1:
        branches = [{"type": kind.upper()} for kind in kinds]
    elif kinds or not branches:
        return {"type": kinds[0].upper() if kinds else "NULL", **out}
    only = branches[0]
    return {**only, **out} if len(branches) == 1 and isinstance(only, dict) else {**out, "anyOf": branches}


def _modern(schema: Schema) -> Schema:
    """A schema of an older draft, or of OpenAPI 3.0, in the words of 2020-12; always a copy."""
    out = dict(schema)
    kinds = [each.lower() for each in _kinds(out) if each.lower() in _TYPES]
    if "type" in out and out["type"] not in (kinds, *kinds[:1]):
        out["type"] = kinds[0] if len(kinds) == 1 else kinds
    if not kinds:
        out.pop("type", None)
    if out.get("nullable") is True and isinstance(out.get("type"), str) and out["type"] != "null":
        out["type"] = [out["type"], "null"]
        if isinstance(out.get("enum"), list) and None not in _listed(out, "enum"):
            out["enum"] = [*_listed(out, "enum"), None]
    for name, bound in _EXCLUSIVE:
        if isinstance(out.get(name), bool):
            exclusive = out.pop(name)
            if exclusive and bound in out:
                out[name] = out.pop(bound)
    if isinstance(out.get("items"), list):
        out["prefixItems"] = out.pop("items")
        rest = out.pop("additionalItems", None)
        if isinstance(rest, dict):
            out["items"] = rest
    if "required" in out and not isinstance(out["required"], list):
        del out["required"]
    return out


def _reduced(schema: Schema, target: SchemaTarget, keywords: frozenset[str]) -> Schema:
    """A schema in the target's keywords only; the others are told in its description."""
    out = dict(schema)
    if "allOf" in out and "allOf" not in keywords:
        out = _all_of(out)
    if "const" in out and "const" not in keywords:
        literal = out.pop("const")
        out.setdefault("enum", [literal])
    if "oneOf" in out and "oneOf" not in keywords and "anyOf" not in out:
        out["anyOf"] = out.pop("oneOf")
    if "prefixItems" in out and "prefixItems" not in keywords:
        shapes = _distinct(_listed(out, "prefixItems"))
        del out["prefixItems"]
        if shapes:
            out["items"] = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    lost: Schema = {}
    if target.enums != "any" and "enum" in out:
        out = _scalars(out, lost, str if target.enums == "texts" else str | int | float)
    if (
        "format" in out
        and target.formats is not None
        and not (isinstance(out["format"], str) and out["format"] in target.formats)
    ):
        lost["format"] = out.pop("format")
    if "minItems" in out and target.few_items and out["minItems"] not in (0, 1):
        lost["minItems"] = out.pop("minItems")
    for name in [each for each in out if each not in keywords]:
        value = out.pop(name)
        if name not in _SILENT:
            lost[name] = value
    return _described(out, lost)


def _all_of(schema: Schema) -> Schema:
    """A schema with all that holds of it said in one place; what contradicts is said by whoever comes first."""
    out = {name: value for name, value in schema.items() if name != "allOf"}
    for part in _listed(schema, "allOf"):
        if isinstance(part, dict):
            part = _all_of(part) if "allOf" in part else part
            out = joined(part, out)
    return out


def _scalars(schema: Schema, lost: Schema, kinds_taken: type | UnionType) -> Schema:
    """A schema whose `enum` has values of some types only: null is an alternative, all else is told."""
    values = _listed(schema, "enum")
    scalars = [each for each in values if isinstance(each, kinds_taken) and not isinstance(each, bool)]
    if len(scalars) == len(values) and scalars:
        return schema
    rest = {name: value for name, value in schema.items() if name != "enum"}
    if not all(each is None or each in scalars for each in values):
        lost["enum"] = values
        if "type" not in rest and values and not any(isinstance(each, str | list | dict | None) for each in values):
            rest["type"] = _implied({"enum": values})
        return rest
    if not scalars:
        return {**rest, "type": "null"}
    kinds = [each for each in _kinds(rest) if each != "null"]
    kind: Schema = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    rest.pop("type", None)
    return {**rest, "anyOf": [{**kind, "enum": scalars}, {"type": "null"}]}


def _declared(schema: Schema, *, optional: bool) -> Schema:
    """A schema that requires only what it declares; `optional`: and nothing that leads back to itself."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = [
        name for name in _texts(schema["required"]) if name in known and not (optional and _refers(known[name]))
    ]
    out = {**schema, "required": required}  # in its place
    return out if required else {name: value for name, value in out.items() if name != "required"}


def _refers(schema: object, levels: int = MAX_LEVELS) -> bool:
    """Whether some reference is left in a schema: those that are lead back."""
    if not isinstance(schema, dict) or not levels:
        return False
    return "$ref" in schema or any(_refers(inner, levels - 1) for inner in inner_schemas(schema))


def _typed(schema: Schema) -> Schema:
    """A schema that says its type, or whose alternatives do."""
    branches = schema.get("anyOf")
    if isinstance(branches, list) and branches:
        rest = {name: value for name, value in schema.items() if name not in ("type", "anyOf")}
        kind = {"type": schema["type"]} if "type" in schema else {}
        typed = [
            _typed({**kind, **each}) if isinstance(each, dict) and "$ref" not in each else each for each in branches
        ]
        return {**rest, "anyOf": typed}
    if "type" in schema:
        return schema
    return {**schema, "type": _implied(schema)}


def _implied(schema: Schema) -> str:
    """The type that a schema without one means; a text where it says nothing."""
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    values = _listed(schema, "enum")
    if values and all(isinstance(each, bool) for each in values):
        return "boolean"
    if values and all(isinstance(each, int | float) for each in values):
        return "integer" if all(isinstance(each, int) for each in values) else "number"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _described(schema: Schema, lost: Mapping[str, object]) -> Schema:
    """A schema with the constraints in `lost` said in its description."""
    told = [f"{name}: {text}" for name, value in lost.items() if len(text := _plain(value)) <= _LONGEST_TOLD]
    if not told:
        return schema
    said = "{" + ", ".join(told) + "}"
    before = schema.get("description")
    return {**schema, "description": f"{before}\n\n{said}" if isinstance(before, str) and before else said}


def _plain(value: object) -> str:
    """A value as it reads in a description."""
    if isinstance(value, str):
        return value
    try:
        return json_text.encode(value).decode()
    except ValueError:
        return " " * (_LONGEST_TOLD + 1)


def _kinds(schema: Mapping[str, object]) -> list[str]:
    """The types of a schema."""
    kind = schema.get("type")
    return [kind] if isinstance(kind, str) else _texts(kind)


def _listed(schema: Mapping[str, object], name: str) -> list[object]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _distinct(values: list[object]) -> list[object]:
    seen: dict[bytes, object] = {}
    for value in values:
        seen.setdefault(msgspec.json.encode(value), value)
    return list(seen.values())
