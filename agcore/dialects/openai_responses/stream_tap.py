"""Watches a Responses stream on its way through. Format: docs/wire/openai-responses.md."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame, encode
from agcore.dialects.base import Meaning
from agcore.dialects.openai_responses import errors
from agcore.dialects.openai_responses.stream_events import read_usage
from agcore.dialects.shared.event_edits import is_comment, renamed
from agcore.dialects.shared.faults import NOT_JSON
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_LIFECYCLE: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class StreamTap:
    """Watches response events, and remembers enough of them to end a broken stream with `response.failed`."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = shown_model
        self.response: dict[str, object] | None = None
        """The response, as its newest event shows it."""
        self._sequence = 0
        self._content = False

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. A `response.failed` after content is the dialect's own end and passes as it is."""
        data = frame.data
        if data is None or not data.strip():
            return Meaning.LIFECYCLE, frame.raw if is_comment(frame) else b""
        if data.strip() == b"[DONE]":
            return Meaning.LIFECYCLE, frame.raw
        try:
            event = json_text.decode(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = NOT_JSON
            return Meaning.ERROR, b""
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            error = event.get("error") or {name: event.get(name) for name in ("message", "code", "param")}
            self.fault = errors.parse_error(errors.status_in_stream(error), error)
            return Meaning.ERROR, b""
        response = event.get("response")
        response = response if isinstance(response, dict) else None
        if kind == "response.failed" and not self._content:
            error = (response or {}).get("error")
            self.fault = errors.parse_error(errors.status_in_stream(error), error)
            return Meaning.ERROR, b""
        sequence = event.get("sequence_number")
        self._sequence = sequence + 1 if isinstance(sequence, int) else self._sequence + 1
        if response is not None:
            self.response = response
            self.usage = read_usage(response) or self.usage
        out = self._edited(frame, event, response)
        if kind in _TERMINAL:
            self.finished = True
            return Meaning.TERMINAL, out
        if kind in _LIFECYCLE or not isinstance(kind, str) or not kind.startswith("response."):
            return Meaning.LIFECYCLE, out
        self._content = True
        return Meaning.CONTENT, out

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

    def _edited(self, frame: Frame, event: dict[str, object], response: dict[str, object] | None) -> bytes:
        data = frame.data
        assert data is not None
        if self._shown_model is not None and response is not None and "model" in response:
            data = renamed(data, event, "response", self._shown_model)
        elif frame.id is None:
            return frame.raw
        # An `id:` line would make a later keepalive comment look like an event to OpenAI's SDKs.
        return encode(data, event=frame.event)
