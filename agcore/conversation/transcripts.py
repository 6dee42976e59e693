"""What was said in a recording, and the forms in which clients get it (docs/wire/openai-media.md#transcriptions).

Subtitles (SubRip, and WebVTT as the W3C defines it) leave well-formed whatever a model wrote: one line a cue, nothing
in it that would read as a time or a tag, and times that only go forward. Models estimate times, sometimes badly, and
players skip or refuse cues that run backwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from agcore.codecs import json_text
from agcore.conversation.usage import Usage

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]

PLAIN: Final = b"text/plain; charset=utf-8"
JSON: Final = b"application/json"

LATEST: Final = 360_000.0
"""Seconds: no time is later than 100 hours, which is more than any model hears."""

_LEAST: Final = 1
"""Milliseconds that anything lasts."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
"""Scripts without spaces between words: Thai, Lao, kana, Han, and their punctuation."""


class Segment(msgspec.Struct, frozen=True):
    """A piece of what was said, or a single word."""

    start: float
    """Seconds from the beginning."""
    end: float
    text: str


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in a recording, in its language or in English."""

    text: str
    """Empty where nothing was."""
    language: str = ""
    """That of `text`, in English and small letters (`german`), where it is known."""
    duration: float = 0.0
    """Seconds; 0 where it is not known."""
    segments: tuple[Segment, ...] = ()
    """In order and without overlaps, as `in_order` leaves them."""
    words: tuple[Segment, ...] = ()
    """The same of single words, where they were asked for."""
    usage: Usage | None = None
    """None where the upstream did not count."""
    audio_input: int = 0
    """The part of the input tokens that the recording took."""


class Shown(msgspec.Struct, frozen=True):
    """What of a transcript an answer is to show."""

    format: Format
    translated: bool = False
    """It is an answer to `/v1/audio/translations`."""
    segments: bool = True
    words: bool = False
    temperature: float = 0.0


# Text and times.


def cleaned(text: str) -> str:
    """A text on one line, without control characters."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def joined(texts: Iterable[str]) -> str:
    """The texts of segments as one, with spaces between them where their script has any."""
    out = ""
    for text in filter(None, texts):
        unspaced = out and _UNSPACED.match(out[-1]) and _UNSPACED.match(text)
        out += text if not out or unspaced else f" {text}"
    return out


def in_order(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Segments with texts only, cleaned, each of which begins after the one before it and ends when the next begins.

    Their order stays; times that contradict it give way, to the millisecond.
    """
    texts = [(segment, text) for segment in segments if (text := cleaned(segment.text))]
    starts: list[int] = []
    for segment, _ in texts:
        start = _milliseconds(segment.start)
        starts.append(max(start, starts[-1] + _LEAST) if starts else start)
    out = []
    for index, (segment, text) in enumerate(texts):
        start, end = starts[index], max(_milliseconds(segment.end), starts[index] + _LEAST)
        if index + 1 < len(starts):
            end = min(end, starts[index + 1])
        out.append(Segment(start / 1000, end / 1000, text))
    return tuple(out)


def _milliseconds(seconds: float) -> int:
    return round(min(max(seconds, 0.0), LATEST) * 1000) if math.isfinite(seconds) else 0


def _stamp(seconds: float, point: str) -> str:
    """`HH:MM:SS.mmm`; hours may need more digits."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


# Answers.


def write_answer(transcript: Transcript, shown: Shown) -> tuple[bytes, bytes]:
    """The `content-type` and the body of an answer that is not streamed."""
    if shown.format == "text":
        return PLAIN, _encoded(transcript.text + "\n")
    if shown.format == "srt":
        return PLAIN, _encoded(_srt(transcript.segments))
    if shown.format == "vtt":
        return PLAIN, _encoded(_vtt(transcript.segments))
    body = _verbose(transcript, shown) if shown.format == "verbose_json" else _json(transcript, shown)
    return JSON, json_text.encode(body)


def _encoded(text: str) -> bytes:
    """UTF-8; the halves of characters that a model cut in two become question marks."""
    return text.encode(errors="replace")


def _srt(segments: Sequence[Segment]) -> str:
    cues = []
    for number, cue in enumerate(segments, 1):
        text = cue.text.replace("-->", "->")
        cues.append(f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{text}\n\n")
    return "".join(cues)


def _vtt(segments: Sequence[Segment]) -> str:
    cues = ["WEBVTT\n\n"]
    for cue in segments:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n\n")
    return "".join(cues)


def _json(transcript: Transcript, shown: Shown) -> dict[str, object]:
    # A translation has nothing but its text.
    usage = None if shown.translated else usage_of(transcript)
    return {"text": transcript.text} if usage is None else {"text": transcript.text, "usage": usage}


def _verbose(transcript: Transcript, shown: Shown) -> dict[str, object]:
    body: dict[str, object] = {
        "task": "translate" if shown.translated else "transcribe",
        "language": "english" if shown.translated else transcript.language or "unknown",
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if shown.segments:
        body["segments"] = [_segment(number, each, shown) for number, each in enumerate(transcript.segments)]
    if shown.words:
        body["words"] = [{"word": each.text, "start": each.start, "end": each.end} for each in transcript.words]
    if not shown.translated:
        body["usage"] = {"type": "duration", "seconds": transcript.duration}
    return body


def _segment(number: int, segment: Segment, shown: Shown) -> dict[str, object]:
    """With what OpenAI's clients insist on: Whisper's inner values, which say here that nothing is amiss."""
    return {
        "id": number,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": shown.temperature,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def usage_of(transcript: Transcript) -> dict[str, object] | None:
    """The `usage` of an answer, in tokens; None where they are not known."""
    usage = transcript.usage
    if usage is None:
        return None
    return {
        "type": "tokens",
        "input_tokens": usage.input,
        "input_token_details": {
            "text_tokens": max(usage.input - transcript.audio_input, 0),
            "audio_tokens": transcript.audio_input,
        },
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }
