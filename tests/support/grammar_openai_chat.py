"""What a stream of chunks must look like to OpenAI's SDKs, from its bytes (docs/wire/openai-chat.md#stream)."""

from __future__ import annotations

import json
from typing import Any

REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream that ends in [DONE], each checked to be a frame of its own."""
    assert stream.endswith(b"\n\n")
    frames = stream.decode().removesuffix("\n\n").split("\n\n")
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    assert frames[-1] == "data: [DONE]"
    return [json.loads(frame[6:]) for frame in frames[:-1]]


def check(stream: bytes, *, include_usage: bool, kind: str = "chat.completion.chunk") -> list[dict[str, Any]]:
    """Assert that the stream is well formed; return its chunks."""
    said = chunks(stream)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in said}) == 1
    assert {chunk["object"] for chunk in said} == {kind}
    if include_usage:
        last = said[-1]
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
        assert all(chunk["usage"] is None for chunk in said[:-1])
    else:
        assert all("usage" not in chunk for chunk in said)
    body = said[:-1] if include_usage else said
    assert body[0]["choices"][0]["index"] == 0
    finished: set[int] = set()
    seen: set[int] = set()
    calls: dict[int, list[str]] = {}
    for chunk in body:
        (choice,) = chunk["choices"]
        index, reason = choice["index"], choice["finish_reason"]
        assert index not in finished
        if reason is not None:
            assert reason in REASONS
            finished.add(index)
        if kind == "chat.completion.chunk":
            _check_delta(choice["delta"], first=index not in seen, calls=calls.setdefault(index, []))
            assert (reason is None) or choice["delta"] == {}
        else:
            assert isinstance(choice["text"], str)
        seen.add(index)
    assert finished == seen
    return said


def _check_delta(delta: dict[str, Any], *, first: bool, calls: list[str]) -> None:
    assert ("role" in delta) == first
    for name in ("content", "reasoning_content", "refusal"):
        assert isinstance(delta.get(name, ""), str)
    for name in ("images", "annotations", "reasoning_details"):
        assert all(isinstance(entry["index"], int) for entry in delta.get(name, []))
    for call in delta.get("tool_calls", []):
        body = call.get("function") or call.get("custom")
        if call["index"] == len(calls):
            assert call["id"]
            assert call["id"] not in calls
            assert call["type"] in ("function", "custom")
            assert body["name"]
            calls.append(call["id"])
        else:
            assert call["index"] < len(calls)
            assert not {"id", "type"} & call.keys()
            assert "name" not in body
