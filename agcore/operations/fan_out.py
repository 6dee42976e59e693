"""One request as several calls side by side.

All calls go to one candidate, each with whichever credential is free, and each is heard by a `Branch`. What their
answers become together, and what a failure of one of them means to the others, the division decides. Where nothing
came of the candidate, the whole request goes on to the later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from agcore.conversion.base import (
    Answered,
    Answering,
    Conversion,
    Division,
    GiveUp,
    Outgoing,
    Output,
    Passing,
    WholeAnswer,
)
from agcore.machines.call_events import CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate, Selection
from agcore.upstream.body import CollectedBody
from agcore.upstream.request import UpstreamPlan


class FanOutOwner(Protocol):
    """The operation that divides its request, as the calls of a division see it; `forward.Forward` is one."""

    @property
    def parts(self) -> ExchangeParts:
        """Of the exchange."""

    def ask(self, candidates: Sequence[Candidate], *, counts_as_retry: bool = False, now: float) -> None:
        """Ask at the later candidates."""

    def upstream_plan(self, request: Outgoing) -> UpstreamPlan:
        """Returns the plan by which a call makes an attempt."""

    def announce(self, call: UpstreamCall, answering: Answering, headers: Headers = ()) -> None:
        """Tell in the head of a stream where it comes from."""

    def show(self, call: UpstreamCall, output: Output, *, now: float) -> None:
        """Show the client a piece of its stream."""

    def answer(self, call: UpstreamCall, answering: Answering, answer: WholeAnswer, *, now: float) -> None:
        """Give the client its whole answer."""

    def unsigned(self, call: UpstreamCall, conversion: Conversion, fault: Fault, *, now: float) -> Conversion | None:
        """The attempt that a call makes again without signatures."""


def later_than(candidate: Candidate, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Returns the candidates left once nothing came of `candidate`: all others but those of earlier steps."""
    return tuple(each for each in candidates if each is not candidate and each.step >= candidate.step)


class FanOut:
    """The calls of a division side by side, and the one answer that theirs become.

    Args:
        owner: Whose request it is.
        division: Makes the conversions of all calls, and one answer of theirs.
        candidate: Where all calls go.
        later: Where the request may go instead.
    """

    def __init__(
        self, owner: FanOutOwner, division: Division, candidate: Candidate, later: tuple[Candidate, ...]
    ) -> None:
        self.division = division
        self.later = later
        self.owner = owner
        self.limit = owner.parts.services.config.limits.max_json * division.answers
        """Bytes of all answers together."""
        self._parts = owner.parts
        self._candidate = candidate
        self._branches = [Branch(self, number) for number in range(division.count)]

    @property
    def size(self) -> int:
        """Bytes of all answers so far."""
        return sum(branch.body.size for branch in self._branches)

    def start(self, first: Selection | None, *, now: float) -> None:
        """Make all calls, the first one with what was chosen for it where that is known."""
        calls = self._parts.calls
        again = calls.asked
        for branch in self._branches:
            branch.call = calls.start(
                (self._candidate,),
                to=branch,
                now=now,
                counts_as_retry=again,
                first=first,
                patient=not self.later,
            )
            again, first = False, None

    def announce(self) -> None:
        """Tell in the head of the stream where it comes from: all calls go to the same candidate."""
        self.owner.announce(self._asked[0], self.division)

    def give_up(self, fault: Fault, *, final: bool, now: float) -> None:
        """Nothing comes of this candidate: drop what is left, and ask at the later ones unless the fault is final."""
        calls = self._parts.calls
        asked = calls.asked
        if final or not self.later or (asked and not calls.may_retry):
            return self._parts.client.fail(fault, now=now)
        for branch in self._branches:
            branch.abort()
        return self.owner.ask(self.later, counts_as_retry=asked, now=now)

    def release(self) -> None:
        """Releases the memory of what was kept, and of what the requests were made of."""
        for branch in self._branches:
            branch.body.release()
        self._parts.memory.release(self.division.held)

    def answered(self, branch: Branch, call: UpstreamCall, answered: Answered, *, now: float) -> None:
        """A call was answered, or has failed without bringing down the others: show what that makes of all."""
        if isinstance(answered, Fault):
            return call.reject(answered, now=now)
        if isinstance(answered, WholeAnswer):
            # A call that nobody was found for, and that failed last, does not tell where the answer comes from.
            return self.owner.answer(call if call.asked else self._asked[0], self.division, answered, now=now)
        self.owner.show(call, answered, now=now)
        if answered.fault is None:
            branch.over = branch.ended
            if all(each.over for each in self._branches):
                return self._finish(now)
        return None

    def failed(self, branch: Branch, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A call has failed for good."""
        outcome = self.division.failed(branch.number, fault, final=not call.may_go_elsewhere, now=now)
        if isinstance(outcome, GiveUp):
            return self.give_up(outcome.fault, final=outcome.final, now=now)
        return self.answered(branch, call, outcome, now=now)

    def _finish(self, now: float) -> None:
        fault = self.division.fault
        if fault is not None:
            return self._parts.client.fail(fault, now=now)
        return self._parts.client.end(now=now)

    @property
    def _asked(self) -> list[UpstreamCall]:
        """The calls that were asked, not those of earlier candidates: each tells where the answer comes from."""
        calls = (branch.call for branch in self._branches)
        return [call for call in calls if call is not None and call.asked]


class Branch:
    """Hears of one of the calls."""

    def __init__(self, fan_out: FanOut, number: int) -> None:
        self.number = number
        self.call: UpstreamCall | None = None
        self.over = False
        """Nothing more comes."""
        self.ended = False
        """The answer's body ended, or there will be none."""
        self.body = CollectedBody(fan_out.owner.parts.memory, limit=fan_out.limit)
        self._fan_out = fan_out
        self._client = fan_out.owner.parts.client
        self._conversion: Conversion | None = None
        self._passing = Passing.WHOLE

    def abort(self) -> None:
        """Nothing more is heard of the call."""
        assert self.call is not None
        self.call.abort()

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of the branch's call."""
        fan_out = self._fan_out
        if isinstance(event, NeedPlan):
            self._begin(fan_out.division.branch(self.number))
            plan = fan_out.owner.upstream_plan(self._current.request)
            # Where the whole can go elsewhere, nobody waits for this one to recover.
            call.proceed(msgspec.structs.replace(plan, wait_for_cooldown=not fan_out.later), now=now)
        elif isinstance(event, Head):
            self._passing = self._current.head(event.status, event.headers)
            fan_out.announce()
        elif isinstance(event, Data):
            self._receive_data(call, event.data, now)
        elif isinstance(event, End):
            self.ended = True
            fan_out.answered(self, call, self._answered(call, now), now=now)
        elif isinstance(event, Failed):
            self._failed(call, event.fault, now)

    def _answered(self, call: UpstreamCall, now: float) -> Answered:
        if self._passing is Passing.STREAM:
            return self._current.end()
        answered = self._current.whole(self.body.take(), now=now)
        if not isinstance(answered, Fault):
            call.commit()
        return answered

    def _begin(self, conversion: Conversion) -> None:
        self.body.release()
        self.over = self.ended = False
        self._conversion = conversion
        self._passing = Passing.WHOLE

    @property
    def _current(self) -> Conversion:
        assert self._conversion is not None
        return self._conversion

    def _receive_data(self, call: UpstreamCall, data: bytes, now: float) -> None:
        fan_out = self._fan_out
        if self._passing is Passing.STREAM:
            return fan_out.answered(self, call, self._current.feed(data), now=now)
        self._client.stop_first_content_timer()
        if fan_out.size + len(data) > fan_out.limit or not self.body.add(data, now=now):
            message = f"the upstream's answers are larger than {fan_out.limit} bytes"
            self._client.fail(Fault(status=502, message=message), now=now)
        return None

    def _failed(self, call: UpstreamCall, fault: Fault, now: float) -> None:
        fan_out = self._fan_out
        if self._conversion is not None:
            rest = self._conversion.broken()
            if rest is not None:
                # A connection that breaks after the answer was complete takes nothing from it.
                self.ended = True
                return fan_out.answered(self, call, rest, now=now)
            again = fan_out.owner.unsigned(call, self._conversion, fault, now=now)
            if again is not None:
                return self._begin(again)
        self.ended = True
        return fan_out.failed(self, call, fault, now=now)
