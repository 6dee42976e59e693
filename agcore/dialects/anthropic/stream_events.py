"""What the events of a Messages stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.usage import count
from agcore.dialects.anthropic import errors
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.frames import DONE, EMPTY, unreadable
from agcore.dialects.shared.no_answer import told_failure
from agcore.protocol.report import Usage

_CONTENT: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop", "message_delta"})


class StreamEvents:
    """See `base.StreamEvents`. An event without a type is what its `event:` line says."""

    def __init__(self) -> None:
        self._usage: dict[str, object] = {}  # cumulative: what is restated replaces what was said before

    def read(self, frame: Frame) -> StreamEvent:
        """See `base.StreamEvents`."""
        data = frame.data
        if data is None:
            return EMPTY
        text = data.strip()
        if not text:
            return EMPTY
        if text == b"[DONE]":
            return DONE
        try:
            event = json_text.decode(data)
        except ValueError:
            return unreadable(text)
        if not isinstance(event, dict):
            return unreadable(text, event)
        classified = self.classify(event, frame.event)
        if frame.event is not None:
            event.setdefault("type", frame.event)
        return classified

    def classify(self, event: dict[str, object], name: str | None = None) -> StreamEvent:
        """See `base.StreamEvents`."""
        kind = event.get("type", name)
        if kind == "error" or name == "error" or (kind is None and event.get("error")):
            fault = errors.parse_error(errors.status_in_stream(event.get("error")), event)
            return StreamEvent(FrameKind.ERROR, event, fault=fault)
        usage = self._consumed(event) if "usage" in event or "message" in event else None
        if kind == "message_stop":
            return StreamEvent(FrameKind.TERMINAL, event, finished=True, usage=usage)
        if kind is None and (failed := told_failure(event)) is not None:
            return StreamEvent(FrameKind.ERROR, event, fault=failed)
        if not isinstance(kind, str) or kind not in _CONTENT:
            return StreamEvent(FrameKind.LIFECYCLE, event, usage=usage)
        delta = event.get("delta")
        stopped = kind == "message_delta" and isinstance(delta, dict) and delta.get("stop_reason") is not None
        return StreamEvent(FrameKind.CONTENT, event, finished=stopped, usage=usage)

    def _consumed(self, event: dict[str, object]) -> Usage | None:
        told = False
        for holder in (event.get("message"), event):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if isinstance(usage, dict):
                told = True
                self._usage.update((name, value) for name, value in usage.items() if value is not None)
        return read_usage({"usage": self._usage}) if told and self._usage else None


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; `input_tokens` excludes both caches already (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        fresh=count(usage, "input_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write=count(usage, "cache_creation_input_tokens"),
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )
