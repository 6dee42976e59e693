"""What an OpenAI Responses upstream takes, written from docs/wire/openai-responses.md and what it links to."""

from __future__ import annotations

import re
from typing import Any

from tests.support.legal_parts import NAME_64, SCHEMA_ROOTS, check_id, check_media_url, known

_MEMBERS = """model input instructions store stream include max_output_tokens reasoning text tools tool_choice
parallel_tool_calls temperature top_p top_logprobs prompt_cache_key service_tier safety_identifier user metadata
truncation"""
_PARTS = {
    "assistant": {"output_text", "refusal"},
    "user": {"input_text", "input_image", "input_file", "input_audio"},
    "system": {"input_text"},
    "developer": {"input_text"},
}


def check(body: dict[str, Any], *, reasoning: bool) -> None:
    """Assert that the API would take `body`; `reasoning` says that the model reasons."""
    known(body, _MEMBERS)
    assert isinstance(body["model"], str)
    assert body["store"] is False
    if reasoning:
        assert "reasoning.encrypted_content" in body["include"]
        assert not {"temperature", "top_p"} & body.keys()
    else:
        assert "reasoning" not in body
    assert body["input"]
    _check_items(body["input"])
    _check_tools(body)
    assert body.get("max_output_tokens", 16) >= 16
    format = body.get("text", {}).get("format")
    if format is not None:
        known(format, "type name schema strict description")


def _check_items(items: list[dict[str, Any]]) -> None:
    open_calls: dict[str, str] = {}
    seen: set[str] = set()
    for position, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "message":
            _check_message(item)
        elif kind in ("function_call", "custom_tool_call"):
            text = "arguments" if kind == "function_call" else "input"
            known(item, f"type call_id name {text}")
            check_id(item["call_id"])
            assert item["call_id"] not in seen
            assert re.fullmatch(NAME_64, item["name"])
            assert isinstance(item[text], str)
            seen.add(item["call_id"])
            open_calls[item["call_id"]] = f"{kind}_output"
        elif kind in ("function_call_output", "custom_tool_call_output"):
            known(item, "type call_id output")
            assert open_calls.pop(item["call_id"]) == kind
            if not isinstance(item["output"], str):
                assert item["output"]
                for part in item["output"]:
                    _check_part(part, {"input_text", "input_image", "input_file"})
        else:
            assert kind == "reasoning"
            known(item, "type id summary encrypted_content")
            assert all(part["type"] == "summary_text" for part in item["summary"])
            assert item["encrypted_content"]
            assert not item["encrypted_content"].startswith("gw1.")
            assert item.get("id", "rs_").startswith("rs_")
            following = items[position + 1] if position + 1 < len(items) else {}
            own = following.get("type") in ("function_call", "custom_tool_call", "reasoning")
            assert own or following.get("role") == "assistant", "reasoning without the item that it led to"
    assert not open_calls, f"no output for {open_calls}"


def _check_message(item: dict[str, Any]) -> None:
    known(item, "type role content")
    content = item["content"]
    if isinstance(content, str):
        assert content
        return
    assert content
    for part in content:
        _check_part(part, _PARTS[item["role"]])


def _check_part(part: dict[str, Any], kinds: set[str]) -> None:
    kind = part["type"]
    assert kind in kinds
    if kind in ("input_text", "output_text"):
        assert part["text"]
    elif kind == "refusal":
        assert part["refusal"]
    elif kind == "input_image":
        known(part, "type image_url file_id detail")
        assert ("image_url" in part) != ("file_id" in part)
        if "image_url" in part:
            check_media_url(part["image_url"])


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        assert not {"tool_choice", "parallel_tool_calls"} & body.keys()
        return
    assert tools
    names = [tool["name"] for tool in tools if "name" in tool]
    assert len(set(names)) == len(names)
    for tool in tools:
        if tool["type"] == "function":
            known(tool, "type name description parameters strict")
            assert re.fullmatch(NAME_64, tool["name"])
            assert isinstance(tool["strict"], bool)
            if tool["parameters"] is not None:
                assert tool["parameters"].keys() & SCHEMA_ROOTS
        elif tool["type"] == "custom":
            known(tool, "type name description format")
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, str):
        assert choice in ("none", "auto", "required")
    elif choice["type"] == "allowed_tools":
        assert {tool["name"] for tool in choice["tools"]} <= set(names)
    else:
        assert choice["name"] in names
