"""Whether a whole answer of generateContent is one, by the rule that a stream of it is judged by."""

from __future__ import annotations

from agcore.dialects.base import FrameKind
from agcore.dialects.gemini.stream_events import StreamEvents
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. That a prompt was blocked, and a reason for an end, are answers."""
    event = StreamEvents().classify(answer)
    if event.fault is not None:
        return event.fault
    return None if event.kind is FrameKind.CONTENT else no_answer(answer)
