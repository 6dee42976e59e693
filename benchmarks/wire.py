"""The bytes that the load generator and the scripted upstream exchange, and the little HTTP they need to know.

Both sides are fixed so that every target carries the same bytes: a POST of 660 bytes, head included, and an answer with
300 bytes of JSON. What is measured is then the relay between them and nothing else.
"""

from __future__ import annotations

import json
from typing import Final

REQUEST_SIZE: Final = 660
ANSWER_SIZE: Final = 300
TARGET: Final = "/v1/chat/completions"
MODEL: Final = "bench-model"
SAID: Final = "The quick brown fox jumps over"
"""How the answer's text begins, so that a run can check that it was the upstream that answered."""


def request(host: str, port: int, key: str) -> bytes:
    """Returns the POST for `host:port`, exactly `REQUEST_SIZE` bytes, with `key` as its bearer token."""

    def build(text: str) -> bytes:
        messages = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": text}]
        body = json.dumps({"model": MODEL, "messages": messages, "temperature": 0.2, "max_tokens": 256}).encode()
        fields = (
            f"POST {TARGET} HTTP/1.1",
            f"Host: {host}:{port}",
            f"Authorization: Bearer {key}",
            "Accept: application/json",
            "Content-Type: application/json",
            "User-Agent: agcore-benchmark/1",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join((*fields, "", "")).encode() + body

    # A three-digit content-length both times: the padding changes nothing but the text.
    made = build("x" * max(0, REQUEST_SIZE - len(build(""))))
    if len(made) != REQUEST_SIZE:
        raise ValueError(f"the request is {len(made)} bytes long instead of {REQUEST_SIZE}; is the key too long?")
    return made


def answer() -> bytes:
    """Returns the upstream's whole answer: a head, and `ANSWER_SIZE` bytes of a chat completion."""

    def build(text: str) -> bytes:
        message = {"role": "assistant", "content": text}
        completion = {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1700000000,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 12, "total_tokens": 102},
        }
        return json.dumps(completion, separators=(",", ":")).encode()

    body = build(SAID.ljust(len(SAID) + ANSWER_SIZE - len(build(SAID)), "."))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def message_end(data: bytes | bytearray) -> int:
    """Finds the end of the HTTP message at the start of `data`; returns its length, or -1 when more bytes are needed.

    Knows `content-length`, and chunked bodies that end together with `data`; a head with neither has no body.
    """
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return -1
    head = data[:head_end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        stop = head.find(b"\r\n", at + 17)
        end = head_end + 4 + int(head[at + 17 : stop if stop >= 0 else head_end])
        return end if len(data) >= end else -1
    if b"\r\ntransfer-encoding: chunked" in head:
        return len(data) if data.endswith(b"\r\n0\r\n\r\n") else -1
    return head_end + 4
