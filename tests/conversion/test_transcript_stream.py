"""A streamed transcript from Gemini, for a client of OpenAI's dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder
from agcore.conversion.passthrough import PassThroughStream
from agcore.conversion.transcript_stream import TranscriptTap
from agcore.dialects.base import FrameKind
from agcore.dialects.gemini import transcripts as gemini
from agcore.dialects.openai import transcriptions as openai
from agcore.protocol.report import Usage
from tests.support.recordings import chunk


def tap() -> TranscriptTap:
    return TranscriptTap(gemini.StreamReader(), openai.StreamWriter())


def sse(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in chunks)


def events(data: bytes) -> list[Any]:
    frames = Decoder().feed(data)
    read = [json.loads(frame.data or b"") for frame in frames]
    assert [frame.event for frame in frames] == [each["type"] for each in read]
    return read


def test_a_stream_becomes_deltas_and_the_whole() -> None:
    stream = PassThroughStream(tap(), framing="sse")
    first = stream.feed(sse(chunk("Guten", last=False))).data
    rest = stream.feed(sse(chunk("", last=False), chunk(" Tag.", last=True))).data + stream.end().data
    assert events(first) == [{"type": "transcript.text.delta", "delta": "Guten"}]
    delta, done = events(rest)
    assert delta == {"type": "transcript.text.delta", "delta": " Tag."}
    usage = done.pop("usage")
    assert done == {"type": "transcript.text.done", "text": "Guten Tag."}
    assert (usage["type"], usage["input_token_details"]["audio_tokens"]) == ("tokens", 32)
    assert (stream.fault, stream.usage) == (None, Usage(fresh=50, output=7))


def test_a_stream_of_silence_is_one_event() -> None:
    stream = PassThroughStream(tap(), framing="sse")
    assert stream.feed(sse({"candidates": [{"finishReason": "STOP"}]})).data == b""
    assert events(stream.end().data) == [{"type": "transcript.text.done", "text": ""}]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (sse(chunk("x", last=True, stop="MAX_TOKENS")), 400),
        (sse(chunk("x", last=True, stop="SAFETY")), 400),
        (sse({"promptFeedback": {"blockReason": "OTHER"}}), 400),
        (sse({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}), 503),
        (b"data: nonsense\n\n", 502),
        (sse(chunk("x", last=False)), 502),
        (b"", 502),
    ],
)
def test_a_stream_that_fails_is_a_fault(data: bytes, status: int) -> None:
    stream = PassThroughStream(tap(), framing="sse")
    stream.feed(data)
    if stream.fault is None:
        stream.end()
    assert stream.fault is not None
    assert stream.fault.status == status


def test_only_the_first_candidate_is_heard() -> None:
    watching = tap()
    two = chunk("a", last=False)
    two["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}})
    (frame,) = Decoder().feed(sse(two))
    meaning, out = watching.read(frame)
    assert meaning is FrameKind.CONTENT
    assert events(out) == [{"type": "transcript.text.delta", "delta": "a"}]
