"""Tool names and call ids that the other side takes, there and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.tool_names import ToolNameRule, ToolNames, safe_call_id
from agcore.conversation.values import Conversation, Text, Tool, ToolCall, ToolChoice, ToolResult, Turn
from agcore.dialects import DIALECTS

LEGAL = {
    "openai_chat": r"[A-Za-z0-9_-]{1,64}",
    "openai_responses": r"[A-Za-z0-9_-]{1,64}",
    "anthropic": r"[A-Za-z0-9_-]{1,128}",
    "gemini": r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}",
}
"""docs/wire/tools.md#names, once more."""

NAMED = st.sampled_from(sorted(LEGAL))
NAMES = st.one_of(
    st.text(max_size=140),
    st.text("a.b/_1", max_size=4),
    st.sampled_from(["a.b", "a/b", "a_b", "mcp__server__tool", "x" * 90, "x" * 91, "x" * 64, "x" * 128, "x" * 129]),
)


def conversation(*names: str, turns: tuple[Turn, ...] = ()) -> Conversation:
    return Conversation(model="m", turns=turns, tools=tuple(Tool(name) for name in names))


def rule(dialect: str) -> ToolNameRule:
    rule = DIALECTS[dialect].traits.tool_names
    assert rule is not None
    return rule


def applied(dialect: str, *names: str) -> list[str]:
    asked = conversation(*names)
    return [tool.name for tool in ToolNames(asked, rule(dialect)).applied(asked).tools]


def called(*names: str) -> tuple[Turn, ...]:
    calls = tuple(ToolCall(f"c{at}", name, "{}") for at, name in enumerate(names))
    return (Turn("assistant", calls),)


@given(NAMED, st.lists(NAMES, unique=True, max_size=12))
def test_every_name_becomes_legal_distinct_and_finds_home(dialect: str, names: list[str]) -> None:
    asked = conversation(*names)
    mapping = ToolNames(asked, rule(dialect))
    there = [tool.name for tool in mapping.applied(asked).tools]
    assert all(re.fullmatch(LEGAL[dialect], name) for name in there)
    assert len(set(there)) == len(names)
    assert [mapping.original(name) for name in there] == names
    assert all(there[at] == name for at, name in enumerate(names) if re.fullmatch(LEGAL[dialect], name))


@given(NAMED, st.lists(NAMES, unique=True, max_size=8))
def test_the_same_names_are_always_mapped_alike(dialect: str, names: list[str]) -> None:
    assert applied(dialect, *names) == applied(dialect, *names)


@given(NAMED, st.lists(NAMES, unique=True, max_size=8), NAMES)
def test_an_illegal_name_at_the_end_changes_no_other(dialect: str, names: list[str], more: str) -> None:
    if more not in names and not re.fullmatch(LEGAL[dialect], more):
        assert applied(dialect, *names, more)[:-1] == applied(dialect, *names)


@pytest.mark.parametrize(
    ("dialect", "name", "legal"),
    [
        ("openai_chat", "files.read", "files_read"),
        ("openai_chat", "a.b/c", "a_b_c"),
        ("openai_chat", "größe", "gr__e"),
        ("anthropic", "a b", "a_b"),
        ("openai_chat", "", "_"),
        ("openai_chat", "1.2", "_1_2"),
        ("openai_chat", "1-2", "1-2"),
        ("gemini", "1-2", "_1-2"),
        ("gemini", "files.read:all", "files.read:all"),
        ("gemini", "-x", "_-x"),
        ("anthropic", "x" * 90, "x" * 90),
    ],
)
def test_names_stay_readable(dialect: str, name: str, legal: str) -> None:
    assert applied(dialect, name) == [legal]


def test_a_long_name_keeps_its_beginning_and_ends_in_a_hash() -> None:
    one, two = applied("openai_chat", "mcp__" + "x" * 85 + "1", "mcp__" + "x" * 85 + "2")
    assert len(one) == len(two) == 64
    assert one[:55] == two[:55] == ("mcp__" + "x" * 85)[:55]
    assert re.fullmatch(r"_[0-9a-f]{8}", one[55:])
    assert one != two


def test_a_legal_name_keeps_its_right_over_an_illegal_one() -> None:
    for names in (("a.b", "a_b"), ("a_b", "a.b")):
        there = dict(zip(names, applied("openai_chat", *names), strict=True))
        assert there["a_b"] == "a_b"
        assert re.fullmatch(r"a_b_[0-9a-f]{8}", there["a.b"])


def test_a_name_that_takes_the_hashed_form_of_another_gets_a_longer_hash() -> None:
    (_, hashed) = applied("openai_chat", "a_b", "a.b")
    (_, longer, same) = applied("openai_chat", "a_b", "a.b", hashed)
    assert same == hashed
    assert re.fullmatch(r"a_b_[0-9a-f]{16}", longer)
    assert longer.startswith(hashed)


def test_names_are_mapped_in_definitions_choice_history_and_output_alike() -> None:
    asked = Conversation(
        model="m",
        tools=(Tool("a.b"), Tool("c")),
        tool_choice=ToolChoice("required", ("a.b", "c", "unknown.tool")),
        turns=(
            Turn("user", (Text("a.b"),)),
            Turn("assistant", (ToolCall("1", "a.b", "{}"), ToolCall("2", "c", "{}"))),
            Turn("user", (ToolResult("1", (), name="a.b"), ToolResult("2", (), name="c"), ToolResult("3", ()))),
        ),
    )
    mapping = ToolNames(asked, rule("anthropic"))
    found = mapping.applied(asked)
    assert [tool.name for tool in found.tools] == ["a_b", "c"]
    assert found.tool_choice == ToolChoice("required", ("a_b", "c", "unknown.tool"))
    assert found.turns == (
        Turn("user", (Text("a.b"),)),
        Turn("assistant", (ToolCall("1", "a_b", "{}"), ToolCall("2", "c", "{}"))),
        Turn("user", (ToolResult("1", (), name="a_b"), ToolResult("2", (), name="c"), ToolResult("3", ()))),
    )
    assert (mapping.original("a_b"), mapping.original("c"), mapping.original("new")) == ("a.b", "c", "new")


def test_a_name_that_only_the_history_has_is_mapped_too() -> None:
    asked = conversation("a_b", turns=called("a.b"))
    mapping = ToolNames(asked, rule("openai_chat"))
    ((call,),) = (turn.parts for turn in mapping.applied(asked).turns)
    assert isinstance(call, ToolCall)
    assert call.name != "a_b"
    assert mapping.original(call.name) == "a.b"


def test_what_is_legal_already_is_the_same_conversation() -> None:
    turns = (*called("a"), Turn("user", (ToolResult("c0", (), name="a"),)))
    asked = conversation("a", turns=turns)
    assert ToolNames(asked, rule("gemini")).applied(asked) is asked


# Ids.


@given(st.text(max_size=60))
def test_an_id_is_legal_everywhere_and_stays_where_it_was(id: str) -> None:
    found = safe_call_id(id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", found)
    assert safe_call_id(found) == found
    assert (found == id) == bool(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", id))


@given(st.lists(st.text(max_size=50), unique=True, max_size=10))
def test_different_ids_stay_different(ids: list[str]) -> None:
    assert len({safe_call_id(id) for id in ids}) == len(ids)


def test_a_call_and_its_result_get_the_same_id() -> None:
    turns = (
        Turn("assistant", (ToolCall("call.1", "get", "{}"),)),
        Turn("user", (ToolResult("call.1", (Text("x"),), name="get"),)),
    )
    asked = conversation("get", turns=turns)
    said, answered = ToolNames(asked, rule("openai_chat")).applied(asked).turns
    (call,), (result,) = said.parts, answered.parts
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id == safe_call_id("call.1") != "call.1"
