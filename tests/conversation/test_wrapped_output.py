"""Structured output in an object and out of it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.schemas.wrapped_output import Unwrapping, wrapped
from agcore.conversation.values import Cited, Delta, Finished, Output, Stop, TextDelta, ThinkingDelta, ToolStarted

TEXT = {"type": "string"}
RECIPES = {"type": "array", "items": {"$ref": "#/$defs/R"}, "$defs": {"R": {"type": "object"}}, "title": "Recipes"}


def test_a_list_is_wrapped_and_its_definitions_stay_at_the_root() -> None:
    got = wrapped(Output(RECIPES, name="n", strict=False))
    assert got == Output(
        {
            "type": "object",
            "properties": {"value": {"type": "array", "items": {"$ref": "#/$defs/R"}, "title": "Recipes"}},
            "required": ["value"],
            "additionalProperties": False,
            "$defs": {"R": {"type": "object"}},
            "title": "Recipes",
        },
        name="n",
        strict=False,
    )


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        {"type": "object"},
        {"type": "object", "properties": {"a": TEXT}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
    ],
)
def test_an_object_goes_as_it_is(schema: Any) -> None:
    assert wrapped(Output(schema)) is None


@pytest.mark.parametrize(
    "schema", [{}, TEXT, {"enum": ["a"]}, {"type": "object", "anyOf": [{}]}, {"anyOf": [{"type": "object"}]}]
)
def test_everything_else_is_wrapped(schema: dict[str, Any]) -> None:
    got = wrapped(Output(schema))
    assert got is not None
    assert got.schema["properties"] == {"value": schema}


def test_references_to_the_root_lead_to_the_value() -> None:
    got = wrapped(Output({"type": "array", "items": {"$ref": "#"}}))
    assert got is not None
    assert got.schema["$defs"]["root"] == {"type": "array", "items": {"$ref": "#/$defs/root"}}


def unwrapped(*texts: str) -> str:
    unwrapping = Unwrapping()
    said: list[Delta] = [*(TextDelta(text) for text in texts), Finished(Stop.END)]
    deltas = list(unwrapping.deltas(said))
    assert deltas[-1] == Finished(Stop.END)
    assert all(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["}", "]", '"', "\\", " }", '\\"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, st.sampled_from([None, 1, 4]), st.lists(st.integers(1, 9), max_size=30), st.booleans())
def test_a_value_comes_out_of_its_object_however_it_is_cut(
    value: Any, indent: int | None, cuts: list[int], ascii: bool
) -> None:
    text = json.dumps({"value": value}, indent=indent, ensure_ascii=ascii)
    pieces = []
    for size in cuts:
        pieces.append(text[:size])
        text = text[size:]
    assert json.loads(unwrapped(*[piece for piece in [*pieces, text] if piece])) == value


@pytest.mark.parametrize(
    "text",
    ["I cannot do that.", '{"values": [1]}', "[1, 2]", '{"a": 1}', "{", '{"value"', "  ", '{"value":', " " * 300 + "{"],
)
def test_what_is_not_wrapped_passes(text: str) -> None:
    assert unwrapped(text) == text
    assert unwrapped(*text) == text


def test_a_value_that_is_cut_off_is_shown_as_far_as_it_came() -> None:
    assert unwrapped('{"value": [1, 2') == "[1, 2"
    assert unwrapped('{"value": [1, 2] ', " ") == "[1, 2]  "
    assert unwrapped('{"value": [1]} and more', " of it") == "[1]"
    assert len(unwrapped('{"value": 1', *[" " * 100] * 10)) <= 300, "blanks without end are not kept"


def test_other_deltas_pass_and_choices_are_apart() -> None:
    unwrapping = Unwrapping()
    said = [
        ThinkingDelta("t"),
        TextDelta('{"value":'),
        TextDelta('{"value": "b', choice=1),
        Cited("https://a.example", span=(1, 2)),
        TextDelta(' "a"}'),
        TextDelta('"}', choice=1),
        ToolStarted(0, "c", "f"),
        Finished(Stop.END),
        Finished(Stop.END, choice=1),
    ]
    assert list(unwrapping.deltas(said)) == [
        ThinkingDelta("t"),
        TextDelta('"b', choice=1),
        Cited("https://a.example"),
        TextDelta('"a"'),
        TextDelta('"', choice=1),
        ToolStarted(0, "c", "f"),
        Finished(Stop.END),
        Finished(Stop.END, choice=1),
    ]
