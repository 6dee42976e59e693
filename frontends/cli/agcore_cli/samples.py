"""One streaming request for each protocol, and how its answer is read: the least that a client has to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from agcore import SSEFrame

Json: TypeAlias = Mapping[str, Any]

CHAT: Final = "gpt-5"
RESPONSES: Final = "gpt-5-codex"
CLAUDE: Final = "claude-sonnet-4-5"
GEMINI: Final = "gemini-2.5-flash"


class Said(msgspec.Struct, frozen=True):
    """What one event of a stream says."""

    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    last: bool = False
    """The answer is complete."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    protocol: str
    target: str
    model: str
    prompt: str
    body: Json
    read: Callable[[SSEFrame], Said]
    """Reads an event of the answer. Raises LookupError, TypeError or ValueError for what the protocol does not have."""


def _read_chat(frame: SSEFrame) -> Said:
    if frame.data == b"[DONE]":
        return Said(last=True)
    event = _decode(frame)
    text = "".join(choice["delta"].get("content") or "" for choice in event["choices"])
    usage = event.get("usage") or {}
    return Said(text, usage.get("prompt_tokens"), usage.get("completion_tokens"))


def _read_responses(frame: SSEFrame) -> Said:
    event = _decode(frame)
    if event["type"] == "response.output_text.delta":
        return Said(event["delta"])
    if event["type"] != "response.completed":
        return Said()
    usage = event["response"]["usage"]
    return Said("", usage["input_tokens"], usage["output_tokens"], last=True)


def _read_messages(frame: SSEFrame) -> Said:
    event = _decode(frame)
    match event["type"]:
        case "message_start":
            return Said("", event["message"]["usage"]["input_tokens"])
        case "content_block_delta":
            return Said(event["delta"]["text"])
        case "message_delta":
            return Said("", None, event["usage"]["output_tokens"])
    return Said(last=event["type"] == "message_stop")


def _read_gemini(frame: SSEFrame) -> Said:
    event = _decode(frame)
    candidate = event["candidates"][0]
    text = "".join(part["text"] for part in candidate.get("content", {}).get("parts", ()))
    usage = event.get("usageMetadata", {})
    last = "finishReason" in candidate
    return Said(text, usage.get("promptTokenCount"), usage.get("candidatesTokenCount"), last=last)


def _decode(frame: SSEFrame) -> Json:
    event = msgspec.json.decode(frame.data or b"", type=dict[str, Any])
    if event.get("error"):
        raise ValueError(f"an error came in the stream: {event['error']}")
    return event


def _chat(prompt: str) -> Sample:
    messages = [{"role": "user", "content": prompt}]
    return Sample(
        protocol="OpenAI Chat Completions",
        target="/v1/chat/completions",
        model=CHAT,
        prompt=prompt,
        body={"model": CHAT, "stream": True, "stream_options": {"include_usage": True}, "messages": messages},
        read=_read_chat,
    )


def _responses(prompt: str) -> Sample:
    return Sample(
        protocol="OpenAI Responses",
        target="/v1/responses",
        model=RESPONSES,
        prompt=prompt,
        body={"model": RESPONSES, "stream": True, "input": prompt},
        read=_read_responses,
    )


def _messages(prompt: str) -> Sample:
    messages = [{"role": "user", "content": prompt}]
    return Sample(
        protocol="Anthropic Messages",
        target="/v1/messages",
        model=CLAUDE,
        prompt=prompt,
        body={"model": CLAUDE, "stream": True, "max_tokens": 1024, "messages": messages},
        read=_read_messages,
    )


def _gemini(prompt: str) -> Sample:
    return Sample(
        protocol="Gemini generateContent",
        target=f"/v1beta/models/{GEMINI}:streamGenerateContent?alt=sse",
        model=GEMINI,
        prompt=prompt,
        body={"contents": [{"role": "user", "parts": [{"text": prompt}]}]},
        read=_read_gemini,
    )


SAMPLES: Final = (
    _chat("Is anybody there?"),
    _responses("Do you speak what Codex speaks?"),
    _messages("And what Claude Code speaks?"),
    _gemini("All of that behind one address?"),
)
"""The requests in the order of the show; the names of the models are such as clients send."""
