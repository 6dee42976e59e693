"""One request as several calls side by side: what all such requests have in common.

All calls go one way, each with whichever key is free, and each has an owner of its own, a `Leg`. What their answers
become together, and what a failure of one of them means to the others, the request decides: a conversation with several
`choices` lets go of all, pictures (`images`) are handed out as far as they were drawn. Where nothing came of the way,
the whole request goes on to the later ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agcore.machines.upstream_call import Call, CallOwner
from agcore.operations.pass_through import PassThrough, read_object
from agcore.protocol.fault import Fault
from agcore.protocol.inputs import Headers
from agcore.routing.selection import Choice, Way
from agcore.upstream.request import Plan


class FanOut:
    """The fan-in: see the module's text.

    Args:
        operation: Whose request it is.
        way: Where all calls go.
        instead_of: The call that asks for a plan for this way, and gets none. Its other ways, but for those of earlier
            steps, are the later ones.
    """

    def __init__(self, operation: PassThrough, way: Way, *, instead_of: Call) -> None:
        self._operation = operation
        self._exchange = operation.exchange
        self.later = tuple(each for each in instead_of.ways if each is not way and each.step >= way.step)
        """Where the request may go instead."""
        self._way = way
        self._calls: list[Call] = []
        self._over = False
        self._size = 0

    @property
    def limit(self) -> int:
        """Bytes of all answers together."""
        return self._operation.services.config.limits.max_json

    def call(self, legs: Iterable[CallOwner], *, now: float, first: Choice | None = None) -> None:
        """Make all calls, the first one with what was chosen for it where that is known."""
        further = self._asked
        for leg in legs:
            if not self._over:
                call = self._exchange.call((self._way,), owner=leg, now=now, further=further, first=first)
                self._calls.append(call)
            further, first = False, None

    @property
    def _asked(self) -> bool:
        """Whether anybody was asked yet, here or before."""
        return any(call.asked for call in self._exchange.calls)

    def give_up(self, fault: Fault, *, final: bool, now: float) -> None:
        """Nothing comes of this way: drop what is left of it, and ask at the later ones unless the fault is `final`."""
        self._over = True
        asked = self._asked
        if final or not self.later or (asked and not self._exchange.legs.may_retry):
            return self._exchange.fail(fault, now=now)
        for each in self._calls:
            each.abort()
        self.let_go(self._size)
        return self._operation.start(self.later, now=now, further=asked)

    def has_room(self, size: int, *, now: float) -> bool:
        """Account for a piece of an answer that is kept; where there is no room, the request has failed."""
        self._exchange.moving()
        self._size += size
        if self._size > self.limit:
            fault = Fault(status=502, message=f"the upstream's answers are larger than {self.limit} bytes")
            self._exchange.fail(fault, now=now)
            return False
        return self._exchange.reserve(size, now=now)

    def let_go(self, size: int) -> None:
        """What was kept is not held any more."""
        self._size -= size
        self._exchange.give_back(size)


class Leg:
    """One of the calls, as its owner (`call.CallOwner`), with an answer that is read whole."""

    def __init__(self, fan_out: FanOut, operation: PassThrough) -> None:
        self._fan_out = fan_out
        self._operation = operation
        self._head: tuple[int, Headers] = (200, ())
        self._body: list[bytes] = []

    def let_go(self) -> None:
        """What was collected of an attempt before this one is not needed any more."""
        self._fan_out.let_go(sum(map(len, self._body)))
        self._body.clear()

    def plan(self, target: bytes, body: bytes) -> Plan:
        """This leg's part of the request. Where the whole can go another way, nobody waits for this one to recover."""
        self.let_go()
        return msgspec.structs.replace(self._operation.plan(target, body), pauses=not self._fan_out.later)

    def call_begun(self, call: Call, *, now: float) -> None:
        """The operation tells the client where its answer is going to come from."""
        self._operation.call_begun(call, now=now)

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins."""
        self._head = (status, headers)

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """Collect the answer."""
        if self._fan_out.has_room(len(data), now=now):
            self._body.append(data)

    def read_answer(self, call: Call) -> dict[str, object] | Fault:
        """The collected answer decoded, or what is wrong with it."""
        status, headers = self._head
        return read_object(call, status=status, headers=headers, body=b"".join(self._body))
