"""What the events of a Responses stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.usage import count
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.openai_responses import errors
from agcore.dialects.shared.frames import DONE, EMPTY, unreadable
from agcore.dialects.shared.no_answer import told_failure
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_LIFECYCLE: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete"})
_FAILED: Final = frozenset({"response.failed", "response.cancelled"})


class StreamEvents:
    """See `base.StreamEvents`. An event without a type is what its `event:` line says."""

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
        """See `base.StreamEvents`. A failed response is both: the dialect's own end, and a fault."""
        kind = event.get("type", name)
        if kind == "error" or ("type" not in event and event.get("error")):
            error = event.get("error") or {name: event.get(name) for name in ("message", "code", "param")}
            return StreamEvent(FrameKind.ERROR, event, fault=_fault(error))
        if kind is None and (failed := told_failure(event)) is not None:
            return StreamEvent(FrameKind.ERROR, event, fault=failed)
        held = event.get("response")
        response = held if isinstance(held, dict) else {}
        usage = read_usage(response)
        if not isinstance(kind, str) or not kind.startswith("response."):
            return StreamEvent(FrameKind.LIFECYCLE, event, usage=usage)
        if kind in _FAILED:
            fault = _fault(response.get("error"))
            return StreamEvent(FrameKind.TERMINAL, event, finished=True, usage=usage, fault=fault)
        if kind in _TERMINAL:
            return StreamEvent(FrameKind.TERMINAL, event, finished=True, usage=usage)
        return StreamEvent(FrameKind.LIFECYCLE if kind in _LIFECYCLE else FrameKind.CONTENT, event, usage=usage)


def _fault(error: object) -> Fault:
    return errors.parse_error(errors.status_in_stream(error), error)


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the input's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    read = count(usage, "input_tokens_details", "cached_tokens")
    write = count(usage, "input_tokens_details", "cache_write_tokens")
    return Usage(
        fresh=max(count(usage, "input_tokens") - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "reasoning_tokens"),
    )
