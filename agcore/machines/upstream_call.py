"""One logical upstream request: who may answer it, its attempts, the leg that is live, and all timers.

A call is a machine like `h11.Connection`: it is told what happened (`start`, `receive`, `expire`, and the verdict of
whoever asked), and reports `CallEvent`s. It calls nobody back: events go to `CallContext.events`, commands for the
driver to `CallContext.effects`, and whoever owns the context delivers them.

For each attempt the call reports `NeedPlan`, since another provider may want another request, and `proceed` goes on.
Everything in between (credentials, failover, backoff, stale connections, timeouts, error bodies) is decided here, so
that no operation has a retry loop of its own.

Until `commit`, whatever goes wrong is a failed attempt: an error answer, a connection that broke, and also what only
the reader of the answer can see, a stream that begins with an error or says nothing (`reject`). The selector of
credentials learns of each failure, and says what is tried next, and when. Attempts are counted for all calls of a
context together, and no pause is begun that would outlast the request's time. From `commit` on there is one attempt,
and its faults are final.

What a driver may report of a leg in which state, `legality.LEG` says. A leg that is not live is not in the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agcore.machines import call_faults
from agcore.machines.call_context import CallContext
from agcore.machines.call_events import Began, Data, End, ErrorHead, Failed, Head, NeedPlan, Paused
from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import AbortUpstream, EndUpstream, OpenUpstream, SendUpstream
from agcore.protocol.events import Attempt
from agcore.protocol.fault import FailureKind, Fault, LocalProtocolError, may_pass
from agcore.protocol.http import Headers
from agcore.protocol.inputs import (
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore.protocol.legality import LEG, LegState
from agcore.routing.candidates import (
    Candidate,
    Credential,
    Exhausted,
    Pause,
    Selection,
    elsewhere,
    own_key,
    without_key,
)
from agcore.routing.retry import ELSEWHERE, classify, is_free_reattempt, may_repeat
from agcore.state.cooldowns import CredentialModel
from agcore.upstream.errors import presentable
from agcore.upstream.request import UpstreamPlan, upstream_request

RECHECK: Final = 1.0
"""Seconds between two looks at credentials of which somebody else is finding out whether they work again."""


class UpstreamCall:
    """One logical upstream request; `start` reports what its first attempt needs.

    Args:
        candidates: Where the request may be answered, in the order of their steps; at least one.
        context: Of the exchange.
        conversation_key: A hash of the client and its conversation, where it matters to the selection.
        single_attempt: Ask with the first candidate's credential, once, whatever is known about it.
        counts_as_retry: Even the first attempt is one of the further ones of the request.
        first: What the first attempt is made with, handed over by another call.
        patient: It may wait for a cooldown to end, for as long as the context allows.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        context: CallContext,
        *,
        conversation_key: bytes | None = None,
        single_attempt: bool = False,
        counts_as_retry: bool = False,
        first: Selection | None = None,
        patient: bool = False,
    ) -> None:
        self.counts_as_retry = counts_as_retry
        """The first attempt followed another call's."""
        self.candidates = tuple(candidates)
        self.attempts = 0
        """Attempts that count: a free reattempt does not."""
        self.failed: list[Attempt] = []
        """The failed attempts."""
        self.committed = False
        """The answer was taken: there is no other attempt."""
        self.aborted = False
        """The call was given up: nothing that it reported is delivered any more."""
        self.selection: Selection | None = None
        """What the latest attempt was made with; None before the first."""
        self.state = LegState.OVER
        """The live leg's; `OVER` when there is none."""
        self.timers = Timers()
        self._context = context
        self._conversation_key = conversation_key
        self._single_attempt = single_attempt
        self._first = first
        self._patient = patient
        self._offered: Selection | None = None
        self._plan: UpstreamPlan | None = None
        self._busy = False
        self.began = 0.0  # when the latest attempt did
        self._leg = 0
        self._tried: set[CredentialModel] = set()
        self._first_byte = self._idle = 0.0  # seconds until the answer begins, and between its pieces
        self._fault: Fault | None = None
        self._passing: dict[CredentialModel, Fault] = {}  # what may be over the next time, of those that it befell last
        self._kind = FailureKind.INVALID_REQUEST
        self._reattempted = False
        self._reconnected = False
        self._partly_sent = False
        self.headers: Headers = ()
        """Of the answer to the latest attempt."""
        self._error: call_faults.ErrorAnswer | None = None

    @property
    def asked(self) -> bool:
        """True once there was an attempt, so that `candidate`, `key` and `plan` are known."""
        return self._plan is not None

    @property
    def candidate(self) -> Candidate:
        """The candidate of the latest attempt."""
        assert self.selection is not None
        return self.selection.candidate

    @property
    def key(self) -> Credential:
        """The credential of the latest attempt."""
        assert self.selection is not None
        return self.selection.key

    @property
    def plan(self) -> UpstreamPlan:
        """The request of the latest attempt."""
        assert self._plan is not None
        return self._plan

    @property
    def may_go_elsewhere(self) -> bool:
        """True where others may be asked after `Failed`: the request is not at fault, and may be made again."""
        return self._plan is None or may_repeat(self._kind, repeatable=self._plan.repeatable)

    @property
    def takes_body(self) -> bool:
        """True while pieces of a streamed body can be sent; after a refusal they are kept for the next attempt."""
        return self.state in (LegState.AWAITING, LegState.READING) and self._error is None

    def start(self, *, now: float) -> None:
        """Choose where the first attempt goes."""
        self._next(now)

    def proceed(self, plan: UpstreamPlan | Fault, *, now: float) -> None:
        """Answer `NeedPlan`: make the attempt, or rule its candidate out because of a fault."""
        selection, self._offered = self._offered, None
        assert selection is not None
        if isinstance(plan, Fault):
            self._context.selector.done(selection)
            self.candidates = tuple(each for each in self.candidates if each is not selection.candidate)
            self._fault = self._fault or plan
            return self._next(now)
        again = self.attempts > 0 or self.counts_as_retry
        if again:
            self._context.retries_left -= 1
        return self._open(selection, plan, now, again=again)

    def hand_over(self) -> Selection:
        """Return what was chosen for the attempt that needs a plan, for another call to take as `first`."""
        assert self._offered is not None
        selection, self._offered = self._offered, None
        return selection

    def commit(self) -> None:
        """The answer is taken, or begins to be shown: from now on nothing is repeated."""
        if not self.committed:
            self.committed = True
            self._idle = self._context.timeouts.idle
            assert self.selection is not None
            self._context.selector.succeeded(self.selection, began=self.began)

    def reject(self, fault: Fault, *, now: float) -> None:
        """The answer is none: the attempt has failed of `fault`. Another one may follow; else the call has `Failed`."""
        if self.state is not LegState.OVER:
            self._drop()
        if self._error is not None:  # whose body cannot be read: the status is what matters
            return self._read_error(now)
        if self.committed:
            return self._context.events.append((self, Failed(presentable(fault, self.key))))
        return self._attempt_failed(fault, classify(fault), now)

    def repeat(self, plan: UpstreamPlan, *, now: float) -> bool:
        """Ask with the same credential once more, differently, after `Failed`; False where that may not be."""
        if self.committed or not self._may_reconnect():
            return False
        assert self.selection is not None
        self._open(self._context.selector.take(self.selection), plan, now, again=True)
        return True

    def send_body(self, data: bytes, *, now: float) -> None:
        """Send a further piece of a streamed body."""
        self._partly_sent = True
        self._context.effects.append(SendUpstream(self._leg, data))
        self.written(now=now)

    def end_body(self, *, now: float) -> None:
        """The streamed body is complete."""
        self._partly_sent = True
        self._context.effects.append(EndUpstream(self._leg))
        self.written(now=now)

    def receive(self, input: UpstreamInput, *, now: float) -> None:
        """Take in a report of the live leg. Raises LocalProtocolError for one that `legality.LEG` does not have."""
        if type(input) not in LEG[self.state]:
            raise LocalProtocolError(f"{type(input).__name__} while the leg is {self.state.value}")
        if isinstance(input, UpstreamData):
            if Timer.IDLE in self.timers:
                self.timers[Timer.IDLE] = now + self._idle
            if self._error is None:
                self._context.events.append((self, Data(input.data)))
            elif not self._error.take(input.data):
                self._drop()
                self._read_error(now)
        elif isinstance(input, UpstreamHead):
            self._receive_head(input, now)
        elif isinstance(input, UpstreamEnd):
            self._close()
            if self._error is None:
                self._context.events.append((self, End()))
            else:
                self._read_error(now)
        elif isinstance(input, UpstreamConnected):
            self.state = LegState.AWAITING
            self.timers.pop(Timer.CONNECT, None)
            if not self.plan.no_read_timeout:
                self.timers[Timer.FIRST_BYTE] = now + self._first_byte
        else:
            self._receive_failure(input, now)

    def written(self, *, now: float) -> None:
        """A slow write, to the leg or to the client, is over: waiting for the upstream starts only now."""
        if Timer.FIRST_BYTE in self.timers:
            self.timers[Timer.FIRST_BYTE] = now + self._first_byte
        if Timer.IDLE in self.timers:
            self.timers[Timer.IDLE] = now + self._idle

    def expire(self, timer: Timer, *, now: float) -> None:
        """One of this call's timers is due."""
        if timer is Timer.RETRY:
            self._close()
            return self._next(now, waited=True)
        self._drop()
        if self._error is not None:
            return self._read_error(now)
        if timer is not Timer.CONNECT:
            self._leave_out_key()
        times = {Timer.CONNECT: self._context.timeouts.connect, Timer.FIRST_BYTE: self._first_byte}
        seconds, fixed = times.get(timer, self._idle), self.plan.first_byte > 0
        return self._broken(*call_faults.timed_out(timer, self.candidate, seconds, fixed=fixed), now)

    def abort(self) -> None:
        """Give the call up: its leg is dropped, and nothing more is heard of it, not even what it reported."""
        self.aborted = True
        self._drop()
        if self._offered is not None:
            self._context.selector.done(self.hand_over())

    def scrubbed(self, data: bytes) -> bytes:
        """Upstream bytes that are about to pass, with the credential that was used replaced by its label."""
        return self.key.hidden_in(data.decode("latin-1")).encode("latin-1")

    def _next(self, now: float, *, waited: bool = False) -> None:
        """Report that a plan is needed, begin a pause before the next attempt, or report that there is none.

        `waited` after a pause. Where the attempts are used up, patience grants one more after each cooldown.
        """
        context = self._context
        patient = self._patient and now < context.patient_until
        if self.attempts and context.retries_left <= 0 and not waited:
            opens = context.selector.opens(self.candidates, now=now) if patient else None
            return self._give_up(now) if opens is None else self._pause(max(opens, now + RECHECK), now)
        chosen: Selection | Pause | Exhausted
        if self._first is not None:
            chosen, self._first = self._first, None
        elif self._single_attempt and self.candidates and not self.attempts:
            only = self.candidates[0]
            chosen = context.selector.take(Selection(only, own_key(only, context.selector.keys(only.provider))))
        else:
            key = self._conversation_key
            chosen = context.selector.choose(
                self.candidates, tried=self._tried, waited=waited, conversation=key, now=now
            )
        if isinstance(chosen, Selection):
            self._offered = chosen
            return context.events.append((self, NeedPlan(chosen.candidate)))
        exhausted = chosen if isinstance(chosen, Exhausted) else None
        if chosen.until is None or (exhausted is not None and not patient):
            return self._give_up(now, exhausted)
        return self._pause(chosen.until, now, exhausted)

    def _pause(self, until: float, now: float, exhausted: Exhausted | None = None) -> None:
        """Wait with the next attempt, or give up where that would take too long."""
        usual = self._plan is not None and self._plan.wait_for_cooldown
        if not self._context.may_pause(until, patient=self._patient, usual=usual, now=now):
            return self._give_up(now, exhausted)
        self._number_leg(LegState.PAUSED)
        self.timers[Timer.RETRY] = until
        return self._context.events.append((self, Paused()))

    def _leave_out_key(self) -> None:
        """Ask with other keys only from now on: who did not answer in time may be at work on the request still.

        Asked anew it would begin anew, and be paid anew.
        """
        assert self.selection is not None
        keys = self._context.selector.keys(self.candidate.provider)
        self.candidates = without_key(self.candidates, self.selection, keys)

    def _number_leg(self, state: LegState) -> None:
        context = self._context
        context.opened = self._leg = context.opened + 1
        context.live[self._leg] = self
        self.state = state

    def _open(self, selection: Selection, plan: UpstreamPlan, now: float, *, again: bool) -> None:
        self.attempts += 1
        self.selection, self._plan, self.began = selection, plan, now
        self._busy = True
        self._error = None
        self._open_leg(selection, plan, now)
        self._context.events.append((self, Began(again)))

    def _open_leg(self, selection: Selection, plan: UpstreamPlan, now: float) -> None:
        self.headers = ()
        self._number_leg(LegState.CONNECTING)
        self.timers[Timer.CONNECT] = now + self._context.timeouts.connect
        provider = selection.candidate.provider
        self._first_byte, self._idle = self._context.times(provider.first_byte, plan.first_byte, now=now)
        request = upstream_request(plan, selection.candidate, selection.key, hops=self._context.hops)
        self._context.effects.append(OpenUpstream(leg=self._leg, request=request, public_only=plan.public_only))

    def _drop(self) -> None:
        """Give up the live leg, or the pause."""
        if self.state not in (LegState.PAUSED, LegState.OVER):
            self._context.effects.append(AbortUpstream(self._leg))
        self._close()

    def _close(self) -> None:
        self.state = LegState.OVER
        self.timers.clear()
        self._context.live.pop(self._leg, None)
        if self._busy:
            self._busy = False
            assert self.selection is not None
            self._context.selector.done(self.selection)

    def _receive_head(self, head: UpstreamHead, now: float) -> None:
        plan = self.plan
        self.state = LegState.READING
        self.headers = head.headers
        self.timers.pop(Timer.FIRST_BYTE, None)
        if not plan.no_read_timeout:
            self.timers[Timer.IDLE] = now + self._idle
        if plan.raw_status:
            self.committed = True
        if plan.raw_status or 200 <= head.status < 300:
            self._context.events.append((self, Head(head.status, head.headers)))
        else:
            self._error = call_faults.ErrorAnswer(head.status, head.headers)
            self._context.events.append((self, ErrorHead()))

    def _receive_failure(self, failed: UpstreamFailed, now: float) -> None:
        unseen = self.state is not LegState.READING and not self._partly_sent
        again = is_free_reattempt(failed, already_taken=self._reattempted, repeatable=self.plan.repeatable)
        if unseen and again and self._may_reconnect():
            self._reattempted = True
            self.timers.clear()
            self._context.live.pop(self._leg)
            assert self.selection is not None
            return self._open_leg(self.selection, self.plan, now)
        self._close()
        if self._error is not None:
            return self._read_error(now)
        return self._broken(*call_faults.broken(failed, self.candidate), now)

    def _may_reconnect(self) -> bool:
        """Returns True where the attempt may be made on another connection: no failover, but one more request.

        Another connection takes one of the further attempts, so that no request makes more of them than it may; but a
        single attempt would be none at all if its connection was stale.
        """
        granted = self._context.retries_left > 0 or (self.attempts == 1 and not self._reconnected)
        if granted:
            self._reconnected = True
            self._context.retries_left -= 1
        return granted

    def _broken(self, fault: Fault, kind: FailureKind, now: float) -> None:
        """The connection is no more, or there was none."""
        if self.committed:
            return self._context.events.append((self, Failed(fault)))
        return self._attempt_failed(fault, kind, now)

    def _read_error(self, now: float) -> None:
        assert self._error is not None
        fault = self._error.fault(self.candidate)  # whose body may have broken off: the status is what matters
        self._attempt_failed(call_faults.located(fault, self.candidate, self.plan), classify(fault), now)

    def _attempt_failed(self, fault: Fault, kind: FailureKind, now: float) -> None:
        """Note what the attempt failed of, where that concerns its credential, and see what comes next."""
        selection, plan = self.selection, self.plan
        assert selection is not None
        refused = self._error is not None
        failure = call_faults.Failure(fault, kind, self.headers, self.began, refused, foreign=plan.raw_status)
        shown = call_faults.told(failure, selection, self._context, now=now)
        self._fault, self._kind = shown, kind
        self._passing.pop(selection.slot, None)
        if may_pass(shown):
            self._passing[selection.slot] = shown
        self.failed.append(
            call_faults.attempt(selection, self.began, now, headers=self.headers, failure=kind, status=fault.status)
        )
        self._tried.add(selection.slot)
        if kind in ELSEWHERE:
            self.candidates = elsewhere(self.candidates, selection.candidate)
        # A body that passes by was not kept.
        once = self._single_attempt or self._partly_sent or plan.raw_status
        if once or not may_repeat(kind, repeatable=plan.repeatable):
            return self._give_up(now)
        return self._next(now)

    def _give_up(self, now: float, exhausted: Exhausted | None = None) -> None:
        """Report the last attempt's own error, and when the next request may fare better."""
        fault = call_faults.final(self._fault, exhausted, now=now)
        if self._passing and self.may_go_elsewhere and not may_pass(fault):
            *_, fault = self._passing.values()  # another way stays closed, but this one may open
        limited = fault.status == 429 and not self._single_attempt
        if limited or (fault.retry_after is None and self.asked and may_pass(fault)):
            opens = exhausted.until if limited and exhausted is not None else None
            if opens is None:
                opens = self._context.selector.opens(self.candidates, now=now)
            fault = call_faults.with_wait(fault, opens, limited=limited, now=now)
        self._context.events.append((self, Failed(call_faults.with_trail(fault, self.failed))))
