"""The demo provider's replies in the shapes of Chat Completions, Completions and Responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agcore.demo.wire import CREATED, PACE, Call, Json, Reply, Step, fragments, pieces


def _openai_usage(replies: Sequence[Reply]) -> Json:
    prompt, output = replies[0].prompt_tokens, sum(reply.output_tokens for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": sum(reply.reasoning_tokens for reply in replies)},
    }


def _chat_call(reply: Reply, call: Call, index: int, text: str) -> Json:
    kind, key = ("custom", "input") if isinstance(call.arguments, str) else ("function", "arguments")
    return {"id": f"call_{reply.seed[:20]}{index}", "type": kind, kind: {"name": call.name, key: text}}


def _chat_end(reply: Reply) -> str:
    return reply.ending(cut="length", call="tool_calls", stop="stop")


def chat(replies: Sequence[Reply]) -> Json:
    """A `chat.completion` with one choice for each reply."""
    choices = []
    for index, reply in enumerate(replies):
        message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.call:
            message |= {"content": None, "tool_calls": [_chat_call(reply, reply.call, index, reply.call.text)]}
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": _chat_end(reply)})
    head = {"id": f"chatcmpl-{replies[0].seed[:24]}", "object": "chat.completion", "created": CREATED}
    return head | {"model": replies[0].model, "choices": choices, "usage": _openai_usage(replies)}


def _chat_deltas(reply: Reply, index: int) -> Iterator[tuple[float, Json]]:
    yield 0.0, {"role": "assistant", "content": ""}
    for piece in pieces(reply.reasoning):
        yield PACE, {"reasoning_content": piece}
    for piece in pieces(reply.text):
        yield PACE, {"content": piece}
    if reply.call:
        opening = _chat_call(reply, reply.call, index, "")
        yield PACE, {"tool_calls": [{"index": 0, **opening}]}
        kind, key = ("custom", "input") if opening["type"] == "custom" else ("function", "arguments")
        for fragment in fragments(reply.call.text):
            yield PACE, {"tool_calls": [{"index": 0, kind: {key: fragment}}]}


def chat_events(replies: Sequence[Reply], *, include_usage: bool) -> Iterator[Step]:
    """Yield the chunks of a Chat Completions stream, choice after choice, and the usage chunk if it was asked for."""
    head = {"id": f"chatcmpl-{replies[0].seed[:24]}", "object": "chat.completion.chunk", "created": CREATED}
    head |= {"model": replies[0].model}
    usage: Json = {"usage": None} if include_usage else {}
    for index, reply in enumerate(replies):
        for delay, delta in _chat_deltas(reply, index):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            yield delay, head | {"choices": [choice]} | usage
        end = {"index": index, "delta": {}, "logprobs": None, "finish_reason": _chat_end(reply)}
        yield 0.0, head | {"choices": [end]} | usage
    if include_usage:
        yield 0.0, head | {"choices": [], "usage": _openai_usage(replies)}


def _completion_head(reply: Reply) -> Json:
    head = {"id": f"cmpl-{reply.seed[:24]}", "object": "text_completion", "created": CREATED}
    return head | {"model": reply.model}


def completions(replies: Sequence[Reply]) -> Json:
    """A legacy `text_completion` with one choice for each reply."""
    choices = [
        {"text": reply.text, "index": index, "logprobs": None, "finish_reason": _chat_end(reply)}
        for index, reply in enumerate(replies)
    ]
    return _completion_head(replies[0]) | {"choices": choices, "usage": _openai_usage(replies)}


def completions_events(replies: Sequence[Reply], *, include_usage: bool) -> Iterator[Step]:
    """Yield the chunks of a legacy Completions stream."""
    head = _completion_head(replies[0])
    usage: Json = {"usage": None} if include_usage else {}
    for index, reply in enumerate(replies):
        for piece in pieces(reply.text):
            choice = {"text": piece, "index": index, "logprobs": None, "finish_reason": None}
            yield PACE, head | {"choices": [choice]} | usage
        end = {"text": "", "index": index, "logprobs": None, "finish_reason": _chat_end(reply)}
        yield 0.0, head | {"choices": [end]} | usage
    if include_usage:
        yield 0.0, head | {"choices": [], "usage": _openai_usage(replies)}


# OpenAI Responses

_ECHOED: Final[Json] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Request fields that a response repeats, with what stands there when the request did not give them."""


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _items(reply: Reply, *, encrypted: bool) -> list[Json]:
    items: list[Json] = []
    identity = reply.seed[:32]
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": reply.reasoning}]
        items.append({"type": "reasoning", "id": f"rs_{identity}", "summary": summary})
        if encrypted:
            items[0]["encrypted_content"] = reply.seed
    if reply.text:
        message = {"type": "message", "id": f"msg_{identity}", "role": "assistant"}
        status = "incomplete" if reply.cut else "completed"
        items.append(message | {"status": status, "content": [_text_part(reply.text)]})
    if reply.call:
        custom = isinstance(reply.call.arguments, str)
        kind, prefix, key = ("custom_tool_call", "ctc", "input") if custom else ("function_call", "fc", "arguments")
        item = {"type": kind, "id": f"{prefix}_{identity}", "call_id": f"call_{reply.seed[:24]}"}
        item |= {"name": reply.call.name, key: reply.call.text, "status": "completed"}
        items.append(item | ({"namespace": reply.call.namespace} if reply.call.namespace else {}))
    return items


def _response(reply: Reply, echo: Json, status: str, output: list[Json]) -> Json:
    head = {"id": f"resp_{reply.seed[:32]}", "object": "response", "created_at": CREATED, "status": status}
    head |= {"error": None, "incomplete_details": None, "model": reply.model, "output": output, "usage": None}
    repeated = {key: other if echo.get(key) is None else echo[key] for key, other in _ECHOED.items()}
    return head | repeated | {"background": False, "previous_response_id": None, "service_tier": "default"}


def responses(reply: Reply, echo: Json, *, encrypted: bool) -> Json:
    """A finished `response` object.

    `echo` is the request, of which a response repeats some fields; `encrypted` adds `encrypted_content` to reasoning.
    """
    ended = _response(reply, echo, "incomplete" if reply.cut else "completed", _items(reply, encrypted=encrypted))
    ended["completed_at"] = CREATED
    ended["usage"] = {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": reply.prompt_tokens + reply.output_tokens,
    }
    if reply.cut:
        ended["incomplete_details"] = {"reason": "max_output_tokens"}
    return ended


def _ladder(item: Json, index: int) -> Iterator[Step]:
    """Yield the events of one output item between its `.added` and its `.done`."""
    at = {"item_id": item["id"], "output_index": index}
    if item["type"] == "reasoning":
        part, empty = item["summary"][0], {"type": "summary_text", "text": ""}
        at |= {"summary_index": 0}
        yield 0.0, {"type": "response.reasoning_summary_part.added", **at, "part": empty}
        for piece in pieces(part["text"]):
            yield PACE, {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield 0.0, {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield 0.0, {"type": "response.reasoning_summary_part.done", **at, "part": part}
    elif item["type"] == "message":
        part = item["content"][0]
        at |= {"content_index": 0}
        yield 0.0, {"type": "response.content_part.added", **at, "part": _text_part("")}
        for piece in pieces(part["text"]):
            yield PACE, {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield 0.0, {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield 0.0, {"type": "response.content_part.done", **at, "part": part}
    else:
        function = item["type"] == "function_call"
        kind, key = ("function_call_arguments", "arguments") if function else ("custom_tool_call_input", "input")
        for fragment in fragments(item[key]):
            yield PACE, {"type": f"response.{kind}.delta", **at, "delta": fragment}
        name = {"name": item["name"]} if function else {}
        yield 0.0, {"type": f"response.{kind}.done", **at, **name, key: item[key]}


_OPENING: Final[dict[str, Json]] = {
    "reasoning": {"summary": []},
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
    "custom_tool_call": {"status": "in_progress", "input": ""},
}
"""What an output item has in its `.added` event instead of its contents."""


def _unnumbered(reply: Reply, echo: Json, ended: Json) -> Iterator[Step]:
    begun = _response(reply, echo, "in_progress", [])
    yield 0.0, {"type": "response.created", "response": begun}
    yield 0.0, {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(ended["output"]):
        opening = item | _OPENING[item["type"]]
        yield 0.0, {"type": "response.output_item.added", "output_index": index, "item": opening}
        yield from _ladder(item, index)
        yield 0.0, {"type": "response.output_item.done", "output_index": index, "item": item}
    yield 0.0, {"type": f"response.{ended['status']}", "response": ended}


def responses_events(reply: Reply, echo: Json, *, encrypted: bool) -> Iterator[Step]:
    """Yield the events of a Responses stream, numbered from 0; see `responses` for the arguments."""
    ended = responses(reply, echo, encrypted=encrypted)
    for number, (delay, event) in enumerate(_unnumbered(reply, echo, ended)):
        yield delay, event | {"sequence_number": number}
