"""The toy's answers, read."""

from __future__ import annotations

from agcore.codecs.sse import Frame
from agcore.conversation.values import Consumed, Delta, Finished, Started, Stop, TextDelta
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.faults import CUT
from agcore.protocol.fault import Fault
from tests.dialects.toy import errors
from tests.dialects.toy.stream_events import StreamEvents, read_usage


class ResponseReader:
    """See `base.ResponseReader`."""

    def __init__(self, *, signer: str) -> None:
        self.terminal = False
        self.fault: Fault | None = None
        self._events = StreamEvents()

    def feed(self, frame: Frame) -> list[Delta]:
        """See `base.ResponseReader`."""
        if self.terminal or self.fault is not None:
            return []
        event = self._events.read(frame)
        self.fault, self.terminal = event.fault, event.kind is FrameKind.TERMINAL
        return [] if event.fault is not None else _said(event)

    def end(self) -> list[Delta]:
        """See `base.ResponseReader`."""
        if not self.terminal and self.fault is None:
            self.fault = CUT
        return []


def _said(event: StreamEvent) -> list[Delta]:
    text = event.data.get("say")
    deltas: list[Delta] = [TextDelta(text)] if isinstance(text, str) and text else []
    if event.kind is FrameKind.TERMINAL:
        deltas.append(Finished(Stop.END))
    return deltas if event.usage is None else [*deltas, Consumed(event.usage)]


def read_answer(answer: dict[str, object], *, signer: str) -> list[Delta] | Fault:
    """See `base.ReadAnswer`."""
    said, usage = answer.get("said"), read_usage(answer)
    if not isinstance(said, str):
        return errors.parse_error(errors.status_in_stream(answer), answer)
    deltas: list[Delta] = [Started(), TextDelta(said), Finished(Stop.END)]
    return deltas if usage is None else [*deltas, Consumed(usage)]
