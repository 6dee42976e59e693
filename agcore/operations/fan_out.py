"""One request as several calls side by side: what all such requests have in common.

All calls go one way, each with whichever key is free, and each has an owner of its own, a `Branch`. What their answers
become together, and what a failure of one of them means to the others, the request decides: a conversation with several
`choices` lets go of all, pictures (`images`) are handed out as far as they were drawn. Where nothing came of the way,
the whole request goes on to the later ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agcore.dialects import DIALECTS
from agcore.dialects.whole_answer import read_object
from agcore.machines.call_set import CallReceiver
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.base import CallHooks
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate, Selection
from agcore.upstream.request import UpstreamPlan


class FanOut:
    """The fan-in: see the module's text.

    Args:
        operation: Whose request it is.
        way: Where all calls go.
        instead_of: The call that asks for a plan for this way, and gets none. Its other ways, but for those of earlier
            steps, are the later ones.
    """

    def __init__(self, operation: PassThrough, candidate: Candidate, *, instead_of: UpstreamCall) -> None:
        self._operation = operation
        self._parts = operation.parts
        self.later = tuple(
            each for each in instead_of.candidates if each is not candidate and each.step >= candidate.step
        )
        """Where the request may go instead."""
        self._candidate = candidate
        self._calls: list[UpstreamCall] = []
        self._over = False
        self._size = 0

    @property
    def limit(self) -> int:
        """Bytes of all answers together."""
        return self._operation.services.config.limits.max_json

    def call(self, legs: Iterable[CallReceiver], *, now: float, first: Selection | None = None) -> None:
        """Make all calls, the first one with what was chosen for it where that is known."""
        further = self._asked
        for leg in legs:
            if not self._over:
                call = self._parts.calls.start(
                    (self._candidate,), to=leg, now=now, counts_as_retry=further, first=first
                )
                self._calls.append(call)
            further, first = False, None

    @property
    def _asked(self) -> bool:
        """Whether anybody was asked yet, here or before."""
        return self._parts.calls.asked

    def give_up(self, fault: Fault, *, final: bool, now: float) -> None:
        """Nothing comes of this way: drop what is left of it, and ask at the later ones unless the fault is `final`."""
        self._over = True
        asked = self._asked
        if final or not self.later or (asked and not self._parts.calls.may_retry):
            return self._parts.client.fail(fault, now=now)
        for each in self._calls:
            each.abort()
        self.let_go(self._size)
        return self._operation.start(self.later, now=now, further=asked)

    def has_room(self, size: int, *, now: float) -> bool:
        """Account for a piece of an answer that is kept; where there is no room, the request has failed."""
        self._parts.client.stop_first_content_timer()
        self._size += size
        if self._size > self.limit:
            fault = Fault(status=502, message=f"the upstream's answers are larger than {self.limit} bytes")
            self._parts.client.fail(fault, now=now)
            return False
        return self._parts.memory.reserve(size, now=now)

    def let_go(self, size: int) -> None:
        """What was kept is not held any more."""
        self._size -= size
        self._parts.memory.release(size)


class Branch(CallHooks):
    """One of the calls, with an answer that is read whole."""

    def __init__(self, fan_out: FanOut, operation: PassThrough) -> None:
        self._fan_out = fan_out
        self._operation = operation
        self._head: tuple[int, Headers] = (200, ())
        self._body: list[bytes] = []

    def let_go(self) -> None:
        """What was collected of an attempt before this one is not needed any more."""
        self._fan_out.let_go(sum(map(len, self._body)))
        self._body.clear()

    def plan(self, target: bytes, body: bytes) -> UpstreamPlan:
        """This leg's part of the request. Where the whole can go another way, nobody waits for this one to recover."""
        self.let_go()
        return msgspec.structs.replace(self._operation.plan(target, body), wait_for_cooldown=not self._fan_out.later)

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """The operation tells the client where its answer is going to come from."""
        self._operation.call_begun(call, now=now)

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """An answer begins."""
        self._head = (status, headers)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Collect the answer."""
        if self._fan_out.has_room(len(data), now=now):
            self._body.append(data)

    def read_answer(self, call: UpstreamCall) -> dict[str, object] | Fault:
        """The collected answer decoded, or what is wrong with it."""
        status, headers = self._head
        return read_object(
            b"".join(self._body),
            dialect=DIALECTS[call.candidate.endpoint.dialect],
            provider=call.candidate.provider.name,
            status=status,
            headers=headers,
        )
