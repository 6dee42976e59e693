"""The demo provider's replies in the shape of Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agcore.demo.wire import PACE, Json, Reply, Step, encode, fragments, pieces


def _blocks(reply: Reply) -> list[Json]:
    blocks: list[Json] = []
    if reply.reasoning:
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": reply.seed})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    if reply.call:
        call = {"type": "tool_use", "id": f"toolu_{reply.seed[:24]}", "name": reply.call.name}
        blocks.append(call | {"input": reply.call.arguments})
    return blocks


def _message_end(reply: Reply) -> Json:
    reason = reply.ending(cut="max_tokens", call="tool_use", stop="end_turn")
    return {"stop_reason": reason, "stop_sequence": None}


def messages(reply: Reply) -> Json:
    """An Anthropic `message`."""
    usage = {
        "input_tokens": reply.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"thinking_tokens": reply.reasoning_tokens},
        "service_tier": "standard",
    }
    head = {"id": f"msg_{reply.seed[:24]}", "type": "message", "role": "assistant", "model": reply.model}
    return head | {"content": _blocks(reply), **_message_end(reply), "usage": usage}


def _block_events(block: Json) -> Iterator[tuple[float, Json]]:
    """Yield the deltas of one content block."""
    match block["type"]:
        case "thinking":
            for piece in pieces(block["thinking"]):
                yield PACE, {"type": "thinking_delta", "thinking": piece}
            yield 0.0, {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in pieces(block["text"]):
                yield PACE, {"type": "text_delta", "text": piece}
        case _:
            for fragment in ["", *fragments(encode(block["input"]))]:
                yield PACE, {"type": "input_json_delta", "partial_json": fragment}


_EMPTY_BLOCK: Final[dict[str, Json]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}
"""What a content block has in its `content_block_start` instead of its contents."""


def messages_events(reply: Reply) -> Iterator[Step]:
    """Yield the events of an Anthropic stream; usage is cumulative."""
    message = messages(reply)
    begun = message["usage"] | {"output_tokens": min(1, reply.output_tokens)}
    del begun["output_tokens_details"]
    opening = message | {"content": [], "stop_reason": None, "usage": begun}
    yield 0.0, {"type": "message_start", "message": opening}
    for index, block in enumerate(message["content"]):
        empty = block | _EMPTY_BLOCK[block["type"]]
        yield 0.0, {"type": "content_block_start", "index": index, "content_block": empty}
        for delay, delta in _block_events(block):
            yield delay, {"type": "content_block_delta", "index": index, "delta": delta}
        yield 0.0, {"type": "content_block_stop", "index": index}
    yield 0.0, {"type": "message_delta", "delta": _message_end(reply), "usage": message["usage"]}
    yield 0.0, {"type": "message_stop"}
