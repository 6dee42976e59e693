from __future__ import annotations

import json
from typing import Any

from agcore.dialects import DIALECTS
from agcore.dialects.folded_stream import folded
from agcore.dialects.shared.faults import EMPTY
from agcore.protocol.fault import Fault
from tests.dialects import toy

SSE = ((b"content-type", b"text/event-stream"),)


def fold(dialect: str, body: bytes) -> Any:
    return folded(body, None, dialect=DIALECTS[dialect], headers=SSE)


def test_a_stream_may_end_within_its_last_frame() -> None:
    whole = fold("openai_chat", b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n')
    assert whole["choices"][0]["message"]["content"] == "hi"
    assert "usage" not in whole


def test_an_event_beyond_all_bounds_is_a_fault() -> None:
    fault = fold("openai_chat", b"data: " + b"x" * (33 * 1024 * 1024))
    assert isinstance(fault, Fault)
    assert "out of bounds" in fault.message


def test_what_is_no_stream_is_none() -> None:
    assert folded(b"hello", None, dialect=DIALECTS["openai_chat"], headers=()) is None
    assert folded(b"[{}]", [{}], dialect=DIALECTS["openai_chat"], headers=()) is None
    assert folded(b"data: {}", None, dialect=toy.DIALECT, headers=SSE) is None


def test_a_stream_that_says_nothing_is_no_answer() -> None:
    assert fold("openai_responses", b"data: [DONE]\n\n") is EMPTY


def test_what_is_null_in_a_chunk_says_nothing() -> None:
    chunk = {"content": None, "finishReason": "STOP", "index": None}
    whole = fold("gemini", b"data: " + json.dumps({"candidates": [chunk], "x": None}).encode() + b"\n\n")
    assert whole == {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}
    call = {"index": 0, "id": None, "x": None, "function": {"name": "f", "arguments": "{}"}}
    delta = {"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    whole = fold("openai_chat", b"data: " + json.dumps({"choices": [delta]}).encode() + b"\n\n")
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_a_responses_last_event_has_it_all() -> None:
    done = {"type": "response.completed", "response": {"status": "completed", "output": [{"type": "x"}]}}
    whole = fold("openai_responses", b"data: " + json.dumps(done).encode() + b"\n\n")
    assert whole == {"status": "completed", "output": [{"type": "x"}]}
    silent = {"type": "response.completed", "response": {"status": "completed"}}
    assert fold("openai_responses", b"data: " + json.dumps(silent).encode() + b"\n\n")["output"] == []
