"""One question for a model of the configuration, asked like any client's: in whatever dialect its providers speak.

The model is asked for a stream, so that its answer shows that it comes; the answer counts once it is complete.
"""

from __future__ import annotations

from typing import Final, Protocol

from agcore.codecs import header_fields as header_tables
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import Answer, Conversation, Delta, TextDelta, ThinkingDelta, Turn
from agcore.conversion.base import is_event_stream
from agcore.conversion.translated_stream import UpstreamStream
from agcore.conversion.translation import Translation
from agcore.dialects import DIALECTS, FALLBACK
from agcore.dialects.base import PathParts
from agcore.dialects.whole_answer import read_object
from agcore.machines.call_events import CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import model_target
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate
from agcore.routing.resolution import candidates_at, resolve
from agcore.upstream.body import CollectedBody
from agcore.upstream.request import UpstreamPlan

_HEADERS: Final[Headers] = (
    (b"content-type", b"application/json"),
    (b"accept", b"text/event-stream"),
    (b"accept-encoding", b"identity"),
    header_tables.USER_AGENT,
)


class QuestionOwner(Protocol):
    """The receiver of an answer: of `answered` or `unanswered`, once, and of `progressed` before, often."""

    def progressed(self, said: int, *, now: float) -> None:
        """The answer is coming, with so many characters so far."""

    def answered(self, answer: Answer, *, now: float) -> None:
        """The answer is complete."""

    def unanswered(self, reason: str, *, now: float) -> None:
        """There is no answer; `reason` is a sentence for people."""


class Reading:
    """One attempt's answer as it is read."""

    def __init__(self, translation: Translation, body: CollectedBody, *, id: str) -> None:
        self.stream = UpstreamStream(translation, id=id)
        self.body = body
        self.streams = False
        self.head = Head(200, ())
        self.deltas: list[Delta] = []
        self.said = 0
        """Characters of text so far."""


class Question:
    """A question for a model, and the call that asks it; `begin` starts the call.

    Args:
        parts: Of the exchange that its call belongs to.
        model: The name of the model, as a client would give it.
        turn: What is asked.
        owner: Is told.
    """

    def __init__(self, parts: ExchangeParts, model: str, turn: Turn, *, owner: QuestionOwner) -> None:
        self._parts = parts
        self._model = model
        self._turn = turn
        self._owner = owner
        self._call: UpstreamCall | None = None
        self._reading: Reading | None = None

    @property
    def provenance(self) -> Headers:
        """The header fields that tell who was asked; none where nobody was."""
        return () if self._call is None or not self._call.asked else self._parts.calls.provenance(self._call)

    def begin(self, *, now: float) -> None:
        """Ask, within what the client's key may use."""
        parts, model = self._parts, self._model
        request, catalog = parts.request, parts.services.catalog
        found = resolve(catalog, model, identity=request.identity, dialect=request.dialect)
        if isinstance(found, Fault):
            return self._owner.unanswered(found.message, now=now)
        candidates = candidates_at(found, catalog.endpoint)
        if not candidates:
            return self._owner.unanswered(f"no provider of {model!r} takes conversations", now=now)
        self._call = parts.calls.start(candidates, to=self, now=now)
        return None

    def abort(self) -> None:
        """Stop; the owner hears nothing more."""
        assert self._call is not None
        self._call.abort()

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of the call."""
        if isinstance(event, Data):
            self._receive_data(call, event.data, now)
        elif isinstance(event, NeedPlan):
            call.proceed(self._plan(event.candidate), now=now)
        elif isinstance(event, Head):
            self._current.head = event
            self._current.streams = is_event_stream(event.headers)
        elif isinstance(event, End):
            self._receive_end(call, now)
        elif isinstance(event, Failed):
            self._owner.unanswered(event.fault.message, now=now)

    @property
    def _current(self) -> Reading:
        assert self._reading is not None
        return self._reading

    def _plan(self, candidate: Candidate) -> UpstreamPlan | Fault:
        """The question as a candidate's dialect puts it."""
        if self._reading is not None:
            self._reading.body.release()
            self._reading = None
        services = self._parts.services
        target = model_target(candidate, services.catalog)
        if not target.profile.vision:
            return Fault(status=400, message=f"the model {candidate.model!r} sees no pictures")
        conversation = Conversation(model=self._model, turns=(self._turn,), stream=True)
        translation = Translation(FALLBACK.traits.name, target, conversation, Losses())
        refusal = translation.refusal(on_loss=services.config.proxy.on_loss)
        if refusal is not None:
            return refusal
        body = CollectedBody(self._parts.memory, limit=services.config.limits.max_json)
        self._reading = Reading(translation, body, id=services.outside.mint(""))
        traits = DIALECTS[candidate.endpoint.dialect].traits
        return UpstreamPlan(
            target=traits.generate_target(candidate.endpoint.prefix, PathParts(), candidate.model, stream=True),
            headers=(*_HEADERS, *traits.headers_required),
            body=translation.body,
        )

    def _receive_data(self, call: UpstreamCall, data: bytes, now: float) -> None:
        reading = self._current
        if not reading.body.add(data, now=now):
            limit = self._parts.services.config.limits.max_json
            return call.reject(Fault(status=502, message=f"the answer is larger than {limit} bytes"), now=now)
        if not reading.streams:
            return None
        deltas = reading.stream.feed(reading.body.take())
        reading.deltas += deltas
        if reading.stream.fault is not None:
            return call.reject(reading.stream.fault, now=now)
        if reading.stream.terminal:
            call.abort()
            return self._answered(call, now)
        if any(isinstance(delta, TextDelta | ThinkingDelta) for delta in deltas):
            self._parts.client.stop_first_content_timer()
            reading.said += sum(len(delta.text) for delta in deltas if isinstance(delta, TextDelta))
            self._owner.progressed(reading.said, now=now)
        return None

    def _receive_end(self, call: UpstreamCall, now: float) -> None:
        """The answer is complete, or should be."""
        reading = self._current
        if reading.streams:
            reading.deltas += reading.stream.end()
        else:
            answer = read_object(
                reading.body.take(),
                dialect=DIALECTS[call.candidate.endpoint.dialect],
                provider=call.candidate.provider.name,
                status=reading.head.status,
                headers=reading.head.headers,
            )
            if isinstance(answer, Fault):
                return call.reject(answer, now=now)
            reading.deltas += reading.stream.whole(answer)
        if reading.stream.fault is not None:
            return call.reject(reading.stream.fault, now=now)
        return self._answered(call, now)

    def _answered(self, call: UpstreamCall, now: float) -> None:
        call.commit()
        self._owner.answered(assemble(self._current.deltas), now=now)
