"""Watches a Chat Completions stream on its way through. Format: docs/wire/openai-chat.md."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Frame, encode
from agcore.dialects.base import FrameKind
from agcore.dialects.openai_chat import errors
from agcore.dialects.openai_chat.chunk_repair import Mender
from agcore.dialects.openai_chat.stream_events import StreamEvents
from agcore.dialects.shared.event_edits import edited
from agcore.dialects.shared.faults import EMPTY
from agcore.dialects.shared.frames import is_comment
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class StreamTap:
    """See `base.StreamTap`. Frames without data that are more than comments are dropped: SDKs choke on them."""

    response: Final = None

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._events = StreamEvents()
        self._shown_model = None if shown_model is None else msgspec.json.encode(shown_model)
        self._hide_usage = hide_usage
        self._mender = Mender()
        self._content = False
        self._done = False

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """See `base.StreamTap`. A stream that ends without any content is no answer."""
        event = self._events.read(frame)
        kind = event.kind
        if kind is FrameKind.TERMINAL:
            if not self._content:
                self.fault = EMPTY
                return FrameKind.ERROR, b""
            self.finished = self._done = True
            return kind, self._late_usage() + frame.raw
        if kind is FrameKind.EMPTY:
            return FrameKind.LIFECYCLE, frame.raw if is_comment(frame) else b""
        if kind is FrameKind.ERROR:
            self.fault = event.fault
            return kind, b""
        self.usage = event.usage or self.usage
        self.finished = self.finished or event.finished
        self._content = self._content or kind is FrameKind.CONTENT
        return kind, self._edited(frame, event.data)

    def closing(self) -> bytes:
        """`[DONE]`, where the upstream left it out."""
        return b"" if self._done else self._late_usage() + b"data: [DONE]\n\n"

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An error frame, after which nothing follows."""
        return errors.stream_error(fault, request_id)

    def _edited(self, frame: Frame, chunk: dict[str, object]) -> bytes:
        changes: dict[str, bytes | None] = {}
        if self._shown_model is not None and "model" in chunk:
            changes["model"] = self._shown_model
        if self._hide_usage and "usage" in chunk:
            if chunk["usage"] and not chunk.get("choices"):
                return b""
            changes["usage"] = None
            del chunk["usage"]
        mended = self._mender.mend(chunk)
        if not changes and not mended and frame.id is None:
            return frame.raw
        assert frame.data is not None
        data = json_text.encode(chunk) if mended else frame.data
        # An `id:` line would make a later keepalive comment look like an event to OpenAI's SDKs.
        return encode(edited(data, chunk, changes) if changes else data, event=frame.event)

    def _late_usage(self) -> bytes:
        chunk = self._mender.usage_chunk()
        if chunk is None:
            return b""
        if self._shown_model is not None:
            chunk["model"] = json_text.decode(self._shown_model)
        return encode(json_text.encode(chunk))
