"""The state machine of one client request, from its head to the last byte of its answer.

Five states; what a client has seen so far is a state, not a flag:

- RECEIVING: the request's body is arriving and is kept; nothing was sent.
- WAITING: the operation runs, the rest of an upload passing by. Nothing was sent: the answer may still become anything,
  an error with its own status included. JSON answers stay here to the end.
- OPENED: a stream's 200 and keepalives were sent, because the upstream was silent for `timeouts.open_after`, but no
  content. Errors are in-band from here on.
- COMMITTED: content was sent. The stream may only finish, or break with its dialect's own error.
- DONE: `Finish` was commanded, exactly once, and nothing follows it.

`LEGAL` is consulted before anything else: an input that a state does not list is a driver's mistake and raises
`LocalProtocolError`; what a peer does is never raised. Upstream reports carry their leg, and one look-up drops those of
legs that are not live. The machine itself knows no route and no protocol: an `Operation` decides what is answered, by
calling the methods below the line of public ones, and `Call`s fetch what it needs from upstreams.

The driver performs the effects of one input before it reads the next thing, so the most that is ever queued is what one
input can make.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Final

from agcore.access_row import Tally, access_row
from agcore.call import Call, CallOwner, Plan
from agcore.dialects import ERROR_SHAPES
from agcore.effects import AbortClient, DropSpool, Effect, Finish, Note, SendData, SendEnd, SendHead, Spool
from agcore.fault import Fault, LocalProtocolError, invalid
from agcore.headers import REQUEST_ID, field_value
from agcore.inputs import (
    ClientGone,
    DrainRequested,
    Headers,
    Input,
    RequestBroken,
    RequestData,
    RequestEnd,
    SpoolFailed,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.operations.base import Operation
from agcore.request import Request
from agcore.services import Services
from agcore.timers import Timer, Timers


class State(enum.Enum):
    """What the client has seen so far; see the module's text."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    OPENED = "opened"
    COMMITTED = "committed"
    DONE = "done"


_FROM_CLIENT: Final = frozenset({RequestData, RequestEnd, RequestBroken})
_FROM_UPSTREAM: Final = (UpstreamData, UpstreamHead, UpstreamEnd, UpstreamConnected, UpstreamFailed)
_R, _W, _O, _C, _D = State
_OPENED: Final[Mapping[type, tuple[State, ...]]] = {
    UpstreamConnected: (),
    UpstreamHead: (),
    UpstreamData: (_C, _D),
    UpstreamEnd: (_D,),
    UpstreamFailed: (_D,),
    ClientGone: (_D,),
    Written: (),
    DrainRequested: (),
}
_UPLOADING: Final[Mapping[type, tuple[State, ...]]] = {
    RequestData: (_D,),
    RequestEnd: (_D,),
    RequestBroken: (_D,),
    SpoolFailed: (_D,),
    DrainRequested: (_D,),
}
LEGAL: Final[Mapping[State, Mapping[type, tuple[State, ...]]]] = {
    _R: {
        RequestData: (_W, _D),
        RequestEnd: (_W, _D),
        RequestBroken: (_D,),
        ClientGone: (_D,),
        Written: (),
        SpoolFailed: (_D,),
        DrainRequested: (_D,),
    },
    # What is opened early is never an upload; anything else may be one that still passes by.
    _W: {**_OPENED, **_UPLOADING, UpstreamHead: (_C, _D)},
    _O: _OPENED,
    _C: {**_OPENED, **_UPLOADING},
    # After the end, late reports are dropped; a driver that still reads the request must do so for itself.
    _D: dict.fromkeys((_OPENED.keys() | _UPLOADING.keys()) - _FROM_CLIENT, ()),
}
"""state -> input -> the states it may lead to, besides staying. docs/architecture.md draws its diagram from this."""

TIMED: Final[Mapping[State, tuple[State, ...]]] = {_R: (_D,), _W: (_O, _C, _D), _O: (_C, _D), _C: (_D,), _D: ()}
"""state -> the states that the passing of time may lead to."""

LINGER: Final = 1.0
"""Seconds an upstream gets to end its body once its last event was passed on; then its connection is dropped."""
HOLD: Final = 5.0
"""Seconds that lifecycle events of an upstream are held back while no content follows."""


class Exchange:
    """One client request. Made by `Gateway.open`; see the module's text and docs/write-a-frontend.md."""

    def __init__(self, request: Request, services: Services, *, operation: type[Operation] | None) -> None:
        self.request = request
        self.services = services
        self.write_deadline: float | None = None
        """When a write that is running must be given up: that side is dead afterwards. Nothing else may cut a write."""
        self._state = State.RECEIVING
        self._effects: list[Effect] = []
        self._timers = Timers()
        self._calls: list[Call] = []
        self._legs: dict[int, Call] = {}
        self._next_leg = 1
        self._uploading = False
        self._spool = 0
        self._reserved = 0
        self._tally = Tally()
        self._stream_headers: Headers = ()
        self._keepalive = b""
        self._operation = None if operation is None else operation(self)

    def __repr__(self) -> str:
        live = ", ".join(f"leg {leg} {call.state.value}" for leg, call in self._legs.items())
        return f"<Exchange {self.request.id} {self._state.value}{': ' + live if live else ''}>"

    @property
    def calls(self) -> Sequence[Call]:
        """The upstream calls so far, in order."""
        return self._calls

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
            return self._calls[-1].takes_body
        return self._state is State.RECEIVING

    def wants(self, leg: int) -> bool:
        """Whether the driver should read more of this leg's answer."""
        return leg in self._legs

    @property
    def deadline(self) -> float | None:
        """When to call `handle_timeout`, in absolute seconds. It bounds reads only."""
        at = self._timers.next
        for call in self._legs.values():
            other = call.timers.next
            if other is not None and (at is None or other < at):
                at = other
        return at

    def receive(self, input: Input, *, now: float) -> list[Effect]:
        """Take in what happened; the effects are to be performed before anything is read again.

        Raises LocalProtocolError when `LEGAL` does not list the input in the present state.
        """
        kind = type(input)
        if kind not in LEGAL[self._state] or (kind in _FROM_CLIENT and not self.wants_request):
            raise LocalProtocolError(f"{kind.__name__} is not legal while {self._state.value}")
        if self._state is State.DONE:
            return []
        if isinstance(input, _FROM_UPSTREAM):
            call = self._legs.get(input.leg)
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
            for call in tuple(self._legs.values()):
                call.written(now=now)
            timeouts = self.services.config.timeouts
            for timer, seconds in ((Timer.PING, timeouts.ping), (Timer.BODY, timeouts.body_idle)):
                if self._timers.armed(timer):
                    self._timers.set(timer, now + seconds)
        elif isinstance(input, SpoolFailed):
            self._spool = 0
            self.fail(Fault(status=507, message=f"the upload could not be put aside: {input.cause}"), now=now)
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
                continue
            for call in tuple(self._legs.values()):
                timer = call.timers.pop_due(now)
                if timer is not None:
                    call.expire(timer, now=now)
                    break
            else:
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

    def spool(self, data: bytes) -> int:
        """Put a piece of the request aside, outside memory; the number names what was put aside so far."""
        self._spool = 1
        self._effects.append(Spool(self._spool, data))
        return self._spool

    def upload(self) -> None:
        """The operation has begun its call: the rest of the body passes by, as fast as the upstream takes it."""
        self._state = State.WAITING
        self._uploading = True

    def call(self, plan: Plan, *, owner: CallOwner, now: float) -> Call:
        """Ask an upstream. The time to the first content counts from the first call, or from an upload's last piece."""
        services = self.services
        if not self._calls:
            self._timers.set(Timer.REQUEST, now + services.config.timeouts.request)
        call = Call(plan, owner=owner, port=self, ledger=services.ledger, timeouts=services.config.timeouts)
        self._calls.append(call)
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
            status = 503 if fault.status == 529 and dialect != "anthropic" else fault.status
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
            self._timers.set(Timer.OPEN, now + self.services.config.timeouts.open_after)

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

    def linger(self, *, now: float) -> None:
        """The stream's last event was sent: the upstream has a moment to end its body, then the stream ends anyhow."""
        self._timers.clear(Timer.PING)
        self._timers.set(Timer.LINGER, now + LINGER)

    def moving(self) -> None:
        """The answer has begun to come, though nothing of it is shown yet: its total time is not limited any more."""
        self._timers.clear(Timer.REQUEST)

    def end(self, *, now: float) -> None:
        """End the stream properly and finish."""
        self._effects.append(SendEnd())
        self._finish("ok", now)

    def emit(self, effect: Effect) -> None:
        """Command something (for calls)."""
        self._effects.append(effect)

    def new_leg(self, call: Call) -> int:
        """A fresh leg number whose reports go to `call`."""
        leg = self._next_leg
        self._next_leg += 1
        self._legs[leg] = call
        # Nothing more of an upload is read before there is a connection for it.
        self._timers.clear(Timer.BODY)
        return leg

    def keep_closed(self) -> None:
        """An error answer is coming in: the stream is not opened ahead of it (for calls)."""
        self._timers.clear(Timer.OPEN)

    def drop_leg(self, leg: int) -> None:
        """Reports of this leg are dropped from now on."""
        self._legs.pop(leg, None)

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
            self._timers.set(Timer.REQUEST, now + timeouts.request)
        self._tally.received += len(data)
        limit = self._operation.max_body(self.services.config.limits)
        if self._tally.received > limit:
            self.fail(too_large(limit), now=now)
        else:
            self._operation.take(data, now=now)

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
            self.fail(Fault(status=504, message=f"no answer within {timeouts.request:g} s", code="timeout"), now=now)
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
        else:
            self.end(now=now)

    def _keep_alive(self, now: float) -> None:
        self._timers.set(Timer.PING, now + self.services.config.timeouts.ping)
        self._send(self._keepalive)

    def _send_head(self, status: int, headers: Headers) -> None:
        self._tally.status = status
        request_id = REQUEST_ID.get(self.request.dialect, b"x-request-id")
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
        together = 1 if self._operation is None else self._operation.together
        if fault.status >= 500 and sum(call.attempts for call in self._calls) > together:
            # Clients retry by themselves; the gateway has done that already.
            fields.append((b"x-should-retry", b"false"))
        if self._calls:
            fields.extend(self.provenance(self._calls[-1]))
        return tuple(fields)

    def provenance(self, call: Call) -> Headers:
        """The headers that tell where an answer came from."""
        plan = call.plan
        model: Headers = ((b"x-agcore-model", field_value(plan.model)),) if plan.model else ()
        provider = (b"x-agcore-provider", field_value(plan.provider.name))
        return (provider, *model, (b"x-agcore-attempts", b"%d" % call.attempts))

    def _abort_legs(self) -> None:
        for call in tuple(self._legs.values()):
            call.abort()

    def _finish(self, outcome: str, now: float) -> None:
        self._abort_legs()
        self._timers.clear_all()
        self.services.ledger.release(self._reserved)
        self._reserved = 0
        if self._spool:
            self._effects.append(DropSpool(self._spool))
        self._uploading = False
        self._state = State.DONE
        more = {} if self._operation is None else self._operation.row()
        row = access_row(self.request, self._tally, self._calls, more, outcome=outcome, now=now)
        self._effects.append(Note("access", row))
        self._effects.append(Finish())


def too_large(limit: int) -> Fault:
    """The 413 for a body over `limit` bytes."""
    return Fault(status=413, message=f"the request body is larger than {limit} bytes", code="request_too_large")
