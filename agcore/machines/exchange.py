"""The state machine of one client request, from its head to the last byte of its answer.

Its states say what the client has seen so far; `legality` has them, with what may be told in each. Upstream reports
carry their leg, and one look-up drops those of legs that are not live. The machine itself knows no route and no
protocol: an `Operation` decides what is answered, by calling the methods below the line of public ones, and
`UpstreamCall`s fetch what it needs from upstreams.

The driver performs the effects of one input before it reads the next thing, so the most that is ever queued is what one
input can make.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.header_fields import field_value
from agcore.dialects import DIALECTS, ERROR_SHAPES, FALLBACK
from agcore.ingress.request import Request
from agcore.machines.call_set import CallSet
from agcore.machines.operation import Operation
from agcore.machines.services import GatewayServices
from agcore.machines.timers import Timer, Timers
from agcore.machines.upstream_call import CallOwner, UpstreamCall
from agcore.protocol.effects import (
    AbortClient,
    DropSpool,
    Effect,
    Emit,
    Finish,
    ReadFile,
    ReadSpool,
    SendData,
    SendEnd,
    SendHead,
    Spool,
)
from agcore.protocol.events import Outcome, RequestEnded, RequestStarted
from agcore.protocol.fault import Fault, LocalProtocolError, invalid
from agcore.protocol.http import Headers
from agcore.protocol.inputs import (
    ClientGone,
    FileRead,
    FileRefused,
    Input,
    Notified,
    RequestBroken,
    RequestData,
    RequestEnd,
    SpoolFailed,
    UpstreamConnected,
    Written,
)
from agcore.protocol.legality import EXCHANGE, FROM_CLIENT, FROM_UPSTREAM, State
from agcore.protocol.report import NOTHING_TO_REPORT, Report
from agcore.routing.selection import Candidate, Selection

LINGER: Final = 1.0
"""Seconds an upstream gets to end its body once its last event was passed on; then its connection is dropped."""
HOLD: Final = 5.0
"""Seconds that lifecycle events of an upstream are held back while no content follows."""
FILE: Final = 30.0
"""Seconds for reading a file: after the last was asked for, all that are missing count as refused."""


class Counters(msgspec.Struct):
    """What an exchange counts as it goes."""

    received: int = 0
    """Bytes of the request's body."""
    sent: int = 0
    """Bytes of the answer's body."""
    status: int = 0
    """What the head said; 0 while none was sent."""
    first_content: float | None = None
    """When the first content left, in seconds since the epoch."""
    fault: Fault | None = None
    """What the client was told of."""


class Exchange:
    """One client request. Made by `Gateway.open`; see the module's text and docs/write-a-frontend.md."""

    def __init__(
        self, request: Request, services: GatewayServices, *, operation: type[Operation] | None, metered: bool = False
    ) -> None:
        self.request = request
        self.services = services
        self.write_deadline: float | None = None
        """When a write that is running must be given up: that side is dead afterwards. Nothing else may cut a write."""
        self._state = State.RECEIVING
        self._effects: list[Effect] = []
        self._timers = Timers()
        self.legs = CallSet(attempts=services.config.retry.attempts)
        """The calls and their legs."""
        self._uploading = False
        self._spool = 0
        self._reserved = 0
        self._metered = metered  # the client key's allowance let it in
        self._next_file = 1
        self._files: set[int] = set()
        self._tally = Counters()
        self._stream_headers: Headers = ()
        self._keepalive = b""
        self._first_content_by = math.inf
        self._open_at = math.inf
        self._operation = None if operation is None else operation(self)

    def __repr__(self) -> str:
        live = str(self.legs)
        return f"<Exchange {self.request.id} {self._state.value}{': ' + live if live else ''}>"

    @property
    def calls(self) -> Sequence[UpstreamCall]:
        """The upstream calls so far, in order."""
        return self.legs.calls

    @property
    def state(self) -> State:
        """Where the machine is."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether `Finish` was commanded."""
        return self._state is State.DONE

    @property
    def wants_request(self) -> bool:
        """Whether the driver should read more of the request's body. What passes by waits for its upstream."""
        if self._uploading:
            return self.calls[-1].takes_body
        return self._state is State.RECEIVING

    def wants(self, leg: int) -> bool:
        """Whether the driver should read more of this leg's answer."""
        return leg in self.legs

    @property
    def deadline(self) -> float | None:
        """When to call `handle_timeout`, in absolute seconds. It bounds reads only."""
        return min((at for at in (self._timers.next, self.legs.deadline) if at is not None), default=None)

    def receive(self, input: Input, *, now: float) -> list[Effect]:
        """Take in what happened; the effects are to be performed before anything is read again.

        Raises LocalProtocolError when `legality.EXCHANGE` does not list the input in the present state.
        """
        kind = type(input)
        if kind not in EXCHANGE[self._state] or (kind in FROM_CLIENT and not self.wants_request):
            raise LocalProtocolError(f"{kind.__name__} is not legal while {self._state.value}")
        if self._state is State.DONE:
            return []
        if isinstance(input, FROM_UPSTREAM):
            call = self.legs.find(input.leg)
            if call is None:
                return []
            call.receive(input, now=now)
            if kind is UpstreamConnected and self._uploading:
                self._timers.set(Timer.BODY, now + self.services.config.timeouts.body_idle)
        elif isinstance(input, RequestData):
            self._receive_body(input.data, now)
        elif isinstance(input, RequestEnd):
            self._start(now)
        elif isinstance(input, RequestBroken):
            self.fail(invalid(f"the request body broke off: {input.reason}"), now=now)
        elif isinstance(input, ClientGone):
            self._finish("client gone", now)
        elif isinstance(input, Written):
            self.legs.written(now=now)
            timeouts = self.services.config.timeouts
            for timer, seconds in ((Timer.PING, timeouts.ping), (Timer.BODY, timeouts.body_idle)):
                if self._timers.armed(timer):
                    self._timers.set(timer, now + seconds)
        elif isinstance(input, SpoolFailed):
            self._spool = 0
            self.fail(Fault(status=507, message=f"the upload could not be put aside: {input.cause}"), now=now)
        elif isinstance(input, FileRead | FileRefused):
            self._receive_file(input, now)
        elif isinstance(input, Notified):
            assert self._operation is not None
            self._operation.told(input, now=now)
        else:
            assert self._operation is not None
            self._operation.drain(now=now)
        return self._drain(now)

    def handle_timeout(self, *, now: float) -> list[Effect]:
        """Fire every timer that is due. Calling early does nothing."""
        while self._state is not State.DONE:
            timer = self._timers.pop_due(now)
            if timer is not None:
                self._expire(timer, now)
            elif not self.legs.expire(now=now):
                break
        return self._drain(now)

    def abandon(self, *, now: float) -> list[Effect]:
        """The driver gives up (its task ends): the last effects. Does nothing after `Finish`."""
        if self._state is not State.DONE:
            if self._tally.status:
                self._effects.append(AbortClient())
            self._finish("abandoned", now)
        return self._drain(now)

    # What follows is for the operation and its calls.

    def begin(self, *, now: float) -> list[Effect]:
        """Start: the operation may answer at once, before any body; else the body is waited for."""
        assert self._operation is not None
        self._operation.begin(now=now)
        if self._state is State.RECEIVING:
            self._timers.set(Timer.BODY, now + self.services.config.timeouts.body_idle)
        return self._drain(now)

    def refuse(self, fault: Fault, *, now: float) -> list[Effect]:
        """Answer with a fault that was found before there was an operation."""
        self.fail(fault, now=now)
        return self._drain(now)

    def answer_at_once(self, status: int, *, headers: Headers, now: float) -> list[Effect]:
        """Answer without a body and without an operation."""
        self.answer(status, b"", headers=headers, now=now)
        return self._drain(now)

    def reserve(self, size: int, *, now: float) -> bool:
        """Account for `size` bytes to be held until the end; without room for them the exchange fails with a 503."""
        if self.services.ledger.reserve(size):
            self._reserved += size
            return True
        fault = Fault(status=503, message="the gateway holds as much data as it may; try again", retry_after=1)
        self.fail(fault, now=now)
        return False

    def release_memory(self, size: int) -> None:
        """What was reserved for an answer is not held any more: another attempt will bring another one."""
        self.services.ledger.release(size)
        self._reserved -= size

    def spool(self, data: bytes) -> int:
        """Put a piece of the request aside, outside memory; the number names what was put aside so far."""
        self._spool = 1
        self._effects.append(Spool(self._spool, data))
        return self._spool

    def read_file(self, path: str, *, roots: tuple[str, ...], max_bytes: int, now: float) -> int:
        """Have a file of this machine read (see `ReadFile`); `Operation.file_read` or `file_refused` gets its number.

        Not before the request is complete. Its bytes are not accounted for: who keeps them calls `reserve`.
        """
        number = self._number_file(now)
        self._effects.append(ReadFile(number, path, roots, max_bytes))
        return number

    def read_spool(self, *, now: float) -> int:
        """Have what was put aside read back as a whole; the rest is as with `read_file`. It stays put aside, too."""
        number = self._number_file(now)
        self._effects.append(ReadSpool(number, self._spool))
        return number

    def upload(self) -> None:
        """The operation has begun its call: the rest of the body passes by, as fast as the upstream takes it."""
        self._state = State.WAITING
        self._uploading = True

    def call(
        self,
        candidates: Sequence[Candidate],
        *,
        owner: CallOwner,
        now: float,
        seat: bytes | None = None,
        once: bool = False,
        further: bool = False,
        first: Selection | None = None,
    ) -> UpstreamCall:
        """Ask upstreams: see `UpstreamCall`.

        The time to the first content counts from the first call, or from an upload's last piece. The attempts of the
        configuration are those of the exchange: what one call takes beyond its first, another one lacks.
        """
        services = self.services
        if not self.calls:
            self._limit_time(now)
        call = UpstreamCall(
            candidates,
            owner=owner,
            port=self,
            legs=self.legs,
            ledger=services.ledger,
            timeouts=services.config.timeouts,
            seat=seat,
            once=once,
            further=further,
            first=first,
        )
        self.legs.calls.append(call)
        call.begin(now=now)
        return call

    def answer(
        self, status: int, body: bytes, *, now: float, headers: Headers = (), content_type: bytes = b"application/json"
    ) -> None:
        """Answer as a whole and finish. Legal while nothing was sent."""
        assert self._state in (State.RECEIVING, State.WAITING)
        framing: Headers = () if status == 204 else ((b"content-length", b"%d" % len(body)),)
        typed: Headers = ((b"content-type", content_type),) if body else ()
        self._send_head(status, (*typed, *framing, *headers))
        if body and self.request.head.method != "HEAD":
            self._send(body)
        self._effects.append(SendEnd())
        self._tally.first_content = now
        self._finish("ok" if status < 400 else "error", now)

    def fail(self, fault: Fault, *, now: float) -> None:
        """Tell the client of a fault in whatever way its phase allows, and finish."""
        self._tally.fault = fault
        if self._state in (State.RECEIVING, State.WAITING):
            dialect = self.request.dialect
            known = fault.status != 529 or DIALECTS.get(dialect, FALLBACK).traits.knows_529
            status = fault.status if known else 503
            operation = self._operation
            body = ERROR_SHAPES[dialect](fault, self.request.id) if operation is None else operation.error_body(fault)
            self.answer(status, body, headers=(*fault.headers, *self._hints(fault)), now=now)
            return
        assert self._operation is not None
        last = self._operation.error_in_stream(fault)
        if last is None:
            self._effects.append(AbortClient())
        else:
            self._send(last)
            self._effects.append(SendEnd())
        self._finish("error", now)

    def expect_stream(self, headers: Headers, *, keepalive: bytes, now: float) -> None:
        """The answer will be a stream with these headers: it may be opened early, and kept alive, with `keepalive`."""
        self._stream_headers = headers
        self._keepalive = keepalive
        if self._state not in (State.OPENED, State.COMMITTED):
            self._open_at = min(self._open_at, now + self.services.config.timeouts.open_after)
            self._timers.set(Timer.OPEN, self._open_at)

    def stream_head(self, headers: Headers) -> None:
        """Better headers for the stream, now that the upstream's are known; without effect once it is open."""
        self._stream_headers = headers

    def write(self, data: bytes, *, now: float) -> None:
        """Send content of the stream. The first content commits the exchange to it."""
        if self._state is not State.COMMITTED:
            if self._state is State.WAITING:
                self._send_head(200, self._stream_headers)
            self._state = State.COMMITTED
            self._tally.first_content = now
            self._timers.clear(Timer.OPEN, Timer.REQUEST, Timer.HOLD)
        self._timers.set(Timer.PING, now + self.services.config.timeouts.ping)
        self._send(data)

    def open_answer(self, status: int, headers: Headers, *, now: float) -> None:
        """Send the head of an answer that passes as it comes: nothing of it can be taken back."""
        self._send_head(status, headers)
        self._state = State.COMMITTED
        self._tally.first_content = now
        self._timers.clear(Timer.OPEN, Timer.REQUEST)

    def pass_on(self, data: bytes) -> None:
        """Send a piece of an answer opened by `open_answer`."""
        if data:
            self._send(data)

    def hold(self, *, now: float) -> None:
        """Lifecycle events are being held: `Operation.release` is called after a while without content."""
        if not self._timers.armed(Timer.HOLD):
            self._timers.set(Timer.HOLD, now + HOLD)

    def set_alarm(self, at: float) -> None:
        """Have `Operation.alarm` called at this moment, in absolute seconds."""
        self._timers.set(Timer.ALARM, at)

    def await_upstream_end(self, *, now: float) -> None:
        """The stream's last event was sent: the upstream has a moment to end its body, then the stream ends anyhow."""
        self._timers.clear(Timer.PING)
        self._timers.set(Timer.LINGER, now + LINGER)

    def stop_first_content_timer(self) -> None:
        """The answer has begun to come, though nothing of it is shown yet: its total time is not limited any more."""
        self._timers.clear(Timer.REQUEST)

    def end(self, *, now: float) -> None:
        """End the stream properly and finish."""
        self._effects.append(SendEnd())
        self._finish("ok", now)

    @property
    def first_content_by(self) -> float:
        """When the time for all attempts is over (for calls)."""
        return self._first_content_by

    def connecting(self) -> None:
        """A connection is being made: nothing more of an upload is read before there is one (for calls)."""
        self._timers.clear(Timer.BODY)

    def retrying(self, *, now: float) -> None:
        """Another attempt begins: the client's patience is what it was before the last one (for calls)."""
        if self._state in (State.WAITING, State.OPENED):
            self._timers.clear(Timer.HOLD)
            self._timers.set(Timer.REQUEST, self._first_content_by)
            if self._state is State.WAITING and self._open_at < math.inf:
                self._timers.set(Timer.OPEN, self._open_at)

    def emit(self, effect: Effect) -> None:
        """Command something (for calls)."""
        self._effects.append(effect)

    def expect_error_body(self) -> None:
        """An error answer is coming in: no stream is opened ahead of it, and no upload read on (for calls)."""
        self._timers.clear(Timer.OPEN, Timer.BODY)

    def _drain(self, now: float) -> list[Effect]:
        effects, self._effects = self._effects, []
        if effects:
            self.write_deadline = now + self.services.config.timeouts.write
        return effects

    def _receive_body(self, data: bytes, now: float) -> None:
        assert self._operation is not None
        timeouts = self.services.config.timeouts
        self._timers.set(Timer.BODY, now + timeouts.body_idle)
        if self._timers.armed(Timer.REQUEST):
            self._limit_time(now)
        self._tally.received += len(data)
        limit = self._operation.max_body(self.services.config.limits)
        if self._tally.received > limit:
            self.fail(too_large(limit), now=now)
        else:
            self._operation.take(data, now=now)

    def _number_file(self, now: float) -> int:
        assert self._state is not State.RECEIVING
        self._timers.set(Timer.FILE, now + FILE)
        number = self._next_file
        self._next_file += 1
        self._files.add(number)
        return number

    def _receive_file(self, input: FileRead | FileRefused, now: float) -> None:
        assert self._operation is not None
        if input.id not in self._files or self._state is State.DONE:
            return
        self._files.remove(input.id)
        if not self._files:
            self._timers.clear(Timer.FILE)
        if isinstance(input, FileRead):
            self._operation.file_read(input.id, input.data, now=now)
        else:
            self._operation.file_refused(input.id, input.reason, now=now)

    def _limit_time(self, now: float) -> None:
        self._first_content_by = now + self.services.config.timeouts.request
        self._timers.set(Timer.REQUEST, self._first_content_by)

    def _start(self, now: float) -> None:
        assert self._operation is not None
        self._state = State.WAITING if self._state is State.RECEIVING else self._state
        self._uploading = False
        self._timers.clear(Timer.BODY)
        self._operation.complete(now=now)

    def _expire(self, timer: Timer, now: float) -> None:
        timeouts = self.services.config.timeouts
        if timer is Timer.BODY:
            self.fail(Fault(status=408, message=f"the request body stalled for {timeouts.body_idle:g} s"), now=now)
        elif timer is Timer.REQUEST:
            tried = ", ".join(item for call in self.calls for item in call.trail)
            cause = f" (tried {tried})" if tried else ""
            message = f"no answer within {timeouts.request:g} s{cause}"
            self.fail(Fault(status=504, message=message, code="timeout"), now=now)
        elif timer is Timer.OPEN:
            self._send_head(200, self._stream_headers)
            self._state = State.OPENED
            self._keep_alive(now)
        elif timer is Timer.PING:
            self._keep_alive(now)
        elif timer is Timer.HOLD:
            # Opening is the keepalives' business: what is held goes out only into a stream that is open already.
            if self._timers.armed(Timer.OPEN):
                self._timers.set(Timer.HOLD, self._timers.at(Timer.OPEN))
            else:
                assert self._operation is not None
                self._operation.release(now=now)
        elif timer is Timer.ALARM:
            assert self._operation is not None
            self._operation.alarm(now=now)
        elif timer is Timer.FILE:
            for number in sorted(self._files):
                self._receive_file(FileRefused(number, f"was not read within {FILE:g} s"), now)
        else:
            self.end(now=now)

    def _keep_alive(self, now: float) -> None:
        self._timers.set(Timer.PING, now + self.services.config.timeouts.ping)
        assert self._operation is not None
        self._send(self._operation.keepalive(self._keepalive))

    def _send_head(self, status: int, headers: Headers) -> None:
        self._tally.status = status
        request_id = DIALECTS.get(self.request.dialect, FALLBACK).traits.request_id_header
        fields = list(headers)
        if not any(name == request_id for name, _ in headers):
            fields.append((request_id, self.request.id.encode("ascii")))
        fields.extend(self.request.cors)
        self._effects.append(SendHead(status=status, headers=tuple(fields)))

    def _send(self, data: bytes) -> None:
        self._tally.sent += len(data)
        self._effects.append(SendData(data))

    def _hints(self, fault: Fault) -> Headers:
        fields: list[tuple[bytes, bytes]] = []
        if fault.retry_after is not None:
            fields.append((b"retry-after", b"%d" % math.ceil(fault.retry_after)))
        if fault.status >= 500 and self.legs.attempts > 1:
            # Clients retry by themselves; the gateway has done that already.
            fields.append((b"x-should-retry", b"false"))
        asked = [call for call in self.calls if call.asked]
        if asked:
            fields.extend(self.provenance(asked[-1]))
        return tuple(fields)

    def provenance(self, call: UpstreamCall) -> Headers:
        """The headers that tell where an answer came from."""
        candidate = call.candidate
        model: Headers = ((b"x-agcore-model", field_value(candidate.model)),) if candidate.model else ()
        provider = (b"x-agcore-provider", field_value(candidate.provider.name))
        return (provider, *model, (b"x-agcore-attempts", b"%d" % self.legs.attempts))

    def _finish(self, outcome: Outcome, now: float) -> None:
        self.legs.abort()
        self._timers.clear_all()
        self.services.ledger.release(self._reserved)
        self._reserved = 0
        if self._spool:
            self._effects.append(DropSpool(self._spool))
        self._uploading = False
        self._state = State.DONE
        if self._operation is not None:
            self._operation.over()
        report = NOTHING_TO_REPORT if self._operation is None else self._operation.report()
        if self._metered:
            self._settle(outcome, now)
        self._effects.append(Emit(self._ended(outcome, report, now)))
        self._effects.append(Finish())

    def _ended(self, outcome: Outcome, report: Report, now: float) -> RequestEnded:
        request, tally = self.request, self._tally
        started = RequestStarted(
            id=request.id,
            at=request.started,
            method=request.head.method,
            path=request.target.path,
            dialect=request.dialect,
            operation="" if request.match is None else request.match.route.operation,
            peer=request.peer.host,
            client_key=request.client,
        )
        asked = [call for call in self.calls if call.asked]
        # Providers that were asked side by side have no last one among them.
        one = len({call.candidate.provider.name for call in asked if not call.further}) == 1
        return RequestEnded(
            started=started,
            at=now,
            outcome=outcome,
            status=tally.status,
            bytes_in=tally.received,
            bytes_out=tally.sent,
            first_content=tally.first_content,
            provider=asked[-1].candidate.provider.name if one else None,
            upstream_model=asked[-1].candidate.model if one else "",
            key=asked[-1].key.label if one else "",
            attempts=sum(call.attempts for call in asked) if asked else None,
            failed=tuple(each for call in asked for each in call.trail),
            report=report,
            error=None if tally.fault is None else tally.fault.message,
        )

    def _settle(self, outcome: Outcome, now: float) -> None:
        """Give the client key's allowance back what it lent, and take what was consumed: nothing for an error."""
        assert self.request.identity is not None
        assert self._operation is not None
        tokens = 0
        if outcome != "error":
            answered = self._tally.first_content is not None
            tokens = self._operation.consumed(received=self._tally.received if answered else 0)
        self.services.ledger.allowances.done(self.request.identity, tokens=tokens, now=now)


def too_large(limit: int) -> Fault:
    """The 413 for a body over `limit` bytes."""
    return Fault(status=413, message=f"the request body is larger than {limit} bytes", code="request_too_large")
