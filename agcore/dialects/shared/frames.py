"""Frames that are the same in every dialect."""

from __future__ import annotations

from typing import Final

from agcore.codecs.sse import Frame
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.faults import NOT_JSON

EMPTY: Final = StreamEvent(FrameKind.EMPTY)
DONE: Final = StreamEvent(FrameKind.DONE)
UNREADABLE: Final = StreamEvent(FrameKind.ERROR, fault=NOT_JSON)


def is_comment(frame: Frame) -> bool:
    """Whether a frame holds comments and blank lines only. OpenAI's SDKs choke on any other frame without data."""
    return all(not line or line.startswith(b":") for line in frame.raw.splitlines())
