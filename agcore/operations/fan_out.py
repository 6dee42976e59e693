"""One request as several calls at once, and their answers as one.

`Generate` hands a request over that was divided (`shares`). Every call has an owner of its own here, a `Leg`, which
reads its upstream's answer into deltas, choices already numbered as the client counts them. The `FanOut` puts the
deltas of all legs together: one writer, one sum of usage, one end. The first leg that fails fails the request, and
the exchange then drops the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from agcore.call import Call, Plan
from agcore.conversation import Consumed, Delta, Started, ToolStarted
from agcore.fault import Fault
from agcore.headers import media_type
from agcore.inputs import Headers
from agcore.names import legal_id
from agcore.operations.pass_through import read_object
from agcore.translation import ClientStream, Translation, UpstreamStream
from agcore.usage import Usage, total

if TYPE_CHECKING:
    from agcore.operations.generate import Generate


class FanOut:
    """The fan-in: see the module's text. `id` is the answer's, without a dialect's prefix."""

    def __init__(self, operation: Generate, translation: Translation, *, id: str, now: float) -> None:
        self.operation = operation
        self.client: ClientStream | None = None
        """The client's stream, where it asked for one."""
        self._translation = translation
        self._exchange = operation.exchange
        self._id = id
        self._legs = [Leg(self, each, id=id) for each in (translation, *translation.others)]
        self._deltas: list[Delta] = []
        self._call_ids: set[str] = set()
        self._started = False
        self._closed = False
        self._size = 0
        if operation.ask.stream:
            writer = translation.writer(id=id, model=operation.ask.model, created=int(now))
            self.client = ClientStream(writer, framing=operation.ask.framing)

    def begin(self, plan: Plan, *, now: float) -> None:
        """Make all calls: `plan`, each with its own body."""
        for leg in self._legs:
            asked = msgspec.structs.replace(plan, body=leg.translation.body)
            self.operation.called(self._exchange.call(asked, owner=leg, now=now))

    def has_room(self, size: int, *, now: float) -> bool:
        """Account for a piece of an answer that is kept; where there is no room, the request has failed."""
        self._exchange.moving()
        limit = self.operation.services.config.limits.max_json
        self._size += size
        if self._size > limit:
            fault = Fault(status=502, message=f"the upstream's answers are larger than {limit} bytes")
            self._exchange.fail(fault, now=now)
            return False
        return self._exchange.reserve(size, now=now)

    def take(self, leg: Leg, call: Call, deltas: Iterable[Delta], *, now: float) -> None:
        """What a leg has read, and what its stream has come to."""
        merged = self._merged(leg, deltas)
        complete = all(each.stream.terminal for each in self._legs)
        if self.client is None:
            self._deltas += merged
        else:
            out = self.client.write(merged)
            closing = complete and not self._closed
            if closing:
                self._closed = True
                out += self.client.close()
            if out:
                self._exchange.write(out, now=now)
            elif self.client.holding:
                self._exchange.hold(now=now)
            if closing:
                self._exchange.linger(now=now)
        if leg.stream.fault is not None:
            self._exchange.fail(call.presentable(leg.stream.fault), now=now)
        elif complete and all(each.over for each in self._legs):
            self._finish(call, now)

    def _finish(self, call: Call, now: float) -> None:
        if self.client is not None:
            return self._exchange.end(now=now)
        operation = self.operation
        body, operation.usage = self._translation.written(
            self._deltas, id=self._id, model=operation.ask.model, created=int(now)
        )
        return self._exchange.answer(200, body, headers=operation.headers_down(call, ()), now=now)

    def _merged(self, leg: Leg, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """Deltas of one leg among the others': one start, the sum of all usage, call ids that differ."""
        for delta in deltas:
            if isinstance(delta, Started):
                if self._started:
                    continue
                self._started = True
            elif isinstance(delta, Consumed):
                leg.usage = delta.usage
                delta = Consumed(total(each.usage for each in self._legs))
            elif isinstance(delta, ToolStarted):
                if delta.id in self._call_ids:
                    delta = msgspec.structs.replace(delta, id=legal_id(f"{delta.id}_{delta.choice}"))
                self._call_ids.add(delta.id)
            yield delta


class Leg:
    """One of the calls, as its owner (`call.CallOwner`)."""

    def __init__(self, fan_out: FanOut, translation: Translation, *, id: str) -> None:
        self.translation = translation
        self.stream = UpstreamStream(translation, id=id)
        """The answer as it is read, whether it comes as a stream or as a whole."""
        self.usage = Usage()
        self.over = False
        """Nothing more comes."""
        self._fan_out = fan_out
        self._streaming = False
        self._head: tuple[int, Headers] = (200, ())
        self._body: list[bytes] = []

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins; it is a stream only if its content type says so."""
        self._head = (status, headers)
        self._streaming = self._fan_out.client is not None and media_type(headers) == b"text/event-stream"

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """Read a piece of a stream; keep one of a whole answer."""
        if self._streaming:
            self._fan_out.take(self, call, self.stream.feed(data), now=now)
        elif self._fan_out.has_room(len(data), now=now):
            self._body.append(data)

    def call_end(self, call: Call, *, now: float) -> None:
        """The answer is complete, or should be."""
        self.over = True
        if self._streaming:
            return self._fan_out.take(self, call, self.stream.end(), now=now)
        status, headers = self._head
        answer = read_object(call, status=status, headers=headers, body=b"".join(self._body), now=now)
        if isinstance(answer, Fault):
            return self._fan_out.operation.exchange.fail(answer, now=now)
        return self._fan_out.take(self, call, self.stream.whole(answer), now=now)

    def call_failed(self, call: Call, fault: Fault, *, now: float) -> None:
        """A connection that breaks after the answer was complete takes nothing from it."""
        operation = self._fan_out.operation
        if self.stream.terminal or self.stream.finished:  # a whole answer is read at its end only
            self.over = True
            return self._fan_out.take(self, call, self.stream.end(), now=now)
        if operation.asked_unsigned(call, fault, owner=self, translation=self.translation, now=now):
            return None
        return operation.exchange.fail(fault, now=now)
