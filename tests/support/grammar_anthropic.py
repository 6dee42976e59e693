"""A strict reader of Messages streams, written from docs/wire/anthropic-messages.md and not from the writer.

`message` returns the whole message that the stream spells, and fails on anything that breaks an SDK: a frame without
its event line, blocks that interleave or are misnumbered, arguments that are no object, an end that is none.
"""

from __future__ import annotations

import json
from typing import Any

from agcore.codecs.sse import Decoder

_DELTAS = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "redacted_thinking": {},
    "compaction": {"compaction_delta": "content"},
}
_REASONS = {
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "compaction",
}


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each named by its event line."""
    decoder = Decoder()
    frames = decoder.feed(stream)
    assert decoder.close() is None, "the stream ends inside a frame"
    found = []
    for frame in frames:
        assert frame.data is not None, frame.raw
        event = json.loads(frame.data)
        assert frame.event == event["type"], frame.raw
        found.append(event)
    return found


def message(stream: bytes) -> dict[str, Any]:
    """The message that a complete stream spells."""
    told = [event for event in events(stream) if event["type"] != "ping"]
    first, *middle, ending, last = told
    assert first["type"] == "message_start"
    assert set(last) == {"type"}
    assert last["type"] == "message_stop"
    whole: dict[str, Any] = first["message"]
    assert whole["content"] == []
    assert whole["stop_reason"] is None
    assert whole["role"] == "assistant"
    assert whole["id"]
    assert isinstance(whole["usage"]["input_tokens"], int)
    block: dict[str, Any] | None = None
    for event in middle:
        index = event["index"]
        if event["type"] == "content_block_start":
            assert block is None, "blocks interleave"
            assert index == len(whole["content"])
            block = _begun(event["content_block"])
        elif event["type"] == "content_block_delta":
            assert block is not None
            assert index == len(whole["content"])
            _add(block, event["delta"])
        else:
            assert event["type"] == "content_block_stop"
            assert block is not None
            assert index == len(whole["content"])
            whole["content"].append(_ended(block))
            block = None
    assert block is None, "the last block is open"
    assert ending["type"] == "message_delta"
    assert ending["delta"]["stop_reason"] in _REASONS
    assert all(isinstance(count, int) and count >= 0 for count in _counts(ending["usage"]))
    ids = [block["id"] for block in whole["content"] if block["type"] == "tool_use"]
    assert len(set(ids)) == len(ids)
    return {**whole, **ending["delta"], "usage": {**whole["usage"], **ending["usage"]}}


def _counts(usage: dict[str, Any]) -> list[Any]:
    return [count for value in usage.values() for count in (value.values() if isinstance(value, dict) else [value])]


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    kind = block["type"]
    if kind == "tool_use":
        assert block["id"]
        assert block["name"]
        assert block["input"] == {}
        return {**block, "json": []}
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}
    if kind == "compaction":
        assert block["content"] is None, "a summary comes in one piece"
        return {**block, "content": ""}
    assert kind == "redacted_thinking" or block == {"type": kind, **empty[kind]}
    return dict(block)


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    field = _DELTAS[block["type"]][delta["type"]]
    value = delta[field]
    if field == "citation":
        block.setdefault("citations", []).append(value)
        return
    assert isinstance(value, str)
    if field == "partial_json":
        assert block["json"] or not value, "the first piece of arguments is empty"
        block["json"].append(value)
        return
    assert value
    if block["type"] == "thinking":
        assert not block["signature"], "the signature is whole, and comes last"
    block[field] += value


def _ended(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_use":
        block["input"] = json.loads("".join(block.pop("json")) or "{}")
        assert isinstance(block["input"], dict)
    if block["type"] == "text":
        assert block["text"]
    return block
