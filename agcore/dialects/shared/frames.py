"""Frames that are the same in every dialect."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from agcore.codecs.sse import Frame
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.error_words import unwrapped, words_of_text
from agcore.dialects.shared.faults import NOT_JSON

EMPTY: Final = StreamEvent(FrameKind.EMPTY)
DONE: Final = StreamEvent(FrameKind.DONE)


def unreadable(data: bytes, event: object = None) -> StreamEvent:
    """The failure of a frame that holds no JSON object, in the words that stand there instead.

    Args:
        data: The frame's data.
        event: What it is decoded, where it is JSON.
    """
    words = words_of_text(data, b"") if event is None else unwrapped(event).get("message")
    shown = f"{NOT_JSON.message}: {words}" if isinstance(words, str) and words else NOT_JSON.message
    return StreamEvent(FrameKind.ERROR, fault=structs.replace(NOT_JSON, message=shown))


def is_comment(frame: Frame) -> bool:
    """Whether a frame holds comments and blank lines only. OpenAI's SDKs choke on any other frame without data."""
    return all(not line or line.startswith(b":") for line in frame.raw.splitlines())
