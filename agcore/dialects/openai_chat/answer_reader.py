"""Reads the answers of a Chat upstream, OpenAI's or a similar one (docs/wire/openai-chat.md#compatible-servers).

A whole answer is read as a stream of a single chunk. What compatible servers do differently is taken in stride:
reasoning in three spellings, tool calls without index or id or in one piece, arguments as objects, usage anywhere,
finish reasons of their own, content as parts.
"""

from __future__ import annotations

from typing import Final, Literal

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.values import (
    Cited,
    Consumed,
    Delta,
    Finished,
    ImageMade,
    Json,
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
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.openai.media_parts import source_of
from agcore.dialects.openai_chat.call_numbers import CallNumbers, KnownCall, id_of
from agcore.dialects.openai_chat.sources import Sources
from agcore.dialects.openai_chat.stream_events import StreamEvents
from agcore.dialects.openai_chat.whole_answer import judge
from agcore.dialects.shared.citation_spans import span_of
from agcore.dialects.shared.faults import CUT, EMPTY
from agcore.dialects.shared.logprobs import tokens_of
from agcore.dialects.shared.loose import text_of
from agcore.protocol.fault import Fault

_STOPS: Final = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.FILTER,
    "max_tokens": Stop.LENGTH,
    "model_length": Stop.CONTEXT,
    "model_context_window_exceeded": Stop.CONTEXT,
    "sensitive": Stop.FILTER,
    "refusal": Stop.REFUSAL,
}
"""OpenAI's words, then those of Mistral, Z.AI and others. What is not here is a natural end."""
_MOST_CHOICES: Final = 128


class _Call(KnownCall):
    """A tool call on its way."""

    position: int = -1
    """Among those that started."""
    custom: bool = False
    signature: Signature | None = None
    started: bool = False
    ended: bool = False


class _Choice:
    """One choice on its way."""

    def __init__(self) -> None:
        self.thinking = False
        self.spelling = ""
        """The field in which this upstream spells reasoning; the others only repeat it."""
        self.numbers = CallNumbers(_Call)
        self.open: dict[int, _Call] = {}
        """The calls that started and did not end, by their positions."""
        self.grown: dict[int, _Call] = {}
        """Those of them that more came of since it was last looked whether they are complete."""
        self.started_calls = 0
        self.held: list[Delta] = []
        """Content that came while calls were incomplete."""
        self.logprobs: list[Json] = []
        """Tokens whose text is still to come."""
        self.halves: dict[str, str] = {}
        """The first half of a surrogate pair that an upstream cut in two, by what it belongs to."""
        self.refused = False
        self.finished = False


class ResponseReader:
    """See `base.ResponseReader`."""

    def __init__(self, *, signer: str) -> None:
        self.terminal = False
        self.fault: Fault | None = None
        self._signer = signer
        self._choices: dict[int, _Choice] = {}
        self._sources = Sources()
        self._started = False
        self._events = StreamEvents()

    def feed(self, frame: Frame) -> list[Delta]:
        """What a frame says; nothing after a fault or `[DONE]`."""
        if self.fault is not None or self.terminal:
            return []
        event = self._events.read(frame)
        return self.finish() if event.kind is FrameKind.TERMINAL else self.take(event)

    def end(self) -> list[Delta]:
        """The body ended: properly only if every choice had finished."""
        if self.fault is None and not self.terminal:
            if not self._choices:
                self.fault = EMPTY
            elif not all(choice.finished for choice in self._choices.values()):
                self.fault = CUT
        return []

    def finish(self) -> list[Delta]:
        """The upstream says that its answer is complete: choices that did not say so are ended now."""
        self.terminal = True
        if not self._choices:
            self.fault = EMPTY
        deltas: list[Delta] = []
        for index, choice in self._choices.items():
            if not choice.finished:
                deltas += self._finished(choice, index, Stop.END)
        return deltas

    def take(self, event: StreamEvent) -> list[Delta]:
        """What a chunk says."""
        chunk = event.data
        if event.fault is not None or event.kind is FrameKind.EMPTY:
            self.fault = event.fault
            return []
        deltas: list[Delta] = []
        if not self._started:
            self._started = True
            given = chunk.get("id")
            deltas.append(Started(given if isinstance(given, str) else ""))
        self._sources.read(chunk)
        for index, choice in self._choices.items():
            if choice.finished:  # sources that follow what they are for
                deltas += self._sources.untold(index)
        choices = chunk.get("choices")
        for position, item in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(item, dict):
                deltas += self._choice(item, position)
        if event.usage is not None:
            deltas.append(Consumed(event.usage))
        return deltas

    def _choice(self, item: dict[str, object], position: int) -> list[Delta]:
        given = item.get("index")
        index = given if isinstance(given, int) and not isinstance(given, bool) else position
        if not 0 <= index < _MOST_CHOICES:
            return []
        choice = self._choices.setdefault(index, _Choice())
        if choice.finished:
            return []
        deltas: list[Delta] = []
        logprobs = item.get("logprobs")
        if isinstance(logprobs, dict):
            choice.logprobs += tokens_of(logprobs.get("content"))
        for name in ("delta", "message"):
            said = item.get(name)
            if isinstance(said, dict):
                deltas += self._said(choice, index, said)
        if choice.thinking:
            choice.logprobs.clear()  # some servers weigh the tokens of thoughts too
        reason = item.get("finish_reason")
        if isinstance(reason, str) and reason:
            deltas += self._finished(choice, index, _STOPS.get(reason, Stop.END))
        return deltas

    def _said(self, choice: _Choice, index: int, said: dict[str, object]) -> list[Delta]:
        content = said.get("content")
        parts = content if isinstance(content, list) else [content]
        deltas = self._thought(choice, index, said)
        for part in parts:
            text, thought = _part_text(part)
            if thought:
                deltas += self._thinking(choice, index, thought)
            if text := _whole(choice, "content", text):
                deltas += self._content(choice, index, TextDelta(text, index, tuple(choice.logprobs)))
                choice.logprobs.clear()
        if refusal := _whole(choice, "refusal", said.get("refusal")):
            choice.refused = True
            deltas += self._content(choice, index, RefusalDelta(refusal, index))
        for beside in (*_images(said.get("images"), index), *_citations(said.get("annotations"), index)):
            deltas += self._content(choice, index, beside)
            if isinstance(beside, Cited):
                self._sources.told(beside.url, index)
        calls = said.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                deltas += self._call(choice, index, call)
        if isinstance(said.get("function_call"), dict):
            call = {"index": "function_call", "type": "function", "function": said["function_call"]}
            deltas += self._call(choice, index, call)
        return deltas

    def _content(self, choice: _Choice, index: int, delta: Delta) -> list[Delta]:
        """Content other than thoughts and calls: a thought before it is complete, and so should calls be."""
        deltas = [*_thought_ended(choice, index), *self._complete_calls(choice, index)]
        if choice.open:
            choice.held.append(delta)
            return deltas
        return [*deltas, delta]

    def _thought(self, choice: _Choice, index: int, said: dict[str, object]) -> list[Delta]:
        """The thoughts of a delta. The same text may stand in three fields, and counts once: the first field that an
        answer used is the one, and the details are the first choice, since they tell one thought from the next."""
        details = said.get("reasoning_details")
        entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
        if not choice.spelling and any(map(_detail_text, entries)):
            choice.spelling = "reasoning_details"
        deltas: list[Delta] = []
        for name in ("reasoning_content", "reasoning"):
            text = text_of(said.get(name))
            if text and choice.spelling in ("", name):
                choice.spelling = name
                deltas += self._thinking(choice, index, text)
        for entry in entries:
            if choice.spelling == "reasoning_details":
                deltas += self._thinking(choice, index, _detail_text(entry))
            signature = self._detail_signature(entry)
            if signature is not None and not self._blocked(choice, index, deltas):
                deltas.append(ThinkingEnded(signature, index))
                choice.thinking = False
        return deltas

    def _detail_signature(self, entry: dict[str, object]) -> Signature | None:
        kinds: tuple[tuple[str, Literal["thinking", "reasoning"]], ...] = (
            ("signature", "thinking"),
            ("data", "reasoning"),
        )
        for name, kind in kinds:
            value, given = entry.get(name), entry.get("id")
            if isinstance(value, str) and value:
                return Signature(self._signer, kind, value, id=given if isinstance(given, str) else "")
        return None

    def _thinking(self, choice: _Choice, index: int, text: str) -> list[Delta]:
        text = _whole(choice, "thinking", text)
        deltas: list[Delta] = []
        if not text or self._blocked(choice, index, deltas):
            return deltas
        choice.thinking = True
        return [*deltas, ThinkingDelta(text, index)]

    def _blocked(self, choice: _Choice, index: int, deltas: list[Delta]) -> bool:
        """Whether calls that are not complete yet stand in the way of a thought, which is then lost."""
        deltas += self._complete_calls(choice, index)
        return bool(choice.open)

    def _call(self, choice: _Choice, index: int, given: dict[str, object]) -> list[Delta]:
        kind = "custom" if isinstance(given.get("custom"), dict) else "function"
        body = given.get(kind)
        body = body if isinstance(body, dict) else {}
        name, call_id = text_of(body.get("name")), id_of(given.get("id"))
        arguments = body.get("input" if kind == "custom" else "arguments")
        if isinstance(arguments, dict):
            arguments = json_text.encode(arguments).decode()
        deltas = _thought_ended(choice, index)
        said = text_of(arguments)
        call = choice.numbers.which(given.get("index"), id=call_id, name=name, text=said)
        call.custom = call.custom or kind == "custom"
        call.signature = call.signature or self._call_signature(given)
        if not call.started and call.name:
            deltas += self._complete_calls(choice, index)
            deltas += self._start(choice, index, call)
        text = _whole(choice, f"call {call.place}", said)
        if text and not call.ended:
            call.pieces.append(text)
            if call.started:
                choice.grown[call.position] = call
                deltas.append(ToolArguments(call.position, text, index))
        return deltas

    def _call_signature(self, given: dict[str, object]) -> Signature | None:
        value: object = given.get("extra_content")
        for name in ("google", "thought_signature"):
            value = value.get(name) if isinstance(value, dict) else None
        return Signature(self._signer, "call", value) if isinstance(value, str) and value else None

    def _start(self, choice: _Choice, index: int, call: _Call) -> list[Delta]:
        call.started = True
        call.position = choice.started_calls
        choice.started_calls += 1
        choice.open[call.position] = choice.grown[call.position] = call
        deltas: list[Delta] = [ToolStarted(call.position, call.id, call.name, call.custom, call.signature, index)]
        if call.pieces:
            deltas.append(ToolArguments(call.position, call.arguments, index))
        return deltas

    def _complete_calls(self, choice: _Choice, index: int) -> list[Delta]:
        """End the calls whose arguments are complete JSON, so that what follows need not wait for the answer's end."""
        deltas: list[Delta] = []
        for position in sorted(choice.grown):
            call = choice.grown[position]
            if not call.custom and call.complete:
                deltas += self._end_call(choice, call, index)
        choice.grown.clear()
        return deltas

    def _end_call(self, choice: _Choice, call: _Call, index: int) -> list[Delta]:
        call.ended = True
        del choice.open[call.position]
        return [ToolEnded(call.position, index)]

    def _finished(self, choice: _Choice, index: int, stop: Stop) -> list[Delta]:
        choice.finished = True
        deltas = _thought_ended(choice, index)
        for call in tuple(choice.open.values()):
            deltas += self._end_call(choice, call, index)
        deltas += choice.held
        if stop in (Stop.END, Stop.TOOL_CALLS):
            stop = Stop.TOOL_CALLS if choice.started_calls else Stop.END
            stop = Stop.REFUSAL if choice.refused and stop is Stop.END else stop
        return [*deltas, *self._sources.untold(index), Finished(stop, choice=index)]


def read_answer(answer: dict[str, object], *, signer: str) -> list[Delta] | Fault:
    """See `base.ReadAnswer`."""
    fault = judge(answer)
    if fault is not None:
        return fault
    reader = ResponseReader(signer=signer)
    choices = answer.get("choices")
    numbered = [_numbered(item) for item in choices if isinstance(item, dict)] if isinstance(choices, list) else []
    return [*reader.take(StreamEvents().classify({**answer, "choices": numbered})), *reader.finish()]


def _numbered(item: dict[str, object]) -> dict[str, object]:
    """A whole choice with its calls numbered by their place: each stands there complete."""
    message = item.get("message")
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(calls, list):
        return item
    numbered = [{**call, "index": place} if isinstance(call, dict) else call for place, call in enumerate(calls)]
    return {**item, "message": {**message, "tool_calls": numbered}}


def _thought_ended(choice: _Choice, index: int) -> list[Delta]:
    if not choice.thinking:
        return []
    choice.thinking = False
    return [ThinkingEnded(choice=index)]


def _part_text(part: object) -> tuple[str, str]:
    """The text and the thought in a piece of content (Mistral writes thoughts as content parts)."""
    if isinstance(part, str):
        return part, ""
    if not isinstance(part, dict):
        return "", ""
    inner = part.get("thinking")
    if isinstance(inner, list):
        return "", "".join(text_of(each.get("text")) for each in inner if isinstance(each, dict))
    return text_of(part.get("text")), text_of(inner)


def _detail_text(entry: dict[str, object]) -> str:
    return text_of(entry.get("text")) or text_of(entry.get("summary"))


def _images(images: object, index: int) -> list[Delta]:
    deltas: list[Delta] = []
    for image in images if isinstance(images, list) else ():
        holder = image.get("image_url") if isinstance(image, dict) else None
        url = holder.get("url") if isinstance(holder, dict) else holder
        source = source_of(url) if isinstance(url, str) else None
        if source is not None:
            deltas.append(ImageMade(source, index))
    return deltas


def _citations(annotations: object, index: int) -> list[Delta]:
    deltas: list[Delta] = []
    for annotation in annotations if isinstance(annotations, list) else ():
        cited = annotation.get("url_citation") if isinstance(annotation, dict) else None
        url = text_of(cited.get("url")) if isinstance(cited, dict) else ""
        if isinstance(cited, dict) and url:
            span = span_of(cited.get("start_index"), cited.get("end_index"))
            deltas.append(Cited(url, text_of(cited.get("title")), index, span))
    return deltas


def _whole(choice: _Choice, channel: str, text: object) -> str:
    """`text` with surrogate pairs that came in two pieces joined; a first half at its end waits for the second."""
    if not isinstance(text, str) or not text:
        return ""
    text = choice.halves.pop(channel, "") + text
    if text.isascii():
        return text
    if "\ud800" <= text[-1] <= "\udbff":
        choice.halves[channel] = text[-1]
        text = text[:-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
