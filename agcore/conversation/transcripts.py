"""Recordings to be heard and what was said in them, in no vendor's words.

Models estimate times, sometimes badly, and players skip or refuse cues that run backwards. So the times of segments
only go forward.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from agcore.codecs.audio_header import AudioHeader
from agcore.protocol.report import Usage

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]

TIMED: Final[frozenset[Format]] = frozenset({"srt", "vtt", "verbose_json"})
"""The forms of an answer that need times."""

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
    """It is in English, whatever was spoken."""
    segments: bool = True
    words: bool = False
    temperature: float = 0.0


class TranscriptRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants heard. Texts are empty where it said nothing."""

    audio: bytes
    header: AudioHeader
    shown: Shown
    stream: bool = False
    """The answer is `json` or `text`, and is to come in events."""
    language: str = ""
    """Of the speech: an ISO 639 code, or a name."""
    languages: tuple[str, ...] = ()
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    temperature: float | None = None
    """0 to 1."""

    @property
    def timed(self) -> bool:
        """Whether the answer needs times."""
        return self.shown.format in TIMED


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
