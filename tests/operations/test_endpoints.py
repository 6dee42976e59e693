"""Which of a provider's endpoints takes a generation: by dialect, model and need, never by the order of a list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.config.parser import parse
from agcore.config.values import Config
from agcore_sim.story import Story, gateway

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
FLAT = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]
CHAT = {"messages": [{"role": "user", "content": "a"}]}
CLAUDE_CODE: dict[str, object] = {
    "max_tokens": 9000,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
    "messages": [{"role": "user", "content": "a"}],
}
GEMINI: dict[str, object] = {
    "contents": [{"role": "user", "parts": [{"text": "a"}]}],
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]}],
    "generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}},
}


def configured(provider: dict[str, Any]) -> Config:
    return parse(
        {"providers": [{"name": "p", "keys": ["sk-0123456789abcdef"], **provider}]}, secrets={}, environ={}
    ).config


def asked(provider: dict[str, Any], model: str, target: str, body: dict[str, object]) -> Story:
    story = Story(gateway(configured(provider)))
    named = body if "generateContent" in target else {"model": model, **body}
    story.open("POST", target.replace("MODEL", model), body=json.dumps(named).encode())
    return story


def sent(story: Story) -> tuple[str, dict[str, Any]]:
    """Path and body of the request that an upstream got."""
    (request,) = story.requests.values()
    assert isinstance(request.body, bytes)
    return request.target.decode().removeprefix("/v1"), json.loads(request.body)


OPENAI = {"preset": "openai"}
CHAT_ONLY = {"preset": "openai", "dialect": "openai"}


@pytest.mark.parametrize("model", ["gpt-5.6-sol", "gpt-5.5", "gpt-5.4", "gpt-5-codex", "gpt-4.1"])
@pytest.mark.parametrize(
    ("target", "body"),
    [("/v1/messages", CLAUDE_CODE), ("/v1beta/models/MODEL:generateContent", GEMINI)],
    ids=["anthropic", "gemini"],
)
@pytest.mark.parametrize(
    "provider",
    [
        OPENAI,
        {"preset": "openai", "dialect": ["openai", "openai_responses"]},
        {"dialect": ["openai", "openai_responses"], "base_url": "https://relay.example/v1"},
        {"preset": "openai", "base_url": "https://me.openai.azure.com/openai/v1"},
        {"dialect": ["openai", "openai_responses"], "base_url": "https://me.openai.azure.com/openai/v1"},
    ],
    ids=["preset", "dialects", "unknown server", "azure by the preset", "azure"],
)
def test_clients_of_other_dialects_get_the_endpoint_that_carries_most(
    provider: dict[str, Any], target: str, body: dict[str, object], model: str
) -> None:
    path, request = sent(asked(provider, model, target, body))
    assert path.endswith("/responses")
    assert "tools" in request


@pytest.mark.parametrize(
    ("model", "more", "path"),
    [
        ("gpt-5.6-sol", {"tools": TOOLS, "reasoning_effort": "high"}, "/responses"),
        ("gpt-5.6-sol", {"tools": TOOLS}, "/responses"),
        ("gpt-5.6-sol", {"tools": TOOLS, "reasoning_effort": "none"}, "/chat/completions"),
        ("gpt-5.6-sol", {"reasoning_effort": "high"}, "/chat/completions"),
        ("gpt-5.4", {"functions": [TOOLS[0]["function"]], "reasoning_effort": "low"}, "/responses"),
        ("gpt-5.4", {"tools": TOOLS}, "/chat/completions"),
        ("gpt-5.1", {"tools": TOOLS, "reasoning_effort": "low"}, "/chat/completions"),
        ("gpt-5-codex", {}, "/responses"),
        ("gpt-5.2-pro", {}, "/responses"),
        ("o3-deep-research", {}, "/responses"),
        ("gpt-audio", {"tools": TOOLS}, "/chat/completions"),
        ("gpt-oss-120b", {"tools": TOOLS, "reasoning_effort": "low"}, "/chat/completions"),
    ],
)
def test_what_chat_refuses_is_asked_in_responses_for_clients_of_chat(
    model: str, more: dict[str, object], path: str
) -> None:
    assert sent(asked({**OPENAI, "models": ["*"]}, model, "/v1/chat/completions", {**CHAT, **more}))[0] == path


def test_what_only_chat_serves_is_asked_in_chat_for_clients_of_responses() -> None:
    assert sent(asked(OPENAI, "gpt-audio", "/v1/responses", {"input": "a"}))[0] == "/chat/completions"


def test_chat_models_are_not_asked_for_completions() -> None:
    assert sent(asked(OPENAI, "gpt-4.1", "/v1/completions", {"prompt": "a"}))[0] == "/responses"
    for model in ("gpt-3.5-turbo-instruct", "ft:davinci-002:acme", "babbage-002"):
        assert sent(asked(OPENAI, model, "/v1/completions", {"prompt": "a"}))[0] == "/completions"


@pytest.mark.parametrize(
    ("model", "effort", "lost"),
    [
        # "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        ("gpt-5.6-sol", "none", True),
        ("gpt-6-sol", "none", True),
        # "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions."
        ("gpt-5.4", None, True),
        ("gpt-5.2", None, True),
        ("gpt-5.1", "high", False),
    ],
)
def test_where_there_is_chat_only_functions_go_without_reasoning(model: str, effort: str | None, lost: bool) -> None:
    story = asked(CHAT_ONLY, model, "/v1/messages", CLAUDE_CODE)
    path, request = sent(story)
    assert (path, request.get("reasoning_effort")) == ("/chat/completions", effort)
    story.upstream_answers(200, json.dumps(ANSWER).encode())
    losses = dict(story.head.headers).get(b"x-agcore-losses", b"").decode()
    assert ("reasoning" in losses) == lost


ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "b"}, "finish_reason": "stop"}]}


def test_an_effort_that_nobody_asked_for_is_a_note_where_it_had_to_be_none() -> None:
    body = {**CLAUDE_CODE, "thinking": None, "output_config": None}
    story = asked(CHAT_ONLY, "gpt-5.6-sol", "/v1/messages", {k: v for k, v in body.items() if v is not None})
    assert sent(story)[1]["reasoning_effort"] == "none"


def test_without_functions_reasoning_stays_in_chat() -> None:
    body = {key: value for key, value in CLAUDE_CODE.items() if key != "tools"}
    assert sent(asked(CHAT_ONLY, "gpt-5.6-sol", "/v1/messages", body))[1]["reasoning_effort"] == "high"


def test_a_model_that_no_configured_endpoint_serves_is_refused_with_what_to_add() -> None:
    story = asked(CHAT_ONLY, "gpt-5-codex", "/v1/messages", CLAUDE_CODE)
    error = json.loads(story.body)["error"]
    assert story.status == 400
    assert "speaks openai only; this model needs openai_responses among the provider's dialects" in error["message"]


def test_a_client_that_speaks_what_there_is_hears_the_vendor_itself() -> None:
    assert sent(asked(CHAT_ONLY, "gpt-5-codex", "/v1/chat/completions", CHAT))[0] == "/chat/completions"


def test_models_go_where_their_own_vendors_words_are_spoken() -> None:
    relay = {
        "dialect": ["openai", "gemini", "anthropic"],
        "base_url": {
            "openai": "https://relay.example/v1",
            "gemini": "https://relay.example",
            "anthropic": "https://relay.example",
        },
    }
    responses: dict[str, object] = {"input": "a"}
    assert sent(asked(relay, "claude-opus-5", "/v1/responses", responses))[0] == "/messages"
    assert "generateContent" in sent(asked(relay, "gemini-3-pro", "/v1/responses", responses))[0]
    assert sent(asked(relay, "llama-5", "/v1/responses", responses))[0] == "/chat/completions"


def test_what_a_model_refuses_is_left_out_of_requests_that_pass() -> None:
    body: dict[str, object] = {**CHAT, "temperature": 0, "user": "u"}
    path, request = sent(asked({"preset": "moonshot"}, "kimi-k2.6", "/v1/chat/completions", body))
    assert (path, request) == ("/chat/completions", {"model": "kimi-k2.6", **CHAT, "user": "u"})


def test_a_chat_client_is_served_where_there_is_chat_only() -> None:
    body = {**CHAT, "tools": TOOLS, "max_tokens": 9}
    path, request = sent(asked(CHAT_ONLY, "gpt-5.6-sol", "/v1/chat/completions", body))
    assert path == "/chat/completions"
    assert request == {
        "model": "gpt-5.6-sol",
        **CHAT,
        "tools": TOOLS,
        "max_completion_tokens": 9,
        "reasoning_effort": "none",
    }


PRIVATE = {"internal_chat_message_metadata_passthrough": {"content_item_kinds": ["prompt"]}}


def test_what_is_between_codex_and_its_own_server_does_not_reach_others() -> None:
    items = [
        {"type": "message", "role": "user", "content": "a", **PRIVATE},
        {"type": "reasoning", "summary": [], "encrypted_content": "gw1.anthropic.eA", **PRIVATE},
    ]
    path, request = sent(asked(OPENAI, "gpt-5.6-sol", "/v1/responses", {"input": items, "tools": FLAT}))
    assert path == "/responses"
    assert request["input"] == [{"type": "message", "role": "user", "content": "a"}]
    assert request["tools"] == FLAT


@pytest.mark.parametrize(
    "input", ["internal_chat_message_metadata_passthrough", ["odd internal_chat_message_metadata_passthrough"]]
)
def test_a_request_that_only_speaks_of_it_passes(input: object) -> None:
    _, request = sent(asked(OPENAI, "gpt-5.6-sol", "/v1/responses", {"input": input}))
    assert request["input"] == input


def test_items_that_cannot_be_held_pass() -> None:
    body = b'{"model":"gpt-5.6-sol","input":[1e999,"internal_chat_message_metadata_passthrough"]}'
    story = Story(gateway(configured(OPENAI)))
    story.open("POST", "/v1/responses", body=body)
    (request,) = story.requests.values()
    assert request.body == body
