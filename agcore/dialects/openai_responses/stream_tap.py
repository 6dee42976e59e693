"""Watches a Responses stream on its way through. Format: docs/wire/openai-responses.md."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame, encode
from agcore.dialects.base import FrameKind
from agcore.dialects.openai_responses import errors
from agcore.dialects.openai_responses.stream_events import StreamEvents
from agcore.dialects.shared.event_edits import renamed
from agcore.dialects.shared.frames import is_comment
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

MAX_KEPT: Final = 4 * 1024 * 1024
"""Bytes of events whose items are kept, for an end that names none of them."""


class StreamTap:
    """See `base.StreamTap`. It remembers enough of the events to end a broken stream with `response.failed`.

    An end whose `output` is empty gets the items that the stream told of: who reads it alone would be told nothing.
    """

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self.response: dict[str, object] | None = None
        """The response, as its newest event shows it."""
        self._events = StreamEvents()
        self._shown_model = shown_model
        self._sequence = 0
        self._content = False
        self._items: list[object] = []
        """Those that were told of whole."""
        self._kept = 0

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """See `base.StreamTap`. A `response.failed` after content is the dialect's own end and passes as it is."""
        event = self._events.read(frame)
        kind, data = event.kind, frame.data
        if event.fault is not None and not (kind is FrameKind.TERMINAL and self._content):
            self.fault = event.fault
            return FrameKind.ERROR, b""
        if data is None or kind is FrameKind.EMPTY:
            return FrameKind.LIFECYCLE, frame.raw if is_comment(frame) else b""
        if kind is FrameKind.DONE:
            return FrameKind.LIFECYCLE, frame.raw
        self.usage = event.usage or self.usage
        self.finished = event.finished
        self._content = self._content or kind is FrameKind.CONTENT
        sequence, response = event.data.get("sequence_number"), event.data.get("response")
        self._sequence = sequence + 1 if isinstance(sequence, int) else self._sequence + 1
        if event.data.get("type") == "response.output_item.done":
            self._kept += len(data)
            self._items.append(event.data.get("item"))
            if self._kept > MAX_KEPT:
                self._items.clear()
        if isinstance(response, dict):
            self.response = response
            if self._items and event.finished and response.get("output") == []:
                response["output"] = self._items
                with suppress(ValueError):  # nested too deeply to be written
                    data = json_text.encode(event.data)
                    frame = Frame(encode(data, event=frame.event), data, frame.event)
            if self._shown_model is not None and "model" in response:
                return kind, encode(renamed(data, event.data, "response", self._shown_model), event=frame.event)
        # An `id:` line would make a later keepalive comment look like an event to OpenAI's SDKs.
        return kind, frame.raw if frame.id is None else encode(data, event=frame.event)

    def closing(self) -> bytes:
        """Nothing: the terminal event is the end."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """`response.failed` in a response, else a flat `error` (docs/wire/openai-responses.md#errors-in-a-stream)."""
        error = errors.error_object(fault)
        code = errors.failure_code(fault)
        if self.response is not None:
            response = {**self.response, "status": "failed", "error": {"code": code, "message": error.get("message")}}
            failed = {"type": "response.failed", "sequence_number": self._sequence, "response": response}
            with suppress(ValueError):
                return encode(json_text.encode(failed), event="response.failed")
        flat = {
            "type": "error",
            "code": code,
            "message": error.get("message"),
            "param": error.get("param"),
            "sequence_number": self._sequence,
        }
        return encode(json_text.encode(flat), event="error")
