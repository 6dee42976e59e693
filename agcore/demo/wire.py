"""Writers of the demo provider's replies: one `Reply`, five wire shapes.

Every shape has a whole form (`chat`, `responses`, ...: the JSON of a plain answer) and an event form (`chat_events`,
...: the same reply as the steps of a stream, each with the pause before it). The event forms are strict: roles and ids
stand once, indexes are dense, there is exactly one end, and Responses events carry the full `.added`/`.done` ladder.
Words count as tokens everywhere, so that usage can be checked by eye.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from agcore.protocol.http import Headers

Json: TypeAlias = dict[str, Any]
Step: TypeAlias = tuple[float, Json]
"""Seconds to wait, and the event to send then."""

CREATED: Final = 1_767_225_600
"""Every answer was created at this moment (2026-01-01, Unix seconds): the demo has no clock."""
PACE: Final = 0.03
"""Seconds before each piece of streamed content."""
_MOST_PIECES: Final = 400
_MOST_FRAGMENTS: Final = 8


class Wire(enum.Enum):
    """The dialects of generation; the value is the name for people."""

    CHAT = "OpenAI Chat Completions"
    COMPLETIONS = "OpenAI Completions"
    RESPONSES = "OpenAI Responses"
    MESSAGES = "Anthropic Messages"
    GEMINI = "Gemini generateContent"


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer's body."""

    delay: float
    """Seconds to wait before sending it."""
    data: bytes


class DemoAnswer(msgspec.Struct, frozen=True):
    """A complete HTTP answer, for a driver to send at the pace that its chunks name."""

    status: int
    headers: Headers
    """With `content-length` where the answer is whole, without it where it is a stream."""
    chunks: tuple[Chunk, ...]


class Call(msgspec.Struct, frozen=True):
    """A call of a tool that the client offered."""

    name: str
    arguments: Json | str
    """An object for a function, free text for a custom tool."""
    namespace: str | None = None

    @property
    def text(self) -> str:
        """What a client receives as the call's `arguments` or `input`."""
        return self.arguments if isinstance(self.arguments, str) else encode(self.arguments)

    @property
    def tokens(self) -> int:
        """The words of name and arguments."""
        return 1 + len(words(self.text))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo says, before it is put into a dialect."""

    seed: str
    """Hexadecimal digest of the request; all ids are made of it."""
    model: str
    prompt_tokens: int
    reasoning: str = ""
    text: str = ""
    call: Call | None = None
    cut: bool = False
    """The client's token limit ended the reply early."""

    @property
    def reasoning_tokens(self) -> int:
        """The words of the reasoning."""
        return len(words(self.reasoning))

    @property
    def output_tokens(self) -> int:
        """The words of everything that was said, reasoning included."""
        return self.reasoning_tokens + len(words(self.text)) + (self.call.tokens if self.call else 0)

    def ending(self, *, cut: str, call: str, stop: str) -> str:
        """Choose a dialect's word for how the reply ended."""
        if self.cut:
            return cut
        return call if self.call else stop


def encode(value: object) -> str:
    """`value` as compact JSON text."""
    return msgspec.json.encode(value).decode()


def words(text: str) -> list[str]:
    """Split text into words, each with the white space before it: what counts as tokens."""
    return re.findall(r"\s*\S+", text)


def _pieces(text: str) -> list[str]:
    """Split text for streaming: word by word, or in larger pieces where that would take too long."""
    said = words(text)
    size = 1 + len(said) // _MOST_PIECES
    return ["".join(said[at : at + size]) for at in range(0, len(said), size)]


def _fragments(text: str) -> list[str]:
    """Split the arguments of a call where a model would: anywhere."""
    size = max(12, -(-len(text) // _MOST_FRAGMENTS))
    return [text[at : at + size] for at in range(0, len(text), size)]


# Whole answers, errors, and the framing of streams


def whole(status: int, payload: Json | list[Json], headers: Headers = ()) -> DemoAnswer:
    """`payload` as a JSON answer in one chunk."""
    data = msgspec.json.encode(payload)
    fixed = ((b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()))
    return DemoAnswer(status, fixed + headers, (Chunk(0.0, data),))


def _stream(content_type: bytes, chunks: Iterable[Chunk], headers: Headers = ()) -> DemoAnswer:
    fixed = ((b"content-type", content_type), (b"cache-control", b"no-cache, no-transform"))
    return DemoAnswer(200, fixed + headers, tuple(chunks))


_SSE: Final = b"text/event-stream; charset=utf-8"


def data_stream(steps: Iterable[Step], headers: Headers) -> DemoAnswer:
    """Frame steps as Chat and Completions do: bare `data:` lines, `[DONE]` at the end."""
    chunks = [Chunk(delay, f"data: {encode(event)}\n\n".encode()) for delay, event in steps]
    return _stream(_SSE, [*chunks, Chunk(0.0, b"data: [DONE]\n\n")], headers)


def named_stream(steps: Iterable[Step], headers: Headers) -> DemoAnswer:
    """Frame steps as Responses and Anthropic do: an `event:` line that repeats the event's type."""
    frames = (Chunk(delay, f"event: {event['type']}\ndata: {encode(event)}\n\n".encode()) for delay, event in steps)
    return _stream(_SSE, frames, headers)


def gemini_stream(steps: Iterable[Step], *, sse: bool) -> DemoAnswer:
    """Frame steps as Gemini does: CRLF events with `alt=sse`, else one JSON array that grows."""
    if sse:
        return _stream(_SSE, (Chunk(delay, f"data: {encode(event)}\r\n\r\n".encode()) for delay, event in steps))
    chunks = [
        Chunk(delay, f"{',' if at else '['}{encode(event)}\r\n".encode()) for at, (delay, event) in enumerate(steps)
    ]
    return _stream(b"application/json", [*chunks, Chunk(0.0, b"]")])


# OpenAI Chat Completions and Completions


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
    for piece in _pieces(reply.reasoning):
        yield PACE, {"reasoning_content": piece}
    for piece in _pieces(reply.text):
        yield PACE, {"content": piece}
    if reply.call:
        opening = _chat_call(reply, reply.call, index, "")
        yield PACE, {"tool_calls": [{"index": 0, **opening}]}
        kind, key = ("custom", "input") if opening["type"] == "custom" else ("function", "arguments")
        for fragment in _fragments(reply.call.text):
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
        for piece in _pieces(reply.text):
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
        for piece in _pieces(part["text"]):
            yield PACE, {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield 0.0, {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield 0.0, {"type": "response.reasoning_summary_part.done", **at, "part": part}
    elif item["type"] == "message":
        part = item["content"][0]
        at |= {"content_index": 0}
        yield 0.0, {"type": "response.content_part.added", **at, "part": _text_part("")}
        for piece in _pieces(part["text"]):
            yield PACE, {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield 0.0, {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield 0.0, {"type": "response.content_part.done", **at, "part": part}
    else:
        function = item["type"] == "function_call"
        kind, key = ("function_call_arguments", "arguments") if function else ("custom_tool_call_input", "input")
        for fragment in _fragments(item[key]):
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


# Anthropic Messages


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
            for piece in _pieces(block["thinking"]):
                yield PACE, {"type": "thinking_delta", "thinking": piece}
            yield 0.0, {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in _pieces(block["text"]):
                yield PACE, {"type": "text_delta", "text": piece}
        case _:
            for fragment in ["", *_fragments(encode(block["input"]))]:
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


# Gemini


def _gemini_chunk(reply: Reply, parts: list[Json], spent: tuple[int, int], *, count: int, last: bool) -> Json:
    """A `GenerateContentResponse`; `spent` is one candidate's tokens so far, of thoughts and of the rest."""
    thoughts, rest = spent[0] * count, spent[1] * count
    end = {"finishReason": "MAX_TOKENS" if reply.cut else "STOP"} if last else {}
    usage = {
        "promptTokenCount": reply.prompt_tokens,
        "candidatesTokenCount": rest,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": reply.prompt_tokens + thoughts + rest,
    }
    candidates = [{"index": index, "content": {"role": "model", "parts": parts}, **end} for index in range(count)]
    identity = {"modelVersion": reply.model, "responseId": reply.seed[:24]}
    return {"candidates": candidates, "usageMetadata": usage, **identity}


def _gemini_parts(reply: Reply, thoughts: Iterable[str], said: Iterable[str]) -> list[Json]:
    parts: list[Json] = [{"text": piece, "thought": True} for piece in thoughts]
    parts += [{"text": piece} for piece in said]
    if reply.call:
        call = {"id": reply.seed[:16], "name": reply.call.name, "args": reply.call.arguments}
        parts.append({"functionCall": call, "thoughtSignature": reply.seed})
    return parts or [{"text": ""}]


def gemini(reply: Reply, *, count: int) -> Json:
    """A `GenerateContentResponse` with `count` equal candidates."""
    parts = _gemini_parts(reply, filter(None, [reply.reasoning]), filter(None, [reply.text]))
    spent = (reply.reasoning_tokens, reply.output_tokens - reply.reasoning_tokens)
    return _gemini_chunk(reply, parts, spent, count=count, last=True)


def gemini_events(reply: Reply, *, count: int) -> Iterator[Step]:
    """Yield the responses of a Gemini stream: incremental parts, cumulative usage, the reason on the last."""
    parts = _gemini_parts(reply, _pieces(reply.reasoning), _pieces(reply.text))
    thoughts = rest = 0
    for number, part in enumerate(parts, 1):
        if part.get("thought"):
            thoughts += len(words(part["text"]))
        elif reply.call and "functionCall" in part:
            rest += reply.call.tokens
        else:
            rest += len(words(part["text"]))
        yield PACE, _gemini_chunk(reply, [part], (thoughts, rest), count=count, last=number == len(parts))
