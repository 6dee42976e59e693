"""What a client of each dialect asks, and how its vendor answers: one request, one answer, one stream.

The vendor's model is called `up-DIALECT`, and answers name it so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec


class Dialogue(msgspec.Struct, frozen=True):
    """What a client of one dialect asks, and how its vendor answers."""

    dialect: str
    auth: str
    prefix: bytes
    path: str
    """Of a request for a whole answer."""
    stream_path: str
    body: dict[str, Any]
    stream_body: dict[str, Any]
    answer: bytes
    """A whole answer with white space, an unknown member and an unusual number."""
    announcements: bytes
    """The events before the first content."""
    content: bytes
    """One event of content."""
    closing: bytes
    """What follows up to the finish reason, usage included."""
    terminal: bytes
    """The event after which nothing comes; empty where the dialect has none."""
    keepalive: bytes
    error: bytes
    """An error event of this vendor, busy."""
    error_answer: bytes
    """The body of a 429."""

    @property
    def stream(self) -> bytes:
        """A whole stream."""
        return self.announcements + self.content + self.closing + self.terminal

    @property
    def model(self) -> str:
        """The upstream's name for its model."""
        return f"up-{self.dialect}"

    @property
    def alias(self) -> str:
        """What clients may call it."""
        return f"my-{self.dialect}"

    def target(self, model: str, *, stream: bool) -> str:
        """The request's target."""
        return (self.stream_path if stream else self.path).replace("MODEL", model)

    def request(self, model: str, *, stream: bool) -> bytes:
        """The request's body."""
        body = dict(self.stream_body if stream else self.body)
        if "model" in body:
            body["model"] = model
        return json.dumps(body).encode()


def _sse(*events: Mapping[str, object], named: bool = False, end: bytes = b"\n\n") -> bytes:
    lines = []
    for event in events:
        head = b"event: %b\n" % str(event["type"]).encode() if named else b""
        lines.append(head + b"data: " + json.dumps(event).encode() + end)
    return b"".join(lines)


def _chunk(model: str, delta: dict[str, object] | None, finish: str | None = None, **more: object) -> dict[str, object]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices, **more}


def _text_chunk(model: str, text: str, finish: str | None = None) -> dict[str, object]:
    choices = [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}]
    return {"id": "t1", "object": "text_completion", "created": 1, "model": model, "choices": choices}


_USAGE: Final = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
_MESSAGES: Final = [{"role": "user", "content": "hi"}]
_OPENAI_429: Final = (
    b'{"error": {"message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}'
)

CHAT: Final = Dialogue(
    dialect="openai",
    auth="bearer",
    prefix=b"/v1",
    path="/v1/chat/completions",
    stream_path="/v1/chat/completions",
    body={"model": "", "messages": _MESSAGES, "x_unknown": 1.50},
    stream_body={"model": "", "messages": _MESSAGES, "stream": True},
    answer=(
        b'{ "id":"c1", "object":"chat.completion", "model" : "up-openai",\n "choices":[{"index":0,"message":'
        b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"x_unknown":1.50,'
        b'"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n'
    ),
    announcements=_sse(_chunk("up-openai", {"role": "assistant", "content": ""})),
    content=_sse(_chunk("up-openai", {"content": "hello"}, x_unknown=[1, None])),
    closing=_sse(_chunk("up-openai", {}, "stop"), _chunk("up-openai", None, usage=_USAGE)),
    terminal=b"data: [DONE]\n\n",
    keepalive=b": keepalive\n\n",
    error=b'data: {"error": {"message": "busy", "type": "server_error", "code": "overloaded"}}\n\n',
    error_answer=_OPENAI_429,
)
COMPLETIONS: Final = Dialogue(
    dialect="openai_completions",
    auth="bearer",
    prefix=b"/v1",
    path="/v1/completions",
    stream_path="/v1/completions",
    body={"model": "", "prompt": "hi"},
    stream_body={"model": "", "prompt": "hi", "stream": True},
    answer=(
        b'{"id":"t1","object":"text_completion","model": "up-openai_completions","choices":[{"index":0,"text":"hello",'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"total_tokens":7}}'
    ),
    announcements=_sse(_text_chunk("up-openai_completions", "")),
    content=_sse(_text_chunk("up-openai_completions", "hello")),
    closing=_sse(
        _text_chunk("up-openai_completions", "", "stop"),
        {"id": "t1", "model": "up-openai_completions", "choices": [], "usage": _USAGE},
    ),
    terminal=b"data: [DONE]\n\n",
    keepalive=b": keepalive\n\n",
    error=b'data: {"error": {"message": "busy", "type": "server_error", "code": "overloaded"}}\n\n',
    error_answer=_OPENAI_429,
)
_RESPONSE: Final = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "up-openai_responses"}
RESPONSES: Final = Dialogue(
    dialect="openai_responses",
    auth="bearer",
    prefix=b"/v1",
    path="/v1/responses",
    stream_path="/v1/responses",
    body={"model": "", "input": "hi", "store": False},
    stream_body={"model": "", "input": "hi", "store": False, "stream": True},
    answer=(
        b'{"id":"resp_1","object":"response","status":"completed","error":null,"model":"up-openai_responses",'
        b'"output":[],"usage":{"input_tokens":5,"output_tokens":2}}'
    ),
    announcements=_sse(
        {"type": "response.created", "sequence_number": 0, "response": {**_RESPONSE, "output": []}},
        {"type": "response.in_progress", "sequence_number": 1, "response": {**_RESPONSE, "output": []}},
        named=True,
    ),
    content=_sse({"type": "response.output_text.delta", "sequence_number": 2, "delta": "hello"}, named=True),
    closing=b"",
    terminal=_sse(
        {
            "type": "response.completed",
            "sequence_number": 3,
            "response": {**_RESPONSE, "status": "completed", "usage": {"input_tokens": 5, "output_tokens": 2}},
        },
        named=True,
    ),
    keepalive=b": keepalive\n\n",
    error=_sse(
        {"type": "error", "code": "server_error", "message": "busy", "param": None, "sequence_number": 2}, named=True
    ),
    error_answer=_OPENAI_429,
)
_MESSAGE: Final = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "up-anthropic"}
ANTHROPIC: Final = Dialogue(
    dialect="anthropic",
    auth="x-api-key",
    prefix=b"",
    path="/v1/messages",
    stream_path="/v1/messages",
    body={"model": "", "max_tokens": 9, "messages": _MESSAGES},
    stream_body={"model": "", "max_tokens": 9, "messages": _MESSAGES, "stream": True},
    answer=(
        b'{"id":"msg_1","type":"message","role":"assistant","model":"up-anthropic","content":[{"type":"text",'
        b'"text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}'
    ),
    announcements=_sse(
        {"type": "message_start", "message": {**_MESSAGE, "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "ping"},
        named=True,
    ),
    content=_sse(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        named=True,
    ),
    closing=_sse(
        {"type": "content_block_stop", "index": 0},
        {"type": "x_unknown", "of": "tomorrow"},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        named=True,
    ),
    terminal=b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    keepalive=b'event: ping\ndata: {"type":"ping"}\n\n',
    error=_sse({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, named=True),
    error_answer=b'{"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}, "request_id": "r"}',
)


def _candidate(text: str, **more: object) -> dict[str, object]:
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    return {"candidates": [{"content": content, **more}], "modelVersion": "up-gemini"}


GEMINI: Final = Dialogue(
    dialect="gemini",
    auth="x-goog-api-key",
    prefix=b"",
    path="/v1beta/models/MODEL:generateContent",
    stream_path="/v1beta/models/MODEL:streamGenerateContent?alt=sse",
    body={"contents": [{"parts": [{"text": "hi"}]}]},
    stream_body={"contents": [{"parts": [{"text": "hi"}]}]},
    answer=json.dumps(_candidate("hello", finishReason="STOP"), indent=1).encode(),
    announcements=_sse(_candidate(""), end=b"\r\n\r\n"),
    content=_sse(_candidate("hello"), end=b"\r\n\r\n"),
    closing=_sse(
        {**_candidate("", finishReason="STOP"), "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2}},
        end=b"\r\n\r\n",
    ),
    terminal=b"",
    keepalive=b"\r\n",
    error=b'data: {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}\r\n\r\n',
    error_answer=b'{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}',
)
GEMINI_ARRAY: Final = msgspec.structs.replace(GEMINI, stream_path="/v1beta/models/MODEL:streamGenerateContent")
"""Gemini's stream as a JSON array. Its upstream still speaks SSE."""

DIALOGUES: Final = (CHAT, COMPLETIONS, RESPONSES, ANTHROPIC, GEMINI)
STREAMS: Final = (*DIALOGUES, GEMINI_ARRAY)
