"""The state machine of one client request, from its head to the last byte of its answer.

An exchange wires its parts together: the request's body, the client's answer, the calls to upstreams, and the operation
that knows what is asked. Its states say what the client has seen so far; `legality` has them, with what may be told in
each. Upstream reports carry their leg, and one look-up drops those of legs that are not live.

Every part returns before another one is told: what calls report waits in a queue, which is worked off before `receive`
returns, and what concludes the exchange is carried out last. So none of them is ever entered while it is at work.

The driver performs the effects of one input before it reads the next thing, so the most that is ever queued is what one
input can make.
"""

from __future__ import annotations

from agcore.codecs.json_splice import BodyError
from agcore.dialects import ERROR_SHAPES
from agcore.ingress.request import Preflight, Refused, Request, Routed
from agcore.machines.call_events import Began, Data, ErrorHead, Paused
from agcore.machines.call_faults import in_a_row
from agcore.machines.call_set import CallSet
from agcore.machines.client_response import ClientResponse
from agcore.machines.environment import LATE, Environment, Pending
from agcore.machines.memory import ReservedMemory
from agcore.machines.operation import ExchangeParts, Operation, OperationKind
from agcore.machines.record import Watch, request_ended
from agcore.machines.request_body import BodyPolicy, RequestBody
from agcore.machines.services import GatewayServices
from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import DropSpool, Effect, Emit, Finish
from agcore.protocol.events import Outcome
from agcore.protocol.fault import Fault, LocalProtocolError, invalid
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
    StateReplied,
    UpstreamConnected,
    UpstreamHead,
    Written,
)
from agcore.protocol.legality import EXCHANGE, FROM_CLIENT, FROM_UPSTREAM, State
from agcore.protocol.report import NOTHING_TO_REPORT
from agcore.protocol.state import StateUnavailable


class Exchange:
    """The machine of one client request, from its head to `Finish`. Made by `Gateway.open`.

    A frontend performs the effects of one call, all of them and in their order, before it reports the next fact. It
    reads what `wants_request` and `wants` ask for, calls `handle_timeout` when `deadline` has come, and `abandon` last,
    whatever happened.

    Attributes:
        request: The head, decided; `request.id` names the exchange.
        write_deadline: When a write that is running must be given up: that side is dead afterwards. Nothing else may
            cut a write. None before the first effect.
    """

    def __init__(
        self,
        request: Request,
        services: GatewayServices,
        *,
        operation: OperationKind | None = None,
        max_body: int = 0,
        watched: bool = False,
    ) -> None:
        self.request = request
        self.write_deadline: float | None = None
        timeouts = services.config.timeouts
        self._services = services
        self._timeouts = timeouts
        self._effects: list[Effect] = []
        self._timers = Timers()
        self._calls = CallSet(
            services.config, services.outside, request.head.headers, effects=self._effects, timers=self._timers
        )
        self._client = ClientResponse(request, timeouts, calls=self._calls, effects=self._effects, timers=self._timers)
        self._memory = ReservedMemory(services.outside, self._client)
        self._body = RequestBody(
            BodyPolicy.DISCARD if operation is None else operation.body,
            max_body,
            timeouts.body_idle,
            self._client,
            self._calls,
            self._memory,
            self._timers,
        )
        self._environment = Environment(self._effects, self._timers, services.outside)
        self._watch = Watch(request, self._client.counters, self._calls.calls) if watched else None
        self._asking_for = b""
        """The body that waits for facts while the exchange is *asking*."""
        self._operation: Operation | None = None
        if operation is not None:
            assert isinstance(request, Routed)
            if request.codings and operation.body is not BodyPolicy.DISCARD:
                from agcore.codecs.content_coding import ContentDecoder  # few bodies are coded

                self._body.decoder = ContentDecoder(request.codings, limit=max_body)
            self._operation = operation(
                ExchangeParts(request, services, self._client, self._calls, self._body, self._memory, self._environment)
            )

    def __repr__(self) -> str:
        live = str(self._calls)
        return f"<Exchange {self.request.id} {self.state.value}{': ' + live if live else ''}>"

    @property
    def state(self) -> State:
        """Phase of the exchange, as `legality.EXCHANGE` knows it."""
        return self._client.state

    @property
    def finished(self) -> bool:
        """True once `Finish` was commanded."""
        return self._client.state is State.DONE

    @property
    def wants_request(self) -> bool:
        """True while the driver should read more of the request's body; one that passes by waits for its upstream."""
        return self._body.wanted

    def wants(self, leg: int) -> bool:
        """Returns True while the driver should read more of this leg's answer."""
        return leg in self._calls.live

    @property
    def deadline(self) -> float | None:
        """Time to call `handle_timeout`, in absolute seconds; None for never. A deadline bounds reads only."""
        return min((at for at in (self._timers.next, self._calls.deadline) if at is not None), default=None)

    def receive(self, input: Input, *, now: float) -> list[Effect]:
        """Take in what happened; the effects are to be performed before anything is read again.

        Raises LocalProtocolError when `legality.EXCHANGE` does not list the input in the present state.
        """
        kind, state = type(input), self._client.state
        from_client = kind in FROM_CLIENT
        if kind not in EXCHANGE[state] or (from_client and not self._body.wanted):
            raise LocalProtocolError(f"{kind.__name__} is not legal while {state.value}")
        if state is State.DONE:
            return []
        client, operation = self._client, self._operation
        assert operation is not None  # without one the exchange is done when it is opened
        if not from_client and isinstance(input, FROM_UPSTREAM):
            call = self._calls.live.get(input.leg)
            if call is None:
                return []
            if isinstance(input, UpstreamHead):
                coded = b"content-encoding" in dict(input.headers)
            else:
                coded = self._calls.coded is not None and input.leg in self._calls.coded.decoders
            if coded:
                self._calls.receive_coded(call, input, now=now)
            else:
                call.receive(input, now=now)
            if kind is UpstreamConnected and self._body.passing:
                self._timers[Timer.BODY] = now + self._timeouts.body_idle
        elif isinstance(input, RequestData):
            for piece in self._body.receive(input.data, now=now):
                operation.receive_body(piece, now=now)
                if client.outcome is not None:
                    break
        elif isinstance(input, RequestEnd):
            body = self._body.end(now=now)
            if client.outcome is None:
                try:
                    operation.run(body, now=now)
                except (BodyError, Pending) as reason:
                    self._stopped(reason, body, now)
        elif isinstance(input, ClientGone):
            client.outcome = "client gone"
        elif isinstance(input, Written):
            self._written(now)
        elif isinstance(input, RequestBroken):
            client.fail(invalid(f"the request body broke off: {input.reason}"), now=now)
        elif isinstance(input, SpoolFailed):
            self._environment.spooled = 0
            client.fail(Fault(status=507, message=f"the upload could not be put aside: {input.cause}"), now=now)
        elif isinstance(input, FileRead | FileRefused):
            self._receive_file(operation, input, now)
        elif isinstance(input, StateReplied):
            if self._environment.reply(input.reply):
                self._run_again(operation, now)
        elif isinstance(input, Notified):
            operation.notified(input, now=now)
        else:
            operation.drain(now=now)
        return self._settle(now)

    def handle_timeout(self, *, now: float) -> list[Effect]:
        """Fire every timer that is due. Calling early does nothing."""
        effects: list[Effect] = []
        while self._client.state is not State.DONE:
            timer = self._timers.pop_due(now)
            if timer is not None:
                self._expire(timer, now)
            elif not self._calls.expire(now=now):
                break
            effects += self._settle(now)
        return effects

    def abandon(self, *, now: float) -> list[Effect]:
        """The driver gives up (its task ends): the last effects. Does nothing after `Finish`."""
        if self._client.state is State.DONE:
            return []
        self._client.break_off()
        self._client.outcome = "abandoned"
        return self._settle(now)

    def _receive_file(self, operation: Operation, input: FileRead | FileRefused, now: float) -> None:
        if self._client.finished or not self._environment.file_came(input.id):
            return
        if isinstance(input, FileRead):
            operation.file_read(input.id, input.data, now=now)
        else:
            operation.file_refused(input.id, input.reason, now=now)

    def _run_again(self, operation: Operation, now: float) -> None:
        """Run the operation on the body that waits in it, now that what was asked for is known."""
        body, self._asking_for = self._asking_for, b""
        loaded, self._environment.loaded = self._environment.loaded, 0
        self._client.state = State.WAITING
        if not self._memory.reserve(loaded, now=now):
            return
        try:
            operation.run(body, now=now)
        except (BodyError, Pending) as reason:
            self._stopped(reason, body, now)

    def _stopped(self, reason: BodyError | Pending, body: bytes, now: float) -> None:
        if isinstance(reason, BodyError):
            self._client.fail(invalid(str(reason)), now=now)
        else:
            self._client.state = State.ASKING
            self._asking_for = body

    def _written(self, now: float) -> None:
        self._calls.written(now=now)
        for timer, seconds in ((Timer.PING, self._timeouts.ping), (Timer.BODY, self._timeouts.body_idle)):
            if timer in self._timers:
                self._timers[timer] = now + seconds

    def _expire(self, timer: Timer, now: float) -> None:
        client, operation, timeouts = self._client, self._operation, self._timeouts
        assert operation is not None
        if timer is Timer.BODY:
            message = f"the request body stalled for {timeouts.body_idle:g} s"
            client.fail(Fault(status=408, message=message), now=now)
        elif timer is Timer.REQUEST and now < self._calls.first_content_by:
            self._timers[timer] = self._calls.first_content_by  # who is asked at present has more time
        elif timer is Timer.REQUEST:
            tried = ", ".join(in_a_row(self._calls.trail))
            message = f"no answer within {self._calls.time:g} s{f' (tried {tried})' if tried else ''}"
            client.fail(Fault(status=504, message=message, code="timeout"), now=now)
        elif timer in (Timer.OPEN, Timer.PING):
            if timer is Timer.OPEN:
                operation.opening()
                client.open_early()
            client.keep_alive(operation.keepalive(client.keepalive), now=now)
        elif timer is Timer.HOLD:
            # Opening is the keepalives' business: what is held goes out only into a stream that is open already.
            if Timer.OPEN in self._timers:
                self._timers[Timer.HOLD] = self._timers[Timer.OPEN]
            else:
                operation.release(now=now)
        elif timer is Timer.ALARM:
            operation.alarm(now=now)
        elif timer is Timer.FILE:
            for number in sorted(self._environment.missing):
                self._receive_file(operation, FileRefused(number, LATE), now)
        elif timer is Timer.FACTS:
            for number in sorted(self._environment.asked):
                self._environment.reply(StateUnavailable(number))
            self._run_again(operation, now)
        else:
            client.end(now=now)

    def _settle(self, now: float) -> list[Effect]:
        """Deliver what calls report until nothing is left, close what is over, and hand the effects out."""
        client, calls = self._client, self._calls
        while calls.events and client.outcome is None:
            call, event = calls.events.pop(0)
            if call.aborted:
                continue
            kind = type(event)
            if kind is not Data:
                if kind is ErrorHead:
                    client.expect_error_body()
                    continue
                if kind is Paused or (isinstance(event, Began) and event.again):
                    client.next_attempt()
                if kind is Paused:
                    continue
            calls.receivers[call].receive(call, event, now=now)
        if client.outcome is not None:
            self._close(client.outcome, now)
        elif self._body.passing and not self._body.wanted:
            # While nothing is read of a body that passes through, the client is not late.
            self._timers.pop(Timer.BODY, None)
        if self._watch is not None:
            over = client.outcome is not None
            place = len(self._effects) - (2 if over else 0)  # before the record and the end
            self._effects[place:place] = self._watch.look(over=over, now=now)
        effects = self._effects.copy()
        if effects:
            self._effects.clear()
            self.write_deadline = now + self._timeouts.write
        return effects

    def _close(self, outcome: Outcome, now: float) -> None:
        """Tell the client of a failure, let go of everything, and command `Finish`."""
        client, operation = self._client, self._operation
        fault = client.counters.fault
        if fault is not None:
            if client.state not in (State.RECEIVING, State.WAITING):
                assert operation is not None
                client.tell_in_stream(operation.error_in_stream(fault))
            elif operation is not None:
                client.tell(fault, operation.error_body(fault), now=now)
            else:
                client.tell(fault, ERROR_SHAPES[self.request.dialect](fault, self.request.id), now=now)
        self._calls.abort()
        self._timers.clear()
        self._memory.release_all()
        if self._environment.spooled:
            self._effects.append(DropSpool(self._environment.spooled))
        self._body.passing = False
        client.state = State.DONE
        report = NOTHING_TO_REPORT
        if operation is not None:
            operation.over()
            report = operation.report()
            if isinstance(self.request, Routed) and self.request.metered:
                self._pay(operation, outcome, now)
        ended = request_ended(self.request, client.counters, self._calls.calls, report, outcome=outcome, now=now)
        self._effects += (Emit(ended), Finish())

    def _pay(self, operation: Operation, outcome: Outcome, now: float) -> None:
        """Settle the limits of the client's key: a place comes back, and the request where no upstream was asked; what
        was consumed goes, but nothing for an error."""
        assert self.request.identity is not None
        tokens, asked = 0, self._calls.asked
        if asked and outcome != "error":
            counters = self._client.counters
            tokens = operation.consumed(received=self._body.size if counters.first_content is not None else 0)
        self._services.outside.settle(self.request.identity, tokens=tokens, asked=asked, now=now)


def begin(exchange: Exchange, *, now: float) -> list[Effect]:
    """Start an exchange that was just made, for the gateway, and return its first effects.

    A request that was refused is answered here; an operation may answer at once, before any body.
    """
    request, client, operation = exchange.request, exchange._client, exchange._operation
    if isinstance(request, Refused):
        client.fail(request.fault, now=now)
    elif isinstance(request, Preflight):
        client.answer(204, b"", headers=request.headers, now=now)
    else:
        assert operation is not None
        operation.begin(now=now)
        if client.outcome is None:
            exchange._timers[Timer.BODY] = now + exchange._timeouts.body_idle
    return exchange._settle(now)
