"""Writing answers for Gemini clients: a chunk for each delta, or one response (docs/wire/gemini.md#stream).

Calls leave whole, in the order in which they began, so that their arguments are kept until they are complete. The
signatures of another vendor leave as a carrier on the call that follows their thoughts, because that is what all
clients send back, though there be text between; where something else follows at once, also on a thought part of their
own, for answers without a call. Thoughts themselves are shown to those only who asked for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.values import (
    Answer,
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    Image,
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
from agcore.dialects.gemini import errors as gemini_error
from agcore.dialects.gemini.carriers import call_carrier, google_carrier
from agcore.dialects.gemini.contents_writer import arguments
from agcore.dialects.shared.logprobs import google_result
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_Object = dict[str, object]

_REASONS: Final[Mapping[Stop, str]] = {
    Stop.LENGTH: "MAX_TOKENS",
    Stop.CONTEXT: "MAX_TOKENS",
    Stop.FILTER: "SAFETY",
}
"""All others are `STOP`."""


class _Held:
    """A signature that waits for the call that it led to."""

    def __init__(self, signature: Signature, said: int) -> None:
        self.signature = signature
        self.said = said
        """The length of the candidate's text before it."""
        self.shown = False
        """It left on a thought part already."""


class _Open:
    """A call whose arguments are still coming."""

    def __init__(self, start: ToolStarted, carried: str) -> None:
        self.start = start
        self.carried = carried
        self.pieces: list[str] = []
        self.ended = False


class _Candidate:
    """One answer on its way out: the parts that each thing said becomes."""

    def __init__(self, *, visible: bool) -> None:
        self._visible = visible
        self._held: list[_Held] = []
        self._said = 0
        self._open: dict[int, _Open] = {}
        self._turns: deque[int] = deque()
        """The numbers of the open calls, in their order."""
        self._ids: set[str] = set()
        self.citations: list[Cited] = []
        self.logprobs: list[Json] = []
        self.reason: str | None = None

    def said(self, text: str) -> list[_Object]:
        self._said += len(text)
        return [*self.released(), {"text": text}] if text else []

    def thought(self, text: str) -> list[_Object]:
        parts = self.released()
        return [*parts, {"text": text, "thought": True}] if self._visible and text else parts

    def signed(self, signature: Signature | None) -> list[_Object]:
        """Keep a signature for the call that may follow; a text's own leaves at once."""
        if signature is None:
            return []
        parts = self.released()
        if signature.kind == "text":
            return [*parts, {"text": "", "thoughtSignature": google_carrier(signature)}]
        self._held.append(_Held(signature, self._said))
        return parts

    def released(self) -> list[_Object]:
        """The latest signature, if no call takes it along at once; those before it were released before."""
        if not self._held or self._held[-1].shown:
            return []
        self._held[-1].shown = True
        return [{"text": "", "thought": True, "thoughtSignature": google_carrier(self._held[-1].signature)}]

    def pictured(self, source: Source) -> list[_Object]:
        if not source.data:
            return self.said(source.url)
        return [*self.released(), {"inlineData": {"mimeType": source.media_type or "image/png", "data": source.data}}]

    def started(self, start: ToolStarted) -> list[_Object]:
        parts: list[_Object] = []
        held = [(each.signature, self._said - each.said) for each in self._held]
        if start.signature is not None:
            parts = self.released()
            held = [(start.signature, 0)]
        self._held.clear()
        if start.index not in self._open:
            self._open[start.index] = _Open(start, call_carrier(held) if held else "")
            self._turns.append(start.index)
        return parts

    def grown(self, index: int, text: str) -> None:
        if index in self._open:
            self._open[index].pieces.append(text)

    def ended(self, index: int) -> list[_Object]:
        """The calls that are complete and whose turn it is."""
        if index in self._open:
            self._open[index].ended = True
        parts: list[_Object] = []
        while self._turns and self._open[self._turns[0]].ended:
            parts.append(self._called(self._open.pop(self._turns.popleft())))
        return parts

    def closed(self) -> list[_Object]:
        """Whatever is still open or kept."""
        for call in self._open.values():
            call.ended = True
        return [*self.ended(-1), *self.released()]

    def _called(self, call: _Open) -> _Object:
        start = call.start
        function: _Object = {}
        if start.id and start.id not in self._ids:
            self._ids.add(start.id)
            function["id"] = start.id
        function |= {"name": start.name, "args": arguments("".join(call.pieces), custom=start.custom)}
        part: _Object = {"functionCall": function}
        if call.carried:
            part["thoughtSignature"] = call.carried
        return part

    def ending(self, index: int, content: _Object) -> _Object:
        """The candidate's last word."""
        out: _Object = {"index": index, "content": content, "finishReason": self.reason or "OTHER"}
        if self.citations:
            out["groundingMetadata"] = {"groundingChunks": [{"web": _page(cited)} for cited in self.citations]}
        if self.logprobs:
            out["logprobsResult"] = google_result(self.logprobs)
        return out


class ResponseWriter:
    """See `base.ResponseWriter`. The last chunk has all finish reasons and the usage."""

    response: Final = None

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._tail: _Object = {"modelVersion": model, "responseId": id}
        self._visible = _visible(conversation)
        self._logprobs = conversation.settings.logprobs
        self._candidates: dict[int, _Candidate] = {}
        self._usage: Usage | None = None

    def feed(self, delta: Delta) -> bytes:
        """See `base.ResponseWriter`."""
        if isinstance(delta, Started):
            return b""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
            return b""
        candidate = self._candidates.get(delta.choice)
        if candidate is None:
            candidate = self._candidates[delta.choice] = _Candidate(visible=self._visible)
        if self._logprobs and isinstance(delta, TextDelta):
            candidate.logprobs += delta.logprobs
        return self._chunk(delta.choice, _parts(candidate, delta))

    def end(self) -> bytes:
        """See `base.ResponseWriter`."""
        candidates = self._candidates or {0: _Candidate(visible=False)}
        # As Google does: Google's SDKs drop a whole turn of a chat of which one chunk has no part.
        nothing: _Object = {"role": "model", "parts": [{"text": ""}]}
        out = b"".join([self._chunk(index, candidate.closed()) for index, candidate in candidates.items()])
        return out + _frame(
            {
                "candidates": [candidate.ending(index, nothing) for index, candidate in sorted(candidates.items())],
                **_usage_member(self._usage),
                **self._tail,
            }
        )

    def error(self, fault: Fault, request_id: str) -> bytes:
        """See `base.ResponseWriter`."""
        return gemini_error.stream_error(fault, request_id)

    def _chunk(self, choice: int, parts: list[_Object]) -> bytes:
        if not parts:
            return b""
        candidate = {"index": choice, "content": {"role": "model", "parts": parts}}
        return _frame({"candidates": [candidate], **self._tail})


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """See `base.RenderAnswer`."""
    visible = _visible(conversation)
    candidates: list[_Object] = []
    for index, choice in enumerate(answer.choices):
        candidate = _Candidate(visible=visible)
        parts: list[_Object] = []
        for number, part in enumerate(choice.parts):
            for delta in _unfolded(part, number):
                _append(parts, _parts(candidate, delta))
        _append(parts, candidate.closed())
        candidate.citations = list(choice.citations)
        candidate.logprobs = list(choice.logprobs) if conversation.settings.logprobs else []
        candidate.reason = _REASONS.get(choice.stop, "STOP")
        content: _Object = {"role": "model", "parts": parts} if parts else {"role": "model"}
        candidates.append(candidate.ending(index, content))
    return {"candidates": candidates, **_usage_member(answer.usage), "modelVersion": model, "responseId": id}


def _parts(candidate: _Candidate, delta: Delta) -> list[_Object]:
    """The parts that a delta completes."""
    match delta:
        case TextDelta(text=text) | RefusalDelta(text=text):
            return candidate.said(text)
        case ThinkingDelta(text=text):
            return candidate.thought(text)
        case ThinkingEnded(signature=signature):
            return candidate.signed(signature)
        case ImageMade(source=source):
            return candidate.pictured(source)
        case ToolStarted():
            return candidate.started(delta)
        case ToolArguments(index=index, text=text):
            candidate.grown(index, text)
        case Cited():
            candidate.citations.append(delta)
        case ToolEnded(index=index):
            return candidate.ended(index)
        case _:
            assert isinstance(delta, Finished)  # the others are told with the whole
            candidate.reason = _REASONS.get(delta.stop, "STOP")
    return []


def _unfolded(part: Text | Refusal | Thinking | ToolCall | Image, number: int) -> Iterable[Delta]:
    """The deltas that a folded part came from."""
    match part:
        case Text(text=text) | Refusal(text=text):
            return (TextDelta(text),)
        case Thinking(text=text, signature=signature):
            return (ThinkingDelta(text), ThinkingEnded(signature))
        case Image(source=source):
            return (ImageMade(source),)
        case _:
            start = ToolStarted(number, part.id, part.name, custom=part.custom, signature=part.signature)
            return (start, ToolArguments(number, part.arguments), ToolEnded(number))


def _append(parts: list[_Object], more: list[_Object]) -> None:
    """Add parts; a signature alone joins the thought that it signs."""
    for part in more:
        before = parts[-1] if parts else {}
        alone = part.get("thought") is True and part.get("text") == ""
        if alone and before.get("thought") is True and "thoughtSignature" not in before:
            before["thoughtSignature"] = part["thoughtSignature"]
        else:
            parts.append(part)


def _visible(conversation: Conversation) -> bool:
    return conversation.reasoning is not None and conversation.reasoning.visible is True


def _page(cited: Cited) -> _Object:
    return {"uri": cited.url, "title": cited.title} if cited.title else {"uri": cited.url}


def _usage_member(usage: Usage | None) -> _Object:
    if usage is None:
        return {}
    counts: _Object = {"promptTokenCount": usage.input}
    if usage.cache_read:
        counts["cachedContentTokenCount"] = usage.cache_read
    thoughts = min(usage.reasoning, usage.output)
    counts["candidatesTokenCount"] = usage.output - thoughts
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    counts["totalTokenCount"] = usage.input + usage.output
    return {"usageMetadata": counts}


def _frame(chunk: _Object) -> bytes:
    return b"data: " + json_text.encode(chunk) + b"\r\n\r\n"
