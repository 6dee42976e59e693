"""Histories in the order that every vendor accepts, whatever the client made of them."""

from __future__ import annotations

import itertools
from collections import Counter

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.repair import INTERRUPTED, repair_history
from agcore.conversation.values import (
    Conversation,
    Image,
    Part,
    Role,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

PICTURE = Image(Source("image/png", data="AAAA"))


def user(*parts: Part | str) -> Turn:
    return Turn("user", _parts(parts))


def assistant(*parts: Part | str, starts: tuple[int, ...] = ()) -> Turn:
    return Turn("assistant", _parts(parts), starts=starts)


def system(*parts: Part | str) -> Turn:
    return Turn("system", _parts(parts))


def call(id: str, name: str = "get") -> ToolCall:
    return ToolCall(id, name, "{}")


def result(id: str, text: str = "ok", name: str = "get") -> ToolResult:
    return ToolResult(id, (Text(text),), name=name)


def interrupted(id: str) -> ToolResult:
    return ToolResult(id, (Text(INTERRUPTED),), is_error=True, name="get")


def repair(*turns: Turn) -> tuple[Turn, ...]:
    return repair_history(Conversation(model="m", turns=turns), losses=Losses()).turns


def losses_of(*turns: Turn) -> list[tuple[str, str]]:
    losses = Losses()
    repair_history(Conversation(model="m", turns=turns), losses=losses)
    return [(loss.path, loss.action) for loss in losses]


def _parts(parts: tuple[Part | str, ...]) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


# Turns.


def test_a_history_in_order_stays_as_it_is_and_costs_nothing() -> None:
    turns = (system("s"), user("a"), assistant("b", call("x")), user(result("x"), "c"), assistant("d"), user("e"))
    assert repair(*turns) == turns
    assert losses_of(*turns) == []


def test_user_turns_stay_apart_where_they_may_and_what_was_moved_stands_behind_results_all_the_same() -> None:
    turns = (
        *(user("a"), user("b"), assistant("c"), assistant(call("x"), call("y"))),
        *(user("d"), user(result("y")), user("e"), user(result("x"), "f"), user("g")),
    )
    conversation = Conversation(model="m", turns=turns)
    assert repair_history(conversation, losses=Losses(), apart=True).turns == (
        *(user("a"), user("b"), assistant("c", call("x"), call("y"), starts=(1,)), user(result("x"), result("y"))),
        *(user("d"), user("e"), user("f"), user("g")),
    )


def test_neighbouring_turns_of_one_role_become_one_with_its_parts_in_order() -> None:
    assert repair(user("a"), user(PICTURE, "b"), assistant("c"), assistant("d")) == (
        user("a", PICTURE, "b"),
        assistant("c", "d", starts=(1,)),
    )


def test_a_merged_turn_of_the_assistant_tells_where_its_messages_begin() -> None:
    turns = (assistant("a", "b"), user(), assistant("c", "d"), assistant(PICTURE), user("e"))
    assert repair(*turns) == (assistant("a", "b", "c", "d", PICTURE, starts=(2, 4)), user("e"))


def test_messages_that_meet_once_a_result_has_moved_are_told_apart_too() -> None:
    turns = (assistant("a", call("x")), user(result("x")), assistant("b", "c"), user(result("x")), assistant("d"))
    assert repair(*turns)[-1] == assistant("b", "c", "d", starts=(2,))


def test_a_merged_turn_keeps_the_first_name() -> None:
    turns = (Turn("user", (Text("a"),), name="ann"), Turn("user", (Text("b"),), name="bob"))
    assert repair(*turns) == (Turn("user", (Text("a"), Text("b")), name="ann"),)


def test_system_turns_stay_apart() -> None:
    turns = (system("a"), system("b"), Turn("developer", (Text("c"),)), user("d"))
    assert repair(*turns) == turns


def test_turns_that_say_nothing_are_left_out() -> None:
    assert repair(user("a"), assistant(), user("b")) == (user("a", "b"),)
    assert repair(user()) == ()


# Results.


def test_results_stand_behind_their_calls_in_the_order_of_the_calls() -> None:
    turns = (assistant(call("x"), call("y")), user(result("y", "2")), user(result("x", "1"), "go on"))
    assert repair(*turns) == (assistant(call("x"), call("y")), user(result("x", "1"), result("y", "2"), "go on"))


def test_what_stood_between_a_call_and_its_result_stands_behind_it() -> None:
    turns = (assistant(call("x")), user("wait"), system("hint"), user(result("x"), "so?"))
    assert repair(*turns) == (assistant(call("x")), user(result("x"), "wait"), system("hint"), user("so?"))


def test_a_result_that_comes_after_a_further_answer_is_moved_up() -> None:
    turns = (assistant(call("x")), user("and?"), assistant("wait"), user(result("x")))
    assert repair(*turns) == (assistant(call("x")), user(result("x"), "and?"), assistant("wait"))


def test_a_result_learns_the_name_of_its_tool_and_whether_that_is_free_form() -> None:
    asked = ToolCall("x", "shell", "ls", custom=True)
    (_, answered) = repair(assistant(asked), user(ToolResult("x", ())))
    assert answered.parts == (ToolResult("x", (), name="shell", custom=True),)


def test_a_call_without_a_result_gets_a_failed_one() -> None:
    turns = (assistant(call("x"), call("y")), user(result("y"), "go on"))
    assert repair(*turns) == (assistant(call("x"), call("y")), user(interrupted("x"), result("y"), "go on"))
    assert losses_of(*turns) == [("tool call x", "answered as interrupted")]


def test_a_call_at_the_very_end_is_answered_as_interrupted_too() -> None:
    assert repair(user("a"), assistant(call("x"))) == (user("a"), assistant(call("x")), user(interrupted("x")))
    assert repair(assistant(call("x")), system("s")) == (assistant(call("x")), user(interrupted("x")), system("s"))


def test_of_two_results_for_one_call_the_first_counts() -> None:
    turns = (assistant(call("x")), user(result("x", "1"), result("x", "2")), assistant("ok"), user(result("x", "3")))
    assert repair(*turns) == (assistant(call("x")), user(result("x", "1")), assistant("ok"))
    assert losses_of(*turns) == [("tool result x", "dropped")]


def test_a_result_without_a_call_becomes_text() -> None:
    turns = (user(result("gone", "18 C", name="")), user("so?"))
    assert repair(*turns) == (user("[Result of an earlier tool call, gone]", "18 C", "so?"),)
    assert losses_of(*turns) == [("tool result gone", "sent as text")]


def test_a_result_before_its_call_becomes_text_and_the_call_is_interrupted() -> None:
    turns = (user(result("x", "early")), assistant(call("x")), user("hm"))
    assert repair(*turns) == (
        user("[Result of an earlier tool call, get]", "early"),
        assistant(call("x")),
        user(interrupted("x"), "hm"),
    )


def test_a_result_before_its_call_is_not_lost_where_the_call_has_another_one() -> None:
    turns = (user(result("x", "cut off")), assistant(call("x")), user(result("x", "new")))
    assert repair(*turns) == (
        user("[Result of an earlier tool call, get]", "cut off"),
        assistant(call("x")),
        user(result("x", "new")),
    )


# Ids that are used again.


def test_an_id_that_a_later_turn_uses_again_is_told_apart() -> None:
    turns = (assistant(call("x")), user(result("x", "1")), assistant(call("x")), user(result("x", "2")))
    assert repair(*turns) == (
        assistant(call("x")),
        user(result("x", "1")),
        assistant(call("x_2")),
        user(result("x_2", "2")),
    )


def test_parallel_calls_with_one_id_are_answered_in_order() -> None:
    turns = (assistant(call("x"), call("x"), call("x")), user(result("x", "1"), result("x", "2")))
    assert repair(*turns) == (
        assistant(call("x"), call("x_2"), call("x_3")),
        user(result("x", "1"), result("x_2", "2"), interrupted("x_3")),
    )


def test_a_result_for_an_id_used_again_belongs_to_the_latest_call() -> None:
    turns = (assistant(call("x")), user("never mind"), assistant(call("x")), user(result("x", "2")))
    assert repair(*turns)[1::2] == (user(interrupted("x"), "never mind"), user(result("x_2", "2")))


def test_an_id_told_apart_never_meets_another_one() -> None:
    turns = (assistant(call("x"), call("x"), call("x_2")), user(result("x", "1"), result("x", "2"), result("x_2", "3")))
    assert repair(*turns) == (
        assistant(call("x"), call("x_2"), call("x_2_2")),
        user(result("x", "1"), result("x_2", "2"), result("x_2_2", "3")),
    )


# Whatever the history.

IDS = st.sampled_from(["x", "y", "x_2", "z"])
WORDS = st.text("abc", min_size=1, max_size=3)
SAID = st.one_of(WORDS.map(Text), st.just(PICTURE))
RESULTS = st.builds(
    ToolResult, call_id=IDS, content=st.lists(SAID, max_size=2).map(tuple), is_error=st.booleans(), name=st.just("get")
)
CALLS = IDS.map(call)


def turn(role: Role, parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Turn]:
    return st.lists(parts, max_size=4).map(lambda said: Turn(role, tuple(said)))


TURNS = st.lists(
    st.one_of(
        turn("user", st.one_of(SAID, RESULTS, RESULTS)),
        turn("assistant", st.one_of(SAID, CALLS, CALLS, WORDS.map(Thinking))),
        turn("system", WORDS.map(Text)),
    ),
    max_size=8,
)


@given(TURNS)
def test_every_call_is_answered_exactly_once_right_behind_it_and_in_order(turns: list[Turn]) -> None:
    found = repair(*turns)
    ids: list[str] = []
    behind: list[str] = []
    for each in found:
        results = [part.call_id for part in each.parts if isinstance(part, ToolResult)]
        assert results == behind
        if behind:
            assert each.role == "user"
            assert all(isinstance(part, ToolResult) for part in each.parts[: len(behind)])
        behind = [part.id for part in each.parts if isinstance(part, ToolCall)]
        ids += behind
    assert behind == []
    assert len(set(ids)) == len(ids)


@given(TURNS)
def test_users_and_assistants_never_follow_themselves_and_no_turn_is_empty(turns: list[Turn]) -> None:
    found = repair(*turns)
    assert all(each.parts for each in found)
    assert all(one.role != two.role or one.role == "system" for one, two in itertools.pairwise(found))


@given(TURNS)
def test_repairing_twice_is_repairing_once(turns: list[Turn]) -> None:
    once = repair(*turns)
    losses = Losses()
    again = repair_history(Conversation(model="m", turns=once), losses=losses).turns
    assert again == once
    assert not len(losses)


@given(TURNS)
def test_nothing_that_was_said_is_lost_but_second_results(turns: list[Turn]) -> None:
    losses = Losses()
    found = repair_history(Conversation(model="m", turns=tuple(turns)), losses=losses).turns
    for role in ("user", "assistant", "system"):
        before, after = _said(turns, role), _said(found, role)
        assert not before - after
    results = sum(isinstance(part, ToolResult) for each in turns for part in each.parts)
    kept = sum(
        isinstance(part, ToolResult) and part.content != interrupted("x").content
        for each in found
        for part in each.parts
    )
    as_text = sum(isinstance(part, Text) and part.text.startswith("[Result") for each in found for part in each.parts)
    assert kept + as_text <= results
    if not any("already" in loss.why for loss in losses):
        assert kept + as_text == results


def _said(turns: list[Turn] | tuple[Turn, ...], role: str) -> Counter[bytes]:
    """What was said in turns of a role, by anything but results; ids aside, for they may have to be told apart."""
    return Counter(
        msgspec.json.encode(msgspec.structs.replace(part, id="") if isinstance(part, ToolCall) else part)
        for each in turns
        if each.role == role
        for part in each.parts
        if not isinstance(part, ToolResult)
    )


@given(TURNS, st.sampled_from(["user", "assistant", "system"]))
@example([user("a"), assistant(call("x")), user(result("x"))], "user")
def test_a_further_turn_changes_nothing_before_the_last_one(turns: list[Turn], role: Role) -> None:
    said = [each for each in turns if each.parts]
    if role == "assistant" and said and said[-1].role == "assistant":
        return  # that is more of the last turn
    before = repair(*turns)
    after = repair(*turns, Turn(role, (Text("more"),)))
    assert after[: len(before) - 1] == before[:-1]
    if before and after[: len(before)] != before:
        assert after[len(before) - 1].parts[: len(before[-1].parts)] == before[-1].parts


def test_calls_that_were_interrupted_at_the_end_are_so_in_later_requests_as_well() -> None:
    before = repair(user("a"), assistant(call("x")))
    after = repair(user("a"), assistant(call("x")), user("go on"))
    assert after == (*before[:-1], user(interrupted("x"), "go on"))
