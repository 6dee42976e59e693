"""A whole answer to a stream request: the client gets its stream (docs/wire/streams.md#answers-of-another-kind)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agcore import UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.codecs.sse import Decoder
from agcore.conversion.synthesized_stream import synthesize_stream
from agcore.protocol.effects import Effect
from agcore.protocol.fault import Fault
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, GEMINI_ARRAY, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import asked, config, ids

RESPONSE = json.dumps({
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "error": None,
    "model": "up-openai_responses",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "hello", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2},
}).encode()  # fmt: skip


def answer_of(dialogue: Dialogue) -> bytes:
    return RESPONSE if dialogue is RESPONSES else dialogue.answer


def told(dialogue: Dialogue, *, model: str = "", answer: bytes = b"") -> Story:
    story = asked(dialogue, stream=True, model=model)
    story.upstream_answers(200, answer or answer_of(dialogue), headers=(*JSON, (b"request-id", b"req_1")))
    return story


def events(story: Story) -> list[Any]:
    frames = Decoder().feed(story.body)
    return [json.loads(frame.data) for frame in frames if frame.data and frame.data != b"[DONE]"]


def chat_stream(body: Mapping[str, object], answer: dict[str, object]) -> Story:
    story = Story(gateway(config()))
    story.open("POST", "/v1/chat/completions", body=json.dumps({"model": "up-openai", "stream": True, **body}).encode())
    story.upstream_answers(200, json.dumps(answer).encode())
    return story


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_whole_answer_to_a_stream_request_is_told_as_a_stream(dialogue: Dialogue) -> None:
    story = told(dialogue)
    assert (story.status, story.row["outcome"]) == (200, "ok")
    assert story.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"hello" in story.body
    assert dialogue.terminal.split(b"\n")[0] in story.body
    assert story.ended


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_it_shows_the_model_as_the_client_named_it(dialogue: Dialogue) -> None:
    story = told(dialogue, model=dialogue.alias)
    assert dialogue.alias.encode() in story.body
    assert dialogue.model.encode() not in story.body


@pytest.mark.parametrize("dialogue", [CHAT, COMPLETIONS, RESPONSES, ANTHROPIC], ids=ids)
def test_its_usage_is_accounted_for(dialogue: Dialogue) -> None:
    usage = told(dialogue).row["usage"]
    assert isinstance(usage, dict)
    assert usage["fresh"] == 5


@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC], ids=ids)
def test_it_keeps_the_answers_id(dialogue: Dialogue) -> None:
    answer = answer_of(dialogue).replace(b'"c1"', b'"chatcmpl-1"')
    assert json.loads(answer)["id"].encode() in told(dialogue, answer=answer).body


def test_an_id_in_another_style_is_replaced() -> None:
    (id,) = {event["id"] for event in events(told(CHAT))}
    assert id.startswith("chatcmpl-")


def test_the_upstreams_headers_come_down_with_it() -> None:
    assert told(ANTHROPIC).headers[b"request-id"] == b"req_1"


def test_a_chat_client_gets_usage_only_if_it_asked() -> None:
    answer = json.loads(CHAT.answer)
    messages: list[object] = [{"role": "user", "content": "hi"}]
    silent = chat_stream({"messages": messages}, answer)
    told = chat_stream({"messages": messages, "stream_options": {"include_usage": True}}, answer)
    assert b'"usage"' not in silent.body
    assert events(told)[-1]["usage"]["total_tokens"] == 7


def test_a_completions_client_gets_usage_only_if_it_asked() -> None:
    assert b'"usage"' not in told(COMPLETIONS).body
    story = Story(gateway(config()))
    body = {**COMPLETIONS.stream_body, "model": COMPLETIONS.model, "stream_options": {"include_usage": True}}
    story.open("POST", "/v1/completions", body=json.dumps(body).encode())
    story.upstream_answers(200, COMPLETIONS.answer)
    assert b'"usage"' in story.body


def test_tool_calls_are_told_in_pieces() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    answer: dict[str, object] = {"id": "c", "choices": choices}
    story = chat_stream({"messages": [{"role": "user", "content": "hi"}]}, answer)
    deltas = [event["choices"][0]["delta"] for event in events(story)]
    calls = [each["tool_calls"][0] for each in deltas if "tool_calls" in each]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("call_1", "look")
    assert "".join(each["function"]["arguments"] for each in calls) == '{"at":1}'


def test_signatures_leave_as_their_vendor_made_them() -> None:
    answer = json.loads(ANTHROPIC.answer)
    answer["content"].insert(0, {"type": "thinking", "thinking": "hm", "signature": "EqQB+/=="})
    story = told(ANTHROPIC, answer=json.dumps(answer).encode())
    assert b'"signature":"EqQB+/=="' in story.body
    assert b"gw1." not in story.body


def test_a_gemini_answer_is_one_event_with_all_that_it_said() -> None:
    answer = json.loads(GEMINI.answer) | {"x_unknown": [1.5]}
    assert events(told(GEMINI, answer=json.dumps(answer).encode())) == [answer]


def test_a_gemini_answer_is_one_element_of_an_array() -> None:
    story = told(GEMINI_ARRAY, answer=GEMINI.answer)
    assert json.loads(story.body) == [json.loads(GEMINI.answer)]


def test_an_answer_to_a_stream_that_is_open_goes_on_in_it() -> None:
    story = asked(CHAT, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    for step in (UpstreamHead(1, 200, JSON), UpstreamData(1, CHAT.answer), UpstreamEnd(1)):
        story.tell(step)
    assert story.body.startswith(CHAT.keepalive)
    assert story.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("dialogue", [GEMINI, COMPLETIONS], ids=ids)
def test_an_answer_that_is_not_complete_is_an_error(dialogue: Dialogue) -> None:
    answer = json.loads(dialogue.answer)
    for choice in answer.get("choices", answer.get("candidates")):
        choice.pop("finish_reason", None)
        choice.pop("finishReason", None)
    story = told(dialogue, answer=json.dumps(answer).encode())
    assert (story.row["outcome"], b"[DONE]" in story.body) == ("error", False)
    assert b"hello" in story.body
    assert "error" in events(story)[-1]


def test_an_array_that_was_open_already_and_is_not_complete_is_still_an_array() -> None:
    story = asked(GEMINI_ARRAY, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}}]}
    for step in (UpstreamHead(1, 200, JSON), UpstreamData(1, json.dumps(answer).encode()), UpstreamEnd(1)):
        story.tell(step)
    first, last = json.loads(story.body)
    assert (first, "error" in last) == (answer, True)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_error_in_place_of_the_answer_stays_an_error(dialogue: Dialogue) -> None:
    story = told(dialogue, answer=b'{"error": {"message": "busy"}}')
    assert (story.status, json.loads(story.body)["error"]["message"]) == (502, "busy")


@pytest.mark.parametrize("dialogue", [CHAT, ANTHROPIC], ids=ids)
def test_an_object_that_is_no_answer_is_a_502(dialogue: Dialogue) -> None:
    story = told(dialogue, answer=b'{"hello": "world"}')
    assert story.status == 502


def test_a_request_of_a_shape_unknown_here_cannot_be_answered_anew() -> None:
    story = Story(gateway(config()))
    body = {"model": "up-openai", "messages": {"of": "tomorrow"}, "stream": True}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    story.upstream_answers(200, CHAT.answer)
    error = json.loads(story.body)["error"]
    assert (story.status, error["code"]) == (502, "upstream_invalid_answer")


def test_an_answer_nested_to_the_very_limit_is_told_or_refused() -> None:
    seen = set()
    for depth in range(900, 1000, 3):
        nested = b"[" * depth + b"]" * depth
        story = told(GEMINI, answer=GEMINI.answer.rstrip()[:-1] + b',"x":' + nested + b"}")
        seen.add(story.status)
    assert seen <= {200, 502}
    assert 200 in seen


def test_a_stream_stays_a_stream() -> None:
    story = asked(CHAT, stream=True)
    effects: list[Effect] = story.upstream_answers(200, CHAT.stream, headers=SSE)
    assert effects
    assert b"hello" in story.body


def test_an_answer_that_holds_none_is_no_stream() -> None:
    found = synthesize_stream(
        "openai_chat",
        {"id": "c", "choices": []},
        request=b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}',
        signer="openai",
        id="x",
        model="m",
        created=1,
        show_usage=False,
    )
    assert isinstance(found, Fault)
    assert found.status == 502
