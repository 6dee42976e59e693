"""The body of the client's request, as it arrives: decoded, counted, bounded, and kept as the operation wants it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.ingress.admission import too_large
from agcore.machines.call_set import CallSet
from agcore.machines.client_response import ClientResponse
from agcore.machines.memory import ReservedMemory
from agcore.machines.timers import Timer, Timers
from agcore.protocol.fault import invalid
from agcore.protocol.legality import State

if TYPE_CHECKING:
    from agcore.codecs.content_coding import ContentDecoder


class BodyPolicy(enum.Enum):
    """Policies for the pieces of a body."""

    COLLECT = "collect"
    """Pieces are held until the body is complete."""
    DISCARD = "discard"
    """Pieces are read and forgotten."""
    PIECES = "pieces"
    """The operation gets each one as it comes."""


BROKEN: Final = "invalid_content_encoding"
"""The code of a fault that tells of a body which is not what its coding says."""


class RequestBody(msgspec.Struct):
    """The body of one request."""

    policy: BodyPolicy
    """Policy for the pieces."""
    limit: int
    """The most bytes that are taken, as they come and decoded."""
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
    decoder: ContentDecoder | None = None
    """Undoes the codings of the body; None for a plain one."""
    size: int = 0
    """Bytes of the body so far, decoded."""
    pieces: list[bytes] = msgspec.field(default_factory=list)
    """Pieces that are held."""
    expanded: int = 0
    """Bytes that one piece was decoded to, and that the driver may hold until it brings the next one."""

    @property
    def wanted(self) -> bool:
        """True while more of the body should be read; a body that passes through waits for its upstream."""
        if self.passing:
            return self.calls.calls[-1].takes_body
        return self.client.state is State.RECEIVING

    def receive(self, data: bytes, *, now: float) -> Iterable[bytes]:
        """Take in a piece. Returns what the operation is to have of it, to be gone through until the client is told of
        a failure."""
        self.timers[Timer.BODY] = now + self.idle
        if Timer.REQUEST in self.timers:
            self.calls.limit_time(now)
        counters = self.client.counters
        counters.received += len(data)
        if counters.received > self.limit:
            self.client.fail(too_large(self.limit), now=now)
            return ()
        if self.decoder is not None:
            return self._decoded(self.decoder, data, now)
        self.size = counters.received
        if self.policy is BodyPolicy.COLLECT and self.memory.reserve(len(data), now=now):
            self.pieces.append(data)
        return (data,) if self.policy is BodyPolicy.PIECES else ()

    def end(self, *, now: float) -> bytes:
        """Ends the body. Returns what was collected of it; the client may have been told of a failure."""
        if self.decoder is not None:
            self._end_coded(self.decoder, now)
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

    def _decoded(self, decoder: ContentDecoder, data: bytes, now: float) -> Iterator[bytes]:
        """The pieces that a coded piece stands for, where the operation is to have them."""
        from agcore.codecs.content_coding import CodingError, TooLong  # few bodies are coded

        self._release_expanded()
        try:
            for piece in decoder.feed(data):
                self.size += len(piece)
                if not self.memory.reserve(len(piece), now=now):
                    return
                if self.policy is BodyPolicy.COLLECT:
                    self.pieces.append(piece)
                else:
                    self.expanded += len(piece)
                    yield piece
        except CodingError as error:
            self.client.fail(invalid(f"the request body {error}", code=BROKEN), now=now)
        except TooLong:
            self.client.fail(too_large(self.limit, decoded=True), now=now)

    def _end_coded(self, decoder: ContentDecoder, now: float) -> None:
        from agcore.codecs.content_coding import CodingError  # few bodies are coded

        self._release_expanded()
        try:
            decoder.end()
        except CodingError as error:
            self.client.fail(invalid(f"the request body {error}", code=BROKEN), now=now)

    def _release_expanded(self) -> None:
        self.memory.release(self.expanded)
        self.expanded = 0
