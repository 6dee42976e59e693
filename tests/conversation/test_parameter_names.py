"""Names of tools' parameters, made legal and brought back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.conversation.schemas.parameter_names import ParameterNames
from agcore.conversation.values import Conversation, Text, Tool, ToolCall, Turn
from agcore.dialects.anthropic.traits import TRAITS

RULE = TRAITS.parameter_names
TEXT = {"type": "string"}
LONG = "x" * 65


def asked(schema: Any, *, custom: bool = False, arguments: str = "{}") -> Conversation:
    turns = (Turn("user", (Text("hi"),)), Turn("assistant", (ToolCall("c", "f", arguments), ToolCall("d", "g", "{}"))))
    tools = (Tool("f", parameters=schema, custom=custom), Tool("g"))
    return Conversation(model="m", turns=turns, tools=tools)


def test_names_are_legal_there_and_the_clients_own_back_again() -> None:
    names = ["$top", "filter[id]", "filter_id", "@", "user name", LONG, "top", "größe"]
    schema = {"type": "object", "properties": dict.fromkeys(names, TEXT), "required": ["$top", "filter_id", 7]}
    said = json.dumps({name: number for number, name in enumerate(names)}, ensure_ascii=False)
    conversation = asked(schema, arguments=said)
    parameters = ParameterNames(conversation, RULE)
    got = parameters.applied(conversation)
    there = list(got.tools[0].parameters["properties"])
    assert RULE is not None
    assert all(RULE.pattern.fullmatch(name) for name in there)
    assert len(set(there)) == len(names)
    assert (there[2], there[6]) == ("filter_id", "top"), "what is legal stays"
    assert got.tools[0].parameters["required"] == [there[0], "filter_id", 7]
    call = got.turns[1].parts[0]
    assert isinstance(call, ToolCall)
    assert list(json.loads(call.arguments)) == there
    assert json.loads(parameters.original("f", call.arguments)) == json.loads(said)
    assert "f" in parameters
    assert "g" not in parameters
    assert got.tools[1] == conversation.tools[1]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "object"},
        {"type": "object", "properties": {"a.b-c_1": {"type": "object", "properties": {"$inner": TEXT}}}},
        {"anyOf": [{"type": "object", "properties": {"a": TEXT}}]},
    ],
)
def test_legal_names_change_nothing(schema: Any) -> None:
    conversation = asked(schema)
    assert ParameterNames(conversation, RULE).applied(conversation) is conversation
    illegal = asked({"type": "object", "properties": {"$a": TEXT}}, custom=schema is None)
    if schema is None:
        assert ParameterNames(illegal, RULE).applied(illegal) is illegal
    assert ParameterNames(illegal, None).applied(illegal) is illegal


def test_alternatives_and_references_are_renamed_too() -> None:
    schema = {"anyOf": [{"type": "object", "properties": {"$a": TEXT, "b": {"$ref": "#/anyOf/0/properties/$a"}}}]}
    conversation = asked(schema)
    got = ParameterNames(conversation, RULE).applied(conversation)
    assert got.tools[0].parameters == {"type": "object", "properties": {"a": TEXT, "b": TEXT}}


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '{"b":1}'])
def test_arguments_without_such_names_stay(arguments: str) -> None:
    parameters = ParameterNames(asked({"type": "object", "properties": {"$a": TEXT}}), RULE)
    assert parameters.original("f", arguments) == arguments
