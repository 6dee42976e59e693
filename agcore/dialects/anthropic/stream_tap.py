"""Watches a Messages stream on its way through. Format: docs/wire/anthropic-messages.md."""

from __future__ import annotations

from typing import Final

from agcore.codecs.sse import Frame, encode
from agcore.dialects.anthropic import errors
from agcore.dialects.anthropic.stream_events import StreamEvents
from agcore.dialects.base import FrameKind
from agcore.dialects.shared.event_edits import renamed
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class StreamTap:
    """See `base.StreamTap`. An event without its `event:` line gets it: Anthropic's SDKs drop it otherwise."""

    response: Final = None

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._events = StreamEvents()
        self._shown_model = shown_model
        self._stopped = False

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """See `base.StreamTap`."""
        event = self._events.read(frame)
        kind, data = event.kind, frame.data
        if kind is FrameKind.ERROR:
            self.fault = event.fault
            return kind, b""
        if data is None or kind is FrameKind.EMPTY or kind is FrameKind.DONE:
            return FrameKind.LIFECYCLE, b"" if data == b"" else frame.raw
        self.usage = event.usage or self.usage
        self.finished = self.finished or event.finished
        self._stopped = kind is FrameKind.TERMINAL
        named, message = frame.event, event.data.get("message")
        if named is None:
            said = event.data.get("type")
            named = said if isinstance(said, str) and said.isprintable() else None
        if self._shown_model is not None and isinstance(message, dict) and "model" in message:
            return kind, encode(renamed(data, event.data, "message", self._shown_model), event=named)
        return kind, frame.raw if named == frame.event else encode(data, event=named)

    def closing(self) -> bytes:
        """`message_stop`, where the upstream left it out after a stop reason."""
        return b"" if self._stopped else b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event, legal at any point of a stream."""
        return errors.stream_error(fault, request_id)
