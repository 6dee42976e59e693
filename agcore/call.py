"""One logical upstream request: its attempts, the leg that is live, and that leg's timers.

An operation describes what it wants as a `Plan` and is told, as the owner, what came of it: a successful head, pieces
of body, the end, or one `Fault`. Everything in between (credentials, stale connections, timeouts, error bodies) stays
here, so that no operation has a retry loop of its own.

A leg goes through four states, and `LEGAL` says what a driver may report in each. Anything else is a driver's mistake.
Reports from a leg that is not live any more never reach a Call: the exchange drops them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from agcore.config import Endpoint, Provider, Timeouts
from agcore.dialects import DIALECTS
from agcore.effects import (
    AbortUpstream,
    Body,
    Effect,
    EndUpstream,
    OpenUpstream,
    Origin,
    SendUpstream,
    UpstreamRequest,
)
from agcore.fault import Fault, LocalProtocolError
from agcore.inputs import (
    Headers,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore.ledger import KeyChoice, Ledger
from agcore.retry import is_free_reattempt
from agcore.timers import Timer, Timers
from agcore.upstream_error import fault_from_answer, presentable


class LegState(enum.Enum):
    """How far the live leg is."""

    CONNECTING = "connecting"
    AWAITING = "awaiting the head"
    READING = "reading the body"
    OVER = "over"


LEGAL: Final[Mapping[LegState, Mapping[type, tuple[LegState, ...]]]] = {
    LegState.CONNECTING: {
        UpstreamConnected: (LegState.AWAITING,),
        UpstreamFailed: (LegState.CONNECTING, LegState.OVER),
    },
    LegState.AWAITING: {
        UpstreamHead: (LegState.READING,),
        UpstreamFailed: (LegState.CONNECTING, LegState.OVER),
    },
    LegState.READING: {
        UpstreamData: (LegState.READING, LegState.OVER),
        UpstreamEnd: (LegState.OVER,),
        UpstreamFailed: (LegState.OVER,),
    },
    LegState.OVER: {},
}
"""state -> input -> the states that may follow."""

_FAILURES: Final[Mapping[Stage, str]] = {
    Stage.SEND: "the connection broke while the request was being sent",
    Stage.HEAD: "the connection closed before an answer came",
    Stage.BODY: "the connection closed within the answer",
}
"""What clients are told of a connection that broke, the same on every frontend. Why one could not be made, the driver
says."""

MAX_ERROR_BODY: Final = 256 * 1024
"""Bytes of an error answer that are read; a message beyond that helps nobody."""


class Plan(msgspec.Struct, frozen=True):
    """What an operation wants from an upstream."""

    provider: Provider
    endpoint: Endpoint
    target: bytes
    model: str = ""
    """The upstream's name for the model, for Notes and headers."""
    method: str = "POST"
    headers: Headers = ()
    """Without `host`, credentials and `content-length`, which the Call adds."""
    body: Body = b""
    length: int | None = None
    """Bytes of a body that is not in memory; None where only its end will tell."""
    passes_all: bool = False
    """The owner gets every answer as it is, errors included."""
    patient: bool = False
    """The answer may take its time: no limit but the one for connecting."""
    repeatable: bool = True
    """A stale connection's request may be repeated although some of it was sent."""


class CallOwner(Protocol):
    """Who is told what came of a Call. Nothing follows `call_end` or `call_failed`."""

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """The upstream answers, with a 2xx."""

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """A piece of the answer's body."""

    def call_end(self, call: Call, *, now: float) -> None:
        """The answer is complete."""

    def call_failed(self, call: Call, fault: Fault, *, now: float) -> None:
        """There is no answer, or it broke off."""


class Port(Protocol):
    """What a Call needs of its exchange."""

    def keep_closed(self) -> None:
        """An error answer is coming in: no stream is to be opened ahead of it."""

    def emit(self, effect: Effect) -> None:
        """Command something."""

    def new_leg(self, call: Call) -> int:
        """A number for a leg whose reports are to reach `call`."""

    def drop_leg(self, leg: int) -> None:
        """Reports of this leg are not wanted any more."""


class Call:
    """See the module's text. Made by `Exchange.call`; `begin` opens the first leg."""

    def __init__(self, plan: Plan, *, owner: CallOwner, port: Port, ledger: Ledger, timeouts: Timeouts) -> None:
        self.plan = plan
        self.attempts = 0
        """Attempts that count: a free reattempt does not."""
        self.key: KeyChoice = ledger.choose(plan.provider)
        self.timers = Timers()
        self._owner = owner
        self._port = port
        self._timeouts = timeouts
        self._state = LegState.OVER
        self._leg = 0
        self._reattempted = False
        self._partly_sent = False
        self._error: tuple[int, Headers] | None = None
        self._error_body: list[bytes] = []
        self._error_size = 0

    @property
    def state(self) -> LegState:
        """The live leg's state; `OVER` when there is none."""
        return self._state

    def begin(self, *, now: float) -> None:
        """Open the first leg."""
        self.attempts = 1
        self._open(now)

    @property
    def takes_body(self) -> bool:
        """Whether further pieces of a streamed body can be sent."""
        return self._state in (LegState.AWAITING, LegState.READING)

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
        """Take in a report of the live leg. Raises LocalProtocolError for one that `LEGAL` does not have."""
        if type(input) not in LEGAL[self._state]:
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
                self._report_error(now)
        elif isinstance(input, UpstreamConnected):
            self._state = LegState.AWAITING
            self.timers.clear(Timer.CONNECT)
            if not self.plan.patient:
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
        endpoint = self.plan.endpoint.origin
        if timer is Timer.CONNECT:
            message = f"no connection to {endpoint.host}:{endpoint.port} within {self._timeouts.connect:g} s"
        elif timer is Timer.FIRST_BYTE:
            message = f"{self.plan.provider.name} did not answer within {self._timeouts.first_byte:g} s"
        else:
            message = f"{self.plan.provider.name} sent nothing for {self._timeouts.idle:g} s"
        self.abort()
        if self._error is not None:
            self._report_error(now)
        else:
            self._owner.call_failed(self, Fault(status=504, message=message, code="upstream_timeout"), now=now)

    def abort(self) -> None:
        """Drop the live leg; the owner hears nothing more."""
        self._port.emit(AbortUpstream(self._leg))
        self._close()

    def scrubbed(self, data: bytes) -> bytes:
        """Upstream bytes that are about to pass, with the key that was used replaced by its label."""
        if self.key.secret is None:
            return data
        return data.replace(self.key.secret.reveal().encode(), self.key.label.encode())

    def presentable(self, fault: Fault) -> Fault:
        """A fault read from this call's answer, fit for a client: see `upstream_error.presentable`."""
        return presentable(fault, self.key)

    def _open(self, now: float) -> None:
        plan = self.plan
        self._leg = self._port.new_leg(self)
        self._state = LegState.CONNECTING
        self.timers.set(Timer.CONNECT, now + self._timeouts.connect)
        origin = plan.endpoint.origin
        headers = [(b"host", host_header(origin)), *_credential(plan.endpoint.auth, self.key), *plan.headers]
        if plan.provider.headers:
            configured = {name for name, _ in plan.provider.headers}
            headers = [field for field in headers if field[0] not in configured]
            headers.extend(plan.provider.headers)
        length = len(plan.body) if isinstance(plan.body, bytes) else plan.length
        if length is None:
            headers.append((b"transfer-encoding", b"chunked"))
        elif length or plan.method not in ("GET", "HEAD", "DELETE"):
            headers.append((b"content-length", b"%d" % length))
        request = UpstreamRequest(
            origin=origin, method=plan.method, target=plan.target, headers=tuple(headers), body=plan.body
        )
        self._port.emit(OpenUpstream(leg=self._leg, request=request))

    def _close(self) -> None:
        self._state = LegState.OVER
        self.timers.clear_all()
        self._port.drop_leg(self._leg)

    def _receive_head(self, head: UpstreamHead, now: float) -> None:
        self._state = LegState.READING
        self.timers.clear(Timer.FIRST_BYTE)
        if not self.plan.patient:
            self.timers.set(Timer.IDLE, now + self._timeouts.idle)
        if self.plan.passes_all or 200 <= head.status < 300:
            self._owner.call_head(self, head.status, head.headers, now=now)
        else:
            self._error = (head.status, head.headers)
            self._port.keep_closed()

    def _receive_failure(self, failed: UpstreamFailed, now: float) -> None:
        answered = self._state is LegState.READING
        self._close()
        if self._error is not None:
            self._report_error(now)
        elif (
            not answered
            and not self._partly_sent
            and is_free_reattempt(failed, already_taken=self._reattempted, repeatable=self.plan.repeatable)
        ):
            self._reattempted = True
            self._open(now)
        else:
            message = f"{self.plan.provider.name}: {_FAILURES.get(failed.stage, failed.cause)}"
            self._owner.call_failed(self, Fault(status=502, message=message, code="upstream_unreachable"), now=now)

    def _collect_error(self, data: bytes, now: float) -> None:
        self._error_body.append(data)
        self._error_size += len(data)
        if self._error_size > MAX_ERROR_BODY:
            self.abort()
            self._report_error(now)

    def _report_error(self, now: float) -> None:
        # The status is what matters; an error body that broke off, or stalled, still tells it.
        assert self._error is not None
        status, headers = self._error
        fault = fault_from_answer(
            DIALECTS[self.plan.endpoint.dialect],
            status=status,
            headers=headers,
            body=b"".join(self._error_body),
            key=self.key,
            now=now,
        )
        self._owner.call_failed(self, fault, now=now)


def host_header(origin: Origin) -> bytes:
    """The `host` field for an origin: brackets around IPv6 literals, no default port (RFC 9110 section 7.2)."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    default = 443 if origin.scheme == "https" else 80
    return (host if origin.port == default else f"{host}:{origin.port}").encode("ascii")


def _credential(auth: str, key: KeyChoice) -> Headers:
    if key.secret is None or auth == "none":
        return ()
    secret = key.secret.reveal().encode("latin-1")
    if auth == "bearer":
        return ((b"authorization", b"Bearer " + secret),)
    return ((auth.encode("ascii"), secret),)
