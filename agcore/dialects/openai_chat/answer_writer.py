"""Answers of OpenAI Chat Completions, from an upstream and to a client (docs/wire/openai-chat.md#answer).

What Chat has no field for travels where its ecosystem looks for it: thoughts in `reasoning_content`, their signatures
in `reasoning_details`, a call's signature in `extra_content`, pictures in `images`. Entries of lists in deltas carry
an `index`, without which OpenAI's SDK cannot add them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Answer,
    Choice,
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    Json,
    Refusal,
    RefusalDelta,
    Signature,
    Source,
    Started,
    Stop,
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
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai.chunks import Chunks, finish_reason, usage_object
from agcore.dialects.openai.media_parts import url_of
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_ID: Final = "chatcmpl-"
_MINTED_ID: Final = 24


class _Call(msgspec.Struct):
    """A call in the words of its client."""

    index: int
    custom: bool
    said: bool = False
    ended: bool = False


class _State(msgspec.Struct):
    """What was written of a choice."""

    thought: list[str] = msgspec.field(default_factory=list)
    details: int = 0
    images: int = 0
    citations: int = 0
    length: int = 0
    refused: bool = False
    calls: dict[int, _Call] = msgspec.field(default_factory=dict)
    finished: Finished | None = None


class ResponseWriter:
    """See `base.ResponseWriter`."""

    response: Final = None

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._old_style = _is_old_style(conversation)
        self._logprobs = conversation.settings.logprobs
        self._states: dict[int, _State] = {}
        self._ids = _CallIds(id)
        self._usage: Usage | None = None
        self._chunks = Chunks(
            kind="chat.completion.chunk",
            id=_ID + id,
            model=model,
            created=created,
            include_usage=conversation.include_usage,
        )

    def feed(self, delta: Delta) -> bytes:
        """The chunk for a delta, after the chunk with the role where its choice is new."""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
            return b""
        index = 0 if isinstance(delta, Started) else delta.choice
        out = b"" if index in self._states else self._opened(index)
        state = self._states[index]
        if state.finished is not None:
            return out
        if isinstance(delta, Finished):
            state.finished = delta
            return out
        fields = self._fields(delta, state, index)
        tokens = delta.logprobs if self._logprobs and isinstance(delta, TextDelta) else ()
        return out + self._frame(index, fields, tokens=tokens) if fields else out

    def end(self) -> bytes:
        """Finish reasons, usage where it was asked for, and `[DONE]`."""
        out = self._opened(0)
        for index, state in sorted(self._states.items()):
            stop = Stop.END if state.finished is None else state.finished.stop
            reason = _reason(stop, called=bool(state.calls), refused=state.refused, old_style=self._old_style)
            out += self._frame(index, {}, reason)
        return out + self._chunks.end(self._usage)

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An error frame: no finish reason was written, and none follows."""
        return openai_error.stream_error(fault, request_id)

    def _opened(self, index: int) -> bytes:
        """The role chunk of a choice that is new, after that of choice 0, which must be the first of all."""
        out = b""
        for each in (0, index):
            if each not in self._states:
                self._states[each] = _State()
                out += self._frame(each, {"role": "assistant", "content": ""})
        return out

    def _frame(
        self, index: int, fields: dict[str, object], reason: str | None = None, *, tokens: Sequence[Json] = ()
    ) -> bytes:
        logprobs = _logprobs(tokens) if tokens else None
        return self._chunks.frame({"index": index, "delta": fields, "logprobs": logprobs, "finish_reason": reason})

    def _fields(self, delta: Delta, state: _State, index: int) -> dict[str, object]:
        """The members of a chunk's delta; none where there is nothing to say."""
        match delta:
            case TextDelta():
                state.length += len(delta.text)
                return {"content": delta.text}
            case RefusalDelta():
                state.refused = True
                return {"refusal": delta.text}
            case ThinkingDelta():
                state.thought.append(delta.text)
                return {"reasoning_content": delta.text}
            case ThinkingEnded():
                thought = "".join(state.thought)
                state.thought.clear()
                if delta.signature is None:
                    return {}
                state.details += 1
                return {"reasoning_details": [_detail(thought, delta.signature, state.details - 1)]}
            case ToolStarted():
                return self._started(delta, state, index)
            case ToolArguments() | ToolEnded():
                return self._arguments(delta, state)
            case ImageMade():
                state.images += 1
                return {"images": [{"index": state.images - 1, **_image(delta.source)}]}
            case Cited():
                state.citations += 1
                return {"annotations": [{"index": state.citations - 1, **_citation(delta, state.length)}]}
            case _:
                return {}

    def _started(self, delta: ToolStarted, state: _State, index: int) -> dict[str, object]:
        if delta.index in state.calls:
            return {}
        call = state.calls[delta.index] = _Call(len(state.calls), delta.custom)
        if self._old_style:
            return {"function_call": {"name": delta.name, "arguments": ""}} if call.index == 0 else {}
        call_id = self._ids.take(delta.id, index, call.index)
        return {"tool_calls": [{"index": call.index, **_call(call_id, delta.name, "", delta.custom, delta.signature)}]}

    def _arguments(self, delta: ToolArguments | ToolEnded, state: _State) -> dict[str, object]:
        """More arguments; the end of a call that said none makes them an empty object, which clients can parse."""
        call = state.calls.get(delta.index)
        if call is None or call.ended:
            return {}
        text = delta.text if isinstance(delta, ToolArguments) else ""
        if isinstance(delta, ToolEnded):
            call.ended = True
            text = "" if call.said or call.custom else "{}"
        if not text:
            return {}
        call.said = True
        if self._old_style:
            return {"function_call": {"arguments": text}} if call.index == 0 else {}
        body = {"custom": {"input": text}} if call.custom else {"function": {"arguments": text}}
        return {"tool_calls": [{"index": call.index, **body}]}


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """See `base.RenderAnswer`. Usage that no upstream reported is left out."""
    ids, old_style, logprobs = _CallIds(id), _is_old_style(conversation), conversation.settings.logprobs
    written: dict[str, object] = {
        "id": _ID + id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            _whole(choice, index, ids, old_style, logprobs=logprobs) for index, choice in enumerate(answer.choices)
        ],
    }
    if answer.usage is not None:
        written["usage"] = usage_object(answer.usage)
    return written


def _whole(choice: Choice, index: int, ids: _CallIds, old_style: bool, *, logprobs: bool) -> dict[str, object]:
    said, refused, thought = "", "", ""
    details: list[dict[str, object]] = []
    calls: list[ToolCall] = []
    images: list[dict[str, object]] = []
    for part in choice.parts:
        match part:
            case Text():
                said += part.text
            case Refusal():
                refused += part.text
            case Thinking():
                thought += part.text
                if part.signature is not None:
                    details.append(_detail(part.text, part.signature, len(details)))
            case ToolCall():
                calls.append(part)
            case _:
                images.append({"index": len(images), **_image(part.source)})
    message: dict[str, object] = {
        "role": "assistant",
        "content": said or (None if calls or refused else ""),
        "refusal": refused or None,
    }
    if thought:
        message["reasoning_content"] = thought
    if details:
        message["reasoning_details"] = details
    if calls and old_style:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments or "{}"}
    elif calls:
        message["tool_calls"] = [
            _call(
                ids.take(call.id, index, place),
                call.name,
                call.arguments if call.custom else call.arguments or "{}",
                call.custom,
                call.signature,
            )
            for place, call in enumerate(calls)
        ]
    if choice.citations:
        message["annotations"] = [_citation(cited, len(said)) for cited in choice.citations]
    if images:
        message["images"] = images
    reason = _reason(choice.stop, called=bool(calls), refused=bool(refused), old_style=old_style)
    tokens = _logprobs(choice.logprobs if logprobs else ())
    return {"index": index, "message": message, "logprobs": tokens, "finish_reason": reason}


def _logprobs(tokens: Sequence[Json]) -> dict[str, object] | None:
    return {"content": list(tokens), "refusal": None} if tokens else None


class _CallIds:
    """The ids of an answer's calls: the upstream's own where they are there and distinct, else made from its id."""

    def __init__(self, answer_id: str) -> None:
        self._stem = f"call_{answer_id[:_MINTED_ID]}"
        self._taken: set[str] = set()

    def take(self, given: str, choice: int, place: int) -> str:
        """An id for the call at `place` of `choice`."""
        chosen = given if given and given not in self._taken else f"{self._stem}_{choice}_{place}"
        self._taken.add(chosen)
        return chosen


def _is_old_style(conversation: Conversation) -> bool:
    """Whether the client speaks of `functions`, and reads `function_call` (`openai_chat_request` keeps its body)."""
    echo = conversation.echo
    return isinstance(echo, dict) and bool(echo.get("functions"))


def _reason(stop: Stop, *, called: bool, refused: bool, old_style: bool) -> str:
    reason = finish_reason(stop, called=called, refused=refused)
    return "function_call" if old_style and reason == "tool_calls" else reason


def _call(call_id: str, name: str, text: str, custom: bool, signature: Signature | None) -> dict[str, object]:
    call: dict[str, object] = {"id": call_id, "type": "custom" if custom else "function"}
    if custom:
        call["custom"] = {"name": name, "input": text}
    else:
        call["function"] = {"name": name, "arguments": text}
    if signature is not None:
        call["extra_content"] = {"google": {"thought_signature": carrier(signature)}}
    return call


def _detail(text: str, signature: Signature, index: int) -> dict[str, object]:
    """The entry that carries a signature; with the thought where that has words, or where its vendor's has."""
    if text or signature.kind == "thinking":
        return {"type": "reasoning.text", "text": text, "signature": carrier(signature), "index": index}
    return {"type": "reasoning.encrypted", "data": carrier(signature), "index": index}


def _image(source: Source) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url_of(source)}}


def _citation(cited: Cited, length: int) -> dict[str, object]:
    """A citation: of all that was said up to `length`, where what exactly it is for did not come along."""
    start, end = cited.span or (0, length)
    span = {"url": cited.url, "title": cited.title, "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": span}
