"""A stream where a whole answer was asked for is folded into that answer, passed or translated, in every dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agcore.codecs.sse import encode
from agcore.dialects import DIALECTS
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE, Story
from tests.support.dialogues import asked, ids


def sse(*events: Mapping[str, Any]) -> bytes:
    return b"".join(encode(json.dumps(event).encode(), event=event.get("type")) for event in events)


def passed(dialogue: Dialogue, stream: bytes, *, headers: Any = SSE, model: str = "") -> Story:
    story = asked(dialogue, stream=False, model=model)
    story.upstream_answers(200, (stream[:11], stream[11:]), headers=headers)
    return story


def answer(story: Story) -> dict[str, Any]:
    assert story.status == 200, story.body
    assert story.headers[b"content-type"] == b"application/json"
    found = json.loads(story.body)
    assert isinstance(found, dict)
    return found


def text_of(dialect: str, whole: Mapping[str, Any]) -> str:
    if dialect == "openai":
        said = whole["choices"][0]["message"]["content"]
    elif dialect == "openai_completions":
        said = whole["choices"][0]["text"]
    elif dialect == "openai_responses":
        said = whole["output"][0]["content"][0]["text"]
    elif dialect == "anthropic":
        said = whole["content"][0]["text"]
    else:
        said = whole["candidates"][0]["content"]["parts"][0]["text"]
    assert isinstance(said, str)
    return said


@pytest.mark.parametrize("headers", [SSE, JSON], ids=["named", "misnamed"])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_is_folded_where_it_passes(dialogue: Dialogue, headers: Any) -> None:
    story = passed(dialogue, dialogue.stream, headers=headers, model=dialogue.alias)
    whole = answer(story)
    assert text_of(dialogue.dialect, whole)
    assert whole.get("model", whole.get("modelVersion")) in (dialogue.alias, None)
    assert story.row["usage"] is not None
    assert len(story.requests) == 1


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=ids)
@pytest.mark.parametrize("client", DIALOGUES, ids=ids)
def test_a_stream_is_folded_where_it_is_translated(client: Dialogue, upstream: Dialogue) -> None:
    if client.dialect == upstream.dialect:
        return
    whole = answer(passed(client, upstream.stream, model=upstream.model))
    assert text_of(client.dialect, whole)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_folded_answer_is_one_that_the_dialects_own_judge_takes(dialogue: Dialogue) -> None:
    whole = answer(passed(dialogue, dialogue.stream))
    name = "openai_chat" if dialogue.dialect == "openai" else dialogue.dialect
    assert DIALECTS[name].pass_through.judge(whole) is None


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_that_fails_breaks_off_or_says_nothing_is_no_answer(dialogue: Dialogue) -> None:
    assert passed(dialogue, dialogue.announcements + dialogue.error).status >= 400
    cut = passed(dialogue, dialogue.announcements + dialogue.content)
    assert (cut.status, "before it was complete" in json.loads(cut.body)["error"]["message"]) == (502, True)
    silent = passed(dialogue, b": ping\n\n")
    assert (silent.status, "without an answer" in json.loads(silent.body)["error"]["message"]) == (502, True)
    assert passed(dialogue, b"data: nonsense\n\n").status == 502
    assert passed(dialogue, b"data: " + b"x" * 20_000_000 + b"\n\n").status == 502


def test_chats_calls_thoughts_and_choices_are_put_together() -> None:
    def chunk(delta: dict[str, Any], *, index: int = 0, **more: Any) -> dict[str, Any]:
        choices = [{"index": index, "delta": delta, "finish_reason": None, **more}]
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up-openai", "choices": choices}

    function = {"name": "f", "arguments": ""}
    first = {"index": 0, "id": "call_a", "type": "function", "function": function}
    weighed = [{"logprobs": {"content": [{"token": each}], "refusal": None}} for each in "ab"]
    whole = answer(
        passed(
            CHAT,
            sse(
                chunk({"role": "assistant", "content": "", "reasoning_content": "h"}, logprobs=None),
                chunk({"reasoning_content": "m", "reasoning_details": [{"a": 1}]}),
                chunk({"role": "assistant", "reasoning_details": [{"b": 2}], "content": None}),
                chunk({"content": "a"}, **weighed[0]),
                chunk({"content": "b", "x_new": 1}, **weighed[1]),
                chunk({"tool_calls": [first]}),
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"p"'}}]}),
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}, "?"]}),
                chunk({"tool_calls": [{"index": 1, "id": "call_b", "function": {"name": "g", "arguments": "{}"}}]}),
                chunk({}, finish_reason="tool_calls"),
                chunk({"content": "two"}, index=1),
                chunk({}, index=1, finish_reason="stop"),
                {"id": "c", "choices": [None], "citations": ["x"]},
                {"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
            )
            + b"data: [DONE]\n\n",
        )
    )
    assert whole["object"] == "chat.completion"
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 4}
    assert whole["citations"] == ["x"]
    one, two = whole["choices"]
    assert one["finish_reason"] == "tool_calls"
    assert one["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}
    assert one["message"] == {
        "role": "assistant",
        "content": "ab",
        "reasoning_content": "hm",
        "reasoning_details": [{"a": 1}, {"b": 2}],
        "x_new": 1,
        "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"p":1}'}},
            {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    assert two == {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "two"}}


def test_completions_texts_go_on() -> None:
    def chunk(text: str | None, **more: Any) -> dict[str, Any]:
        return {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": None, **more}]}

    weighed: list[dict[str, Any]] = [
        {"logprobs": {"tokens": ["a"], "text_offset": [0], "top": None}},
        {"logprobs": {"tokens": ["b"], "text_offset": [1], "top": 1}},
    ]
    events = sse(chunk("a", **weighed[0]), chunk("b", **weighed[1]), chunk("", finish_reason="stop"))
    (choice,) = answer(passed(COMPLETIONS, events + b"data: [DONE]\n\n"))["choices"]
    assert choice == {
        "index": 0,
        "text": "ab",
        "finish_reason": "stop",
        "logprobs": {"tokens": ["a", "b"], "text_offset": [0, 1], "top": 1},
    }


def test_messages_blocks_are_put_together() -> None:
    def start(index: int, **block: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def more(index: int, **delta: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "up-anthropic"}
    whole = answer(
        passed(
            ANTHROPIC,
            sse(
                {"type": "message_start", "message": {**message, "usage": {"input_tokens": 3, "output_tokens": 1}}},
                start(0, type="thinking", thinking="", signature=""),
                more(0, type="thinking_delta", thinking="h"),
                more(0, type="thinking_delta", thinking="m"),
                more(0, type="signature_delta", signature="sig"),
                {"type": "content_block_stop", "index": 0},
                start(1, type="text", text="a"),
                more(1, type="text_delta", text="b"),
                more(1, type="text_delta", text=None),
                more(1, type="citations_delta", citation={"n": 1}),
                more(1, type="citations_delta", citation={"n": 2}),
                more(1, type="novel_delta", novel="x"),
                start(2, type="tool_use", id="t", name="f", input={}),
                more(2, type="input_json_delta", partial_json='{"p"'),
                more(2, type="input_json_delta", partial_json=":1}"),
                start(3, type="tool_use", id="u", name="f", input={}),
                start(4, type="tool_use", id="v", name="f", input={}),
                more(4, type="input_json_delta", partial_json='{"cut'),
                more(9, type="text_delta", text="of no block"),
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
                {"type": "message_stop"},
            ),
        )
    )
    assert whole["usage"] == {"input_tokens": 3, "output_tokens": 9}
    assert (whole["id"], whole["stop_reason"]) == ("msg_1", "tool_use")
    assert whole["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "ab", "citations": [{"n": 1}, {"n": 2}], "novel": "x"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"p": 1}},
        {"type": "tool_use", "id": "u", "name": "f", "input": {}},
        {"type": "tool_use", "id": "v", "name": "f", "input": {}},
    ]


def test_a_response_whose_last_event_lacks_its_output_has_the_items_that_were_told() -> None:
    created = {"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress"}}
    done = {"type": "response.completed", "response": {"id": "r", "object": "response", "status": "completed"}}
    items = [{"type": "reasoning", "summary": []}, {"type": "message", "content": [{"type": "output_text"}]}]
    told = [
        {"type": "response.output_item.done", "output_index": 1, "item": items[1]},
        {"type": "response.output_item.done", "output_index": 0, "item": items[0]},
        {"type": "response.output_item.done", "item": None},
    ]
    assert answer(passed(RESPONSES, sse(created, *told, done)))["output"] == items
    texts = [{"type": "response.output_text.delta", "delta": text} for text in ("a", None, "b")]
    (message,) = answer(passed(RESPONSES, sse(created, *texts, done)))["output"]
    assert message["content"] == [{"type": "output_text", "text": "ab", "annotations": []}]
    failed = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "c", "message": "no"}}}
    assert passed(RESPONSES, sse(created, failed)).status == 502


def test_geminis_parts_are_put_together() -> None:
    def chunk(*parts: Any, **more: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **more}], "modelVersion": "m"}

    chunks = [
        chunk({"text": "h", "thought": True}),
        chunk({"text": "m", "thought": True}, {"text": "a"}),
        chunk({"text": "b"}, "?", index=0),
        chunk({"text": "", "thoughtSignature": "s"}),
        chunk({"functionCall": {"name": "f", "args": {}}}, {"text": "c"}),
        {"candidates": [None], "usageMetadata": {"promptTokenCount": 1}},
        {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3}},
    ]
    expected = [
        {"text": "hm", "thought": True},
        {"text": "ab"},
        {"text": "", "thoughtSignature": "s"},
        {"functionCall": {"name": "f", "args": {}}},
        {"text": "c"},
    ]
    as_array = passed(GEMINI, json.dumps(chunks).encode(), headers=JSON)
    for story in (passed(GEMINI, sse(*chunks)), as_array):
        whole = answer(story)
        (candidate,) = whole["candidates"]
        assert candidate["content"] == {"role": "model", "parts": expected}
        assert candidate["finishReason"] == "STOP"
        assert whole["usageMetadata"] == {"promptTokenCount": 3}
    blocked = passed(GEMINI, sse({"promptFeedback": {"blockReason": "SAFETY"}}))
    assert answer(blocked) == {"promptFeedback": {"blockReason": "SAFETY"}}
    refused = passed(GEMINI, b'[{"error": {"code": 429, "message": "slow down"}}]', headers=JSON)
    assert (refused.status, json.loads(refused.body)["error"]["message"]) == (429, "slow down")
    assert passed(GEMINI, b'[{"candidates": []}, 7]', headers=JSON).status == 502


def test_a_stream_request_that_is_answered_by_a_misnamed_stream_gets_its_stream() -> None:
    for dialogue in (CHAT, ANTHROPIC, RESPONSES, GEMINI):
        story = asked(dialogue, stream=True)
        story.upstream_answers(200, dialogue.stream, headers=JSON)
        assert story.status == 200, story.body
        assert story.headers[b"content-type"].startswith(b"text/event-stream")
