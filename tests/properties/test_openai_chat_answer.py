"""Any answer, read from and written as Chat Completions."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Consumed,
    Delta,
    Finished,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.openai_chat.answer_reader import read_answer
from agcore.dialects.openai_chat.request_reader import parse_request
from agcore.protocol.fault import Fault
from tests.dialects.openai_chat.test_answer import ASKS_USAGE, CLIENT, read, render, sse, write
from tests.support.deltas import deltas
from tests.support.grammar_openai_chat import check, chunks

WORDS = st.sampled_from(["", "a", "b", "{", "}", '{"x":1}', "stop", "tool_calls", "length", "é", "\ud83d", "\ude00"])

SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | WORDS

CALL = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 2) | SCALARS,
        "id": WORDS,
        "function": st.fixed_dictionaries({}, optional={"name": WORDS, "arguments": SCALARS | st.just({"a": 1})})
        | SCALARS,
        "custom": st.fixed_dictionaries({}, optional={"name": WORDS, "input": SCALARS}),
    },
)

DETAIL = st.fixed_dictionaries({}, optional=dict.fromkeys(("text", "summary", "signature", "data", "id"), SCALARS))

DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": SCALARS | st.lists(st.fixed_dictionaries({"text": SCALARS}) | SCALARS, max_size=2),
        "reasoning": SCALARS,
        "reasoning_content": SCALARS,
        "reasoning_details": st.lists(DETAIL | SCALARS, max_size=2) | SCALARS,
        "refusal": SCALARS,
        "tool_calls": st.lists(CALL | SCALARS, max_size=3) | SCALARS,
        "function_call": st.fixed_dictionaries({}, optional={"name": WORDS, "arguments": SCALARS}) | SCALARS,
        "images": st.lists(SCALARS, max_size=1),
        "annotations": SCALARS,
    },
)

CHOICE = st.fixed_dictionaries(
    {"delta": DELTA | SCALARS}, optional={"index": st.integers(0, 1), "finish_reason": SCALARS, "message": SCALARS}
)

CHUNK = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE | SCALARS, max_size=2) | SCALARS}, optional={"usage": SCALARS}
)


def assert_legal(said: list[Delta], *, complete: bool) -> None:
    """The rules of `conversation` for a sequence of deltas."""
    finished: set[int] = set()
    seen: set[int] = set()
    open_calls: dict[int, set[int]] = {}
    started: dict[int, int] = {}
    thinking: set[int] = set()
    for delta in said:
        if isinstance(delta, Started | Consumed):
            continue
        choice = delta.choice
        assert choice not in finished
        seen.add(choice)
        calls = open_calls.setdefault(choice, set())
        if isinstance(delta, ThinkingDelta):
            thinking.add(choice)
        elif isinstance(delta, ThinkingEnded):
            thinking.discard(choice)
        else:
            assert choice not in thinking
        if isinstance(delta, ToolStarted):
            assert delta.index == started.get(choice, 0)
            assert delta.name
            started[choice] = delta.index + 1
            calls.add(delta.index)
        elif isinstance(delta, ToolArguments):
            assert delta.index in calls
        elif isinstance(delta, ToolEnded):
            calls.remove(delta.index)
        else:
            assert not calls
        if isinstance(delta, TextDelta | RefusalDelta | ThinkingDelta | ToolArguments):
            assert delta.text
            delta.text.encode()
        if isinstance(delta, Finished):
            finished.add(choice)
    if complete:
        assert finished == seen


@given(st.lists(CHUNK, max_size=8), st.booleans(), st.lists(st.integers(1, 60), max_size=12))
def test_any_stream_gives_legal_deltas_however_it_is_cut(said: list[Any], done: bool, sizes: list[int]) -> None:
    data = sse(*said, *([b"[DONE]"] if done else []))
    found, fault = read(data)
    assert_legal(found, complete=fault is None)
    assert read(data, *sizes) == (found, fault)


@given(CHUNK | st.dictionaries(st.sampled_from(["id", "choices", "usage", "error"]), SCALARS))
def test_any_whole_answer_gives_legal_deltas_or_a_fault(answer: dict[str, Any]) -> None:
    said = read_answer(answer, signer="up")
    if not isinstance(said, Fault):
        assert_legal(said, complete=True)


@given(deltas(choices=2), st.booleans())
def test_any_legal_answer_is_written_as_a_well_formed_stream(said: list[Delta], include_usage: bool) -> None:
    client = ASKS_USAGE if include_usage else CLIENT
    check(write(said, client), include_usage=include_usage)
    assert write(said, client) == write(said, client)


def summed(stream: bytes, choice: int) -> dict[str, str]:
    """The strings of a choice, added up over its chunks."""
    total = {"content": "", "reasoning_content": "", "refusal": ""}
    for each in chunks(stream):
        for part in each["choices"]:
            if part["index"] == choice:
                for name in total:
                    total[name] += part["delta"].get(name, "")
    return total


@given(deltas(choices=2))
def test_the_stream_and_the_whole_answer_say_the_same(said: list[Delta]) -> None:
    data = write(said)
    for choice in render(said)["choices"]:
        message = choice["message"]
        assert summed(data, choice["index"]) == {
            "content": message["content"] or "",
            "reasoning_content": message.get("reasoning_content", ""),
            "refusal": message["refusal"] or "",
        }


@given(deltas())
def test_what_a_client_replays_holds_every_signature_again(said: list[Delta]) -> None:
    message = render(said)["choices"][0]["message"]
    body: dict[str, object] = {"messages": [message]}
    (turn,) = parse_request(body, model="m", stream=False, losses=Losses()).turns
    sent = [delta.signature for delta in said if isinstance(delta, ToolStarted | ThinkingEnded) and delta.signature]
    came = [signature for part in turn.parts if (signature := getattr(part, "signature", None))]
    assert sorted(map(repr, came)) == sorted(map(repr, sent))
