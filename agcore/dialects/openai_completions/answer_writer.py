"""Answers of legacy Completions, for clients only: the text and nothing else (docs/wire/openai-completions.md)."""

from __future__ import annotations

from typing import Final

from agcore.conversation.values import (
    Answer,
    Consumed,
    Conversation,
    Delta,
    Finished,
    Refusal,
    RefusalDelta,
    Started,
    Stop,
    Text,
    TextDelta,
)
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai.chunks import Chunks, finish_reason, usage_object
from agcore.dialects.openai_completions.request_reader import prompts
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_ID: Final = "cmpl-"
_KIND: Final = "text_completion"


class ResponseWriter:
    """See `base.ResponseWriter`. With `echo` each choice begins with its prompt."""

    response: Final = None

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._echoed = _Echoed(conversation)
        self._stops: dict[int, Stop | None] = {}
        self._usage: Usage | None = None
        self._chunks = Chunks(
            kind=_KIND, id=_ID + id, model=model, created=created, include_usage=conversation.include_usage
        )

    def feed(self, delta: Delta) -> bytes:
        """The chunk for a delta, which only text has."""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
            return b""
        index = 0 if isinstance(delta, Started) else delta.choice
        out = self._opened(index)
        if self._stops[index] is not None:
            return out
        if isinstance(delta, Finished):
            self._stops[index] = delta.stop
        elif isinstance(delta, TextDelta | RefusalDelta):
            out += self._chunks.frame(_choice(index, delta.text, None))
        return out

    def end(self) -> bytes:
        """Finish reasons, usage where it was asked for, and `[DONE]`."""
        out = self._opened(0)
        for index, stop in sorted(self._stops.items()):
            out += self._chunks.frame(_choice(index, "", finish_reason(stop or Stop.END)))
        return out + self._chunks.end(self._usage)

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An error frame: no finish reason was written, and none follows."""
        return openai_error.stream_error(fault, request_id)

    def _opened(self, index: int) -> bytes:
        """The first chunk of a choice that is new, after that of choice 0, which must be the first of all."""
        out = b""
        for each in (0, index):
            if each not in self._stops:
                self._stops[each] = None
                out += self._chunks.frame(_choice(each, self._echoed.prompt(each), None))
        return out


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """See `base.RenderAnswer`. Usage that no upstream reported is left out."""
    echoed = _Echoed(conversation)
    choices = []
    for index, choice in enumerate(answer.choices):
        text = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
        choices.append(_choice(index, echoed.prompt(index) + text, finish_reason(choice.stop)))
    written: dict[str, object] = {
        "id": _ID + id,
        "object": _KIND,
        "created": created,
        "model": model,
        "choices": choices,
    }
    if answer.usage is not None:
        written["usage"] = usage_object(answer.usage)
    return written


class _Echoed:
    """What stands before each choice: nothing, unless the client asked for its prompt."""

    def __init__(self, conversation: Conversation) -> None:
        body = conversation.echo
        asked = isinstance(body, dict) and body.get("echo") is True
        self._prompts = prompts(body) if asked else []
        self._each = conversation.settings.choices

    def prompt(self, index: int) -> str:
        """The prompt that choice `index` answers."""
        number = index // self._each
        return self._prompts[number] if number < len(self._prompts) else ""


def _choice(index: int, text: str, reason: str | None) -> dict[str, object]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
