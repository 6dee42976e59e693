"""Watches a Messages stream on its way through. Format: docs/wire/anthropic-messages.md."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame, encode
from agcore.dialects.anthropic import errors
from agcore.dialects.anthropic.stream_events import read_usage
from agcore.dialects.base import Meaning
from agcore.dialects.shared.event_edits import renamed
from agcore.dialects.shared.faults import NOT_JSON
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_CONTENT: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop", "message_delta"})


class StreamTap:
    """Watches message events."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = shown_model
        self._usage: dict[str, object] = {}
        self._stopped = False

    @property
    def usage(self) -> Usage | None:
        """Cumulative: what `message_delta` restates overrides `message_start`."""
        return read_usage({"usage": self._usage}) if self._usage else None

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. An event without its `event:` line gets it: Anthropic's SDKs drop it otherwise."""
        data = frame.data
        if data is None or data.strip() in (b"", b"[DONE]"):
            return Meaning.LIFECYCLE, b"" if data == b"" else frame.raw
        try:
            event = json_text.decode(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = NOT_JSON
            return Meaning.ERROR, b""
        kind = event.get("type")
        if kind == "error" or frame.event == "error":
            error = event.get("error")
            named = error.get("type") if isinstance(error, dict) else None
            self.fault = errors.parse_error(errors.status_of(named), event)
            return Meaning.ERROR, b""
        message = event.get("message")
        for usage in (message.get("usage") if isinstance(message, dict) else None, event.get("usage")):
            if isinstance(usage, dict):
                self._usage.update((name, value) for name, value in usage.items() if value is not None)
        delta = event.get("delta")
        if kind == "message_delta" and isinstance(delta, dict) and delta.get("stop_reason") is not None:
            self.finished = True
        out = self._edited(frame, event)
        if kind == "message_stop":
            self.finished = self._stopped = True
            return Meaning.TERMINAL, out
        return (Meaning.CONTENT if kind in _CONTENT else Meaning.LIFECYCLE), out

    def closing(self) -> bytes:
        """`message_stop`, where the upstream left it out after a stop reason."""
        return b"" if self._stopped else b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event, legal at any point of a stream."""
        return errors.stream_error(fault, request_id)

    def _edited(self, frame: Frame, event: dict[str, object]) -> bytes:
        data = frame.data
        assert data is not None
        kind, message = event.get("type"), event.get("message")
        named = frame.event
        if named is None and isinstance(kind, str) and kind.isprintable():
            named = kind
        if self._shown_model is not None and isinstance(message, dict) and "model" in message:
            data = renamed(data, event, "message", self._shown_model)
        elif named == frame.event:
            return frame.raw
        return encode(data, event=named)
