"""An upstream that refuses a signature which it had made itself: it is asked once more, without any."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore import State, UpstreamConnected, UpstreamData, UpstreamHead
from agcore.config.values import Proxy, dialect_of
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Signature
from agcore.dialects.foreign_signatures import is_refusal
from agcore.protocol.fault import Fault
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import config, ids

SKIP = "skip_thought_signature_validator"
REFUSALS: dict[str, str] = {
    "anthropic": "messages.1.content.0: Invalid `signature` in `thinking` block",
    "gemini": "Unable to submit request because Thought signature is not valid.",
    "openai": "Function call is missing a thought_signature in functionCall parts.",
    "openai_responses": "The encrypted content gAAA... could not be verified.",
}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}
HISTORIES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "max_tokens": 4000,
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "Eabc"},
                    {"type": "redacted_thinking", "data": "Rabc"},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
                ],
            },
            {"role": "user", "content": [RESULT]},
        ],
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "a", "thought": True, "thoughtSignature": "Qabc"},
                    {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "Qdef"},
                    {"text": "", "thoughtSignature": "Qghi"},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"a": 1}}}]},
        ]
    },
    "openai": {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "reasoning_details": [{"type": "reasoning.encrypted", "data": "Rabc"}],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                        "extra_content": {"google": {"thought_signature": "Qabc"}},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "4"},
        ]
    },
    "openai_responses": {
        "store": False,
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "4"},
        ],
    },
}
DIALOGUES = (ANTHROPIC, GEMINI, CHAT, RESPONSES)


def open_story(dialogue: Dialogue, *, stream: bool = False, setup: Any = None, **more: object) -> Story:
    story = Story(gateway(setup or config()))
    body = HISTORIES[dialogue.dialect] | more
    if dialogue is not GEMINI:
        body = body | {"model": dialogue.model, "stream": stream}
    story.open("POST", dialogue.target(dialogue.model, stream=stream), body=json.dumps(body).encode())
    return story


def refuse(story: Story, dialect: str, *, status: int = 400, message: str = "") -> None:
    error = {"type": "invalid_request_error", "message": message or REFUSALS[dialect]}
    story.upstream_answers(status, json.dumps({"type": "error", "error": error}).encode())


def sent(story: Story, leg: int) -> Any:
    return json.loads(story.requests[leg].body)  # type: ignore[arg-type]


# Within one dialect.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_the_request_is_made_once_more_without_signatures(dialogue: Dialogue, stream: bool) -> None:
    story = open_story(dialogue, stream=stream)
    refuse(story, dialogue.dialect)
    assert (sorted(story.requests), story.finished) == ([1, 2], False)
    assert story.requests[2].target == story.requests[1].target
    text = json.dumps(sent(story, 2))
    assert not any(signature in text for signature in ("Eabc", "Rabc", "Qabc", "Qdef", "Qghi", "gAAA"))
    story.upstream_answers(200, dialogue.stream if stream else dialogue.answer, headers=SSE if stream else JSON)
    assert (story.status, story.row["outcome"], story.row["attempts"]) == (200, "ok", 2)
    assert b"dropped" in story.headers[b"x-agcore-losses"]
    assert story.row["losses"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_of_a_refusal_within_a_200_nothing_is_left_in_the_answer(dialogue: Dialogue, stream: bool) -> None:
    story = open_story(dialogue, stream=stream)
    message = REFUSALS[dialogue.dialect]
    if stream:
        error: Any = {"type": "invalid_request_error", "code": 400, "message": message}
        event = {"type": "error", "error": error}
        if dialogue is RESPONSES:
            event = {"type": "error", "code": "invalid_prompt", "message": message}
        first = [dialogue.announcements, b"data: " + json.dumps(event).encode() + b"\n\n"]
        story.upstream_answers(200, first, headers=SSE)
    else:
        story.upstream_answers(200, json.dumps({"error": {"code": 400, "message": message}}).encode())
    assert sorted(story.requests) == [1, 2]
    story.upstream_answers(200, dialogue.stream if stream else dialogue.answer, headers=SSE if stream else JSON)
    assert (story.status, story.row["outcome"]) == (200, "ok")
    assert story.body.startswith(dialogue.announcements + dialogue.content if stream else dialogue.answer)
    assert story.gateway.buffered == 0


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_it_is_made_once_more_and_not_twice(dialogue: Dialogue) -> None:
    story = open_story(dialogue)
    refuse(story, dialogue.dialect)
    refuse(story, dialogue.dialect)
    assert (story.status, len(story.requests)) == (400, 2)
    assert json.loads(story.body)["error"]["message"] == REFUSALS[dialogue.dialect]


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize(("status", "message"), [(400, "max_tokens is too large"), (500, "")], ids=["other", "500"])
def test_other_errors_are_told_at_once(dialogue: Dialogue, status: int, message: str) -> None:
    story = open_story(dialogue)
    refuse(story, dialogue.dialect, status=status, message=message)
    assert (story.status, len(story.requests)) == (status, 1)


def test_a_request_without_signatures_is_not_made_again() -> None:
    story = open_story(ANTHROPIC, messages=[{"role": "user", "content": "hi"}])
    refuse(story, "anthropic")
    assert (story.status, len(story.requests)) == (400, 1)


@pytest.mark.parametrize("history", ["hi", None, 7])
def test_a_history_that_is_none_is_left_alone(history: object) -> None:
    story = open_story(RESPONSES, input=history)
    refuse(story, "openai_responses")
    assert (story.status, len(story.requests)) == (400, 1)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_history_that_cannot_be_read_is_left_alone(dialogue: Dialogue) -> None:
    story = Story(gateway(config()))
    member = {"gemini": "contents", "openai_responses": "input"}.get(dialogue.dialect, "messages")
    body = json.dumps({"model": dialogue.model, member: [{"of_unknown_meaning": 0}]}).replace(": 0}", ": 1e400}")
    story.open("POST", dialogue.target(dialogue.model, stream=False), body=body.encode())
    refuse(story, dialogue.dialect)
    assert (list(story.requests), story.status) == ([1], 400)


def test_losses_that_are_refused_are_not_made() -> None:
    story = open_story(ANTHROPIC, setup=config(proxy=Proxy(on_loss="reject")))
    refuse(story, "anthropic")
    assert (story.status, len(story.requests)) == (400, 1)


def test_thinking_goes_whole_and_what_it_led_to_stays() -> None:
    story = open_story(ANTHROPIC)
    refuse(story, "anthropic")
    before, after = sent(story, 1), sent(story, 2)
    assert after["messages"][1]["content"] == before["messages"][1]["content"][2:]
    assert {**after, "messages": 0} == {**before, "messages": 0}


def test_a_message_of_nothing_but_thinking_goes() -> None:
    messages = json.loads(json.dumps(HISTORIES["anthropic"]["messages"]))
    alone = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "E"}]}
    story = open_story(ANTHROPIC, messages=[messages[0], alone, messages[0]])
    refuse(story, "anthropic")
    assert sent(story, 2)["messages"] == [messages[0], messages[0]]


def test_a_step_that_lost_its_thinking_goes_on_without_a_budget() -> None:
    edits = [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    story = open_story(ANTHROPIC, thinking=thinking, context_management={"edits": edits})
    refuse(story, "anthropic")
    assert "thinking" not in sent(story, 2)
    assert sent(story, 2)["context_management"] == {"edits": edits[1:]}


def test_a_new_step_may_think() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    messages = [
        *HISTORIES["anthropic"]["messages"],
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "?"},
    ]
    story = open_story(ANTHROPIC, thinking=thinking, messages=messages)
    refuse(story, "anthropic")
    assert sent(story, 2)["thinking"] == thinking


def test_google_is_told_not_to_check_a_call() -> None:
    story = open_story(GEMINI)
    refuse(story, "gemini")
    assert sent(story, 2)["contents"][1]["parts"] == [
        {"text": "a", "thought": True},
        {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": SKIP},
    ]


def test_google_is_told_so_in_chat_as_well() -> None:
    story = open_story(CHAT)
    refuse(story, "openai")
    message = sent(story, 2)["messages"][1]
    assert "reasoning_details" not in message
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": SKIP}}


def test_a_call_that_lacks_its_signature_gets_the_mark() -> None:
    contents = [{"role": "model", "parts": [{"function_call": {"name": "look"}}]}]
    story = open_story(GEMINI, contents=contents)
    refuse(story, "gemini", message="Function call is missing a thought_signature")
    assert sent(story, 2)["contents"][0]["parts"][0]["thoughtSignature"] == SKIP


def test_after_content_there_is_no_second_request() -> None:
    story = open_story(ANTHROPIC, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": REFUSALS["anthropic"]}}
    story.tell(UpstreamData(1, ANTHROPIC.announcements + ANTHROPIC.content))
    story.tell(UpstreamData(1, b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"))
    assert (story.finished, len(story.requests)) == (True, 1)


def test_a_second_request_that_is_slow_opens_its_stream_too() -> None:
    story = open_story(ANTHROPIC, stream=True)
    refuse(story, "anthropic")
    story.tell(UpstreamConnected(2, reused=False))
    story.wait(10)
    assert (story.status, story.exchange.state) == (200, State.OPENED)
    story.tell(UpstreamHead(2, 200, SSE))
    story.tell(UpstreamData(2, ANTHROPIC.stream))
    assert b"hello" in story.body


def test_a_stream_that_is_open_gets_its_head_once() -> None:
    story = open_story(ANTHROPIC, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    assert story.exchange.state is State.OPENED
    story.tell(UpstreamHead(1, 400, JSON))
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": REFUSALS["anthropic"]}}
    story.tell(UpstreamData(1, json.dumps(error).encode()))
    story.upstream_breaks(leg=1)
    story.tell(UpstreamConnected(2, reused=False))
    story.wait(10)
    story.tell(UpstreamHead(2, 200, SSE))
    story.tell(UpstreamData(2, ANTHROPIC.stream))
    assert (story.status, b"hello" in story.body) == (200, True)


# Translated.


def chat_to_claude(*, n: int = 1) -> Story:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": carrier(Signature("anthropic", "thinking", "Eabc"))}
    ]
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "4", "reasoning_details": details},
        {"role": "user", "content": "?"},
    ]
    story = Story(gateway(config()))
    body = {"model": "up-anthropic", "messages": messages, "n": n}
    story.open("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    return story


def test_a_translated_request_is_made_once_more_without_signatures() -> None:
    story = chat_to_claude()
    assert "Eabc" in json.dumps(sent(story, 1))
    refuse(story, "anthropic")
    assert "Eabc" not in json.dumps(sent(story, 2))
    assert sent(story, 2)["messages"][1]["content"] == [{"type": "text", "text": "4"}]
    story.upstream_answers(200, ANTHROPIC.answer)
    assert (story.status, story.headers[b"x-agcore-losses"]) == (200, b"signatures=dropped")


def test_a_translated_request_is_made_once_more_and_not_twice() -> None:
    story = chat_to_claude()
    refuse(story, "anthropic")
    refuse(story, "anthropic")
    assert (story.status, len(story.requests)) == (400, 2)


def test_each_of_several_calls_may_be_made_once_more() -> None:
    story = chat_to_claude(n=2)
    for leg in (1, 2):
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": REFUSALS["anthropic"]}}
        story.upstream_answers(400, json.dumps(error).encode(), leg=leg)
    assert sorted(story.requests) == [1, 2, 3, 4]
    for leg in (3, 4):
        assert "Eabc" not in json.dumps(sent(story, leg))
        story.upstream_answers(200, ANTHROPIC.answer, leg=leg)
    assert [each["message"]["content"] for each in json.loads(story.body)["choices"]] == ["hello", "hello"]


# What counts as a refusal.


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        *REFUSALS.items(),
        ("anthropic", "messages.3.content.1: Invalid `data` in `redacted_thinking` block"),
        (
            "anthropic",
            "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
        ),
        ("anthropic", "messages.1.content.0.thinking.signature: Field required"),
        ("gemini", "Corrupted thought signature."),
        ("gemini", "Invalid value at 'contents[1].parts[0].thought_signature'"),
        ("openai", "Invalid `signature` in `thinking` block"),
    ],
)
def test_refusals_are_known_by_their_words(dialect: str, message: str) -> None:
    assert is_refusal(dialect_of(dialect), Fault(status=400, message=message))


def test_a_refusal_is_known_by_its_code() -> None:
    assert is_refusal("openai_responses", Fault(status=400, message="no", code="invalid_encrypted_content"))


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        ("anthropic", "max_tokens must be greater than thinking.budget_tokens"),
        ("gemini", "Function calling is not enabled"),
        ("openai_responses", "Invalid signature"),
        ("openai_completions", REFUSALS["anthropic"]),
    ],
)
def test_other_words_are_no_refusal(dialect: str, message: str) -> None:
    assert not is_refusal(dialect, Fault(status=400, message=message))
