"""Texts of one message at upstreams that take one text, from every dialect that cuts texts into pieces.

Google's SDK replays a streamed answer as one content a chunk, Claude's citations cut a text into blocks, and Responses
messages have parts: pieces of one text are joined with nothing, and what is not one text stays apart.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from tests.support.converted import asked_of

PIECES = ["The cap", "ital is", " Paris."]
SEARCH: list[dict[str, Any]] = [
    {"type": "text", "text": "I'll search."},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "cats"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "text", "text": "Cats "},
    {"type": "text", "text": "are nice"},
    {"type": "text", "text": "."},
]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def claude(*content: Any) -> dict[str, Any]:
    """A Messages request with an answer of these blocks, or of several messages where they are lists."""
    messages = content if content and isinstance(content[0], list) else [list(content)]
    said = [{"role": "assistant", "content": each} for each in messages]
    return {"model": "m", "max_tokens": 9, "messages": [user("a"), *said, user("b")]}


def responses(*items: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "input": [user("a"), *items, user("b")]}


def message(*texts: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "role": "assistant", "content": content}


def gemini(*contents: list[dict[str, Any]]) -> dict[str, Any]:
    said = [{"role": "model", "parts": parts} for parts in contents]
    return {"contents": [{"role": "user", "parts": [{"text": "a"}]}, *said, {"role": "user", "parts": [{"text": "b"}]}]}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thinking(words: str, **signed: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": "", **signed}


CASES = {
    "gemini, a content a chunk": ("gemini", gemini(*([{"text": each}] for each in PIECES)), "The capital is Paris."),
    "gemini, a part a chunk": ("gemini", gemini([{"text": each} for each in PIECES]), "The capital is Paris."),
    "gemini, a signature on a chunk": (
        "gemini",
        gemini(
            [{"text": "The cap", "thoughtSignature": "c2ln"}],
            [{"text": "ital."}],
            [{"text": "", "thoughtSignature": "c2ln"}],
        ),
        "The capital.",
    ),
    "claude, blocks of one text": ("anthropic", claude(*map(text, PIECES)), "The capital is Paris."),
    "claude, a thought between": ("anthropic", claude(text("One."), thinking("hm"), text("Two.")), "One.\n\nTwo."),
    "claude, two messages": ("anthropic", claude([text("One")], [text("Two"), text("!")]), "One\n\nTwo!"),
    "responses, parts of one message": ("openai_responses", responses(message(*PIECES)), "The capital is Paris."),
    "responses, two messages": ("openai_responses", responses(message("One"), message("Two")), "One\n\nTwo"),
    "responses, a refusal": (
        "openai_responses",
        responses({**message("One"), "content": [text("One"), {"type": "refusal", "refusal": "No."}, text("Two")]}),
        "One\n\nNo.\n\nTwo",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_of_the_history_is_one_text_for_a_chat_upstream(case: str) -> None:
    client, body, expected = CASES[case]
    said = [each for each in asked_of("openai_chat", client, body)["messages"] if each["role"] == "assistant"]
    assert [each["content"] for each in said] == [expected]


def test_texts_around_a_call_that_claude_ran_itself_are_two_messages_with_its_result_between() -> None:
    messages = asked_of("openai_chat", "anthropic", claude(*SEARCH))["messages"]
    assert [(each["role"], each["content"]) for each in messages[1:-1]] == [
        ("assistant", "I'll search."),
        ("tool", ANY),
        ("assistant", "Cats are nice."),
    ]


def test_texts_around_a_call_are_set_apart() -> None:
    call = {"type": "tool_use", "id": "call_1", "name": "get", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}
    body = claude(text("One"), text("!"), call, text("Two"))
    body["messages"][-1]["content"] = [result]
    (said,) = [each for each in asked_of("openai_chat", "anthropic", body)["messages"] if each["role"] == "assistant"]
    assert said["content"] == "One!\n\nTwo"


def test_thoughts_in_pieces_are_one_and_two_thoughts_are_two() -> None:
    body = claude(thinking("Let "), thinking("me see."), text("Yes."), thinking("So."), text("No."))
    said = asked_of("openai_chat", "anthropic", body, model="deepseek-v4-pro")["messages"][1]
    assert said["reasoning_content"] == "Let me see.\n\nSo."
    assert said["content"] == "Yes.\n\nNo."


def test_signed_thoughts_are_each_complete() -> None:
    body = claude(thinking("One.", signature="a"), thinking("Two.", signature="b"), text("Yes."))
    said = asked_of("openai_chat", "anthropic", body, model="deepseek-v4-pro")["messages"][1]
    assert said["reasoning_content"] == "One.\n\nTwo."


def test_thoughts_of_two_messages_are_set_apart() -> None:
    body = claude([thinking("One.")], [thinking("Two."), text("Yes.")])
    said = asked_of("openai_chat", "anthropic", body, model="deepseek-v4-pro")["messages"][1]
    assert said["reasoning_content"] == "One.\n\nTwo."


def test_refusals_stand_beside_joined_texts_at_openai() -> None:
    content = [text("One"), text("!"), {"type": "refusal", "refusal": "No."}]
    body = responses({**message(), "content": content})
    assert asked_of("openai_chat", "openai_responses", body, model="gpt-4.1")["messages"][1]["content"] == [
        {"type": "text", "text": "One!"},
        {"type": "refusal", "refusal": "No."},
    ]


def messages_of(items: list[dict[str, Any]]) -> list[list[str]]:
    """The texts of the assistant's messages among items."""
    return [[part["text"] for part in item["content"]] for item in items if item.get("role") == "assistant"]


@pytest.mark.parametrize(
    ("client", "body", "expected"),
    [
        ("gemini", gemini(*([{"text": each}] for each in PIECES)), [["The capital is Paris."]]),
        ("anthropic", claude(*map(text, PIECES)), [["The capital is Paris."]]),
        ("anthropic", claude(*SEARCH), [["I'll search."], ["Cats are nice."]]),
        ("anthropic", claude([text("One")], [text("Two")]), [["One"], ["Two"]]),
        ("openai_chat", {"model": "m", "messages": [user("a"), {"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}, user("b")]}, [["One"], ["Two"]]),
        (
            "gemini",
            gemini([{"text": "One"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"text": "Two"}]),
            [["One"], ["Two"]],
        ),
        ("gemini", gemini([{"text": "One"}, {"text": "", "thoughtSignature": "c2ln"}, {"text": "!"}]), [["One!"]]),
    ],
)  # fmt: skip
def test_an_answer_of_the_history_is_one_part_for_a_responses_upstream(
    client: str, body: dict[str, Any], expected: list[list[str]]
) -> None:
    assert messages_of(asked_of("openai_responses", client, body)["input"]) == expected
