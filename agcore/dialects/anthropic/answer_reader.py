"""Anthropic answers, streamed and whole, read as deltas (docs/wire/anthropic-messages.md#stream).

A whole answer takes the same way as a stream: the reader is fed the events that would have brought it.
"""

from __future__ import annotations

from agcore.codecs.sse import Frame
from agcore.conversation.values import (
    Cited,
    Consumed,
    Delta,
    Finished,
    RefusalDelta,
    Signature,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.anthropic.arguments import object_text
from agcore.dialects.anthropic.message import (
    STOPS,
)
from agcore.dialects.anthropic.stream_events import StreamEvents
from agcore.dialects.anthropic.tools_writer import RESPOND
from agcore.dialects.anthropic.whole_answer import judge
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.shared.faults import CUT
from agcore.protocol.fault import Fault


class ResponseReader:
    """Reads a stream; see `base.ResponseReader`."""

    def __init__(self, *, signer: str) -> None:
        self.terminal = False
        self.fault: Fault | None = None
        self._signer = signer
        self._events = StreamEvents()
        self._block: dict[str, object] | None = None  # the open one, as it began
        self._index: object = None
        self._said = False  # the open block had a delta
        self._signature = ""
        self._calls = 0
        self._length = self._begin = 0  # code points of text, and of that before the open block
        self._cited: list[tuple[str, str]] = []  # sources of the open block, which is known once it is complete
        self._visible = False
        self._finished = False

    def feed(self, frame: Frame) -> list[Delta]:
        """What a frame says; nothing for an event that is not known."""
        return [] if self.fault is not None else self.take(self._events.read(frame))

    def take(self, event: StreamEvent) -> list[Delta]:
        """What an event says."""
        self.fault = event.fault
        self.terminal = event.kind is FrameKind.TERMINAL or event.kind is FrameKind.DONE
        deltas: list[Delta] = []
        if event.fault is not None:
            return deltas
        data = event.data
        kind = data.get("type")
        if kind == "message_start" and not self._finished:
            message = data.get("message")
            if isinstance(message, dict):
                named = message.get("id")
                deltas.append(Started(named if isinstance(named, str) else ""))
        if event.usage is not None:
            deltas.append(Consumed(event.usage))
        if self._finished:
            return deltas
        if kind == "content_block_delta":
            delta = data.get("delta")
            if not isinstance(delta, dict):
                pass
            elif self._block is not None and data.get("index") == self._index:
                self._delta(self._block, delta, deltas)
            else:
                self._stray(delta, data.get("index"), deltas)
        elif kind == "content_block_start":
            self._close(deltas)
            block = data.get("content_block")
            if isinstance(block, dict):
                self._open(block, data.get("index"), deltas)
        elif kind == "content_block_stop":
            self._close(deltas)
        elif kind == "message_delta":
            self._stop(data.get("delta"), deltas)
        elif event.kind is FrameKind.TERMINAL:
            self._finish("", "", "", deltas)
        return deltas

    def end(self) -> list[Delta]:
        """Nothing more; but a stream that gave no stop reason was cut."""
        if self.fault is None and not self._finished:
            self.fault = CUT
        return []

    def _stray(self, delta: dict[str, object], index: object, deltas: list[Delta]) -> None:
        """A delta of no block that is known: look-alikes leave out indices, and the start of a text or a thought."""
        kind = delta.get("type")
        if self._block is None and kind in ("text_delta", "thinking_delta"):
            self._open({"type": str(kind).removesuffix("_delta")}, index, deltas)
            index = None
        if self._block is not None and (index is None or self._index is None):
            self._delta(self._block, delta, deltas)

    def _open(self, block: dict[str, object], index: object, deltas: list[Delta]) -> None:
        self._block, self._index, self._said, self._signature = block, index, False, ""
        self._begin, self._cited = self._length, []
        kind = block.get("type")
        if kind == "tool_use":
            if block.get("name") == RESPOND:
                return
            named, call = block.get("name"), block.get("id")
            if not isinstance(named, str) or not named:
                self._block = None
                return
            deltas.append(ToolStarted(self._calls, call if isinstance(call, str) else "", named))
        elif kind == "redacted_thinking":
            data = block.get("data")
            if isinstance(data, str) and data:
                deltas.append(ThinkingEnded(Signature(self._signer, "redacted", data)))
        else:
            self._delta(block, {**block, "type": f"{kind}_delta"}, deltas)
            citations = block.get("citations")
            for citation in citations if isinstance(citations, list) else []:
                self._delta(block, {"type": "citations_delta", "citation": citation}, deltas)
            if isinstance(signature := block.get("signature"), str):
                self._signature = signature

    def _delta(self, block: dict[str, object], delta: dict[str, object], deltas: list[Delta]) -> None:
        holder, kind = block.get("type"), delta.get("type")
        if holder == "text" and kind == "text_delta":
            if isinstance(text := delta.get("text"), str) and text:
                self._visible = True
                self._length += len(text)
                deltas.append(TextDelta(text))
        elif holder == "text" and kind == "citations_delta":
            citation = delta.get("citation")
            if isinstance(citation, dict) and isinstance(url := citation.get("url"), str) and url:
                title = citation.get("title")
                self._cited.append((url, title if isinstance(title, str) else ""))
        elif holder == "thinking" and kind == "thinking_delta":
            if isinstance(text := delta.get("thinking"), str) and text:
                self._said = True
                deltas.append(ThinkingDelta(text))
        elif holder == "thinking" and kind == "signature_delta":
            if isinstance(signature := delta.get("signature"), str):
                self._signature += signature
        elif (
            holder == "tool_use"
            and kind == "input_json_delta"
            and isinstance(text := delta.get("partial_json"), str)
            and text
        ):
            self._said = True
            deltas.append(self._arguments(block, text))

    def _arguments(self, block: dict[str, object], text: str) -> Delta:
        if block.get("name") == RESPOND:
            self._visible = True
            self._length += len(text)
            return TextDelta(text)
        return ToolArguments(self._calls, text)

    def _close(self, deltas: list[Delta]) -> None:
        """The open block is complete."""
        block, self._block = self._block, None
        if block is None:
            return
        if block.get("type") == "thinking":
            signature = Signature(self._signer, "thinking", self._signature) if self._signature else None
            if self._said or signature is not None:
                deltas.append(ThinkingEnded(signature))
        elif block.get("type") == "text":
            span = (self._begin, self._length) if self._length > self._begin else None
            deltas += [Cited(url, title, span=span) for url, title in self._cited]
        elif block.get("type") == "tool_use":
            if not self._said:
                deltas.append(self._arguments(block, object_text(block.get("input"))))
            if block.get("name") != RESPOND:
                deltas.append(ToolEnded(self._calls))
                self._calls += 1

    def _stop(self, delta: object, deltas: list[Delta]) -> None:
        """A `message_delta` without a stop reason only tells usage."""
        if isinstance(delta, dict) and isinstance(reason := delta.get("stop_reason"), str):
            sequence, details = delta.get("stop_sequence"), delta.get("stop_details")
            explanation = details.get("explanation") if isinstance(details, dict) else None
            self._finish(
                reason,
                sequence if isinstance(sequence, str) else "",
                explanation if isinstance(explanation, str) else "",
                deltas,
            )

    def _finish(self, reason: str, sequence: str, explanation: str, deltas: list[Delta]) -> None:
        self._close(deltas)
        if reason == "refusal" and explanation and not self._visible:
            deltas.append(RefusalDelta(explanation))
        stop = STOPS.get(reason, Stop.END)
        if stop in (Stop.END, Stop.TOOL_CALLS):
            stop = Stop.TOOL_CALLS if self._calls else Stop.END
        self._finished = True
        deltas.append(Finished(stop, sequence if stop is Stop.SEQUENCE else ""))


def read_answer(answer: dict[str, object], *, signer: str) -> list[Delta] | Fault:
    """Read a whole message; see `base.ReadAnswer`."""
    fault = judge(answer)
    if fault is not None:
        return fault
    content = answer["content"]
    assert isinstance(content, list)
    reader = ResponseReader(signer=signer)
    events: list[dict[str, object]] = [{"type": "message_start", "message": answer}]
    events += [
        {"type": "content_block_start", "index": index, "content_block": block} for index, block in enumerate(content)
    ]
    events += [{"type": "message_delta", "delta": answer}, {"type": "message_stop"}]
    read = StreamEvents()
    return [delta for event in events for delta in reader.take(read.classify(event))]
