"""One logical upstream request: who may answer it, its attempts, the leg that is live, and all timers.

An operation names the `Candidate`s and is told, as the owner, what came of it: a successful head, pieces of body, the
end, or one `Fault`. For each attempt the owner is asked for an `UpstreamPlan`, since another provider may want another
request. Everything in between (credentials, failover, backoff, stale connections, timeouts, error bodies) stays here,
so that no operation has a retry loop of its own.

Until the owner commits, whatever goes wrong is a failed attempt: an error answer, a connection that broke, and also
what only the owner can see, a stream that begins with an error or says nothing (`reject`). The pool of keys learns of
it, and says what is tried next, and when. Attempts are counted by the exchange for all of its calls together, and no
pause is begun that would outlast the request's time. From `commit` on there is one attempt, and its faults are final.

What a driver may report of a leg in which state, `legality.LEG` says. Reports from a leg that is not live any more
never reach a Call: the exchange drops them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from agcore.config.values import Timeouts
from agcore.dialects import DIALECTS, FALLBACK
from agcore.dialects.whole_answer import fault_from_answer
from agcore.machines.call_set import CallSet
from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import (
    AbortUpstream,
    Effect,
    Emit,
    EndUpstream,
    OpenUpstream,
    SendUpstream,
)
from agcore.protocol.events import CredentialCooled
from agcore.protocol.fault import FailureKind, Fault, LocalProtocolError
from agcore.protocol.http import Headers
from agcore.protocol.inputs import (
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore.protocol.legality import LEG, LegState
from agcore.routing.retry import classify, is_free_reattempt, may_repeat
from agcore.routing.retry_after import is_key_refused, retry_after, scope_is_key, stated_retry_after
from agcore.routing.selection import Candidate, Credential, CredentialModel, Exhausted, Pause, Selection
from agcore.state.shared import LocalState
from agcore.upstream.errors import OWN_CREDENTIAL, presentable
from agcore.upstream.request import UpstreamPlan, upstream_request

_FAILURES: Final[Mapping[Stage, str]] = {
    Stage.SEND: "the connection broke while the request was being sent",
    Stage.HEAD: "the connection closed before an answer came",
    Stage.BODY: "the connection closed within the answer",
}
"""What clients are told of a connection that broke, the same on every frontend. Why one could not be made, the driver
says."""

MAX_ERROR_BODY: Final = 256 * 1024
"""Bytes of an error answer that are read; a message beyond that helps nobody."""

LONGEST_PAUSE: Final = 5.0
"""Seconds: where the next attempt is further off than this, the client hears of it and may choose for itself."""

MAX_TRAIL: Final = 8
"""Failed attempts that an error message lists."""


class CallOwner(Protocol):
    """Who is told what came of a Call. Nothing follows `call_end` or `call_failed`, but for what the owner repeats."""

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """What to ask at `way`, for a new attempt: whatever came of an earlier one is void.

        A Fault rules the way out. None ends the call without a word, when the owner goes on by other ones.
        """

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """An attempt was begun."""

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """The upstream answers, with a 2xx."""

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """A piece of the answer's body."""

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The answer is complete: the owner commits to it, or rejects it."""

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """There is no answer, or it broke off after the owner had committed. The fault is fit for a client."""


class Port(Protocol):
    """What a Call needs of its exchange."""

    @property
    def first_content_by(self) -> float:
        """When the time for all attempts is over."""

    def connecting(self) -> None:
        """A connection is being made: nothing more of an upload is read before there is one."""

    def retrying(self, *, now: float) -> None:
        """Another attempt begins: what its predecessor had stopped counts again."""

    def expect_error_body(self) -> None:
        """An error answer is coming in: no stream is to be opened ahead of it."""

    def emit(self, effect: Effect) -> None:
        """Command something."""


class UpstreamCall:
    """See the module's text. Made by `Exchange.call`; `begin` makes the first attempt.

    Args:
        ways: Where the request may be answered, in the order of their steps; at least one.
        owner: Is asked for plans and told what came of them.
        port: The exchange.
        legs: All of the exchange's.
        ledger: Has the keys.
        timeouts: Of the configuration.
        seat: A hash of the client and its conversation, where it matters.
        once: Ask the first way's key once, whatever is known about it.
        further: Even the first attempt is one of the further ones of the request.
        first: What the first attempt is made with, handed over by another call.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        owner: CallOwner,
        port: Port,
        legs: CallSet,
        ledger: LocalState,
        timeouts: Timeouts,
        seat: bytes | None = None,
        once: bool = False,
        further: bool = False,
        first: Selection | None = None,
    ) -> None:
        self.further = further
        """Its first attempt followed another call's."""
        self.candidates = tuple(candidates)
        self.attempts = 0
        """Attempts that count: a free reattempt does not."""
        self.trail: list[str] = []
        """The failed attempts: `label: what happened`."""
        self.committed = False
        """The owner took the answer: there is no other attempt."""
        self.timers = Timers()
        self._owner = owner
        self._port = port
        self._legs = legs
        self._pool = ledger.pool
        self._timeouts = timeouts
        self._seat = seat
        self._once = once
        self._first = first
        self._offered: Selection | None = None
        self._choice: Selection | None = None
        self._plan: UpstreamPlan | None = None
        self._busy = False
        self._began = 0.0
        self._state = LegState.OVER
        self._leg = 0
        self._tried: set[CredentialModel] = set()
        self._fault: Fault | None = None
        self._trouble = FailureKind.INVALID_REQUEST
        self._reattempted = False
        self._reconnected = False
        self._partly_sent = False
        self._headers: Headers = ()
        self._error: int | None = None
        self._error_body: list[bytes] = []
        self._error_size = 0

    @property
    def state(self) -> LegState:
        """The live leg's state; `OVER` when there is none."""
        return self._state

    @property
    def asked(self) -> bool:
        """Whether there was an attempt, so that `way`, `key` and `plan` are known."""
        return self._plan is not None

    @property
    def candidate(self) -> Candidate:
        """Where the latest attempt went."""
        assert self._choice is not None
        return self._choice.candidate

    @property
    def key(self) -> Credential:
        """The credential of the latest attempt."""
        assert self._choice is not None
        return self._choice.key

    @property
    def plan(self) -> UpstreamPlan:
        """The request of the latest attempt."""
        assert self._plan is not None
        return self._plan

    def hand_over(self) -> Selection:
        """What was chosen for the plan that the owner is being asked for. It goes to the call that gets it as `first`;
        this one ends, as the owner's None says."""
        assert self._offered is not None
        choice, self._offered = self._offered, None
        return choice

    def begin(self, *, now: float) -> None:
        """Make the first attempt."""
        self._next(now)

    def commit(self) -> None:
        """The owner takes the answer, or begins to show it: from now on nothing is repeated."""
        if not self.committed:
            self.committed = True
            assert self._choice is not None
            self._pool.succeeded(self._choice, began=self._began)

    def reject(self, fault: Fault, *, now: float) -> None:
        """The answer is none: the attempt has failed of `fault`, in the upstream's words.

        Another attempt follows where the rules allow it; else `call_failed` comes, at once.
        """
        if self._state is not LegState.OVER:
            self.abort()
        if self.committed:
            return self._owner.call_failed(self, self._presentable(fault), now=now)
        return self._attempt_failed(fault, classify(fault), now)

    @property
    def may_go_elsewhere(self) -> bool:
        """Whether somebody else may be asked after `call_failed`: neither is the request itself at fault, nor may it
        have been answered though that must not happen twice."""
        return not self.asked or may_repeat(self._trouble, repeatable=self.plan.repeatable)

    def repeat(self, plan: UpstreamPlan, *, now: float) -> bool:
        """Ask the same key once more, differently, after `call_failed`; False where that may not be."""
        if self.committed or not self._may_reconnect():
            return False
        assert self._choice is not None
        self._port.retrying(now=now)
        self._open(self._pool.take(self._choice), plan, now)
        return True

    @property
    def takes_body(self) -> bool:
        """Whether further pieces of a streamed body can be sent; after a refusal they are kept for the next attempt."""
        return self._state in (LegState.AWAITING, LegState.READING) and self._error is None

    def send(self, data: bytes, *, now: float) -> None:
        """Send a further piece of a streamed body."""
        self._partly_sent = True
        self._port.emit(SendUpstream(self._leg, data))
        self.written(now=now)

    def end_body(self, *, now: float) -> None:
        """The streamed body is complete."""
        self._partly_sent = True
        self._port.emit(EndUpstream(self._leg))
        self.written(now=now)

    def receive(self, input: UpstreamInput, *, now: float) -> None:
        """Take in a report of the live leg. Raises LocalProtocolError for one that `legality.LEG` does not have."""
        if type(input) not in LEG[self._state]:
            raise LocalProtocolError(f"{type(input).__name__} while the leg is {self._state.value}")
        if isinstance(input, UpstreamData):
            if self.timers.armed(Timer.IDLE):
                self.timers.set(Timer.IDLE, now + self._timeouts.idle)
            if self._error is None:
                self._owner.call_data(self, input.data, now=now)
            else:
                self._collect_error(input.data, now)
        elif isinstance(input, UpstreamHead):
            self._receive_head(input, now)
        elif isinstance(input, UpstreamEnd):
            self._close()
            if self._error is None:
                self._owner.call_end(self, now=now)
            else:
                self._read_error(now)
        elif isinstance(input, UpstreamConnected):
            self._state = LegState.AWAITING
            self.timers.clear(Timer.CONNECT)
            if not self.plan.no_read_timeout:
                self.timers.set(Timer.FIRST_BYTE, now + self._timeouts.first_byte)
        else:
            self._receive_failure(input, now)

    def written(self, *, now: float) -> None:
        """A slow write, to the leg or to the client, is over: waiting for the upstream starts only now."""
        if self.timers.armed(Timer.FIRST_BYTE):
            self.timers.set(Timer.FIRST_BYTE, now + self._timeouts.first_byte)
        if self.timers.armed(Timer.IDLE):
            self.timers.set(Timer.IDLE, now + self._timeouts.idle)

    def expire(self, timer: Timer, *, now: float) -> None:
        """One of this Call's timers is due."""
        if timer is Timer.RETRY:
            self._close()
            return self._next(now)
        origin, provider = self.candidate.endpoint.origin, self.candidate.provider.name
        trouble = FailureKind.UPSTREAM_ERROR
        if timer is Timer.CONNECT:
            message = f"no connection to {origin.host}:{origin.port} within {self._timeouts.connect:g} s"
            trouble = FailureKind.UNREACHABLE
        elif timer is Timer.FIRST_BYTE:
            message = f"{provider} did not answer within {self._timeouts.first_byte:g} s"
        else:
            message = f"{provider} sent nothing for {self._timeouts.idle:g} s"
        self.abort()
        if self._error is not None:
            return self._read_error(now)
        return self._broken(Fault(status=504, message=message, code="upstream_timeout"), trouble, now)

    def abort(self) -> None:
        """Drop the live leg; the owner hears nothing more."""
        if self._state not in (LegState.PAUSED, LegState.OVER):
            self._port.emit(AbortUpstream(self._leg))
        self._close()

    def scrubbed(self, data: bytes) -> bytes:
        """Upstream bytes that are about to pass, with the key that was used replaced by its label."""
        return self.key.hidden_in(data.decode("latin-1")).encode("latin-1")

    def _next(self, now: float) -> None:
        """Begin the next attempt, or a pause before it, or tell the owner that there is none."""
        while True:
            if self.attempts and not self._legs.may_retry:
                return self._give_up(now)
            chosen: Selection | Pause | Exhausted
            if self._first is not None:
                chosen, self._first = self._first, None
            elif self._once and self.candidates and not self.attempts:
                chosen = self._pool.take(Selection(self.candidates[0], self._own_key()))
            else:
                chosen = self._pool.choose(self.candidates, tried=self._tried, seat=self._seat, now=now)
            if isinstance(chosen, Exhausted):
                return self._give_up(now, chosen)
            if isinstance(chosen, Pause):
                too_long = chosen.until - now > LONGEST_PAUSE or chosen.until >= self._port.first_content_by
                if too_long or not self.plan.wait_for_cooldown:
                    return self._give_up(now)
                self._state = LegState.PAUSED
                self._port.connecting()
                self._leg = self._legs.open(self)
                self._port.retrying(now=now)
                return self.timers.set(Timer.RETRY, chosen.until)
            self._offered = chosen
            plan = self._owner.call_plan(self, chosen.candidate, now=now)
            if plan is None:
                return self._release_selection()
            if isinstance(plan, Fault):
                self._pool.done(chosen)
                self._rule_out(chosen.candidate)
                self._fault = self._fault or plan
                continue
            if self.attempts or self.further:
                self._legs.spend_attempt()
                self._port.retrying(now=now)
            return self._open(chosen, plan, now)

    def _release_selection(self) -> None:
        """There is no plan; what was chosen for it is free again, unless another call has it."""
        if self._offered is not None:
            self._pool.done(self._offered)

    def _own_key(self) -> Credential:
        candidate = self.candidates[0]
        return next(key for key in self._pool.keys(candidate.provider) if candidate.key in (None, key.id))

    def _open(self, choice: Selection, plan: UpstreamPlan, now: float) -> None:
        self.attempts += 1
        self._choice, self._plan = choice, plan
        self._busy = True
        self._began = now
        self._error = None
        self._error_body.clear()
        self._error_size = 0
        self._open_leg(now)
        self._owner.call_begun(self, now=now)

    def _open_leg(self, now: float) -> None:
        self._headers = ()
        self._port.connecting()
        self._leg = self._legs.open(self)
        self._state = LegState.CONNECTING
        self.timers.set(Timer.CONNECT, now + self._timeouts.connect)
        request = upstream_request(self.plan, self.candidate, self.key)
        self._port.emit(OpenUpstream(leg=self._leg, request=request, public_only=self.plan.public_only))

    def _close(self) -> None:
        self._state = LegState.OVER
        self.timers.clear_all()
        self._legs.drop(self._leg)
        if self._busy:
            self._busy = False
            assert self._choice is not None
            self._pool.done(self._choice)

    def _receive_head(self, head: UpstreamHead, now: float) -> None:
        self._state = LegState.READING
        self._headers = head.headers
        self.timers.clear(Timer.FIRST_BYTE)
        if not self.plan.no_read_timeout:
            self.timers.set(Timer.IDLE, now + self._timeouts.idle)
        if self.plan.raw_status:
            self.committed = True
        if self.plan.raw_status or 200 <= head.status < 300:
            self._owner.call_head(self, head.status, head.headers, now=now)
        else:
            self._error = head.status
            self._port.expect_error_body()

    def _receive_failure(self, failed: UpstreamFailed, now: float) -> None:
        answered = self._state is LegState.READING
        free = (
            not answered
            and not self._partly_sent
            and is_free_reattempt(failed, already_taken=self._reattempted, repeatable=self.plan.repeatable)
        )
        if free and self._may_reconnect():
            self._reattempted = True
            self.timers.clear_all()
            self._legs.drop(self._leg)
            return self._open_leg(now)
        self._close()
        if self._error is not None:
            return self._read_error(now)
        message = f"{self.candidate.provider.name}: {_FAILURES.get(failed.stage, failed.cause)}"
        unreachable = failed.stage in (Stage.CONNECT, Stage.TLS)
        trouble = FailureKind.UNREACHABLE if unreachable else FailureKind.UPSTREAM_ERROR
        return self._broken(Fault(status=502, message=message, code="upstream_unreachable"), trouble, now)

    def _may_reconnect(self) -> bool:
        """Whether the attempt may be mended: no failover, but one more call.

        It takes one of the further attempts, so that no request makes more calls than it may; but a single attempt
        would be none at all if its connection was stale.
        """
        granted = self._legs.may_retry or (self.attempts == 1 and not self._reconnected)
        if granted:
            self._reconnected = True
            self._legs.spend_attempt()
        return granted

    def _broken(self, fault: Fault, trouble: FailureKind, now: float) -> None:
        """The connection is no more, or there was none."""
        if self.committed:
            return self._owner.call_failed(self, fault, now=now)
        return self._attempt_failed(fault, trouble, now)

    def _collect_error(self, data: bytes, now: float) -> None:
        self._error_body.append(data)
        self._error_size += len(data)
        if self._error_size > MAX_ERROR_BODY:
            self.abort()
            self._read_error(now)

    def _read_error(self, now: float) -> None:
        # The status is what matters; an error body that broke off, or stalled, still tells it.
        assert self._error is not None
        dialect = DIALECTS.get(self.candidate.endpoint.dialect, FALLBACK)
        fault = fault_from_answer(
            dialect,
            provider=self.candidate.provider.name,
            status=self._error,
            headers=self._headers,
            body=b"".join(self._error_body),
        )
        self._attempt_failed(fault, classify(fault), now)

    def _attempt_failed(self, fault: Fault, trouble: FailureKind, now: float) -> None:
        """Note what the attempt failed of, where that concerns its key, and see what comes next."""
        assert self._choice is not None
        headers = self._headers
        if self._error is None:  # what else a 200 says of limits is about a request that was served
            headers = tuple(field for field in headers if field[0].startswith(b"retry-after"))
        wait = stated_retry_after(fault, headers, now=now)
        if trouble is FailureKind.INVALID_REQUEST:  # whose words may be anything
            wait = retry_after(headers, now=now)
        shown = self._presentable(fault)
        revoked = fault.status == 401 or is_key_refused(fault)
        # What passes whatever its answer is no provider of the pool, though it may be called like one.
        news = not self.plan.raw_status and self._pool.failed(
            self._choice,
            trouble,
            whole_key=revoked or scope_is_key(fault),
            wait=wait,
            reason=shown.message,
            began=self._began,
            now=now,
        )
        if news:
            self._port.emit(
                Emit(
                    CredentialCooled(
                        key=self.key.label,
                        provider=self.candidate.provider.name,
                        model=self.candidate.model,
                        failure=trouble,
                        refused=True,
                        message=f"{shown.message}; it is left alone while another way is open",
                    )
                )
            )
        if wait is not None and shown.code != OWN_CREDENTIAL:
            shown = msgspec.structs.replace(shown, retry_after=wait)
        self._fault, self._trouble = shown, trouble
        self.trail.append(f"{self.key.label}: {'unreachable' if trouble is FailureKind.UNREACHABLE else fault.status}")
        self._tried.add(self._choice.slot)
        if trouble is FailureKind.NOT_FOUND:
            self._rule_out(self.candidate)
        # A body that passes by was not kept.
        once = self._once or self._partly_sent or self.plan.raw_status
        if once or not may_repeat(trouble, repeatable=self.plan.repeatable):
            return self._give_up(now)
        return self._next(now)

    def _rule_out(self, candidate: Candidate) -> None:
        """Nobody is asked at this way any more."""
        self.candidates = tuple(each for each in self.candidates if each is not candidate)

    def _give_up(self, now: float, closed: Exhausted | None = None) -> None:
        self._owner.call_failed(self, self._final(closed, now), now=now)

    def _final(self, closed: Exhausted | None, now: float) -> Fault:
        """What the client is told: the last attempt's own error, and when the next request may fare better."""
        fault = self._fault
        if closed is not None and closed.until is not None and (fault is None or fault.status != 429):
            fault = Fault(
                status=429,
                message=f"every key that could answer is limited: {'; '.join(closed.reasons[:MAX_TRAIL])}",
                code="rate_limit_exceeded",
            )
        if fault is None:
            fault = Fault(status=503, message="no key is left that could answer", code="no_key_left")
        if fault.status == 429 and not self._once:
            opens = closed.until if closed is not None else None
            if opens is None:
                opens = self._pool.opens(self.candidates, now=now)
            if opens is not None:
                fault = msgspec.structs.replace(fault, retry_after=max(round(opens - now, 3), 1.0))
        if len(self.trail) > 1:
            tried = ", ".join(self.trail[-MAX_TRAIL:])
            fault = msgspec.structs.replace(fault, message=f"{fault.message} (tried {tried})")
        return fault

    def _presentable(self, fault: Fault) -> Fault:
        return presentable(fault, self.key)
