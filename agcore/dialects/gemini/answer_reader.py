"""Gemini answers, read as deltas (docs/wire/gemini.md#stream).

A chunk is a whole response object with incremental parts; a stream and a whole answer differ in their number only.
There is no finish reason for tool calls, calls come whole, and the stream ends with its connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.values import (
    Cited,
    Consumed,
    Delta,
    Finished,
    ImageMade,
    Json,
    Signature,
    Source,
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
from agcore.dialects.gemini.contents_writer import SIGNED_IMAGE
from agcore.dialects.gemini.stream_events import StreamEvents
from agcore.dialects.gemini.whole_answer import judge
from agcore.dialects.shared.citation_spans import Span, span_of_segment
from agcore.dialects.shared.faults import CUT, EMPTY
from agcore.dialects.shared.frames import unreadable
from agcore.dialects.shared.logprobs import tokens_of_google
from agcore.dialects.shared.loose import text_of
from agcore.protocol.fault import Fault

_STOPS: Final[Mapping[str, Stop]] = {
    "MAX_TOKENS": Stop.LENGTH,
    "CONTINUATION": Stop.LENGTH,
    "SAFETY": Stop.FILTER,
    "RECITATION": Stop.FILTER,
    "LANGUAGE": Stop.FILTER,
    "BLOCKLIST": Stop.FILTER,
    "PROHIBITED_CONTENT": Stop.FILTER,
    "SPII": Stop.FILTER,
    "MODEL_ARMOR": Stop.FILTER,
    "IMAGE_SAFETY": Stop.FILTER,
    "IMAGE_PROHIBITED_CONTENT": Stop.FILTER,
    "IMAGE_RECITATION": Stop.FILTER,
    "IMAGE_OTHER": Stop.FILTER,
}
"""All others, known or not, end an answer as `STOP` does."""
_MALFORMED: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""The model failed to answer; asking again may help."""


def read_answer(answer: dict[str, object] | list[object], *, signer: str) -> list[Delta] | Fault:
    """See `base.ReadAnswer`. A list is what a stream without `alt=sse` gives: its chunks."""
    fault = judge(answer) if isinstance(answer, dict) else None
    if fault is not None:
        return fault
    reader = ResponseReader(signer=signer, whole=True)
    deltas: list[Delta] = []
    events = StreamEvents()
    for chunk in answer if isinstance(answer, list) else [answer]:
        deltas += reader.take(events.classify(chunk) if isinstance(chunk, dict) else unreadable(b"", chunk))
        if reader.fault is not None:
            return reader.fault
    deltas += reader.end()
    return deltas if reader.fault is None else reader.fault


class _Candidate:
    """One answer on its way in."""

    def __init__(self) -> None:
        self.shown = False
        self.thinking = False
        self.calls = 0
        self.finished = False
        self.said: list[str] = []
        self.logprobs: tuple[Json, ...] = ()
        """Of the text that comes next."""
        self.cited: set[tuple[str, Span | None]] = set()


class ResponseReader:
    """See `base.ResponseReader`. With `whole` the chunks are one answer that is complete by itself."""

    def __init__(self, *, signer: str, whole: bool = False) -> None:
        self.terminal = False
        self.fault: Fault | None = None
        self._events = StreamEvents()
        self._signer = signer
        self._whole = whole
        self._started = False
        self._ended = False
        self._candidates: dict[int, _Candidate] = {}

    def feed(self, frame: Frame) -> list[Delta]:
        """See `base.ResponseReader`."""
        return [] if self.fault is not None else self.take(self._events.read(frame))

    def take(self, event: StreamEvent) -> list[Delta]:
        """What one response object says."""
        self.fault = event.fault
        self.terminal = event.kind is FrameKind.DONE
        if event.fault is not None or event.kind is FrameKind.EMPTY or event.kind is FrameKind.DONE:
            return []
        return list(self._chunk(event))

    def end(self) -> list[Delta]:
        """See `base.ResponseReader`."""
        if self.fault is not None or self._ended:
            return []
        self._ended = True
        out: list[Delta] = []
        if not self._candidates:
            self.fault = EMPTY
        for index, candidate in sorted(self._candidates.items()):
            if candidate.finished:
                continue
            if not self._whole:
                self.fault = CUT
                break
            out += self._finish(candidate, index, "STOP")
        return out

    def _chunk(self, event: StreamEvent) -> Iterator[Delta]:
        chunk = event.data
        if not self._started:
            self._started = True
            yield Started(text_of(chunk.get("responseId")))
        candidates = chunk.get("candidates")
        listed = candidates if isinstance(candidates, list) else []
        for position, candidate in enumerate(listed):
            if isinstance(candidate, dict):
                index = candidate.get("index")
                known = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 128
                yield from self._candidate(candidate, index if known and isinstance(index, int) else position)
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason") and not self._candidates:
            self._candidates[0] = _Candidate()
            yield from self._finish(self._candidates[0], 0, "SAFETY")
        if event.usage is not None:
            yield Consumed(event.usage)

    def _candidate(self, value: dict[str, object], index: int) -> Iterator[Delta]:
        candidate = self._candidates.setdefault(index, _Candidate())
        if candidate.finished:
            return
        content = value.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        candidate.logprobs = tokens_of_google(value.get("logprobsResult"))
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, dict):
                for delta in self._part(part, candidate, index):
                    candidate.shown = True
                    yield delta
        for url, title, span in _sources(value, candidate.said):
            if not candidate.cited & {(url, span), (url, None)}:
                candidate.cited.add((url, span))
                yield Cited(url, title, choice=index, span=span)
        reason = value.get("finishReason")
        if reason is None:
            return
        shown = any(other.shown for other in self._candidates.values() if other is not candidate or not self._whole)
        if text_of(reason) in _MALFORMED and not shown:
            told = text_of(value.get("finishMessage"))
            message = f"the model failed to answer: {reason}" + (f": {told}" if told else "")
            self.fault = Fault(status=502, message=message)
            return
        yield from self._finish(candidate, index, text_of(reason))

    def _finish(self, candidate: _Candidate, index: int, reason: str) -> Iterator[Delta]:
        yield from self._thought_over(candidate, index)
        candidate.finished = True
        usual = Stop.TOOL_CALLS if candidate.calls else Stop.END
        yield Finished(_STOPS.get(reason, usual), choice=index)

    def _part(self, part: dict[str, object], candidate: _Candidate, index: int) -> Iterator[Delta]:
        signed = text_of(part.get("thoughtSignature"))
        text = text_of(part.get("text"))
        if part.get("thought") is True:
            if text:
                candidate.thinking = True
                yield ThinkingDelta(text, choice=index)
            if signed:
                candidate.thinking = False
                yield ThinkingEnded(Signature(self._signer, "thinking", signed), choice=index)
            return
        call, image = part.get("functionCall"), part.get("inlineData")
        said = text + _executed(part)
        if call is None and image is None and not said and not signed:
            return
        yield from self._thought_over(candidate, index)
        if isinstance(call, dict) and text_of(call.get("name")):
            yield from self._call(call, signed, candidate, index)
            return
        # The id says how much of the text before is the signed part, so that it can be told apart again.
        id = str(len(text)) if text else ""
        if said:
            candidate.said.append(said)
            yield TextDelta(said, index, candidate.logprobs)
            candidate.logprobs = ()
        elif isinstance(image, dict):
            kind, data = text_of(image.get("mimeType")), _standard(text_of(image.get("data")))
            if data and kind.startswith("image/"):
                yield ImageMade(Source(media_type=kind, data=data), choice=index)
                id = SIGNED_IMAGE
        if signed:
            signature = Signature(self._signer, "text", signed, id=id)
            yield ThinkingEnded(signature, choice=index)

    def _thought_over(self, candidate: _Candidate, index: int) -> Iterator[Delta]:
        if candidate.thinking:
            candidate.thinking = False
            yield ThinkingEnded(choice=index)

    def _call(self, call: dict[str, object], signed: str, candidate: _Candidate, index: int) -> Iterator[Delta]:
        number, id, args = candidate.calls, text_of(call.get("id")), call.get("args")
        candidate.calls += 1
        signature = Signature(self._signer, "call", signed, id=id) if signed else None
        yield ToolStarted(number, id, text_of(call.get("name")), signature=signature, choice=index)
        yield ToolArguments(number, _json(args if isinstance(args, dict) else {}), choice=index)
        yield ToolEnded(number, choice=index)


def _json(value: object) -> str:
    try:
        return json_text.encode(value).decode()
    except (ValueError, msgspec.MsgspecError):
        return "{}"


def _standard(data: str) -> str:
    """Base64 in the standard alphabet, padded."""
    plain = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    return plain + "=" * (-len(plain) % 4)


def _executed(part: dict[str, object]) -> str:
    """Code that Google ran, and what it printed, as text: no other dialect has the parts."""
    code, result = part.get("executableCode"), part.get("codeExecutionResult")
    if isinstance(code, dict) and text_of(code.get("code")):
        return f"\n```{text_of(code.get('language')).lower()}\n{text_of(code.get('code'))}\n```\n"
    if isinstance(result, dict) and text_of(result.get("output")):
        return f"\n```\n{text_of(result.get('output'))}\n```\n"
    return ""


def _sources(candidate: dict[str, object], said: list[str]) -> Iterable[tuple[str, str, Span | None]]:
    """The web pages that a candidate names, as (address, title, what of the text `said` they are for)."""
    grounding, citation = candidate.get("groundingMetadata"), candidate.get("citationMetadata")
    if isinstance(grounding, dict) and isinstance(grounding.get("groundingChunks"), list):
        chunks = [chunk.get("web") if isinstance(chunk, dict) else None for chunk in grounding["groundingChunks"]]
        supports = grounding.get("groundingSupports")
        spans = _spans(supports if isinstance(supports, list) else [], "".join(said))
        for number, chunk in enumerate(chunks):
            for span in spans.get(number, [None]):
                yield from _page(chunk, span)
    for name in ("citationSources", "citations"):
        if isinstance(citation, dict) and isinstance(citation.get(name), list):
            for source in citation[name]:
                yield from _page(source, None)


def _spans(supports: list[object], said: str) -> dict[int, list[Span | None]]:
    """What the chunks of a grounding are for, by their numbers."""
    spans: dict[int, list[Span | None]] = {}
    for support in supports:
        numbers = support.get("groundingChunkIndices") if isinstance(support, dict) else None
        span = span_of_segment(support.get("segment"), said) if isinstance(support, dict) else None
        for number in numbers if isinstance(numbers, list) else []:
            if isinstance(number, int) and span is not None:
                spans.setdefault(number, []).append(span)
    return spans


def _page(source: object, span: Span | None) -> Iterator[tuple[str, str, Span | None]]:
    if isinstance(source, dict) and text_of(source.get("uri")):
        yield text_of(source.get("uri")), text_of(source.get("title")), span
