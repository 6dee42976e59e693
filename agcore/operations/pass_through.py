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
from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members, parse
from agcore.config.values import Endpoint, Provider
from agcore.conversation.losses import Losses
from agcore.conversation.usage import Usage
from agcore.dialects import DIALECTS
from agcore.dialects.base import Ask, edited
from agcore.ingress.routes import Match
from agcore.machines.operation import Operation, resolve, ways_to
from agcore.machines.upstream_call import Call
from agcore.protocol.effects import Body
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.inputs import Headers
from agcore.routing.catalog import Resolution
from agcore.routing.conversation_key import seat_of
from agcore.routing.selection import Way
from agcore.upstream.errors import fault_from_answer
from agcore.upstream.request import Plan

if TYPE_CHECKING:
    from agcore.machines.exchange import Exchange

BYTES_PER_TOKEN: Final = 4
"""Of a request, where its answer does not tell what it consumed."""


class PassThrough(Operation, ABC):
    """One request, one JSON answer. Streams are `Generate`'s addition."""

    metered: ClassVar[bool] = True
    ask = Ask(model="")
    way: Way | None = None
    usage: Usage | None = None
    hides_usage = False

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        assert self.request.match is not None
        self.dialect = DIALECTS[self.request.match.dialect]
        self._losses = Losses()
        self._answer: list[bytes] = []
        self._answer_size = 0
        self._head: tuple[int, Headers] = (200, ())

    def run(self, body: bytes, *, now: float) -> None:
        """Read the body, find the ways, and ask."""
        members = parse(body)
        ask = self.read_ask(members)
        if isinstance(ask, Fault):
            return self.exchange.fail(ask, now=now)
        self.ask = ask
        ways = self.find_ways(ask.model)
        if isinstance(ways, Fault):
            return self.exchange.fail(ways, now=now)
        expanded = self.expanded(members, now=now)
        if expanded is None:
            return None
        self._members = expanded
        return self.start(ways, now=now)

    def start(self, ways: Sequence[Way], *, now: float, further: bool = False) -> None:
        """Ask at the ways; `further` after others were asked."""
        seat = None
        if self.services.ledger.pool.spreads(ways):
            seat = seat_of(self.request, self._members, self.ask.model)
        self.exchange.call(ways, owner=self, now=now, seat=seat, further=further)

    def find_ways(self, model: str) -> tuple[Way, ...] | Fault:
        """Where a model's requests may go."""
        found = resolve(self.request, self.services, model)
        if isinstance(found, Fault):
            return found
        return ways_to(found, self.endpoint_at) or self.unserved(model, found)

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """Where a provider takes such requests; None where it does not."""
        return provider.endpoints.get(self.dialect.NAME)

    def unserved(self, model: str, found: Resolution) -> Fault:
        """What is wrong with a model whose providers take no such requests."""
        first = found.targets[0].provider
        message = (
            f"model {model!r} is served by {first.name!r}, which speaks {', '.join(first.endpoints)} only; "
            f"it cannot be asked this by a client that speaks {self.dialect.NAME}"
        )
        return Fault(status=400, message=message, code="translation_not_available", param="model")

    def expanded(self, members: Members, *, now: float) -> Members | None:
        """The request with what it refers to; None where it has failed of that."""
        return members

    def call_plan(self, call: Call, way: Way, *, now: float) -> Plan | Fault | None:
        """The request for one way, from scratch."""
        self.start_anew(way)
        try:
            return self.plan_way(self._members, way, now=now)
        except BodyError as error:
            return invalid(str(error))

    def start_anew(self, way: Way) -> None:
        """Forget what came of an attempt before this one."""
        self.way = way
        self._losses = Losses()
        self.discard_answer()

    def discard_answer(self) -> None:
        """Forget what was answered so far: another answer will come in its place."""
        self.exchange.give_back(self._answer_size)
        self._answer.clear()
        self._answer_size = 0
        self._head = (200, ())

    def plan_way(self, members: Members, way: Way, *, now: float) -> Plan | Fault | None:
        """The request for one way: the client's, with the edits it needs there."""
        target = self.upstream_target(way)
        assert target is not None
        changes, self.hides_usage = self.edits(members)
        self.prepare(now=now)
        return self.plan(target, members.edited(changes))

    def plan(self, target: bytes, body: Body, *, length: int | None = None) -> Plan:
        """What is asked; `length` is that of a body which is not in memory, where it is known."""
        return Plan(target=target, headers=self.headers_up(), body=body, length=length, repeatable=self.repeatable)

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm if such a request is answered twice."""
        return True

    def read_ask(self, members: Members) -> Ask | Fault:
        """What the request asks for."""
        assert self.request.match is not None
        return self.dialect.read_ask(members, self.request.match, self.request.target)

    @abstractmethod
    def upstream_target(self, way: Way) -> bytes | None:
        """Path and query at the provider, or None when its dialect has no such thing."""

    def edits(self, members: Members) -> tuple[dict[str, bytes | None], bool]:
        """Changes to the body's members, and whether usage must be hidden on the way back."""
        assert self.way is not None
        return self.dialect.edits(members, self.ask, self.way.model)

    def prepare(self, *, now: float) -> None:
        """Everything is decided; the call comes next."""

    @property
    def shown_model(self) -> str | None:
        """The name that answers must show instead of the upstream's; None where the client used that one."""
        assert self.way is not None
        return self.ask.model if self.ask.model != self.way.model else None

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins."""
        self._head = (status, headers)

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """Collect the answer, within bounds."""
        self.exchange.moving()
        limit = self.services.config.limits.max_json
        self._answer_size += len(data)
        if self._answer_size > limit:
            self.exchange.fail(
                Fault(status=502, message=f"the upstream's answer is larger than {limit} bytes"), now=now
            )
        elif self.exchange.reserve(len(data), now=now):
            self._answer.append(data)

    def call_end(self, call: Call, *, now: float) -> None:
        """Check the answer and pass it on."""
        status, headers = self._head
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        call.commit()
        body = b"".join(self._answer)
        self.usage = self.read_usage(answer)
        if self.shown_model is not None and self.dialect.MODEL_MEMBER in answer:
            body = edited(body, answer, {self.dialect.MODEL_MEMBER: msgspec.json.encode(self.shown_model)})
        if answer.get("error"):
            body = call.scrubbed(body)
        self.answered(body)
        return self.exchange.answer(status, body, headers=self.headers_down(call, headers), now=now)

    def answered(self, body: bytes) -> None:
        """`body` is the answer, and about to be sent."""

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """What the answer says it consumed."""
        return self.dialect.read_usage(answer)

    def match_there(self) -> Match:
        """The match as the endpoint's dialect builds paths from it.

        Requests of dialects but Gemini's have no version in their path; `v1beta` is the one that has everything.
        """
        match = self.request.match
        assert match is not None
        return match if self.dialect.NAME == "gemini" else msgspec.structs.replace(match, version="v1beta")

    @property
    def translated(self) -> bool:
        """Whether the endpoint speaks another dialect than the client."""
        return self.way is not None and self.way.endpoint.dialect != self.dialect.NAME

    def headers_down(self, call: Call, headers: Headers) -> Headers:
        """What of the upstream's headers the client sees, where the answer came from, and what was lost on the way.

        Another vendor's limits and ids mean nothing to the client.
        """
        table = header_tables.DOWN[self.dialect.NAME]
        passing = () if self.translated else header_tables.passing(headers, table)
        lost: Headers = ()
        if len(self._losses):
            lost = ((b"x-agcore-losses", header_tables.field_value(self._losses.header())),)
        return (*passing, *self.exchange.provenance(call), *lost)

    def row(self) -> dict[str, object]:
        """Model, usage, losses."""
        row: dict[str, object] = {}
        if self.ask.model:
            row["model"] = self.ask.model
        if self.ask.stream:
            row["stream"] = True
        if self.usage is not None:
            row["usage"] = msgspec.structs.asdict(self.usage)
        if len(self._losses):
            row["losses"] = [msgspec.structs.asdict(loss) for loss in self._losses]
        return row

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
            assert self.way is not None
            agent = header_tables.first(self.request.head.headers, b"user-agent")
            fields.append((b"user-agent", agent) if agent is not None else header_tables.USER_AGENT)
            return (*fields, *header_tables.REQUIRED_UP.get(self.way.endpoint.dialect, ()))
        fields.extend(header_tables.passing(self.request.head.headers, header_tables.UP[self.dialect.NAME]))
        for field in (*header_tables.REQUIRED_UP.get(self.dialect.NAME, ()), header_tables.USER_AGENT):
            if not any(name == field[0] for name, _ in fields):
                fields.append(field)
        return tuple(fields)

    def read_answer(self, call: Call) -> dict[str, object] | Fault:
        """The collected answer decoded, or what is wrong with it."""
        status, headers = self._head
        return read_object(call, status=status, headers=headers, body=b"".join(self._answer))


def read_object(call: Call, *, status: int, headers: Headers, body: bytes) -> dict[str, object] | Fault:
    """The JSON object that a call was answered with, or what is wrong with it."""
    try:
        answer = json_text.decode(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        kind = header_tables.media_type(headers).decode("latin-1") or "no content type"
        return Fault(
            status=502,
            message=f"{call.way.provider.name} answered {status} without a JSON object ({kind})",
            code="upstream_invalid_answer",
        )
    # A failed Response is that dialect's own form of an answer, and says so itself.
    if answer.get("error") and answer.get("object") != "response":
        return fault_from_answer(
            DIALECTS[call.way.endpoint.dialect],
            provider=call.way.provider.name,
            status=error_status(answer["error"]),
            headers=headers,
            body=body,
        )
    return answer


def error_status(error: object) -> int:
    """The status that an error inside a 200 names for itself; 502 when it names none."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 502
