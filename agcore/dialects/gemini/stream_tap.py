"""Watches a generateContent stream on its way through. Format: docs/wire/gemini.md."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.codecs.sse import Frame
from agcore.dialects.base import FrameKind
from agcore.dialects.gemini import errors
from agcore.dialects.gemini.stream_events import StreamEvents
from agcore.dialects.gemini.traits import TRAITS
from agcore.dialects.shared.event_edits import edited
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class StreamTap:
    """See `base.StreamTap`. Only data and blank lines pass: comments and `event:` lines make Google's SDK raise."""

    response: Final = None

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._events = StreamEvents()
        self._shown_model = None if shown_model is None else msgspec.json.encode(shown_model)

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """See `base.StreamTap`."""
        event = self._events.read(frame)
        kind, data = event.kind, frame.data
        if kind is FrameKind.ERROR:
            self.fault = event.fault
            return kind, b""
        if data is None or kind is FrameKind.EMPTY or kind is FrameKind.DONE:
            return FrameKind.LIFECYCLE, b""
        self.usage = event.usage or self.usage
        self.finished = self.finished or event.finished
        if self._shown_model is not None and TRAITS.model_member in event.data:
            data = edited(data, event.data, {TRAITS.model_member: self._shown_model})
        elif frame.raw.rstrip(b"\r\n") == b"data: " + data:
            return kind, frame.raw
        # One `data: ` line with the space, however the upstream broke it: JSON allows a space for a line break.
        return kind, b"data: " + data.replace(b"\n", b" ") + b"\r\n\r\n"

    def closing(self) -> bytes:
        """Nothing: a stream ends with its connection."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """A frame with an `error` object."""
        return errors.stream_error(fault, request_id)
