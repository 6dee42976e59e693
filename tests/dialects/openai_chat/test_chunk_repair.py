"""Chunks that OpenAI's SDKs could not add up, on their way through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder
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


def test_an_id_that_comes_late_is_kept() -> None:
    assert [
        each.get("id") for each in calls(call(index=0, name="f"), call(index=0, id="a"), call(index=0, id="a"))
    ] == [
        None,
        "a",
        None,
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
