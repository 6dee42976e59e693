"""Requests that go to a provider of the client's own dialect, as they are.

Every byte of the body passes but the members that the dialect's `edits` names; of the headers, what the literal tables
let through. A JSON answer is read whole before anything is sent, so that a 200 which holds an error still becomes one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from agcore.codecs import header_fields as header_tables
from agcore.codecs.json_splice import BodyError, Members, parse
from agcore.config.values import Endpoint, Provider
from agcore.conversation.losses import Losses
from agcore.dialects import DIALECTS
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.event_edits import edited
from agcore.dialects.whole_answer import read_object
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Body, Headers
from agcore.protocol.report import Report, Usage
from agcore.routing.balancing import spreads
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution
from agcore.routing.conversation_key import seat_of
from agcore.routing.resolution import candidates_at
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

BYTES_PER_TOKEN: Final = 4
"""Of a request, where its answer does not tell what it consumed."""


class PassThrough(BaseOperation, ABC):
    """One request, one JSON answer. Streams are `Generate`'s addition."""

    metered: ClassVar[bool] = True
    ask = RequestSummary(model="")
    candidate: Candidate | None = None
    usage: Usage | None = None
    hides_usage = False

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self.dialect = DIALECTS[self.request.match.dialect]
        self.path_parts = self.request.match.parts(self.request.target)
        self._losses = Losses()
        self._answer: list[bytes] = []
        self._answer_size = 0
        self._head: tuple[int, Headers] = (200, ())

    def run(self, body: bytes, *, now: float) -> None:
        """Read the body, find the ways, and ask."""
        members = parse(body)
        ask = self.read_ask(members)
        if isinstance(ask, Fault):
            return self.client.fail(ask, now=now)
        self.ask = ask
        candidates = self.find_candidates(ask.model)
        if isinstance(candidates, Fault):
            return self.client.fail(candidates, now=now)
        expanded = self.expanded(members, now=now)
        if expanded is None:
            return None
        self._members = expanded
        return self.start(candidates, now=now)

    def start(self, candidates: Sequence[Candidate], *, now: float, further: bool = False) -> None:
        """Ask at the ways; `further` after others were asked."""
        seat = None
        if spreads(candidates):
            seat = seat_of(self.request, self._members, self.ask.model)
        self.calls.start(candidates, to=self, now=now, conversation_key=seat, counts_as_retry=further)

    def find_candidates(self, model: str) -> tuple[Candidate, ...] | Fault:
        """Where a model's requests may go."""
        found = self.resolve(model)
        if isinstance(found, Fault):
            return found
        return candidates_at(found, self.endpoint_at) or self.unserved(model, found)

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """Where a provider takes such requests; None where it does not."""
        return provider.endpoints.get(self.dialect.traits.name)

    def unserved(self, model: str, found: Resolution) -> Fault:
        """What is wrong with a model whose providers take no such requests."""
        first = found.targets[0].provider
        message = (
            f"model {model!r} is served by {first.name!r}, which speaks {', '.join(first.endpoints)} only; "
            f"it cannot be asked this by a client that speaks {self.dialect.traits.name}"
        )
        return Fault(status=400, message=message, code="translation_not_available", param="model")

    def expanded(self, members: Members, *, now: float) -> Members | None:
        """The request with what it refers to; None where it has failed of that."""
        return members

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """The request for one way, from scratch."""
        self.start_anew(candidate)
        try:
            return self.plan_for(self._members, candidate, now=now)
        except BodyError as error:
            return invalid(str(error))

    def start_anew(self, candidate: Candidate) -> None:
        """Forget what came of an attempt before this one."""
        self.candidate = candidate
        self._losses = Losses()
        self.discard_answer()

    def discard_answer(self) -> None:
        """Forget what was answered so far: another answer will come in its place."""
        if self._answer_size:
            self.memory.release(self._answer_size)
            self._answer.clear()
            self._answer_size = 0
        self._head = (200, ())

    def plan_for(self, members: Members, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """The request for one way: the client's, with the edits it needs there."""
        target = self.upstream_target(candidate)
        assert target is not None
        changes, self.hides_usage = self.edits(members)
        self.prepare(now=now)
        return self.plan(target, members.edited(changes))

    def plan(self, target: bytes, body: Body, *, length: int | None = None) -> UpstreamPlan:
        """What is asked; `length` is that of a body which is not in memory, where it is known."""
        return UpstreamPlan(
            target=target, headers=self.headers_up(), body=body, length=length, repeatable=self.repeatable
        )

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm if such a request is answered twice."""
        return True

    def read_ask(self, members: Members) -> RequestSummary | Fault:
        """What the request asks for."""
        return self.dialect.pass_through.read_summary(members, self.path_parts)

    @abstractmethod
    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """Path and query at the provider, or None when its dialect has no such thing."""

    def edits(self, members: Members) -> tuple[dict[str, bytes | None], bool]:
        """Changes to the body's members, and whether usage must be hidden on the way back."""
        assert self.candidate is not None
        return self.dialect.pass_through.edits(members, self.ask, self.candidate.model)

    def prepare(self, *, now: float) -> None:
        """Everything is decided; the call comes next."""

    @property
    def shown_model(self) -> str | None:
        """The name that answers must show instead of the upstream's; None where the client used that one."""
        assert self.candidate is not None
        return self.ask.model if self.ask.model != self.candidate.model else None

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins."""
        self._head = (status, headers)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Collect the answer, within bounds."""
        self.client.stop_first_content_timer()
        limit = self.services.config.limits.max_json
        self._answer_size += len(data)
        if self._answer_size > limit:
            self.client.fail(Fault(status=502, message=f"the upstream's answer is larger than {limit} bytes"), now=now)
        elif self.memory.reserve(len(data), now=now):
            self._answer.append(data)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """Check the answer and pass it on."""
        status, headers = self._head
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        call.commit()
        body = b"".join(self._answer)
        self.usage = self.read_usage(answer)
        if self.shown_model is not None and self.dialect.traits.model_member in answer:
            body = edited(body, answer, {self.dialect.traits.model_member: msgspec.json.encode(self.shown_model)})
        if answer.get("error"):
            body = call.scrubbed(body)
        self.answered(body)
        return self.client.answer(status, body, headers=self.headers_down(call, headers), now=now)

    def answered(self, body: bytes) -> None:
        """`body` is the answer, and about to be sent."""

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """What the answer says it consumed."""
        return self.dialect.pass_through.read_usage(answer)

    @property
    def translated(self) -> bool:
        """Whether the endpoint speaks another dialect than the client."""
        return self.candidate is not None and self.candidate.endpoint.dialect != self.dialect.traits.name

    def headers_down(self, call: UpstreamCall, headers: Headers) -> Headers:
        """What of the upstream's headers the client sees, where the answer came from, and what was lost on the way.

        Another vendor's limits and ids mean nothing to the client.
        """
        table = self.dialect.traits.headers_down
        passing = () if self.translated else header_tables.passing(headers, table)
        lost: Headers = ()
        if len(self._losses):
            lost = ((b"x-agcore-losses", header_tables.field_value(self._losses.header())),)
        return (*passing, *self.calls.provenance(call), *lost)

    def report(self) -> Report:
        """Model, usage, losses."""
        return Report(self.ask.model, self.ask.stream, self.usage, tuple(self._losses))

    def consumed(self, *, received: int) -> int:
        """Input and output; an estimate where they are not known, but for what is not text."""
        if self.usage is not None:
            return self.usage.input + self.usage.output
        return received // BYTES_PER_TOKEN if self.json_body else 0

    def content_fields(self) -> Headers:
        """What the body is, and what answers are welcome."""
        accept = b"text/event-stream" if self.ask.stream else b"application/json"
        return ((b"content-type", b"application/json"), (b"accept", accept))

    def headers_up(self) -> Headers:
        """The request's header fields for the upstream.

        Of the client's own, an upstream of another dialect gets the client's name only, and what its vendor insists on.
        """
        fields = [*self.content_fields(), (b"accept-encoding", b"identity")]
        if self.translated:
            assert self.candidate is not None
            agent = header_tables.first(self.request.head.headers, b"user-agent")
            fields.append((b"user-agent", agent) if agent is not None else header_tables.USER_AGENT)
            return (*fields, *DIALECTS[self.candidate.endpoint.dialect].traits.headers_required)
        fields.extend(header_tables.passing(self.request.head.headers, self.dialect.traits.headers_up))
        for field in (*self.dialect.traits.headers_required, header_tables.USER_AGENT):
            if not any(name == field[0] for name, _ in fields):
                fields.append(field)
        return tuple(fields)

    def read_answer(self, call: UpstreamCall) -> dict[str, object] | Fault:
        """The collected answer decoded, or what is wrong with it."""
        status, headers = self._head
        return read_object(
            b"".join(self._answer),
            dialect=DIALECTS[call.candidate.endpoint.dialect],
            provider=call.candidate.provider.name,
            status=status,
            headers=headers,
        )
