"""What an OpenAI Chat Completions upstream takes, written from docs/wire/openai-chat.md and what it links to."""

from __future__ import annotations

import re
from typing import Any

from tests.support.legal_parts import NAME_64, SCHEMA_ROOTS, check_id, check_media_url, known

_MEMBERS = """model messages stream stream_options max_completion_tokens max_tokens temperature top_p n stop seed logprobs
top_logprobs logit_bias presence_penalty frequency_penalty tools tool_choice parallel_tool_calls response_format
reasoning_effort verbosity prompt_cache_key service_tier metadata user safety_identifier store web_search_options"""
_PARTS = {
    "system": {"text"},
    "developer": {"text"},
    "user": {"text", "image_url", "input_audio", "file"},
    "assistant": {"text", "refusal"},
    "tool": {"text"},
}
_EXTRAS = {
    "system": "name",
    "developer": "name",
    "user": "name",
    "assistant": "name tool_calls refusal reasoning_content",
    "tool": "tool_call_id",
}


def check(body: dict[str, Any], *, reasoning: bool) -> None:
    """Assert that the API would take `body`; `reasoning` says that the model is one of the o-series or gpt-5 and up."""
    known(body, _MEMBERS)
    assert isinstance(body["model"], str)
    assert body["messages"]
    _check_messages(body["messages"])
    _check_tools(body)
    assert not {"max_tokens", "max_completion_tokens"} <= body.keys()
    if reasoning:
        assert not {"max_tokens", "temperature", "top_p", "stop"} & body.keys()
    else:
        assert "reasoning_effort" not in body
    assert "stream_options" not in body or body.get("stream") is True
    assert len(body.get("stop", [])) <= 4


def _check_messages(messages: list[dict[str, Any]]) -> None:
    asked: list[str] = []
    for message in messages:
        role = message["role"]
        known(message, f"role content {_EXTRAS[role]}")
        if role == "tool":
            assert message["tool_call_id"] in asked
            asked.remove(message["tool_call_id"])
        else:
            assert not asked, f"calls {asked} are not answered right behind"
        _check_content(message)
        calls = message.get("tool_calls")
        assert calls is None or calls
        for call in calls or ():
            check_id(call["id"])
            if call["type"] == "function":
                known(call, "id type function")
                known(call["function"], "name arguments")
                assert isinstance(call["function"]["arguments"], str)
            else:
                assert call["type"] == "custom"
                known(call["custom"], "name input")
                assert isinstance(call["custom"]["input"], str)
            assert re.fullmatch(NAME_64, call[call["type"]]["name"])
            asked.append(call["id"])
        assert len(set(asked)) == len(asked)
    assert not asked


def _check_content(message: dict[str, Any]) -> None:
    content = message.get("content")
    role = message["role"]
    if content is None:
        assert role == "assistant"
        assert message.get("tool_calls") or message.get("refusal")
        return
    if isinstance(content, str):
        assert content or role == "tool", "an empty message"
        return
    assert content
    for part in content:
        kind = part["type"]
        assert kind in _PARTS[role]
        if kind in ("text", "refusal"):
            assert part[kind]
        elif kind == "image_url":
            check_media_url(part["image_url"]["url"])
            assert part["image_url"].get("detail", "auto") in ("auto", "low", "high")
        elif kind == "file":
            known(part["file"], "file_data file_id filename")
            assert part["file"].keys() & {"file_data", "file_id"}
        else:
            assert part["input_audio"]["format"] in ("wav", "mp3")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        assert not {"tool_choice", "parallel_tool_calls"} & body.keys()
        return
    assert tools
    names = [tool[tool["type"]]["name"] for tool in tools]
    assert len(set(names)) == len(names)
    for tool in tools:
        definition = tool[tool["type"]]
        assert re.fullmatch(NAME_64, definition["name"])
        if tool["type"] == "function":
            known(definition, "name description parameters strict")
            if "parameters" in definition:
                assert definition["parameters"].keys() & SCHEMA_ROOTS, "a bare object is a 400"
        else:
            known(definition, "name description format")
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, str):
        assert choice in ("none", "auto", "required")
    elif choice["type"] == "allowed_tools":
        assert choice["allowed_tools"]["mode"] in ("auto", "required")
        assert {tool[tool["type"]]["name"] for tool in choice["allowed_tools"]["tools"]} <= set(names)
    else:
        assert choice[choice["type"]]["name"] in names
