"""Successes that hold no answer fail over, whole or streamed, passed or translated; what is empty for a reason does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from agcore.config.values import Config
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import asked, config, ids, provider

NOTHING: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"message": "quota", "code": 1},
    {"msg": "quota", "code": 500},
    {"base_resp": {"status_code": 1002, "status_msg": "quota"}, "choices": None, "output": None},
    {"error_code": 18, "error_msg": "quota"},
    {"success": False, "detail": "quota"},
)
OWN: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "openai": (
        {"id": "x", "choices": None},
        {"id": "x", "choices": []},
        {"choices": [None, {"index": 0}]},
        {"choices": [{"index": 0, "message": None, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": None}}]},
        {
            "choices": [
                {"message": {"content": "par"}, "finish_reason": "error", "error": {"code": 502, "message": "q"}}
            ]
        },
        {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "network_error"}]},
        {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "insufficient_system_resource"}]},
    ),
    "openai_completions": (
        {"choices": None},
        {"choices": []},
        {"choices": [{"index": 0, "text": None, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "text": ""}]},
        {"choices": [{"index": 0, "text": "a", "finish_reason": "error"}]},
    ),
    "openai_responses": (
        {"object": "response", "status": "completed", "output": None},
        {"object": "response", "status": "completed"},
        {"object": "response", "status": "failed", "output": []},
        {"object": "response", "status": "failed", "output": None, "error": {"code": "server_error", "message": "q"}},
    ),
    "anthropic": (
        {"type": "message", "role": "assistant", "content": None, "stop_reason": "end_turn"},
        {"type": "message", "role": "assistant", "stop_reason": "end_turn"},
        {"type": "message", "role": "assistant", "content": [], "stop_reason": None},
        {"type": "error"},
    ),
    "gemini": (
        {"candidates": None},
        {"candidates": []},
        {"candidates": [{"index": 0}]},
        {"usageMetadata": {"promptTokenCount": 3}},
        {"promptFeedback": {"safetyRatings": []}},
    ),
}
EMPTY: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "openai": (
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "content_filter"}]},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "length"}]},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}}]},
        {"choices": [{"message": {"content": "", "reasoning_content": "hm"}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": None}}, {"message": {"content": "a"}, "finish_reason": "stop"}]},
        {"base_resp": {"status_code": 0}, "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]},
        {"error": None, "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]},
    ),
    "openai_completions": (
        {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]},
    ),
    "openai_responses": (
        {"object": "response", "status": "incomplete", "output": []},
        {"object": "response", "status": "completed", "output": [], "error": None},
        {"object": "response", "status": "queued"},
        {"object": "response", "status": "completed", "output": [{"type": "reasoning", "summary": []}]},
    ),
    "anthropic": (
        {"type": "message", "content": [], "stop_reason": "end_turn"},
        {"type": "message", "content": [], "stop_reason": "refusal"},
        {"type": "message", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        {"type": "message", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
    ),
    "gemini": (
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": [{"finishReason": "SAFETY"}]},
        {"candidates": [{"finishReason": "MAX_TOKENS", "content": {}}]},
        {"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "hm", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}}]},
    ),
}


def two_keys(dialogue: Dialogue) -> Config:
    return config(providers=(provider(dialogue, keys=("sk-one-0123456789", "sk-two-0123456789")),))


def key_of(story: Story, leg: int) -> str:
    return next(str(value) for name, value in story.requests[leg].headers if b"sk-" in value)


def fails_over(story: Story, dialogue: Dialogue, body: dict[str, Any], *, stream: bool = False) -> None:
    """The attempt failed: another key is asked, whose answer is the client's."""
    story.upstream_answers(200, json.dumps(body).encode())
    story.wait(1)
    assert list(story.requests) == [1, 2], story.text()
    assert key_of(story, 1) != key_of(story, 2)
    story.upstream_answers(200, dialogue.stream if stream else dialogue.answer, headers=SSE if stream else JSON)
    assert (story.status, story.row["attempts"]) == (200, 2)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_success_without_an_answer_fails_over(dialogue: Dialogue, stream: bool) -> None:
    for body in NOTHING + OWN[dialogue.dialect]:
        story = asked(dialogue, stream=stream, setup=two_keys(dialogue), attempts=2)
        fails_over(story, dialogue, body, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=ids)
def test_a_success_without_an_answer_fails_over_where_it_is_translated(dialogue: Dialogue, stream: bool) -> None:
    client = ANTHROPIC if dialogue is CHAT else CHAT
    for body in NOTHING + OWN[dialogue.dialect]:
        story = asked(client, stream=stream, model=dialogue.model, setup=two_keys(dialogue), attempts=2)
        fails_over(story, dialogue, body, stream=stream)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_the_client_hears_what_the_upstream_said_instead(dialogue: Dialogue) -> None:
    for body, status, words in (
        ({}, 502, "the upstream answered with success, but without an answer"),
        ({"message": "no such tenant", "code": 1}, 502, "without an answer: no such tenant"),
        ({"message": "busy", "code": 503}, 503, "without an answer: busy"),
        ({"base_resp": {"status_code": 2013, "status_msg": "bad"}}, 400, "without an answer: bad"),
        ({"base_resp": {"status_code": 1000, "status_msg": "bad"}}, 502, "without an answer: bad"),
        ({"error_code": 336501, "error_msg": "slow down"}, 429, "without an answer: slow down"),
        ({"error_code": 336000, "error_msg": "bad"}, 502, "without an answer: bad"),
    ):
        story = asked(dialogue, stream=False)
        story.upstream_answers(200, json.dumps(body).encode())
        assert (story.status, words in json.loads(story.body)["error"]["message"]) == (status, True), story.body


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_an_answer_that_is_empty_for_a_reason_passes(dialogue: Dialogue) -> None:
    for body in EMPTY[dialogue.dialect]:
        story = asked(dialogue, stream=False, setup=two_keys(dialogue), attempts=2)
        story.upstream_answers(200, json.dumps(body).encode())
        assert (story.status, len(story.requests)) == (200, 1), body


@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC, GEMINI], ids=ids)
def test_an_answer_that_is_empty_for_a_reason_is_translated(dialogue: Dialogue) -> None:
    client = ANTHROPIC if dialogue is CHAT else CHAT
    for body in EMPTY[dialogue.dialect]:
        if body.get("status") == "queued":  # which nobody asks for in translation
            continue
        story = asked(client, stream=False, model=dialogue.model, setup=two_keys(dialogue), attempts=2)
        story.upstream_answers(200, json.dumps(body).encode())
        assert (story.status, len(story.requests)) == (200, 1), (body, story.body)


@pytest.mark.parametrize("model", ["up-openai", "up-openai_completions"])
@pytest.mark.parametrize("reason", ["error", "network_error"])
def test_a_stream_that_ends_in_a_failure_is_one(model: str, reason: str) -> None:
    dialogue = CHAT if model == "up-openai" else COMPLETIONS
    failed = {"choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": reason, "error": {"message": "lost"}}]}
    frame = b"data: " + json.dumps(failed).encode() + b"\n\n"
    story = asked(dialogue, stream=True)
    story.upstream_answers(200, frame, headers=SSE)
    assert (story.status, json.loads(story.body)["error"]["message"]) == (502, "lost")
    begun = asked(dialogue, stream=True)
    begun.upstream_answers(200, dialogue.content + frame, headers=SSE)
    assert begun.body.startswith(dialogue.content)
    assert b'"lost"' in begun.body
    assert b"[DONE]" not in begun.body


@pytest.mark.parametrize(
    ("target", "good"),
    [
        ("/v1/embeddings", {"data": [{"embedding": [0.5], "index": 0}]}),
        ("/v1beta/models/up-gemini:embedContent", {"embedding": {"values": [0.5]}}),
        ("/v1beta/models/up-gemini:batchEmbedContents", {"embeddings": [{"values": [0.5]}]}),
    ],
)
def test_embeddings_without_a_vector_fail_over(target: str, good: dict[str, Any]) -> None:
    dialogue = GEMINI if "gemini" in target else CHAT
    nothing: tuple[dict[str, Any], ...] = ({"data": None}, {"data": []}, {"data": [{"index": 0}]}, {"embeddings": []})
    for body in (*NOTHING, *nothing, {"embedding": None}, {"data": [{"embedding": []}]}):
        story = Story(gateway(two_keys(dialogue), attempts=2))
        story.open("POST", target, body=b'{"model": "up-openai", "input": "a", "content": {}, "requests": []}')
        story.upstream_answers(200, json.dumps(body).encode())
        story.wait(1)
        assert list(story.requests) == [1, 2], story.text()
        story.upstream_answers(200, json.dumps(good).encode())
        assert story.status == 200


@pytest.mark.parametrize(
    ("path", "asking", "answer"),
    [
        ("/v1/images/generations", {"prompt": "p"}, {"data": [{"b64_json": "aQ=="}]}),
        ("/v1/moderations", {"input": "i"}, {"results": [{"flagged": False}]}),
        ("/v1/responses/compact", {"input": "i"}, {"output": [{"type": "compaction", "encrypted_content": "x"}]}),
    ],
)
def test_other_answers_need_what_was_asked_for_too(path: str, asking: dict[str, Any], answer: dict[str, Any]) -> None:
    dialogue = RESPONSES if "compact" in path else CHAT
    for body in (*NOTHING, {next(iter(answer)): []}, answer):
        story = Story(gateway(config(providers=(provider(dialogue),))))
        story.open("POST", path, body=json.dumps({"model": dialogue.model, **asking}).encode())
        story.upstream_answers(200, json.dumps(body).encode())
        assert (story.status == 200) is (body is answer), body


def test_a_count_without_a_number_is_an_estimate() -> None:
    for body in ({}, {"message": "quota", "code": 1}, {"input_tokens": None}):
        story = Story(gateway(config(providers=(provider(ANTHROPIC),))))
        asking = {"model": ANTHROPIC.model, "messages": [{"role": "user", "content": "q"}]}
        story.open("POST", "/v1/messages/count_tokens", body=json.dumps(asking).encode())
        story.upstream_answers(200, json.dumps(body).encode())
        assert (story.status, story.headers[b"x-agcore-count"]) == (200, b"estimate")
        assert json.loads(story.body)["input_tokens"] > 0


WORDS: Final = (
    b'data: {"message": "quota is used up", "code": 500}\n\n',
    b'data: {"detail": "quota is used up"}\n\n',
    b'data: {"error": {"message": "quota is used up"}}\n\n',
    b'data: {"base_resp": {"status_code": 2013, "status_msg": "quota is used up"}, "choices": null}\n\n',
    b'data: [{"error": {"message": "quota is used up"}}]\n\n',
    b"event: error\ndata: quota is used up\n\n",
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_stream_that_tells_of_its_failure_in_other_words_is_heard(dialogue: Dialogue, stream: bool) -> None:
    for words in WORDS:
        for told in (words, dialogue.announcements + words, dialogue.announcements + dialogue.content + words):
            story = asked(dialogue, stream=stream)
            story.upstream_answers(200, told, headers=SSE)
            assert b"quota is used up" in story.body, story.text()
            assert story.row["outcome"] != "ok"


def test_a_chunk_that_says_that_all_is_well_is_no_failure() -> None:
    well = b'data: {"choices": [], "base_resp": {"status_code": 0, "status_msg": "success"}}\n\n'
    story = asked(CHAT, stream=True)
    story.upstream_answers(200, CHAT.announcements + well + CHAT.stream.removeprefix(CHAT.announcements), headers=SSE)
    assert story.row["outcome"] == "ok"
