"""Schemas for whom they go to: nothing is left that a target refuses, and nothing is lost that it takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.references import MAX_COPIED
from agcore.conversation.schemas.targets import (
    ANTHROPIC,
    ANTHROPIC_STRICT,
    GEMINI,
    GEMINI_PARAMETERS,
    GOOGLE,
    GOOGLE_PARAMETERS,
    MOONSHOT,
    OPENAI,
    OPENAI_STRICT,
    SchemaTarget,
)
from agcore.conversation.schemas.writer import is_plain_object, is_recursive, plain_object, write_schema
from tests.conversation.test_json_schema import CORPUS, JSON

TARGETS: Final = {
    "openai": OPENAI,
    "openai strict": OPENAI_STRICT,
    "anthropic": ANTHROPIC,
    "anthropic strict": ANTHROPIC_STRICT,
    "gemini": GEMINI,
    "gemini parameters": GEMINI_PARAMETERS,
    "moonshot": MOONSHOT,
    "google": GOOGLE,
    "google parameters": GOOGLE_PARAMETERS,
}
TEXT: Final = {"type": "string"}
NODE: Final = {
    "type": "object",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["name", "children"],
}


def written(schema: Any, target: SchemaTarget, losses: Losses | None = None) -> Any:
    return write_schema(schema, target, "p", Losses() if losses is None else losses)


def parameters(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("items", "not", "additionalProperties"):
        yield from nodes(schema.get(name))
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for each in schema[name] if isinstance(schema.get(name), list) else ():
            yield from nodes(each)
    for name in ("properties", "$defs", "definitions"):
        for each in schema[name].values() if isinstance(schema.get(name), dict) else ():
            yield from nodes(each)


def check(schema: Any, target: SchemaTarget) -> None:
    """What a target refuses is not there."""
    if not isinstance(schema, dict):
        return
    for node in nodes(schema):
        more = {"nullable"} if target.google_types else set()
        assert target.keywords is None or node.keys() <= target.keywords | more
        reference = node.get("$ref")
        if reference is not None and target.references != "kept":
            assert reference.startswith("#/$defs/")
            assert reference.removeprefix("#/$defs/") in schema["$defs"]
            assert node.keys() == {"$ref"}
        if target.typed and reference is None:
            assert ("type" in node) is not bool(node.get("anyOf"))
        if target.google_types:
            assert node.get("type", "ARRAY") in ("ARRAY", "BOOLEAN", "INTEGER", "NULL", "NUMBER", "OBJECT", "STRING")
        if target.declared:
            properties = node.get("properties")
            assert set(node.get("required", [])) <= set(properties if isinstance(properties, dict) else {})
    if target.plain_root:
        assert is_plain_object({**schema, "type": str(schema["type"]).lower()})
        assert isinstance(schema["properties"], dict)
    if target.cycles == "cut":
        assert not is_recursive(schema)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.parametrize("schema", CORPUS)
def test_every_target_can_take_the_corpus(schema: dict[str, Any], target: SchemaTarget) -> None:
    before = copy.deepcopy(schema)
    check(written(schema, target), target)
    assert schema == before, "an argument was changed"


@given(JSON)
def test_whatever_a_schema_holds_every_target_gets_what_it_takes(schema: Any) -> None:
    for target in TARGETS.values():
        once = written(schema, target)
        check(once, target)
        assert json.dumps(once) == json.dumps(written(copy.deepcopy(schema), target))


# References


@pytest.mark.parametrize("target", [OPENAI, ANTHROPIC])
def test_references_to_definitions_stay_where_they_are_taken(target: SchemaTarget) -> None:
    for group in ("$defs", "definitions"):
        schema = {**parameters(a={"$ref": f"#/{group}/A", "description": "d"}), group: {"A": TEXT}}
        assert written(schema, target) == schema


@pytest.mark.parametrize("target", [GEMINI, GEMINI_PARAMETERS])
@pytest.mark.parametrize(
    ("reference", "more"),
    [
        ("#/definitions/L", {"definitions": {"L": TEXT}}),
        ("#/$defs/L", {"$defs": {"L": TEXT}}),
        ("#/properties/l", {}),
        ("#/properties/l%5Fx", {}),
        ("#/properties/list/anyOf/0", {}),
        ("#named", {"$defs": {"L": {"$anchor": "named", **TEXT}}}),
    ],
)
def test_gemini_gets_what_references_lead_to(target: SchemaTarget, reference: str, more: dict[str, Any]) -> None:
    schema = {
        **parameters(l=TEXT, l_x=TEXT, list={"anyOf": [TEXT]}, m={"$ref": reference, "description": "d"}),
        **more,
    }
    got = written(schema, target)
    assert {name: value for name, value in got["properties"]["m"].items() if name != "$anchor"} == {
        "type": "string",
        "description": "d",
    }
    assert "$defs" not in got


def test_what_stands_beside_a_reference_is_kept_by_copying() -> None:
    base = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "description": "base"}
    beside = {"$ref": "#/$defs/B", "properties": {"b": TEXT}, "required": ["b"], "description": "nearer"}
    merged = {
        "type": "object",
        "properties": {"a": TEXT, "b": TEXT},
        "required": ["a", "b"],
        "description": "nearer",
    }
    for target in (OPENAI_STRICT, GEMINI, MOONSHOT):
        assert written({**parameters(x=beside), "$defs": {"B": base}}, target)["properties"]["x"] == merged
    plain = {**parameters(x={"$ref": "#/$defs/B"}), "$defs": {"B": base}}
    assert written(plain, OPENAI_STRICT) == plain


def test_a_schema_that_holds_itself_keeps_a_reference_to_a_definition() -> None:
    losses = Losses()
    schema = {**parameters(tree={"$ref": "#/$defs/Node", "description": "d"}), "$defs": {"Node": NODE}}
    got = written(schema, GEMINI_PARAMETERS, losses)
    inner = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    node = {"type": "object", "properties": {"name": TEXT, "children": inner}, "required": ["name"]}
    assert got["properties"]["tree"] == {**node, "description": "d"}
    assert got["$defs"] == {"Node": node}, "Google takes cycles in optional properties only"
    assert [loss.action for loss in losses] == ["no longer required"]
    assert written(schema, MOONSHOT)["$defs"]["Node"]["required"] == ["name", "children"]


def test_a_root_that_holds_itself_becomes_a_definition() -> None:
    got = written(
        parameters(next={"$ref": "#"}, root={"$ref": "#/definitions/root"}) | {"definitions": {"root": TEXT}}, GEMINI
    )
    assert got["properties"]["root"] == TEXT
    assert got["properties"]["next"]["properties"]["next"] == {"$ref": "#/$defs/root"}
    assert got["$defs"]["root"]["properties"]["next"] == {"$ref": "#/$defs/root"}
    by_path = parameters(a=parameters(b={"$ref": "#/properties/a"}), c=parameters(b={"$ref": "#/properties/c"}))
    kept = written(by_path, OPENAI)
    assert set(kept["$defs"]) == {"a", "c"}


def test_two_definitions_of_one_name_are_told_apart() -> None:
    loop = {"type": "object", "properties": {"x": {"$ref": "#/$defs/N"}}}
    other = {"type": "object", "properties": {"x": {"$ref": "#/properties/N"}}}
    got = written(parameters(N=other, m={"$ref": "#/$defs/N"}) | {"$defs": {"N": loop}}, GEMINI)
    assert set(got["$defs"]) == {"N", "N_2"}


def test_definitions_that_only_lead_to_each_other_say_nothing() -> None:
    schema = parameters(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    got = written(schema, GEMINI)
    assert all(each == {} for each in got.get("$defs", {}).values())


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.parametrize(
    "reference",
    ["#/$defs/Ghost", "https://example.com/s", "#nowhere", "#/properties/a/type", "#/properties/l/anyOf/7", 7],
)
def test_references_that_lead_nowhere_are_left_out_and_told(target: SchemaTarget, reference: object) -> None:
    losses = Losses()
    schema = parameters(a=TEXT, l={"anyOf": [TEXT]}, b={"$ref": reference, "description": "d"})
    got = written(schema, target, losses)
    assert "$ref" not in got["properties"]["b"]
    assert got["properties"]["b"]["description"] == "d"
    assert [loss.action for loss in losses] == ["reference left out"]


def test_anthropics_strict_schemas_are_cut_where_they_hold_themselves() -> None:
    losses = Losses()
    got = written({**parameters(tree={"$ref": "#/$defs/Node"}), "$defs": {"Node": NODE}}, ANTHROPIC_STRICT, losses)
    inner = got["properties"]["tree"]["properties"]["children"]["items"]
    assert inner == {"type": "object", "additionalProperties": False}
    assert [loss.action for loss in losses] == ["cut"]
    assert written({"$ref": "#"}, ANTHROPIC_STRICT) == {}


def test_copying_is_bounded() -> None:
    """Each definition refers to the next one twice: copied, that were 2 ** 40 nodes."""
    definitions = {
        f"d{n}": parameters(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"}) for n in range(40)
    }
    definitions["d40"] = TEXT
    got = written({**parameters(a={"$ref": "#/$defs/d0"}), "$defs": definitions}, GEMINI)
    assert sum(1 for _ in nodes(got)) < MAX_COPIED + 10 * len(definitions)
    check(got, GEMINI)


def test_depth_is_bounded() -> None:
    deep: Any = {"type": "string", "const": "x"}
    for _ in range(200):
        deep = parameters(a=deep)
    for target in TARGETS.values():
        assert isinstance(written(deep, target), dict)
    chain: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(500)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**chain, "d500": TEXT}}
    for target in TARGETS.values():
        check(written(schema, target), target)


# Roots


@pytest.mark.parametrize("target", [OPENAI, OPENAI_STRICT, ANTHROPIC, GEMINI_PARAMETERS, MOONSHOT])
@pytest.mark.parametrize(
    ("schema", "properties", "required"),
    [
        ({}, {}, None),
        ({"type": "object"}, {}, None),
        ({"properties": {"a": TEXT}, "required": ["a"]}, {"a": TEXT}, ["a"]),
        ({"type": ["object", "null"], "properties": {"a": TEXT}}, {"a": TEXT}, None),
        ({"type": "OBJECT", "properties": {"a": TEXT}}, {"a": TEXT}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": parameters(a=TEXT)}}, {"a": TEXT}, None),
        ({"anyOf": [{"$ref": "#/definitions/A"}], "definitions": {"A": parameters(a=TEXT)}}, {"a": TEXT}, None),
        (
            {
                "oneOf": [
                    {**parameters(a=TEXT, b=TEXT), "required": ["a", "b"]},
                    {**parameters(a=TEXT), "required": ["a"]},
                ]
            },
            {"a": TEXT, "b": TEXT},
            ["a"],
        ),
        (
            {"allOf": [{**parameters(a=TEXT), "required": ["a"]}, {**parameters(b=TEXT), "required": ["b"]}]},
            {"a": TEXT, "b": TEXT},
            ["a", "b"],
        ),
        (
            {
                **parameters(c=TEXT),
                "required": ["c"],
                "anyOf": [{"required": ["c"]}, {"type": "null"}, True],
            },
            {"c": TEXT},
            ["c"],
        ),
        (
            {
                "anyOf": [
                    parameters(kind={"const": "a"}, v=TEXT),
                    parameters(kind={"enum": ["b", "a"]}, v={"type": "array", "items": TEXT}),
                ]
            },
            {"kind": {"enum": ["a", "b"]}, "v": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}},
            None,
        ),
    ],
)
def test_the_root_of_a_tool_is_a_plain_object(
    schema: dict[str, Any], properties: dict[str, Any], required: list[str] | None, target: SchemaTarget
) -> None:
    got = written(schema, target)
    if target is MOONSHOT and "kind" in properties:
        properties = {**properties, "kind": {"enum": ["a", "b"], "type": "string"}}
    assert got["type"] == "object"
    assert got["properties"] == properties
    assert got.get("required") == required
    check(got, target)


def test_a_root_that_is_no_object_is_told_of() -> None:
    for schema in ({"type": "array", "items": TEXT}, {"type": "string"}):
        losses = Losses()
        assert written(schema, OPENAI, losses)["type"] == "object"
        assert [loss.weight for loss in losses] == ["warn"]


def test_conditions_at_a_root_are_told_in_its_description() -> None:
    losses = Losses()
    schema = {**parameters(a=TEXT), "description": "d", "not": {"required": ["a"]}, "anyOf": [{"required": ["a"]}, {}]}
    assert written(schema, OPENAI, losses) == {
        **parameters(a=TEXT),
        "description": 'd\n\n{not: {"required":["a"]}}',
    }
    assert [loss.action for loss in losses] == ["merged"]
    kinds = [{"const": "a", "type": "string"}, {"const": "b", "type": "string"}]
    merged = plain_object({"anyOf": [parameters(kind=each) for each in kinds]})
    assert merged["properties"] == {"kind": {"type": "string", "enum": ["a", "b"]}}


# Keywords


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": "a"}, {"enum": ["a"]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        ({"enum": ["a", None]}, {"anyOf": [{"enum": ["a"]}, {"type": "null"}]}),
        (
            {"type": ["string", "integer", "null"], "enum": ["a", 1, None]},
            {"anyOf": [{"type": ["string", "integer"], "enum": ["a", 1]}, {"type": "null"}]},
        ),
        ({"enum": [None]}, {"type": "null"}),
        ({"enum": [True]}, {"type": "boolean", "description": "{enum: [true]}"}),
        ({"enum": ["a", [1]]}, {"description": '{enum: ["a",[1]]}'}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
        ({"oneOf": [TEXT]}, {"oneOf": [TEXT]}),
        (
            {"allOf": [parameters(a=TEXT), {"allOf": [{"required": ["a"]}]}], "description": "d"},
            {"required": ["a"], "description": "d", **parameters(a=TEXT)},
        ),
        (
            {"type": "string", "pattern": "^a", "minLength": 1},
            {"type": "string", "description": "{pattern: ^a, minLength: 1}"},
        ),
        ({"type": "string", "format": "uri"}, {"type": "string", "format": "uri"}),
        (
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            {"type": "integer", "description": "{exclusiveMinimum: 0}"},
        ),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": False}, {"type": "integer", "minimum": 0}),
        (
            {"type": "array", "items": [TEXT], "additionalItems": TEXT},
            {"type": "array", "prefixItems": [TEXT], "items": TEXT},
        ),
        ({"type": "array", "items": [TEXT], "additionalItems": False}, {"type": "array", "prefixItems": [TEXT]}),
        ({"type": "any"}, {}),
        ({"type": 7, "required": True, "$comment": "x"}, {}),
        ({"type": ["STRING"]}, {"type": "string"}),
        (True, {}),
        ({"type": "string", "examples": ["x" * 2_000]}, {"type": "string"}),
        ({**parameters(a=TEXT), "required": ["a", "ghost"]}, {**parameters(a=TEXT), "required": ["a"]}),
        ({"type": "object", "required": ["ghost"]}, {"type": "object"}),
    ],
)
def test_gemini_gets_its_own_keywords(schema: Any, expected: dict[str, Any]) -> None:
    got = written(parameters(x=schema), GEMINI)["properties"]["x"]
    assert got == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, TEXT),
        ({"description": "d"}, {"description": "d", "type": "string"}),
        ({"properties": {}}, {"properties": {}, "type": "object"}),
        ({"items": TEXT}, {"items": TEXT, "type": "array"}),
        ({"enum": [1, 2]}, {"enum": [1, 2], "type": "integer"}),
        ({"enum": [1, 2.5]}, {"enum": [1, 2.5], "type": "number"}),
        ({"enum": [True]}, {"enum": [True], "type": "boolean"}),
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"minimum": 1}, {"minimum": 1, "type": "number"}),
        (
            {"type": "string", "anyOf": [{"maxLength": 1}, {"type": "integer"}]},
            {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]},
        ),
        ({"oneOf": [TEXT, {}]}, {"anyOf": [TEXT, TEXT]}),
        ({"type": "array"}, {"type": "array", "items": TEXT}),
        ({"type": "array", "prefixItems": [TEXT, TEXT]}, {"type": "array", "items": TEXT}),
        (
            {"prefixItems": [TEXT, {"type": "integer"}], "type": "array"},
            {"type": "array", "items": {"anyOf": [TEXT, {"type": "integer"}]}},
        ),
        ({"prefixItems": [], "type": "string"}, TEXT),
    ],
)
def test_moonshot_gets_a_type_everywhere(schema: Any, expected: dict[str, Any]) -> None:
    assert written(parameters(x=schema), MOONSHOT)["properties"]["x"] == expected


def test_moonshots_cycles_are_references_that_stand_alone() -> None:
    schema = parameters(x={"anyOf": [{"$ref": "#/$defs/N", "type": "object"}, True]}) | {
        "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N", "type": "object"}}}}
    }
    got = written(schema, MOONSHOT)
    assert got["$defs"]["N"]["properties"]["n"] == {"$ref": "#/$defs/N"}
    check(got, MOONSHOT)


def test_an_array_says_what_its_items_are_to_openai() -> None:
    got = written(parameters(x={"type": ["array", "null"]}, y={"type": "array", "prefixItems": [TEXT]}), OPENAI)
    assert got["properties"] == {
        "x": {"type": ["array", "null"], "items": {}},
        "y": {"type": "array", "prefixItems": [TEXT], "items": {}},
    }


def test_what_no_json_can_say_is_not_told() -> None:
    deep: Any = []
    for _ in range(2_000):
        deep = [deep]
    assert written(parameters(x={"type": "string", "examples": deep}), GEMINI)["properties"]["x"] == TEXT


@pytest.mark.parametrize("schema", [None, True, "x", []])
def test_what_is_no_object_stays(schema: Any) -> None:
    for target in TARGETS.values():
        assert written(schema, target) == schema
    assert not is_recursive(schema)


def test_schemas_that_are_mere_truths_are_taken() -> None:
    schema = {**parameters(a={"$ref": "#/$defs/A"}, b={"allOf": [True, TEXT]}), "$defs": {"A": True, "B": True}}
    assert written(schema, OPENAI) == schema
    assert written(schema, GEMINI) == parameters(a={}, b=TEXT)


def test_a_definition_that_waits_for_two_is_none_that_holds_itself() -> None:
    definitions = {"A": parameters(b={"$ref": "#/$defs/B"}, c={"$ref": "#/$defs/C"}), "B": TEXT, "C": TEXT}
    assert not is_recursive({**parameters(a={"$ref": "#/$defs/A"}), "$defs": definitions})


def test_a_required_truth_beside_a_cycle_stays_required() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/N"}, "any": True, "odd": 7},
        "required": ["next", "any", "odd"],
    }
    got = written({**parameters(n={"$ref": "#/$defs/N"}), "$defs": {"N": node}}, GEMINI)
    assert got["$defs"]["N"]["required"] == ["any", "odd"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, {"type": "STRING"}),
        (
            {"type": ["string", "null"], "format": "uri"},
            {"type": "STRING", "description": "{format: uri}", "nullable": True},
        ),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        (
            {"anyOf": [{"type": "null"}, {"type": "integer"}], "title": "t"},
            {"type": "INTEGER", "title": "t", "nullable": True},
        ),
        (
            {"oneOf": [{"type": "null"}, {"type": "integer"}, {"type": "boolean"}]},
            {"nullable": True, "anyOf": [{"type": "INTEGER"}, {"type": "BOOLEAN"}]},
        ),
        ({"type": "null"}, {"type": "NULL"}),
        (
            {"type": ["integer", "string", "null"]},
            {"nullable": True, "anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]},
        ),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"enum": [1, 2]}, {"type": "INTEGER", "description": "{enum: [1,2]}"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "description": "{exclusiveMinimum: 0}"}),
    ],
)
def test_google_gets_its_own_types(schema: Any, expected: dict[str, Any]) -> None:
    assert written(parameters(x=schema), GOOGLE_PARAMETERS)["properties"]["x"] == expected


def test_google_gets_no_schema_that_holds_itself() -> None:
    got = written({**parameters(tree={"$ref": "#/$defs/Node"}), "$defs": {"Node": NODE}}, GOOGLE_PARAMETERS)
    assert got["properties"]["tree"]["properties"]["children"]["items"] == {"type": "OBJECT"}


def test_the_first_of_two_anchors_counts() -> None:
    schema = parameters(a={"$ref": "#x"}, b={"$anchor": "x", "type": "integer"}, c={"$ref": "#x"}, d={"$ref": "#y"})
    got = written(schema, OPENAI)
    assert got["properties"]["a"]["type"] == got["properties"]["c"]["type"] == "integer"
    assert got["properties"]["d"] == {}
