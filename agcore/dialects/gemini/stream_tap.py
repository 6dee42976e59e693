"""Watches a generateContent stream on its way through. Format: docs/wire/gemini.md."""

from __future__ import annotations

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.dialects.base import Meaning
from agcore.dialects.gemini import errors
from agcore.dialects.gemini.stream_events import read_usage
from agcore.dialects.gemini.traits import TRAITS
from agcore.dialects.shared.event_edits import edited
from agcore.dialects.shared.faults import NOT_JSON
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class StreamTap:
    """Watches chunks, each a whole response object with incremental parts."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = None if shown_model is None else msgspec.json.encode(shown_model)

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. Only data and blank lines pass: comments and `event:` lines make the SDK raise."""
        data = frame.data
        if data is None or data.strip() in (b"", b"[DONE]"):
            return Meaning.LIFECYCLE, b""
        try:
            chunk = json_text.decode(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            self.fault = NOT_JSON
            return Meaning.ERROR, b""
        error = chunk.get("error")
        if error:
            code = error.get("code") if isinstance(error, dict) else None
            self.fault = errors.parse_error(code if isinstance(code, int) and 400 <= code <= 599 else 502, chunk)
            return Meaning.ERROR, b""
        self.usage = read_usage(chunk) or self.usage
        out = self._edited(frame, chunk)
        return (Meaning.CONTENT if self._has_content(chunk) else Meaning.LIFECYCLE), out

    def closing(self) -> bytes:
        """Nothing: a stream ends with its connection."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """A frame with an `error` object."""
        return errors.stream_error(fault, request_id)

    def _has_content(self, chunk: dict[str, object]) -> bool:
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self.finished = True
            return True
        found = False
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if not isinstance(candidate, dict):
                continue
            if candidate.get("finishReason") is not None:
                self.finished = found = True
            content = candidate.get("content")
            if isinstance(content, dict) and content.get("parts"):
                found = True
        return found

    def _edited(self, frame: Frame, chunk: dict[str, object]) -> bytes:
        assert frame.data is not None
        if self._shown_model is not None and TRAITS.model_member in chunk:
            data = edited(frame.data, chunk, {TRAITS.model_member: self._shown_model})
        elif frame.raw.rstrip(b"\r\n") == b"data: " + frame.data:
            return frame.raw
        else:
            data = frame.data
        # One `data: ` line with the space, however the upstream broke it: JSON allows a space for a line break.
        return b"data: " + data.replace(b"\n", b" ") + b"\r\n\r\n"
