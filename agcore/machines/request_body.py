"""The body of the client's request, as it arrives: counted, bounded, and kept as the operation wants it."""

from __future__ import annotations

import enum

import msgspec

from agcore.ingress.admission import too_large
from agcore.machines.call_set import CallSet
from agcore.machines.client_response import ClientResponse
from agcore.machines.memory import ReservedMemory
from agcore.machines.timers import Timer, Timers
from agcore.protocol.legality import State


class BodyPolicy(enum.Enum):
    """Policies for the pieces of a body."""

    COLLECT = "collect"
    """Pieces are held until the body is complete."""
    DISCARD = "discard"
    """Pieces are read and forgotten."""
    PIECES = "pieces"
    """The operation gets each one as it comes."""


class RequestBody(msgspec.Struct):
    """The body of one request."""

    policy: BodyPolicy
    """Policy for the pieces."""
    limit: int
    """The most bytes that are taken."""
    idle: float
    """Seconds in which the next piece must come."""
    client: ClientResponse
    """Is told of a body that is too large."""
    calls: CallSet
    """Of the exchange; the last one takes a body that passes through."""
    memory: ReservedMemory
    """Accounts for what is held."""
    timers: Timers
    """Of the exchange."""
    passing: bool = False
    """True while the rest of the body passes through to an upstream."""
    pieces: list[bytes] = msgspec.field(default_factory=list)
    """Pieces that are held."""

    @property
    def wanted(self) -> bool:
        """True while more of the body should be read; a body that passes through waits for its upstream."""
        if self.passing:
            return self.calls.calls[-1].takes_body
        return self.client.state is State.RECEIVING

    def receive(self, data: bytes, *, now: float) -> bool:
        """Take in a piece. Returns whether the operation is to have it."""
        self.timers[Timer.BODY] = now + self.idle
        if Timer.REQUEST in self.timers:
            self.calls.limit_time(now)
        counters = self.client.counters
        counters.received += len(data)
        if counters.received > self.limit:
            self.client.fail(too_large(self.limit), now=now)
            return False
        if self.policy is BodyPolicy.COLLECT and self.memory.reserve(len(data), now=now):
            self.pieces.append(data)
        return self.policy is BodyPolicy.PIECES

    def end(self) -> bytes:
        """Ends the body. Returns what was collected of it."""
        if self.client.state is State.RECEIVING:
            self.client.state = State.WAITING
        self.passing = False
        self.timers.pop(Timer.BODY, None)
        whole = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        return whole

    def pass_through(self) -> None:
        """Have what is still to come sent on, as fast as the upstream of the call that is about to begin takes it."""
        self.client.state = State.WAITING
        self.passing = True
