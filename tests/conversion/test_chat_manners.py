"""Histories at Chat servers that are not OpenAI, in the order and the words that each of them takes.

The same is held for every history by `properties/test_strict_chat_servers.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agcore.conversation.losses import Losses
from agcore.dialects.openai_chat.message_order import in_order
from agcore.models.vendor_profile import VendorProfile
from tests.support.converted import asked_of, converted
from tests.support.strict_chat import SERVERS, qwen

Json = dict[str, Any]

QWEN = {"model": "Qwen3.8-27B-GGUF", "vendor": "llamacpp"}
DEVSTRAL = {"model": "Devstral-Small-2-24B-GGUF", "vendor": "lmstudio"}
MISTRAL = {"model": "mistral-large-latest", "vendor": "mistral"}
SONAR = {"model": "sonar-pro", "vendor": "perplexity"}
DEEPSEEK = {"model": "deepseek-v4-pro", "vendor": "deepseek"}
KIMI = {"model": "kimi-k2.6", "vendor": "moonshot"}
OPENAI = {"model": "gpt-4.1", "vendor": "openai"}


def claude(*messages: Json, **more: Any) -> Json:
    return {"model": "m", "max_tokens": 9, "messages": list(messages), **more}


def says(role: str, *content: Any) -> Json:
    return {"role": role, "content": content[0] if isinstance(content[0], str) else list(content)}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(id: str) -> Json:
    return {"type": "tool_use", "id": id, "name": "get", "input": {"a": 1}}


def result(id: str, words: str = "ok", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": words, **more}


def reminded(words: str) -> str:
    return f"<system-reminder>\n{words}\n</system-reminder>"


def told(messages: list[Json]) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in messages]


CLAUDE_CODE = claude(
    says("user", "a"),
    says("system", "MCP instructions"),
    says("assistant", "b"),
    says("user", "c"),
    system=[text("S"), text("T")],
)
CODEX: Json = {
    "model": "m",
    "instructions": "S",
    "input": [says("developer", "D"), says("user", "environment"), says("user", "prompt")],
}
GEMINI: Json = {
    "systemInstruction": {"parts": [{"text": "S"}, {"text": "T"}]},
    "contents": [{"role": "user", "parts": [{"text": "a"}]}],
}


# Instructions (T2).


def test_a_later_instruction_stays_in_its_place_as_text_of_the_user() -> None:
    assert told(asked_of("openai_chat", "anthropic", CLAUDE_CODE, **QWEN)["messages"]) == [
        ("system", "S\n\nT"),
        ("user", "a"),
        ("user", reminded("MCP instructions")),
        ("assistant", "b"),
        ("user", "c"),
    ]


def test_leading_instructions_are_one() -> None:
    assert told(asked_of("openai_chat", "openai_responses", CODEX, **QWEN)["messages"]) == [
        ("system", "S\n\nD"),
        ("user", "environment"),
        ("user", "prompt"),
    ]
    assert told(asked_of("openai_chat", "gemini", GEMINI, **QWEN)["messages"]) == [("system", "S\n\nT"), ("user", "a")]


def test_instructions_stay_as_they_are_at_openai() -> None:
    assert [role for role, _ in told(asked_of("openai_chat", "anthropic", CLAUDE_CODE, **OPENAI)["messages"])] == [
        *("system", "user", "system", "assistant", "user"),
    ]
    assert told(asked_of("openai_chat", "openai_responses", CODEX, **OPENAI)["messages"])[:2] == [
        ("system", "S"),
        ("developer", "D"),
    ]


def test_a_server_that_refuses_later_instructions_gets_them_from_the_user_and_a_note_says_so() -> None:
    losses = Losses()
    messages: list[Json] = [{"role": "user", "content": "a"}, {"role": "developer", "content": "L"}]
    asked = in_order(messages, VendorProfile(late_system="refused"), losses)
    assert told(asked) == [("user", "a"), ("user", reminded("L"))]
    assert [(loss.action, loss.weight) for loss in losses] == [("sent as the user's", "note")]


def test_instructions_alone_get_a_user() -> None:
    body = {"model": "m", "instructions": "S", "input": [says("developer", "D")]}
    made = converted("openai_chat", "openai_responses", body, **QWEN)
    assert told(made.rendered["messages"]) == [("system", "S\n\nD"), ("user", ".")]  # type: ignore[arg-type]
    assert [loss.action for loss in made.losses] == ["a user message put first"]


def test_instructions_between_a_call_and_its_result_stand_behind_the_result() -> None:
    body = claude(says("user", "a"), says("assistant", use("x")), says("system", "L"), says("user", result("x")))
    assert told(asked_of("openai_chat", "anthropic", body, **QWEN)["messages"])[2:] == [
        ("tool", "ok"),
        ("user", reminded("L")),
    ]


# Turns (T19, T7).


def test_neighbouring_messages_of_the_user_are_one_where_turns_alternate() -> None:
    assert told(asked_of("openai_chat", "openai_responses", CODEX, **DEVSTRAL)["messages"]) == [
        ("system", "S\n\nD"),
        ("user", "environment\n\nprompt"),
    ]
    assert told(asked_of("openai_chat", "anthropic", CLAUDE_CODE, **DEVSTRAL)["messages"]) == [
        ("system", "S\n\nT"),
        ("user", f"a\n\n{reminded('MCP instructions')}"),
        ("assistant", "b"),
        ("user", "c"),
    ]


def test_pictures_stay_parts_where_messages_of_the_user_are_one() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    body = {"model": "m", "input": [says("user", "see"), says("user", picture)]}
    messages = asked_of("openai_chat", "openai_responses", body, model="pixtral-large", vendor="mistral")["messages"]
    ((role, content),) = told(messages)
    assert role == "user"
    assert [part["type"] for part in content] == ["text", "image_url"]


@pytest.mark.parametrize("server", [DEVSTRAL, SONAR, QWEN])
def test_the_user_speaks_first_where_that_is_demanded(server: dict[str, str]) -> None:
    body = {"model": "m", "input": [says("assistant", "a"), says("user", "b")]}
    made = converted("openai_chat", "openai_responses", body, **server)
    assert told(made.rendered["messages"]) == [("user", "."), ("assistant", "a"), ("user", "b")]  # type: ignore[arg-type]
    assert [loss.action for loss in made.losses] == ["a user message put first"]


def test_a_history_whose_first_request_was_cut_off_gets_a_user_before_its_calls() -> None:
    call = {"type": "function_call", "call_id": "x", "name": "get", "arguments": "{}"}
    body = {
        "model": "m",
        "instructions": "S",
        "input": [call, {"type": "function_call_output", "call_id": "x", "output": "ok"}],
    }
    messages = asked_of("openai_chat", "openai_responses", body, **QWEN)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]
    qwen(messages)


INTERRUPTED = claude(
    says("user", "a"), says("assistant", use("toolu_01A")), says("user", result("toolu_01A"), text("be brief"))
)


@pytest.mark.parametrize("server", [MISTRAL, DEVSTRAL])
def test_the_assistant_has_a_word_between_a_result_and_the_user(server: dict[str, str]) -> None:
    messages = asked_of("openai_chat", "anthropic", INTERRUPTED, **server)["messages"]
    assert told(messages)[2:] == [("tool", "ok"), ("assistant", "Understood."), ("user", "be brief")]


def test_what_a_result_shows_beside_text_is_told_behind_that_word() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    body = claude(says("user", "a"), says("assistant", use("x")), says("user", {**result("x"), "content": [picture]}))
    messages = asked_of("openai_chat", "anthropic", body, **MISTRAL)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]


def test_nothing_is_put_between_a_result_and_the_user_elsewhere() -> None:
    messages = asked_of("openai_chat", "anthropic", INTERRUPTED, **QWEN)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]


# Ids of calls (T20).


@pytest.mark.parametrize(
    ("client", "body"),
    [
        ("anthropic", INTERRUPTED),
        (
            "openai_responses",
            {
                "model": "m",
                "input": [
                    {"type": "function_call", "call_id": "call_abc", "name": "get", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "call_abc", "output": "ok"},
                ],
            },
        ),
        (
            "gemini",
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "a"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "get", "args": {}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {"output": "ok"}}}]},
                ]
            },
        ),
    ],
)
def test_ids_of_calls_are_nine_letters_and_digits_in_call_and_result_alike(client: str, body: Json) -> None:
    messages = asked_of("openai_chat", client, body, **MISTRAL)["messages"]
    (id,) = {call["id"] for message in messages for call in message.get("tool_calls", ())}
    assert re.fullmatch("[a-zA-Z0-9]{9}", id)
    assert [message["tool_call_id"] for message in messages if message["role"] == "tool"] == [id]
    assert asked_of("openai_chat", client, body, **MISTRAL)["messages"] == messages


def test_an_id_of_mistrals_own_comes_to_the_client_and_goes_back_as_it_is() -> None:
    made = converted("openai_chat", "anthropic", claude(says("user", "a")), **MISTRAL)
    call = {"id": "aB3dE5fG7", "type": "function", "function": {"name": "get", "arguments": "{}"}}
    answer: Json = {"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    deltas = made.read(answer)
    assert isinstance(deltas, list)
    shown, _ = made.written(made.delta_mapper(id="0").deltas(deltas), id="0", model="m", created=1)
    (block,) = shown["content"]  # type: ignore[misc]
    assert block["id"] == "aB3dE5fG7"  # type: ignore[index]
    body = claude(says("user", "a"), says("assistant", block), says("user", result("aB3dE5fG7")))
    messages = asked_of("openai_chat", "anthropic", body, **MISTRAL)["messages"]
    assert (messages[1]["tool_calls"][0]["id"], messages[2]["tool_call_id"]) == ("aB3dE5fG7", "aB3dE5fG7")


def test_ids_stay_as_they_are_elsewhere() -> None:
    assert (
        asked_of("openai_chat", "anthropic", INTERRUPTED, **QWEN)["messages"][1]["tool_calls"][0]["id"] == "toolu_01A"
    )


# No tools (T23).


def test_calls_and_results_are_told_in_words_where_no_tools_are_taken() -> None:
    tools = [{"name": "get", "input_schema": {"type": "object", "properties": {}}}]
    body = claude(
        says("user", "a"),
        says("assistant", text("I look."), use("x")),
        says("user", result("x", "no", is_error=True), text("be brief")),
        tools=tools,
        tool_choice={"type": "any"},
    )
    made = converted("openai_chat", "anthropic", body, **SONAR)
    assert made.rendered.keys() & {"tools", "tool_choice"} == set()
    assert told(made.rendered["messages"]) == [  # type: ignore[arg-type]
        ("user", "a"),
        ("assistant", 'I look.\n[Called get: {"a":1}]\n'),
        ("user", "\n[Failure of get]\nno\n\nbe brief"),
    ]
    assert [loss.path for loss in made.losses] == ["tool calls", "tools"]


# Thoughts (T4).


@pytest.mark.parametrize("server", [DEEPSEEK, KIMI])
def test_every_message_of_the_assistant_has_a_thought_where_that_is_demanded(server: dict[str, str]) -> None:
    empty = {"type": "thinking", "thinking": "", "signature": "c2ln"}
    body = claude(
        says("user", "a"),
        says("assistant", empty, use("x")),
        says("user", result("x")),
        says("assistant", "b"),
        says("user", "c"),
        says("assistant", {"type": "thinking", "thinking": "hm", "signature": ""}, text("d")),
        says("user", "e"),
    )
    messages = asked_of("openai_chat", "anthropic", body, **server)["messages"]
    assert [each["reasoning_content"] for each in messages if each["role"] == "assistant"] == [" ", " ", "hm"]


@pytest.mark.parametrize(
    ("client", "body"),
    [
        (
            "anthropic",
            claude(says("user", "a"), says("assistant", "b"), says("user", "c"), thinking={"type": "disabled"}),
        ),
        (
            "openai_responses",
            {"model": "m", "input": [says("assistant", "b"), says("user", "c")], "reasoning": {"effort": "none"}},
        ),
        (
            "gemini",
            {
                "contents": [{"role": role, "parts": [{"text": "a"}]} for role in ("user", "model", "user")],
                "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
            },
        ),
    ],
)
def test_no_thought_is_made_up_where_thinking_is_switched_off(client: str, body: Json) -> None:
    request = asked_of("openai_chat", client, body, **DEEPSEEK)
    assert request["thinking"] == {"type": "disabled"}
    assert all("reasoning_content" not in message for message in request["messages"])


def test_a_model_that_cannot_be_kept_from_thinking_gets_thoughts_all_the_same() -> None:
    body = claude(says("user", "a"), says("assistant", "b"), says("user", "c"), thinking={"type": "disabled"})
    messages = asked_of("openai_chat", "anthropic", body, model="my-deepseek-v4-finetune")["messages"]
    assert messages[1]["reasoning_content"] == " "


def test_thoughts_are_not_sent_to_whom_they_mean_nothing() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    body = claude(says("user", "a"), says("assistant", thought, text("b")), says("user", "c"))
    assert "reasoning_content" not in asked_of("openai_chat", "anthropic", body, **QWEN)["messages"][1]


# Given beginnings (T26).

PREFILL = claude(says("user", "a"), says("assistant", "{"))


def test_a_given_beginning_is_marked_as_one_at_mistral() -> None:
    assert asked_of("openai_chat", "anthropic", PREFILL, **MISTRAL)["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "{", "prefix": True},
    ]


@pytest.mark.parametrize("server", [DEEPSEEK, DEVSTRAL, SONAR])
def test_a_beginning_that_nobody_continues_is_followed_by_a_request_to(server: dict[str, str]) -> None:
    made = converted("openai_chat", "anthropic", PREFILL, **server)
    last = made.rendered["messages"][-1]  # type: ignore[index]
    assert last == {"role": "user", "content": "Continue from where you stopped."}
    assert [loss.action for loss in made.losses] == ["asked to in words"]


def test_a_given_beginning_goes_as_it_is_to_whoever_may_continue_it() -> None:
    assert asked_of("openai_chat", "anthropic", PREFILL, **QWEN)["messages"][-1] == {
        "role": "assistant",
        "content": "{",
    }


@pytest.mark.parametrize("server", SERVERS)
def test_a_history_that_is_sent_twice_is_the_same_twice(server: str) -> None:
    vendor, model, _ = SERVERS[server]
    one = converted("openai_chat", "anthropic", CLAUDE_CODE, model=model, vendor=vendor).body
    assert (
        one
        == converted("openai_chat", "anthropic", json.loads(json.dumps(CLAUDE_CODE)), model=model, vendor=vendor).body
    )
