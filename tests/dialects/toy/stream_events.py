"""What the events of the toy's streams are."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.frames import EMPTY, unreadable
from agcore.protocol.report import Usage
from tests.dialects.toy import errors


class StreamEvents:
    """See `base.StreamEvents`."""

    def read(self, frame: Frame) -> StreamEvent:
        """See `base.StreamEvents`."""
        if frame.data is None or not frame.data.strip():
            return EMPTY
        try:
            event = json_text.decode(frame.data)
        except ValueError:
            return unreadable(frame.data or b"")
        return self.classify(event) if isinstance(event, dict) else unreadable(b"", event)

    def classify(self, event: dict[str, object], name: str | None = None) -> StreamEvent:
        """See `base.StreamEvents`."""
        if "wrong" in event:
            fault = errors.parse_error(errors.status_in_stream(event), event)
            return StreamEvent(FrameKind.ERROR, event, fault=fault)
        over = event.get("over") is True
        kind = FrameKind.TERMINAL if over else FrameKind.CONTENT if event.get("say") else FrameKind.LIFECYCLE
        return StreamEvent(kind, event, finished=over, usage=read_usage(event))


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """What an answer, or an event, says it consumed."""
    spent = answer.get("spent")
    if not isinstance(spent, list) or len(spent) != 2 or not all(isinstance(each, int) for each in spent):
        return None
    return Usage(fresh=spent[0], output=spent[1])
