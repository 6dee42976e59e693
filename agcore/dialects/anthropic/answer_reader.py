"""Anthropic answers, streamed and whole, read and written as deltas (docs/wire/anthropic-messages.md#stream).

A stream of the API is strict: blocks follow one another, never interleaved, and are numbered from 0. A call's arguments
must join to a JSON object, which only shows once they are complete; so the writer opens the call's block at once and
holds its arguments back until the call has ended. What belongs behind an open call waits for its end.

A whole answer takes the same way as a stream: the reader is fed the events that would have brought it, and the writer's
blocks are collected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Frame, encode
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.usage import Usage
from agcore.conversation.values import (
    Answer,
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    Image,
    ImageMade,
    Refusal,
    RefusalDelta,
    Signature,
    Started,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects import base
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.anthropic.arguments import arguments_object, arguments_text, object_text
from agcore.dialects.anthropic.message import (
    STOPS,
    call_id,
    citation_object,
    custom_input,
    message_object,
    redacted_block,
    stop_reason,
    thinking_block,
    usage_object,
)
from agcore.dialects.anthropic.tools_writer import RESPOND
from agcore.dialects.anthropic.traits import read_usage
from agcore.protocol.fault import Fault

NOT_A_MESSAGE: Final = Fault(status=502, message="the upstream's answer is not a message")
_IMAGE: Final = "[image]"


class ResponseReader:
    """Reads a stream; see `translator.ResponseReader`."""

    def __init__(self, *, signer: str) -> None:
        self.fault: Fault | None = None
        self._signer = signer
        self._usage: dict[str, object] = {}
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
        """What an event says; nothing for one that is not known."""
        data = frame.data
        if data is None or data.strip() in (b"", b"[DONE]") or self.fault is not None:
            return []
        try:
            event = json_text.decode(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = base.NOT_JSON
            return []
        if event.get("type") == "error" or frame.event == "error":
            error = event.get("error")
            named = error.get("type") if isinstance(error, dict) else None
            self.fault = anthropic_error.parse_error(anthropic_error.status_of(named), event)
            return []
        return list(self.event(event))

    def end(self) -> list[Delta]:
        """Nothing more; but a stream that gave no stop reason was cut."""
        if self.fault is None and not self._finished:
            self.fault = base.CUT
        return []

    def event(self, event: dict[str, object]) -> Iterator[Delta]:
        """What a decoded event says."""
        kind = event.get("type")
        if kind == "message_delta":
            yield from self._consumed(event.get("usage"))
            if not self._finished:
                yield from self._stop(event.get("delta"))
        elif self._finished:
            return
        elif kind == "message_start":
            message = event.get("message")
            if isinstance(message, dict):
                named = message.get("id")
                yield Started(named if isinstance(named, str) else "")
                yield from self._consumed(message.get("usage"))
        elif kind == "content_block_start":
            yield from self._close()
            block = event.get("content_block")
            if isinstance(block, dict):
                yield from self._open(block, event.get("index"))
        elif kind == "content_block_delta":
            delta = event.get("delta")
            if isinstance(delta, dict) and self._block is not None and event.get("index") == self._index:
                yield from self._delta(self._block, delta)
        elif kind == "content_block_stop":
            yield from self._close()
        elif kind == "message_stop":
            yield from self._finish("", "", "")

    def _consumed(self, usage: object) -> Iterator[Delta]:
        """Usage is cumulative, and what is restated replaces what was said before."""
        if isinstance(usage, dict):
            self._usage.update((name, value) for name, value in usage.items() if value is not None)
            found = read_usage({"usage": self._usage})
            if found is not None:
                yield Consumed(found)

    def _open(self, block: dict[str, object], index: object) -> Iterator[Delta]:
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
            yield ToolStarted(self._calls, call if isinstance(call, str) else "", named)
        elif kind == "redacted_thinking":
            data = block.get("data")
            if isinstance(data, str) and data:
                yield ThinkingEnded(Signature(self._signer, "redacted", data))
        else:
            yield from self._delta(block, {**block, "type": f"{kind}_delta"})
            citations = block.get("citations")
            for citation in citations if isinstance(citations, list) else []:
                yield from self._delta(block, {"type": "citations_delta", "citation": citation})
            if isinstance(signature := block.get("signature"), str):
                self._signature = signature

    def _delta(self, block: dict[str, object], delta: dict[str, object]) -> Iterator[Delta]:
        holder, kind = block.get("type"), delta.get("type")
        if holder == "text" and kind == "text_delta":
            if isinstance(text := delta.get("text"), str) and text:
                self._visible = True
                self._length += len(text)
                yield TextDelta(text)
        elif holder == "text" and kind == "citations_delta":
            citation = delta.get("citation")
            if isinstance(citation, dict) and isinstance(url := citation.get("url"), str) and url:
                title = citation.get("title")
                self._cited.append((url, title if isinstance(title, str) else ""))
        elif holder == "thinking" and kind == "thinking_delta":
            if isinstance(text := delta.get("thinking"), str) and text:
                self._said = True
                yield ThinkingDelta(text)
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
            yield self._arguments(block, text)

    def _arguments(self, block: dict[str, object], text: str) -> Delta:
        if block.get("name") == RESPOND:
            self._visible = True
            self._length += len(text)
            return TextDelta(text)
        return ToolArguments(self._calls, text)

    def _close(self) -> Iterator[Delta]:
        """The open block is complete."""
        block, self._block = self._block, None
        if block is None:
            return
        if block.get("type") == "thinking":
            signature = Signature(self._signer, "thinking", self._signature) if self._signature else None
            if self._said or signature is not None:
                yield ThinkingEnded(signature)
        elif block.get("type") == "text":
            span = (self._begin, self._length) if self._length > self._begin else None
            for url, title in self._cited:
                yield Cited(url, title, span=span)
        elif block.get("type") == "tool_use":
            if not self._said:
                yield self._arguments(block, object_text(block.get("input")))
            if block.get("name") != RESPOND:
                yield ToolEnded(self._calls)
                self._calls += 1

    def _stop(self, delta: object) -> Iterator[Delta]:
        """A `message_delta` without a stop reason only tells usage."""
        if isinstance(delta, dict) and isinstance(reason := delta.get("stop_reason"), str):
            sequence, details = delta.get("stop_sequence"), delta.get("stop_details")
            explanation = details.get("explanation") if isinstance(details, dict) else None
            yield from self._finish(
                reason,
                sequence if isinstance(sequence, str) else "",
                explanation if isinstance(explanation, str) else "",
            )

    def _finish(self, reason: str, sequence: str, explanation: str) -> Iterator[Delta]:
        yield from self._close()
        if reason == "refusal" and explanation and not self._visible:
            yield RefusalDelta(explanation)
        stop = STOPS.get(reason, Stop.END)
        if stop in (Stop.END, Stop.TOOL_CALLS):
            stop = Stop.TOOL_CALLS if self._calls else Stop.END
        self._finished = True
        yield Finished(stop, sequence if stop is Stop.SEQUENCE else "")


def read_answer(answer: dict[str, object], *, signer: str) -> list[Delta] | Fault:
    """Read a whole message; see `translator.ReadAnswer`."""
    error = answer.get("error")
    if answer.get("type") == "error" or error:
        named = error.get("type") if isinstance(error, dict) else None
        return anthropic_error.parse_error(anthropic_error.status_of(named), answer)
    content = answer.get("content")
    if not isinstance(content, list):
        return NOT_A_MESSAGE
    reader = ResponseReader(signer=signer)
    events: list[dict[str, object]] = [{"type": "message_start", "message": answer}]
    events += [
        {"type": "content_block_start", "index": index, "content_block": block} for index, block in enumerate(content)
    ]
    events += [{"type": "message_delta", "delta": answer}, {"type": "message_stop"}]
    return [delta for event in events for delta in reader.event(event)]


class ResponseWriter:
    """Writes a stream; see `translator.ResponseWriter`. Answers beyond the first are left out."""

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._id = id
        self._model = model
        self._stops = conversation.settings.stop
        self._out = bytearray()
        self._started = False
        self._blocks = 0
        self._open = ""  # the type of the open block
        self._call = -1  # the open call
        self._calls: dict[int, _Call] = {}
        self._later: deque[Delta] = deque()  # what waits for the open call to end
        self._ids: set[str] = set()
        self._refused = False
        self._finished: Finished | None = None
        self._usage = Usage()

    def feed(self, delta: Delta) -> bytes:
        """The events for a delta."""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
        self._start()
        if isinstance(delta, Started | Consumed) or delta.choice != 0 or self._finished is not None:
            pass
        elif isinstance(delta, Finished):
            self._finish(delta)
        else:
            self._accept(delta)
        return self._taken()

    def end(self) -> bytes:
        """The stop reason with the usage, which may be later than the finish, and the end."""
        self._start()
        self._finish(self._finished or Finished(Stop.END))
        assert self._finished is not None
        reason, sequence = stop_reason(self._finished, bool(self._ids), self._refused, self._stops)
        self._event(
            "message_delta", delta={"stop_reason": reason, "stop_sequence": sequence}, usage=usage_object(self._usage)
        )
        self._event("message_stop")
        return self._taken()

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event, which is legal anywhere."""
        return anthropic_error.stream_error(fault, request_id)

    def _taken(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _event(self, kind: str, **members: object) -> None:
        self._out += encode(json_text.encode({"type": kind, **members}), event=kind)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._event("message_start", message=message_object(self._id, self._model, [], None, None, self._usage))

    def _accept(self, delta: Delta) -> None:
        """Write a delta, or keep it for later where a call is open that it does not belong to."""
        if isinstance(delta, ToolArguments):
            if delta.index in self._calls:
                self._calls[delta.index].arguments += delta.text
        elif isinstance(delta, ToolEnded):
            if delta.index in self._calls:
                self._calls[delta.index].ended = True
        elif isinstance(delta, ToolStarted) and delta.index in self._calls:
            return  # a call starts once
        else:
            if isinstance(delta, ToolStarted):
                self._calls[delta.index] = _Call(custom=delta.custom)
            self._later.append(delta)
        self._advance()

    def _advance(self) -> None:
        """Write what waits, as far as no open call is in the way."""
        while True:
            if self._call >= 0:
                call = self._calls[self._call]
                if not call.ended:
                    return
                self._part("input_json_delta", partial_json=call.text())
                self._close()
            if not self._later:
                return
            self._content(self._later.popleft())

    def _content(self, delta: Delta) -> None:
        if isinstance(delta, TextDelta | RefusalDelta | ImageMade):
            self._refused |= isinstance(delta, RefusalDelta)
            text = _IMAGE if isinstance(delta, ImageMade) else delta.text
            if text:
                self._become("text", {"type": "text", "text": ""})
                self._part("text_delta", text=text)
        elif isinstance(delta, ThinkingDelta):
            if delta.text:
                self._become("thinking", thinking_block())
                self._part("thinking_delta", thinking=delta.text)
        elif isinstance(delta, ThinkingEnded):
            self._sign(delta.signature)
        elif isinstance(delta, ToolStarted):
            self._close()
            self._sign(delta.signature)
            named = call_id(delta.id, self._ids, self._id)
            self._ids.add(named)
            self._become("tool_use", {"type": "tool_use", "id": named, "name": delta.name, "input": {}})
            self._call = delta.index
            self._part("input_json_delta", partial_json="")
        elif isinstance(delta, Cited) and self._open == "text":
            self._part("citations_delta", citation=citation_object(delta))

    def _sign(self, signature: Signature | None) -> None:
        """End the open thought, or write an empty one that carries the signature."""
        if signature is not None and signature.kind == "redacted":
            self._close()
            self._become("redacted_thinking", redacted_block(signature))
        elif signature is not None:
            self._become("thinking", thinking_block())
            self._part("signature_delta", signature=carrier(signature))
        if self._open != "text":
            self._close()

    def _become(self, kind: str, block: dict[str, object]) -> None:
        """Have a block of this kind open."""
        if self._open != kind:
            self._close()
            self._open = kind
            self._event("content_block_start", index=self._blocks, content_block=block)

    def _part(self, kind: str, **members: object) -> None:
        self._event("content_block_delta", index=self._blocks, delta={"type": kind, **members})

    def _close(self) -> None:
        if self._open:
            self._event("content_block_stop", index=self._blocks)
            self._blocks += 1
            self._open, self._call = "", -1

    def _finish(self, finished: Finished) -> None:
        for call in self._calls.values():
            call.ended = True
        self._advance()
        self._close()
        self._finished = finished


class _Call(msgspec.Struct):
    """A call that is being written."""

    custom: bool
    arguments: str = ""
    ended: bool = False

    def text(self) -> str:
        """The arguments as JSON text of an object."""
        return custom_input(self.arguments) if self.custom else arguments_text(self.arguments)


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """Write a whole message; see `translator.RenderAnswer`."""
    if not answer.choices:
        return message_object(id, model, [], "end_turn", None, answer.usage or Usage())
    choice = answer.choices[0]
    content: list[dict[str, object]] = []
    ids: set[str] = set()
    refused = False
    for part in choice.parts:
        if isinstance(part, Text | Refusal):
            refused |= isinstance(part, Refusal)
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image):
            content.append({"type": "text", "text": _IMAGE})
        elif isinstance(part, Thinking):
            redacted = part.signature if part.signature is not None and part.signature.kind == "redacted" else None
            if part.text or redacted is None:
                content.append(thinking_block(part.text, None if redacted else part.signature))
            if redacted is not None:
                content.append(redacted_block(redacted))
        else:
            if part.signature is not None:
                content.append(thinking_block("", part.signature))
            named = call_id(part.id, ids, id)
            ids.add(named)
            arguments = {"input": part.arguments} if part.custom else arguments_object(part.arguments)
            content.append({"type": "tool_use", "id": named, "name": part.name, "input": arguments})
    texts = [block for block in content if block["type"] == "text"]
    if choice.citations and texts:
        texts[-1]["citations"] = [citation_object(cited) for cited in choice.citations]
    finished = Finished(choice.stop, choice.sequence)
    reason, sequence = stop_reason(finished, bool(ids), refused, conversation.settings.stop)
    return message_object(id, model, content, reason, sequence, answer.usage or Usage())
