"""Anthropic answers, written from the neutral deltas, streamed and whole (docs/wire/anthropic-messages.md#stream).

A stream of the API is strict: blocks follow one another, never interleaved, and are numbered from 0. A call's arguments
must join to a JSON object, which only shows once they are complete; so the writer opens the call's block at once and
holds its arguments back until the call has ended. What belongs behind an open call waits for its end.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import encode
from agcore.conversation import compaction
from agcore.conversation.signature_carrier import carrier
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
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.anthropic.arguments import arguments_object, arguments_text
from agcore.dialects.anthropic.message import (
    COMPACTED,
    CUTTING,
    call_id,
    citation_object,
    compaction_block,
    custom_input,
    message_object,
    redacted_block,
    stop_reason,
    thinking_block,
    usage_object,
)
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_IMAGE: Final = "[image]"


class ResponseWriter:
    """Writes a stream; see `base.ResponseWriter`. Answers beyond the first are left out."""

    response: Final = None

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._id = id
        self._model = model
        self._stops = conversation.settings.stop
        self._compacts = conversation.compacts
        self._summary = ""
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
        elif self._compacts:
            self._sum_up(delta)
        else:
            self._accept(delta)
        return self._taken()

    def end(self) -> bytes:
        """The stop reason with the usage, which may be later than the finish, and the end."""
        self._start()
        self._finish(self._finished or Finished(Stop.END))
        assert self._finished is not None
        reason, sequence = stop_reason(self._finished, bool(self._ids), self._refused, self._stops)
        if self._compacts:
            reason, sequence = COMPACTED, None
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

    def _sum_up(self, delta: Delta) -> None:
        """Keep what a summary says, which is told in one piece; thoughts about it are nobody's."""
        if isinstance(delta, TextDelta) and (self._summary or delta.text.strip()):
            self._become("compaction", compaction_block(None))
            self._summary += delta.text

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
        if self._open == "compaction":
            summary = compaction.bounded(self._summary, cut=finished.stop in CUTTING)
            self._part("compaction_delta", content=summary, encrypted_content=None)
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
    """Write a whole message; see `base.RenderAnswer`."""
    if not answer.choices:
        return message_object(id, model, [], "end_turn", None, answer.usage or Usage())
    choice = answer.choices[0]
    if conversation.compacts:
        said = "".join(part.text for part in choice.parts if isinstance(part, Text))
        block = compaction_block(compaction.bounded(said, cut=choice.stop in CUTTING))
        return message_object(id, model, [block], COMPACTED, None, answer.usage or Usage())
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
