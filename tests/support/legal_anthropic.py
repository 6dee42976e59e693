"""What an Anthropic Messages upstream takes, written from docs/wire/anthropic-messages.md and what it links to."""

from __future__ import annotations

import re
from typing import Any

from tests.support.legal_parts import NAME_128, check_base64, check_id, known

_MEMBERS = """model max_tokens system messages tools tool_choice thinking output_config temperature top_p top_k
stop_sequences stream metadata service_tier"""
_BLOCKS = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
}
_THOUGHTS = ("thinking", "redacted_thinking")


def check(body: dict[str, Any], *, adaptive: bool) -> None:
    """Assert that the API would take `body`; `adaptive` says that the model thinks as it sees fit (4.6 and later)."""
    known(body, _MEMBERS)
    assert isinstance(body["model"], str)
    assert body["max_tokens"] >= 1
    for block in body.get("system", []):
        known(block, "type text cache_control")
        assert block["type"] == "text"
        assert block["text"].strip()
    assert body.get("system", True), "an empty system prompt"
    messages = body["messages"]
    assert messages
    assert messages[0]["role"] == "user"
    _check_messages(messages)
    last = messages[-1]
    if last["role"] == "assistant":
        assert not adaptive, "a prefill"
        assert last["content"][-1]["type"] not in _THOUGHTS
        assert last["content"][-1].get("text", "x")[-1:].strip(), "white space at the end"
    _check_tools(body)
    _check_thinking(body, adaptive=adaptive)
    _check_markers(body)
    if adaptive:
        assert not {"temperature", "top_p", "top_k"} & body.keys()
    assert not {"temperature", "top_p"} <= body.keys()
    assert 0 <= body.get("temperature", 0) <= 1
    assert all(stop.strip() for stop in body.get("stop_sequences", []))
    known(body.get("metadata", {}), "user_id")


def _check_messages(messages: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    open_calls: list[str] = []
    before = ""
    for message in messages:
        known(message, "role content")
        role = message["role"]
        assert role != before, "neighbours of one role"
        before = role
        assert message["content"], "an empty message"
        assert isinstance(message["content"], list)
        results = [block for block in message["content"] if block["type"] == "tool_result"]
        assert [block["tool_use_id"] for block in results] == open_calls
        assert message["content"][: len(results)] == results, "results come first"
        open_calls = []
        for block in message["content"]:
            assert block["type"] in _BLOCKS[role]
            _check_block(block)
            if block["type"] == "tool_use":
                assert block["id"] not in seen
                seen.add(block["id"])
                open_calls.append(block["id"])
    assert not open_calls


def _check_block(block: dict[str, Any]) -> None:
    kind = block["type"]
    if kind == "text":
        known(block, "type text cache_control")
        assert block["text"].strip()
    elif kind == "thinking":
        known(block, "type thinking signature")
        assert block["signature"]
        assert not block["signature"].startswith("gw1.")
    elif kind == "redacted_thinking":
        known(block, "type data")
        assert block["data"]
        assert not block["data"].startswith("gw1.")
    elif kind == "tool_use":
        known(block, "type id name input cache_control")
        check_id(block["id"])
        assert re.fullmatch(NAME_128, block["name"])
        assert isinstance(block["input"], dict)
    elif kind == "tool_result":
        known(block, "type tool_use_id content is_error cache_control")
        content = block.get("content", "x")
        assert content
        for inner in [] if isinstance(content, str) else content:
            assert inner["type"] in ("text", "image", "document")
            _check_block(inner)
    else:
        source = block["source"]
        if source["type"] == "base64":
            assert source["media_type"] in ("image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf")
            check_base64(source["data"])


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        assert "tool_choice" not in body
        return
    assert tools
    names = [tool["name"] for tool in tools]
    assert len(set(names)) == len(names)
    for tool in tools:
        assert re.fullmatch(NAME_128, tool["name"])
        if tool.get("type", "custom") == "custom":
            assert tool["input_schema"]["type"] == "object"
    choice = body.get("tool_choice", {"type": "auto"})
    known(choice, "type name disable_parallel_tool_use")
    assert choice["type"] in ("auto", "any", "tool", "none")
    assert (choice["type"] == "tool") == ("name" in choice)
    assert choice.get("name", names[0]) in names


def _check_thinking(body: dict[str, Any], *, adaptive: bool) -> None:
    thinking = body.get("thinking", {"type": "disabled"})
    if thinking["type"] != "enabled":
        assert adaptive or thinking["type"] != "adaptive"
        return
    assert not adaptive
    assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    assert body.get("tool_choice", {"type": "auto"})["type"] in ("auto", "none")
    assert not {"temperature", "top_p", "top_k"} & body.keys()
    *earlier, last = body["messages"]
    assert last["role"] == "user", "a prefill"
    if last["content"][0]["type"] == "tool_result":
        assert earlier[-1]["content"][0]["type"] in _THOUGHTS, "the step must begin with its thinking"


def _check_markers(body: dict[str, Any]) -> None:
    blocks = [*body.get("tools", []), *body.get("system", [])]
    for message in body["messages"]:
        for block in message["content"]:
            blocks.append(block)
            blocks += block["content"] if isinstance(block.get("content"), list) else []
    lifetimes = [block["cache_control"].get("ttl", "5m") for block in blocks if "cache_control" in block]
    assert len(lifetimes) <= 4
    assert lifetimes == sorted(lifetimes), "an hour's marker behind one of five minutes"
