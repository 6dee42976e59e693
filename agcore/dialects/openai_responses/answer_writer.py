"""Responses answers, written from the neutral deltas, streamed and whole (docs/wire/openai-responses.md#stream)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agcore.codecs import json_text, sse
from agcore.conversation.values import (
    Answer,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolCall,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.openai_responses import errors
from agcore.dialects.openai_responses.answer_items import Event
from agcore.dialects.openai_responses.answer_object import Response
from agcore.dialects.shared.logprobs import divided
from agcore.protocol.fault import Fault


class ResponseWriter:
    """Writes a stream of response events for a client. See `base.ResponseWriter`.

    The terminal event waits for `end`, so that usage which trails the finish is in it.
    """

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self.response: Event | None = None
        """The response as the terminal event showed it; None before that."""
        self._response = Response(id=id, model=model, created=created, conversation=conversation)
        self._sequence = 0

    def feed(self, delta: Delta) -> bytes:
        """The frames for a delta."""
        return self._begun() + self._frames(self._response.take(delta))

    def end(self) -> bytes:
        """The frames that end the stream."""
        frames = self._begun() + self._frames(self._response.finish())
        status = "completed" if self._response.reason is None else "incomplete"
        self.response = self._response.shown(status)
        return frames + self._frames([{"type": f"response.{status}", "response": self.response}])

    def error(self, fault: Fault, request_id: str) -> bytes:
        """`response.failed` inside a response, the flat `error` event before one."""
        error = errors.error_object(fault)
        code, message = errors.failure_code(fault), error.get("message") or "the upstream failed"
        if not self._sequence:
            return self._frames([{"type": "error", "code": code, "message": message, "param": error.get("param")}])
        response = self._response.shown("failed", error={"code": code, "message": message})
        return self._frames([{"type": "response.failed", "response": response}])

    def _begun(self) -> bytes:
        if self._sequence:
            return b""
        response = self._response.shown("in_progress")
        return self._frames({"type": f"response.{kind}", "response": response} for kind in ("created", "in_progress"))

    def _frames(self, events: Iterable[Event]) -> bytes:
        frames = []
        for event in events:
            kind = event.pop("type")
            numbered = {"type": kind, "sequence_number": self._sequence, **event}
            frames.append(sse.encode(json_text.encode(numbered), event=kind))
            self._sequence += 1
        return b"".join(frames)


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """Write a whole answer, its first choice: the response that a stream of it would have ended with."""
    response = Response(id=id, model=model, created=created, conversation=conversation)
    for delta in _deltas(answer):
        list(response.take(delta))
    list(response.finish())
    return response.shown("completed" if response.reason is None else "incomplete")


def _deltas(answer: Answer) -> Iterator[Delta]:
    choice = answer.choices[0]
    last_text = max((index for index, part in enumerate(choice.parts) if isinstance(part, Text)), default=-1)
    waiting, said = list(choice.citations), 0
    logprobs = iter(divided(choice.logprobs, [part.text for part in choice.parts if isinstance(part, Text)]))
    for index, part in enumerate(choice.parts):
        match part:
            case Text(text):
                yield TextDelta(text, 0, next(logprobs))
                said += len(text)
                due = [each for each in waiting if index == last_text or (each.span and each.span[1] <= said)]
                waiting = [each for each in waiting if each not in due]
                yield from due
            case Refusal(text):
                yield RefusalDelta(text)
            case Thinking(text, signature):
                yield ThinkingDelta(text)
                yield ThinkingEnded(signature)
            case ToolCall(id, name, arguments, custom, signature):
                yield ToolStarted(index, id, name, custom=custom, signature=signature)
                yield ToolArguments(index, arguments)
                yield ToolEnded(index)
            case _:
                yield ImageMade(part.source)
    yield Finished(choice.stop, choice.sequence)
    if answer.usage is not None:
        yield Consumed(answer.usage)
