"""Schemas for other vendors: nothing that they refuse is left, and nothing that the user named is lost."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.json_schema import from_gemini, has_optional
from agcore.conversation.schemas.targets import ANTHROPIC_STRICT
from agcore.conversation.schemas.writer import write_schema


def for_anthropic(schema: Any) -> Any:
    return write_schema(schema, ANTHROPIC_STRICT, "schema", Losses())


ROW = {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}}, "additionalProperties": False}
CORPUS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"a": {"const": "x"}}},
    {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("title", "format", "not", "$ref", "type", "default")},
    },
    {
        "type": "object",
        "$defs": {"Row": ROW},
        "properties": {"row": {"$ref": "#/$defs/Row"}},
        "required": ["row", "ghost"],
    },
    {
        "definitions": {"N": {"type": "object", "properties": {"next": {"$ref": "#/definitions/N"}}}},
        "$ref": "#/definitions/N",
    },
    {"type": "object", "properties": {"self": {"$ref": "#"}}},
    {
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": ["string", "integer"]},
            "c": {"oneOf": [{"type": "null"}, ROW]},
        }
    },
    {"allOf": [ROW, {"properties": {"m": {"type": "string"}}, "required": ["m"]}], "required": ["n"]},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "uniqueItems": True, "minItems": 2},
    {"type": "array"},
    {"properties": {"level": {"enum": [1, 2, 3]}, "mode": {"enum": ["a", None]}, "mixed": {"enum": ["a", 1]}}},
    {"type": "string", "format": "email", "pattern": "^a", "minLength": 1},
    {"anyOf": [{"type": "string"}, True], "not": {"type": "object"}},
    {"$ref": "https://example.com/elsewhere"},
]
NAMES = st.sampled_from(
    [
        "type",
        "title",
        "format",
        "properties",
        "items",
        "$ref",
        "$defs",
        "anyOf",
        "oneOf",
        "allOf",
        "enum",
        "const",
        "required",
        "minItems",
        "nullable",
        "description",
        "not",
        "default",
        "a",
        "b",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["string", "object", "array", "#", "#/$defs/a", "#/properties/a", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
ANTHROPIC = {"type", "$defs", "$ref", "anyOf", "allOf", "enum", "const", "title", "description", "properties", "required", "items",
             "additionalProperties", "minItems", "format"}  # fmt: skip


def check_anthropic(schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    assert schema.keys() <= ANTHROPIC
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is False
    assert schema.get("minItems", 0) in (0, 1)
    for name in ("properties", "$defs"):
        if isinstance(schema.get(name), dict):
            for inner in schema[name].values():
                check_anthropic(inner)
    for name in ("anyOf", "allOf"):
        if isinstance(schema.get(name), list):
            for inner in schema[name]:
                check_anthropic(inner)
    check_anthropic(schema.get("items"))


@pytest.mark.parametrize("schema", CORPUS)
def test_anthropic_can_take_every_schema_of_the_corpus(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    check_anthropic(for_anthropic(schema))
    assert schema == before, "an argument was changed"


@given(JSON)
def test_whatever_a_schema_holds_the_result_is_legal_and_always_the_same(schema: Any) -> None:
    check_anthropic(for_anthropic(schema))
    for convert in (for_anthropic, from_gemini):
        assert json.dumps(convert(schema)) == json.dumps(convert(copy.deepcopy(schema)))


@pytest.mark.parametrize("convert", [for_anthropic, from_gemini])
def test_properties_that_are_named_like_keywords_survive(convert: Any) -> None:
    names = ["title", "format", "not", "$ref", "type", "default", "nullable", "any_of", "example"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    assert list(convert(schema)["properties"]) == names
    assert convert(schema)["required"] == names


def test_constraints_that_anthropic_refuses_move_into_the_description() -> None:
    assert for_anthropic({"type": "string", "maxLength": 3, "format": "email"}) == {
        "type": "string",
        "format": "email",
        "description": "{maxLength: 3}",
    }
    inner = {"properties": {"b": {"oneOf": [{"$ref": "#/definitions/a"}]}}}
    assert for_anthropic({"definitions": {"a": {"type": "object"}}, **inner}) == {
        "properties": {"b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
        "$defs": {"a": {"type": "object", "additionalProperties": False}},
        "additionalProperties": False,
    }


def test_google_schemas_become_json_schema() -> None:
    google = {
        "type": "OBJECT",
        "property_ordering": ["b", "a"],
        "properties": {
            "a": {"type": "STRING", "nullable": True, "format": "enum", "enum": ["x"]},
            "b": {"type": "ARRAY", "min_items": "2", "items": {"any_of": [{"type": "INTEGER"}, {"type": "BOOLEAN"}]}},
            "nullable": {"type": "TYPE_UNSPECIFIED"},
        },
    }
    assert from_gemini(google) == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "b": {"type": "array", "minItems": 2, "items": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}},
            "nullable": {},
        },
    }


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({}, False),
        (None, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, False),
        ({"type": "object", "properties": {"a": {}}}, True),
        ({"type": "object", "properties": {"a": {}}, "required": "a"}, True),
        ({"properties": {"a": {"items": {"properties": {"b": {}}, "required": []}}}, "required": ["a"]}, True),
        ({"anyOf": [{"type": "null"}, {"properties": {"b": {}}}]}, True),
        ({"$defs": {"X": {"properties": {"b": {}}}}}, True),
        ({"properties": {"properties": {"type": "object"}}, "required": ["properties"]}, False),
    ],
)
def test_optional_properties_are_found_at_any_depth(schema: Any, found: bool) -> None:
    assert has_optional(schema) is found


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "STRING", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "NULL", "nullable": True, "enum": [None]}, {"type": "null", "enum": [None]}),
        ({"anyOf": [{"type": "STRING"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"anyOf": [{"type": "NULL"}], "nullable": True}, {"anyOf": [{"type": "null"}]}),
        ({"type": "TYPE_UNSPECIFIED"}, {}),
        ({"type": "STRING", "description": None}, {"type": "string"}),
        ({"type": ["STRING", 7]}, {"type": ["string", 7]}),
        ({"type": 7}, {"type": 7}),
    ],
)
def test_what_may_be_null_may_be_null_in_json_schemas_way(schema: Any, wanted: Any) -> None:
    assert from_gemini(schema) == wanted
