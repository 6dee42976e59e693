"""Chunks and answers that OpenAI's SDKs could not add up, on their way through; and the same calls, translated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.values import ToolCall
from agcore.dialects.openai_chat.answer_reader import ResponseReader
from agcore.dialects.openai_chat.chunk_repair import mend_answer
from agcore.dialects.openai_chat.stream_tap import StreamTap

ROLE = {"role": "assistant", "content": ""}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def call(**said: Any) -> dict[str, Any]:
    body = {name: said.pop(name) for name in ("name", "arguments") if name in said}
    return {"tool_calls": [{**said, "function": body}]}


def passed(*chunks: dict[str, Any], hide: bool = False, shown: str | None = None, done: bool = True) -> list[Any]:
    """What a client gets of a stream of these chunks."""
    tap, decoder = StreamTap(shown_model=shown, hide_usage=hide), Decoder()
    frames = [f"data: {json.dumps(each)}\n\n" for each in chunks] + ["data: [DONE]\n\n"] * done
    out = b"".join(tap.read(frame)[1] for frame in decoder.feed("".join(frames).encode())) + tap.closing()
    data = [frame.data for frame in Decoder().feed(out)]
    assert data.pop() == b"[DONE]"
    return [json.loads(each or b"") for each in data]


def calls(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The call in each delta, as it is passed."""
    seen = passed(chunk(ROLE), *map(chunk, deltas), chunk({}, "tool_calls"))
    return [each["choices"][0]["delta"]["tool_calls"][0] for each in seen[1:-1]]


def test_a_sound_chunk_passes_byte_for_byte() -> None:
    tap = StreamTap(shown_model=None, hide_usage=False)
    data = b'data:{ "choices" : [ {"delta":{"role":"assistant","tool_calls":[]},"index":0, "x":1.50}] }\n\n'
    assert [tap.read(frame)[1] for frame in Decoder().feed(data)] == [data]


def test_a_role_is_said_once_for_each_choice() -> None:
    other = {**chunk(ROLE), "choices": [{"index": 1, "delta": ROLE}]}
    seen = passed(chunk(ROLE), other, chunk({"role": "assistant", "content": "hi"}), chunk({}, "stop"))
    assert [each["choices"][0]["delta"] for each in seen] == [ROLE, ROLE, {"content": "hi"}, {}]


def test_id_and_name_of_a_call_are_said_once() -> None:
    first = {"index": 0, "id": "a", "type": "function"}
    assert calls(call(**first, name="f", arguments=""), call(**first, name="f", arguments="{}")) == [
        {**first, "function": {"name": "f", "arguments": ""}},
        {"index": 0, "type": "function", "function": {"arguments": "{}"}},
    ]


def test_a_name_that_comes_in_pieces_stays_in_pieces() -> None:
    first = {"index": 0, "id": "a", "type": "function"}
    assert [each["function"]["name"] for each in calls(call(**first, name="get_"), call(index=0, name="time"))] == [
        "get_",
        "time",
    ]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    said = calls(call(id="a", name="f"), call(id="", arguments="{"), call(arguments="}"), call(id="b", name="f"))
    assert [each["index"] for each in said] == [0, 0, 0, 1]
    assert [each.get("type") for each in said] == ["function", None, None, "function"]


@pytest.mark.parametrize("done", [True, False])
def test_usage_beside_text_comes_in_a_last_chunk_of_its_own(done: bool) -> None:
    early = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    seen = passed(chunk(ROLE, usage=early), chunk({"content": "hi"}), chunk({}, "stop", usage=USAGE), done=done)
    assert [each.get("usage") for each in seen] == [None, None, None, USAGE]
    assert {name: seen[-1][name] for name in ("id", "object", "created", "model", "choices")} == {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
    }


def test_late_usage_has_the_model_that_the_client_knows() -> None:
    assert {each["model"] for each in passed(chunk({"content": "hi"}, "stop", usage=USAGE), shown="alias")} == {"alias"}


def test_usage_is_not_told_twice() -> None:
    own = {**chunk({}), "choices": [], "usage": USAGE}
    seen = passed(chunk({"content": "hi"}, "stop", usage=USAGE), own)
    assert [each["usage"] for each in seen] == [None, USAGE]


def test_hidden_usage_does_not_come_back() -> None:
    seen = passed(
        chunk({"role": "assistant", "content": "hi"}), chunk({"role": "assistant"}, "stop", usage=USAGE), hide=True
    )
    assert all("usage" not in each for each in seen)
    assert seen[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def test_a_call_that_is_none_is_left_alone() -> None:
    odd = chunk({"role": "assistant", "tool_calls": [7]})
    assert passed(odd, chunk({}, "stop"))[0]["choices"][0]["delta"]["tool_calls"] == [7]


# Calls that are numbered badly, or not at all.


def added_up(*deltas: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of the calls that OpenAI's SDK makes of a stream, by their order."""
    seen = passed(chunk(ROLE), *map(chunk, deltas), chunk({}, "tool_calls"))
    made: list[dict[str, str]] = []
    for each in seen:
        for piece in each["choices"][0]["delta"].get("tool_calls", ()):
            if piece["index"] == len(made):
                assert piece["type"] in ("function", "custom")
                made.append({"id": piece["id"], "name": "", "arguments": ""})
            else:
                assert "id" not in piece or not piece["id"]
                assert piece.get("type", "function")
            body = piece.get("function") or piece.get("custom") or {}
            made[piece["index"]]["name"] += body.get("name") or ""
            made[piece["index"]]["arguments"] += body.get("arguments") or body.get("input") or ""
    return [(each["id"], each["name"], each["arguments"]) for each in made]


def translated(*deltas: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The same, for a client of another dialect."""
    frames = "".join(f"data: {json.dumps(chunk(each))}\n\n" for each in deltas) + "data: [DONE]\n\n"
    reader = ResponseReader(signer="up")
    (choice,) = assemble(delta for frame in Decoder().feed(frames.encode()) for delta in reader.feed(frame)).choices
    return [(each.id, each.name, each.arguments) for each in choice.parts if isinstance(each, ToolCall)]


P1, P2 = '{"p":1}', '{"p":2}'
NUMBERED: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "whole calls under one number": (
        [call(index=0, id="a", name="read", arguments=P1), call(index=0, id="b", name="read", arguments=P2)],
        [("a", "read", P1), ("b", "read", P2)],
    ),
    "calls in pieces under one number": (
        [
            call(index=0, id="a", type="function", name="read", arguments=""),
            call(index=0, arguments=P1),
            call(index=0, id="b", type="function", name="write", arguments=""),
            call(index=0, arguments=P2[:3]),
            call(index=0, arguments=P2[3:]),
        ],
        [("a", "read", P1), ("b", "write", P2)],
    ),
    "one number, and then others": (
        [
            call(index=0, id="a", name="f", arguments=P1),
            call(index=0, id="b", name="f", arguments=P2),
            call(index=1, id="c", name="g", arguments=""),
            call(index=1, arguments="{}"),
        ],
        [("a", "f", P1), ("b", "f", P2), ("c", "g", "{}")],
    ),
    "pieces told apart by their ids": (
        [
            call(index=0, id="a", name="f", arguments="{"),
            call(index=0, id="b", name="g", arguments="{"),
            call(index=0, id="a", arguments="}"),
            call(index=0, id="b", name="g", arguments='"x":1}'),
        ],
        [("a", "f", "{}"), ("b", "g", '{"x":1}')],
    ),
    "a number for each piece": (
        [call(index=0, id="a", name="f", arguments="{"), call(index=1, id="a", arguments="}")],
        [("a", "f", "{}")],
    ),
    "numbers that begin later": (
        [call(index=1, id="a", name="f", arguments=P1), call(index=2, id="b", name="f", arguments=P2)],
        [("a", "f", P1), ("b", "f", P2)],
    ),
    "an id and a name in every piece": (
        [call(index=0, id="a", name="f", arguments="{"), call(index=0, id="a", name="f", arguments="}")],
        [("a", "f", "{}")],
    ),
    "a new id in every piece": (
        [call(index=0, id="a", name="f", arguments="{"), call(index=0, id="b", arguments="}")],
        [("a", "f", "{}")],
    ),
    "a name again behind a whole call": (
        [call(index=0, id="a", name="f", arguments=P1), call(index=0, name="f", arguments="")],
        [("a", "f", P1)],
    ),
    "arguments that are broken": (
        [call(index=0, id="a", name="f", arguments="{a}"), call(index=0, name="f", arguments="{}")],
        [("a", "f", "{a}{}")],
    ),
    "ids that are numbers": (
        [call(index=0, id=7, name="f", arguments=P1), call(index=0, id=8, name="f", arguments=P2)],
        [("7", "f", P1), ("8", "f", P2)],
    ),
    "a name that comes late": (
        [call(index=0, id="a", arguments="{"), call(index=0, name="f", arguments="}")],
        [("a", "f", "{}")],
    ),
    "further pieces with an empty id and name": (
        [call(index=0, id="a", name="f", arguments=""), call(index=0, id="", name="", arguments=P1)],
        [("a", "f", P1)],
    ),
    "arguments as objects": (
        [call(index=0, id="a", name="f", arguments={"p": 1}), call(index=0, id="b", name="f", arguments={"p": 2})],
        [("a", "f", P1), ("b", "f", P2)],
    ),
}


@pytest.mark.parametrize("case", NUMBERED)
def test_calls_are_told_apart_whatever_their_numbers(case: str) -> None:
    deltas, expected = NUMBERED[case]
    assert added_up(*deltas) == expected
    assert translated(*deltas) == expected


NAMELESS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "whole calls without ids under one number": (
        [call(index=0, name="f", arguments=P1), call(index=0, name="f", arguments=P2)],
        [("f", P1), ("f", P2)],
    ),
    "whole calls without ids or numbers": (
        [call(name="f", arguments=P1), call(name="f", arguments={"p": 2})],
        [("f", P1), ("f", P2)],
    ),
    "calls with other names behind whole ones": (
        [call(index=0, id="a", name="f", arguments="{}"), call(index=0, name="g", arguments=""), call(arguments=P1)],
        [("f", "{}"), ("g", P1)],
    ),
    "empty ids": (
        [call(index=0, id="", name="f", arguments=""), call(index=0, id="", name="f", arguments="{}")],
        [("f", "{}")],
    ),
    "one id for two calls": (
        [call(index=0, id="a", name="f", arguments=P1), call(index=1, id="a", name="f", arguments=P2)],
        [("f", P1), ("f", P2)],
    ),
    "an id that comes late": (
        [call(index=0, name="f", arguments="{"), call(index=0, id="a", arguments="}")],
        [("f", "{}")],
    ),
}


@pytest.mark.parametrize("case", NAMELESS)
def test_every_call_gets_an_id_of_its_own(case: str) -> None:
    deltas, expected = NAMELESS[case]
    made = added_up(*deltas)
    assert [(name, arguments) for _, name, arguments in made] == expected
    assert all(id for id, _, _ in made)
    assert len({id for id, _, _ in made}) == len(made)
    assert added_up(*deltas) == made
    assert [(name, arguments) for _, name, arguments in translated(*deltas)] == expected


def test_a_further_piece_names_its_call_by_its_number_alone() -> None:
    first = call(index=0, id="a", type="function", name="f", arguments="")
    more = call(index=0, id="", type="", name="", arguments=P1)
    assert passed(chunk(first), chunk(more))[1] == chunk(call(index=0, arguments=P1))


def test_ids_differ_from_answer_to_answer() -> None:
    ((one, _, _),) = added_up(call(index=0, name="f", arguments=P1))
    ((other, _, _),) = added_up(call(index=0, name="f", arguments=P2))
    assert one != other


@pytest.mark.parametrize("arguments", [{}, {"arguments": ""}, {"arguments": None}])
def test_a_call_that_says_no_arguments_has_empty_ones_in_the_end(arguments: dict[str, Any]) -> None:
    assert added_up(call(index=0, id="a", name="f", **arguments)) == [("a", "f", "{}")]


def test_a_finish_beside_the_last_piece_of_one_call_completes_another() -> None:
    seen = passed(
        chunk(call(index=0, id="a", type="function", name="f", arguments="")),
        chunk(call(index=1, id="b", type="function", name="g", arguments="{}"), "tool_calls"),
        {**chunk({}), "choices": [{"index": 0, "finish_reason": "tool_calls"}]},
    )
    assert [piece["function"] for piece in seen[1]["choices"][0]["delta"]["tool_calls"]] == [
        {"name": "g", "arguments": "{}"},
        {"arguments": "{}"},
    ]
    assert seen[2]["choices"] == [{"index": 0, "finish_reason": "tool_calls"}]


def test_a_finish_without_a_delta_completes_calls_too() -> None:
    seen = passed(
        chunk(call(index=0, id="a", type="function", name="f", arguments="")),
        {**chunk({}), "choices": [{"index": 0, "finish_reason": "tool_calls"}]},
    )
    assert seen[1]["choices"][0]["delta"] == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_a_call_that_is_never_named_is_not_shown() -> None:
    seen = passed(
        chunk({"content": "hi", **call(index=0, id="a", arguments="{")}),
        chunk({"tool_calls": [{"index": 0, "id": "a"}]}),
        chunk({}, "stop"),
    )
    assert seen[0]["choices"][0]["delta"] == {"content": "hi", "tool_calls": []}
    assert seen[1]["choices"][0]["delta"] == {"tool_calls": []}


def test_a_type_that_says_nothing_is_left_out_of_further_pieces() -> None:
    first, more = calls(
        call(index=0, id="a", type=None, name="f", arguments="{"), call(index=0, type="", arguments="}")
    )
    assert first["type"] == "function"
    assert more == {"index": 0, "function": {"arguments": "}"}}


def test_free_text_of_custom_tools_stays_as_it_is() -> None:
    first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": ""}}
    assert calls({"tool_calls": [first]}) == [first]


def test_old_style_calls_say_their_name_once_and_their_arguments_as_text() -> None:
    deltas: list[dict[str, Any]] = [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"name": "f", "arguments": {"p": 1}}},
        {"function_call": {"arguments": ""}},
    ]
    seen = passed(chunk(ROLE), *map(chunk, deltas), chunk({}, "function_call"))
    assert [each["choices"][0]["delta"].get("function_call") for each in seen[1:-1]] == [
        {"name": "f", "arguments": ""},
        {"arguments": P1},
        {"arguments": ""},
    ]


def test_text_in_parts_is_text() -> None:
    parts = [{"type": "text", "text": "a"}, "b"]
    seen = passed(chunk({"content": parts}), chunk({"content": []}), chunk({}, "stop"))
    assert [each["choices"][0]["delta"].get("content") for each in seen] == ["ab", None, None]
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    assert passed(chunk({"content": thought}), chunk({}, "stop"))[0]["choices"][0]["delta"]["content"] == thought


# Whole answers.


def mended(**message: Any) -> dict[str, Any] | None:
    """A message of an answer, mended; None where nothing was to be done."""
    answer = {"id": "c", "choices": [{"index": 0, "message": message}, {"index": 1}, 7]}
    return message if mend_answer(answer) else None


def test_a_sound_answer_is_left_alone() -> None:
    whole = {"id": "a", "type": "function", "function": {"name": "f", "arguments": P1}}
    free = {"id": "b", "type": "custom", "custom": {"name": "sh", "input": ""}}
    assert mended(content=None, tool_calls=[whole, free, 7]) is None
    assert mended(content="hi", function_call={"name": "f", "arguments": P1}) is None
    assert not mend_answer({"choices": None})


@pytest.mark.parametrize(
    "given",
    [
        {"function": {"name": "f", "arguments": {"p": 1}}},
        {"id": "", "type": "", "function": {"name": "f", "arguments": P1}},
        {"id": None, "type": None, "function": {"name": "f", "arguments": P1}},
    ],
)
def test_calls_of_a_whole_answer_get_what_they_lack(given: dict[str, Any]) -> None:
    message = mended(tool_calls=[given, {**given, "function": dict(given["function"])}])
    assert message is not None
    ids = {each.pop("id") for each in message["tool_calls"]}
    assert len(ids) == 2
    assert message["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": P1}}] * 2


@pytest.mark.parametrize("arguments", [{}, {"arguments": ""}, {"arguments": None}])
def test_a_whole_call_without_arguments_has_empty_ones(arguments: dict[str, Any]) -> None:
    message = mended(tool_calls=[{"id": 1, "function": {"name": "f", **arguments}}, {"id": 1, "type": "function"}])
    assert message is not None
    first, second = message["tool_calls"]
    assert first == {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert second["id"] not in ("", "1", 1)
    old = mended(function_call={"name": "f", **arguments})
    assert old == {"function_call": {"name": "f", "arguments": "{}"}}


def test_a_custom_call_without_text_has_an_empty_one() -> None:
    message = mended(tool_calls=[{"id": "a", "custom": {"name": "sh"}}], content=[{"type": "text", "text": "hi"}])
    assert message == {
        "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sh", "input": ""}}],
        "content": "hi",
    }
