"""A model that sees, in four dialects: its answer tells which pictures came, and with which last line of text.

A request whose text holds `wait for NAME` is answered once that name was released.
"""

from __future__ import annotations

import json
import threading
import zlib
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from tests.support.upstreams import Answer, Recorded

SSE: Final = ((b"content-type", b"text/event-stream"),)


class Eyes:
    """The answers of an `upstreams.Upstream`."""

    def __init__(self) -> None:
        self.waiting: dict[str, threading.Event] = defaultdict(threading.Event)
        """Set when a request waits for that name."""
        self.released: dict[str, threading.Event] = defaultdict(threading.Event)

    def release_all(self) -> None:
        """Nobody waits any longer."""
        for name in list(self.waiting):
            self.released[name].set()

    def __call__(self, request: Recorded) -> Answer:
        """See the module's text."""
        body = json.loads(request.body)
        texts, pictures = [], []
        for kind, value in _parts(body):
            if kind == "text":
                texts.append(value)
            else:
                pictures.append(f"{kind} {zlib.crc32(b64decode(value, validate=True)):08x}")
        _, wanted, name = texts[-1].partition("wait for ")
        if wanted:
            self.waiting[name].set()
            self.released[name].wait(20)
        said = f"{', '.join(pictures)}: {texts[-1].splitlines()[-1]}"
        path = request.target.partition(b"?")[0]
        events = _EVENTS[path.rsplit(b"/", 1)[-1] if b":" not in path else b"gemini"](said)
        return Answer(headers=SSE, pieces=tuple(_frame(event) for event in events))


def seen(kind: str, data: bytes) -> str:
    """What the answer says of a picture."""
    return f"{kind} {zlib.crc32(data):08x}"


def _parts(value: Any) -> Iterator[tuple[str, str]]:
    """Texts and pictures of a request of any dialect, in order."""
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        source = value.get("source") or value.get("inlineData") or {}
        url = value.get("image_url") or value.get("video_url") or ""
        url = url.get("url") if isinstance(url, dict) else url
        if url:
            kind, _, data = str(url).removeprefix("data:").partition(";base64,")
            yield kind, data
        elif source:
            yield source.get("media_type") or source["mimeType"], source["data"]
        elif isinstance(value.get("text"), str):
            yield "text", value["text"]
        else:
            for name in ("messages", "input", "contents", "content", "parts"):
                yield from _parts(value.get(name))


def _chat(said: str) -> list[Any]:
    return [
        {"id": "c", "choices": [{"index": 0, "delta": {"content": said}}]},
        {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        "[DONE]",
    ]


def _responses(said: str) -> list[Any]:
    message = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": said}]}
    response = {"id": "r", "object": "response", "status": "completed", "output": [message]}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "m", "delta": said},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": response},
    ]


def _messages(said: str) -> list[Any]:
    return [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": said}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]


def _gemini(said: str) -> list[Any]:
    return [{"candidates": [{"content": {"parts": [{"text": said}]}, "finishReason": "STOP"}]}]


_EVENTS: Final = {b"completions": _chat, b"responses": _responses, b"messages": _messages, b"gemini": _gemini}


def _frame(event: Any) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
