"""The answer to the client: how much of it was shown, and what may still be told.

The states are those of `legality.State`. A stream's head waits for content: until then the answer may become anything,
an error with its own status included. If the upstream stays silent for `timeouts.open_after`, the stream is opened and
kept alive, and errors are told in it.

`answer`, `end` and `fail` conclude the response: `finished` is true from there on, and the exchange closes as soon as
whoever called has returned. A failure is told then, in words that the exchange has the operation choose.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from agcore.codecs.header_fields import first
from agcore.config.values import Timeouts
from agcore.dialects import DIALECTS, FALLBACK
from agcore.ingress.request import Request
from agcore.machines.call_set import CallSet
from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import AbortClient, Effect, SendData, SendEnd, SendHead
from agcore.protocol.events import Outcome
from agcore.protocol.fault import Fault, retry_hints
from agcore.protocol.http import Headers
from agcore.protocol.legality import State

LINGER: Final = 1.0
"""Seconds an upstream gets to end its body once its last event was passed on; then its connection is dropped."""
HOLD: Final = 5.0
"""Seconds that lifecycle events of an upstream are held back while no content follows."""


class Counters(msgspec.Struct):
    """Counts that an exchange keeps for its record."""

    received: int = 0
    """Bytes of the request's body."""
    sent: int = 0
    """Bytes of the answer's body."""
    status: int = 0
    """Status of the answer's head; 0 while none was sent."""
    first_content: float | None = None
    """Time at which the first content left, in seconds since the epoch."""
    fault: Fault | None = None
    """The failure that the client is told of."""


class ClientResponse:
    """The answer to one request, as an operation gives it.

    Args:
        request: What is answered.
        timeouts: Of the configuration.
        calls: Of the exchange; headers name who was asked.
        effects: Takes the commands for the driver.
        timers: Of the exchange.
    """

    def __init__(
        self, request: Request, timeouts: Timeouts, *, calls: CallSet, effects: list[Effect], timers: Timers
    ) -> None:
        self.state = State.RECEIVING
        """The phase of the answer, by what the client has seen."""
        self.counters = Counters()
        """Counts for the record of the exchange."""
        self.outcome: Outcome | None = None
        """Outcome of the exchange; None while it is open."""
        self._request = request
        self._traits = DIALECTS.get(request.dialect, FALLBACK).traits
        self._timeouts = timeouts
        self._calls = calls
        self._effects = effects
        self._timers = timers
        self._stream_headers: Headers = ()
        self.keepalive = b""
        """Bytes that usually keep the stream alive."""
        self._open_at = math.inf

    @property
    def finished(self) -> bool:
        """True once the answer is complete, or has failed: there is nothing more to be said."""
        return self.outcome is not None

    def answer(
        self, status: int, body: bytes, *, now: float, headers: Headers = (), content_type: bytes = b"application/json"
    ) -> None:
        """Answer as a whole. Legal while nothing was sent."""
        assert self.state in (State.RECEIVING, State.WAITING)
        framing: Headers = () if status == 204 else ((b"content-length", b"%d" % len(body)),)
        typed: Headers = ((b"content-type", content_type),) if body else ()
        self._send_head(status, (*typed, *framing, *headers))
        if body and self._request.head.method != "HEAD":
            self._send(body)
        self._effects.append(SendEnd())
        self.counters.first_content = now
        self.outcome = "ok" if status < 400 else "error"

    def fail(self, fault: Fault, *, now: float) -> None:
        """Have the client told of a fault, in whatever way the state of the answer allows."""
        self.counters.fault = fault
        self.outcome = "error"

    def expect_stream(self, headers: Headers, *, keepalive: bytes, now: float) -> None:
        """The answer will be a stream with these headers: it may be opened early, and kept alive, with `keepalive`."""
        self._stream_headers = headers
        self.keepalive = keepalive
        if self.state not in (State.OPENED, State.COMMITTED):
            self._open_at = min(self._open_at, now + self._timeouts.open_after)
            self._timers[Timer.OPEN] = self._open_at

    def stream_head(self, headers: Headers) -> None:
        """Better headers for the stream, now that the upstream's are known; without effect once it is open."""
        self._stream_headers = headers

    def write(self, data: bytes, *, now: float) -> None:
        """Send content of the stream. The first content commits the exchange to it."""
        if self.state is not State.COMMITTED:
            if self.state is State.WAITING:
                self._send_head(200, self._stream_headers)
            self.state = State.COMMITTED
            self.counters.first_content = now
            self._timers.disarm(Timer.OPEN, Timer.REQUEST, Timer.HOLD)
        self._timers[Timer.PING] = now + self._timeouts.ping
        self.counters.sent += len(data)
        self._effects.append(SendData(data))

    def end(self, *, now: float) -> None:
        """End the stream properly."""
        self._effects.append(SendEnd())
        self.outcome = "ok"

    def open_answer(self, status: int, headers: Headers, *, now: float) -> None:
        """Send the head of an answer that passes as it comes: nothing of it can be taken back."""
        self._send_head(status, headers)
        self.state = State.COMMITTED
        self.counters.first_content = now
        self._timers.disarm(Timer.OPEN, Timer.REQUEST)

    def pass_on(self, data: bytes) -> None:
        """Send a piece of an answer opened by `open_answer`."""
        if data:
            self._send(data)

    def defer_preamble(self, *, now: float) -> None:
        """Lifecycle events are being held: `Operation.release` is called after a while without content."""
        if Timer.HOLD not in self._timers:
            self._timers[Timer.HOLD] = now + HOLD

    def await_upstream_end(self, *, now: float) -> None:
        """The stream's last event was sent: the upstream has a moment to end its body, then the stream ends anyhow."""
        self._timers.pop(Timer.PING, None)
        self._timers[Timer.LINGER] = now + LINGER

    def stop_first_content_timer(self) -> None:
        """The answer has begun to come, though nothing of it is shown yet: its total time is not limited any more."""
        self._timers.pop(Timer.REQUEST, None)

    def next_attempt(self) -> None:
        """Another attempt begins: the client's patience is what it was before the last one."""
        if self.state in (State.WAITING, State.OPENED):
            self._timers.pop(Timer.HOLD, None)
            self._timers[Timer.REQUEST] = self._calls.first_content_by
            if self.state is State.WAITING and self._open_at < math.inf:
                self._timers[Timer.OPEN] = self._open_at

    def expect_error_body(self) -> None:
        """An error answer is coming in: no stream is opened ahead of it."""
        self._timers.pop(Timer.OPEN, None)

    def open_early(self) -> None:
        """Open the expected stream although nothing came yet."""
        self._send_head(200, self._stream_headers)
        self.state = State.OPENED

    def keep_alive(self, data: bytes, *, now: float) -> None:
        """Send what keeps a silent stream alive."""
        self._timers[Timer.PING] = now + self._timeouts.ping
        self._send(data)

    def tell(self, fault: Fault, body: bytes, *, now: float) -> None:
        """Answer as a whole with what `fail` was given, in the words of `body`."""
        known = fault.status != 529 or self._traits.knows_529
        status = fault.status if known else 503
        self.answer(status, body, headers=(*fault.headers, *self._hints(fault)), now=now)

    def tell_in_stream(self, last: bytes | None) -> None:
        """End a stream with the bytes that tell what `fail` was given, or break it off where there are none."""
        if last is None:
            self._effects.append(AbortClient())
        else:
            self._send(last)
            self._effects.append(SendEnd())

    def break_off(self) -> None:
        """Say nothing more, and leave what was begun visibly incomplete."""
        if self.counters.status:
            self._effects.append(AbortClient())

    def _send_head(self, status: int, headers: Headers) -> None:
        self.counters.status = status
        request = self._request
        request_id = self._traits.request_id_header
        fields = list(headers)
        id = request.id.encode("ascii")
        if first(headers, request_id) is None:
            fields.append((request_id, id))
        fields.append((b"x-agcore-request-id", id))  # which a vendor's own never takes the place of
        fields.extend(request.cors)
        self._effects.append(SendHead(status=status, headers=tuple(fields)))

    def _send(self, data: bytes) -> None:
        self.counters.sent += len(data)
        self._effects.append(SendData(data))

    def _hints(self, fault: Fault) -> Headers:
        return (*retry_hints(fault), *self._calls.latest_provenance)
