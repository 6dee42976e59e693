"""Beginnings of recordings in each format, and an upstream that hears recordings as Gemini does."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any, Final

from agcore.codecs.audio_header import AudioHeader
from agcore.conversation.transcripts import Format, Shown, TranscriptRequest
from tests.support.upstreams import Answer, Recorded


def wav(seconds: float = 1.0, *, rate: int = 1000, declared: int | None = None) -> bytes:
    """Silence with one byte a sample; `declared` is the size that its header claims."""
    sound = b"\x80" * int(seconds * rate)
    header = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    data = b"data" + struct.pack("<I", len(sound) if declared is None else declared) + sound
    return b"RIFF" + struct.pack("<I", len(header + data)) + header + data


def aiff(frames: int, *, rate: int) -> bytes:
    """The head of an AIFF; its rate is an 80-bit float."""
    exponent = rate.bit_length() - 1
    rated = struct.pack(">HQ", 16383 + exponent, rate << 63 - exponent)
    common = b"COMM" + struct.pack(">IhIh", 18, 1, frames, 16) + rated
    return b"FORM" + struct.pack(">I", 4 + len(common)) + b"AIFF" + common


def flac(samples: int, *, rate: int) -> bytes:
    """The head of a FLAC with one channel of 16 bits."""
    packed = rate << 44 | 15 << 36 | samples
    return b"fLaC" + b"\x80\x00\x00\x22" + bytes(10) + packed.to_bytes(8, "big") + bytes(16)


MP3: Final = b"\xff\xfb\x90\x00" + bytes(60)


def told(data: bytes, media_type: str) -> str:
    """What the upstream hears in a recording."""
    return f"{media_type} {len(data)} {zlib.crc32(data):08x}"


def hearing_answer(request: Recorded) -> Answer | None:
    """Gemini's answer to a request with a recording; None for any other request."""
    path = request.target.decode().partition("?")[0]
    action = path.rpartition(":")[2]
    if action not in ("generateContent", "streamGenerateContent") or b'"audio/' not in request.body:
        return None
    body: dict[str, Any] = json.loads(request.body)
    (recording, *hints) = body["contents"][0]["parts"]
    heard = told(base64.b64decode(recording["inlineData"]["data"], validate=True), recording["inlineData"]["mimeType"])
    if "English" in body["systemInstruction"]["parts"][0]["text"].partition(".")[0]:
        heard = f"english {heard}"
    for hint in hints:
        heard = f"{heard} {hint['text']}"
    words = heard.split(" ")
    schema = body.get("generationConfig", {}).get("responseSchema")
    if schema is not None:
        pieces = [json.dumps(_structured(words, schema["properties"]))]
    else:
        pieces = [f"{word} " for word in words[:-1]] + words[-1:]
    if action == "generateContent":
        return Answer(pieces=(json.dumps(chunk("".join(pieces), last=True)).encode(),))
    assert request.target.endswith(b"?alt=sse")
    frames = [chunk(piece, last=index == len(pieces)) for index, piece in enumerate(pieces, 1)]
    events = tuple(b"data: " + json.dumps(frame).encode() + b"\r\n\r\n" for frame in frames)
    return Answer(headers=((b"content-type", b"text/event-stream"),), pieces=events)


def chunk(text: str, *, last: bool, stop: str = "STOP") -> dict[str, Any]:
    """One of Gemini's response objects."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if last:
        candidate["finishReason"] = stop
    usage = {
        "promptTokenCount": 50,
        "candidatesTokenCount": 7,
        "totalTokenCount": 57,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 18}, {"modality": "AUDIO", "tokenCount": 32}],
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "vendor-real"}


def _structured(words: list[str], wanted: dict[str, Any]) -> dict[str, Any]:
    """Two segments of two seconds each, and the words where they are wanted."""
    half = len(words) // 2
    segments = [
        {"start": "00:00.000", "end": "00:02.000", "text": " ".join(words[:half])},
        {"start": "00:02.000", "end": "00:04.500", "text": " ".join(words[half:])},
    ]
    answer = {"language": "German", "duration": "00:05.000", "segments": segments}
    if "words" in wanted:
        times = [(f"00:0{index}.000", f"00:0{index}.900") for index in range(len(words))]
        answer["words"] = [
            {"start": start, "end": end, "word": word} for (start, end), word in zip(times, words, strict=True)
        ]
    return answer


def wanting(format: Format, **more: Any) -> TranscriptRequest:
    """A request that wants a form of answer; `more` are fields of `Shown`."""
    return TranscriptRequest(audio=wav(2), header=AudioHeader("audio/wav"), shown=Shown(format=format, **more))
