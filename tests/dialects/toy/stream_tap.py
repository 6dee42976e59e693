"""Watches the toy's streams on their way through."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.codecs.sse import Frame, encode
from agcore.dialects.base import FrameKind
from agcore.dialects.shared.event_edits import edited
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.dialects.toy import errors
from tests.dialects.toy.stream_events import StreamEvents


class StreamTap:
    """See `base.StreamTap`."""

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
        self.fault, self.usage = event.fault, event.usage or self.usage
        self.finished = self.finished or event.finished
        if event.kind is FrameKind.EMPTY:
            return FrameKind.LIFECYCLE, frame.raw
        if self._shown_model is not None and "model" in event.data and frame.data is not None:
            return event.kind, encode(edited(frame.data, event.data, {"model": self._shown_model}))
        return event.kind, frame.raw

    def closing(self) -> bytes:
        """Nothing."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An event that says what is wrong."""
        return encode(errors.render_error(fault, request_id))
