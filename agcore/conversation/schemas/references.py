"""References inside of a JSON Schema, in the forms that a vendor takes (docs/wire/json-schema.md#references).

The root and its alternatives always say themselves what they are. What is written anew has its definitions under
`$defs` at the root, and only those that something leads to. A reference that leads back to where it stands stays one,
and so does every reference once enough was copied: a schema of n nodes becomes one of at most some n + `MAX_COPIED`
nodes, whatever leads where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from agcore.conversation.schemas.json_schema import DEFINITIONS, Schema, inner_schemas, mapped

References: TypeAlias = Literal["kept", "alone", "copied"]
"""What happens to references to definitions: they are `kept` with what stands beside them, kept where they stand
`alone`, or what they lead to is `copied` in their place. Other references are always copied."""

MAX_COPIED: Final = 2_000
"""Nodes that are copied in place of references."""
MAX_LEVELS: Final = 64
"""Levels that are walked; what is nested deeper says nothing."""

_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_MISSING: Final = object()


class Resolved:
    """A schema whose references are of the forms that were asked for.

    Args:
        document: The schema; left alone.
        references: What becomes of references to definitions.
        cut: A reference that leads back to where it stands becomes no more than a type.

    Attributes:
        schema: The schema anew; `document` itself where nothing had to change.
        missing: References that lead nowhere, in order. They say nothing any more.
        recursive: Whether references that lead back to themselves are left.
    """

    def __init__(self, document: Schema, references: References, *, cut: bool = False) -> None:
        self.missing: list[str] = []
        self._document = document
        self._references = references
        self._cut = cut
        self._names: dict[str, str] = {}  # pointer -> name under $defs
        self._taken: set[str] = set()  # these names
        self._anchors: dict[str, Schema] | None = None  # found when one is asked for
        self._pending: list[str] = []
        self._left = MAX_COPIED
        self.schema = document if self._is_fine() else self._written()
        self.recursive = bool(self._names) and _recursive(self.schema)

    def _is_fine(self) -> bool:
        """Whether the document may stay as it is."""
        if any("$ref" in each for each in _top(self._document)):
            return False
        for schema in _all(self._document):
            reference = schema.get("$ref")
            if reference is None:
                continue
            if not isinstance(reference, str) or self._references == "copied" or not _is_definition(reference):
                return False
            if (self._references == "alone" and len(schema) > 1) or self._found(reference) is _MISSING:
                return False
            self._names[reference] = reference.rpartition("/")[2]
        return self._references == "kept" or "definitions" not in self._document

    def _written(self) -> Schema:
        self._names.clear()
        found = self._walk(self._document, frozenset(), MAX_LEVELS, top=True)
        definitions: Schema = {}
        for pointer in self._pending:  # grows
            target = self._found(pointer)
            name = self._names[pointer]
            definitions[name] = self._walk(target, frozenset((pointer,)), MAX_LEVELS, top=False)
        schema = found if isinstance(found, dict) else {}
        if not definitions:
            return schema
        definitions = _uncircular(definitions)
        if schema.keys() == {"$ref"}:  # the root leads to nothing but itself
            return {}
        return {**schema, "$defs": definitions}

    def _walk(self, schema: object, inside: frozenset[str], levels: int, *, top: bool) -> object:
        if not isinstance(schema, dict):
            return schema
        if not levels:
            return {}
        self._left -= bool(inside)
        own = {key: value for key, value in schema.items() if key not in DEFINITIONS}
        reference = own.pop("$ref", None)

        def inner(name: str, value: object) -> object:
            return self._walk(value, inside, levels - 1, top=top and name in _ALTERNATIVES)

        beside = mapped(own, inner)
        if reference is None:
            return beside
        return self._led(reference, beside, inside, levels, top=top)

    def _led(self, reference: object, beside: Schema, inside: frozenset[str], levels: int, *, top: bool) -> Schema:
        """What stands in place of a reference."""
        target = self._found(reference) if isinstance(reference, str) else _MISSING
        if not isinstance(reference, str) or target is _MISSING:
            self.missing.append(str(reference))
            return beside
        wanted = top or self._references == "copied" or not _is_definition(reference)
        if reference not in inside and self._left > 0 and (wanted or (self._references == "alone" and beside)):
            copied = self._walk(target, inside | {reference}, levels - 1, top=top)
            return joined(copied if isinstance(copied, dict) else {}, beside)
        if reference in inside and self._cut:
            kind = target.get("type") if isinstance(target, dict) else None
            return {"type": kind if isinstance(kind, str) else "object", **beside}
        if reference not in self._names:
            self._names[reference] = self._name(reference)
            self._pending.append(reference)
        alone: Schema = {"$ref": f"#/$defs/{self._names[reference]}"}
        return {**alone, **beside} if self._references == "kept" else alone

    def _name(self, reference: str) -> str:
        wanted = unquote(reference).rpartition("/")[2].lstrip("#") or "root"
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def _found(self, reference: str) -> object:
        """What a reference leads to."""
        if not reference.startswith("#"):
            return _MISSING
        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            return self._anchored(pointer)
        found: object = self._document
        for step in pointer.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(key, _MISSING)
            elif isinstance(found, list) and key.isdecimal() and len(key) < 7 and int(key) < len(found):
                found = found[int(key)]
            else:
                return _MISSING
        return found if isinstance(found, dict | bool) else _MISSING

    def _anchored(self, name: str) -> object:
        if self._anchors is None:
            self._anchors = {}
            for schema in _all(self._document):
                anchor = schema.get("$anchor")
                if isinstance(anchor, str):
                    self._anchors.setdefault(anchor, schema)
        return self._anchors.get(name, _MISSING)


def joined(schema: Schema, beside: Schema) -> Schema:
    """A schema and what stood beside the reference to it, as one: what is said nearer counts."""
    if not beside or schema.keys() == {"$ref"}:
        return schema
    found = {**schema, **beside}
    ours, theirs = schema.get("properties"), beside.get("properties")
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found["properties"] = {**ours, **theirs}
    first, second = schema.get("required"), beside.get("required")
    if isinstance(first, list) and isinstance(second, list):
        found["required"] = [*first, *(name for name in second if name not in first)]
    return found


def _is_definition(reference: str) -> bool:
    return any(
        reference.startswith(f"#/{name}/") and "/" not in reference[len(name) + 3 :] and "%" not in reference
        for name in DEFINITIONS
    )


def _top(schema: Mapping[str, object], levels: int = MAX_LEVELS) -> Iterator[Mapping[str, object]]:
    """A root and its alternatives."""
    yield schema
    for name in _ALTERNATIVES:
        branches = schema.get(name)
        for branch in branches if levels and isinstance(branches, list) else ():
            if isinstance(branch, dict):
                yield from _top(branch, levels - 1)


def _all(document: Schema) -> Iterator[Schema]:
    """Every schema in a document, as deep as documents are walked."""
    left: list[tuple[Schema, int]] = [(document, MAX_LEVELS)]
    while left:
        schema, levels = left.pop()
        yield schema
        if levels:
            left.extend((each, levels - 1) for each in inner_schemas(schema) if isinstance(each, dict))


def _uncircular(definitions: Schema) -> Schema:
    """Definitions; those that are only references, and lead to each other in a circle, say nothing."""
    led = {}
    for name, schema in definitions.items():
        if isinstance(schema, dict) and schema.keys() == {"$ref"}:
            led[name] = str(schema["$ref"]).removeprefix("#/$defs/")
    sound: dict[str, bool] = {name: True for name in definitions if name not in led}
    for name in led:
        path: list[str] = []
        at = name
        while at not in sound:
            sound[at] = False  # until something sound is reached
            path.append(at)
            at = led[at]
        sound.update(dict.fromkeys(path, sound[at]))
    return {name: schema if sound[name] else {} for name, schema in definitions.items()}


def _recursive(document: Schema) -> bool:
    """Whether some definition leads to itself."""
    leads: dict[str, set[str]] = {}
    for group in DEFINITIONS:
        definitions = document.get(group)
        for name, schema in definitions.items() if isinstance(definitions, dict) else ():
            if isinstance(schema, dict):
                leads[name] = {str(each["$ref"]).rpartition("/")[2] for each in _all(schema) if "$ref" in each}
    waits = {name: led & leads.keys() for name, led in leads.items()}
    led_from: dict[str, list[str]] = {}
    for name, led in waits.items():
        for each in led:
            led_from.setdefault(each, []).append(name)
    done = [name for name, led in waits.items() if not led]
    for each in done:  # grows
        for name in led_from.get(each, ()):
            waits[name].discard(each)
            if not waits[name]:
                done.append(name)
    return len(done) < len(leads)
