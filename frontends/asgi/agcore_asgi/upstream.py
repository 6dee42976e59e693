"""The upstream's side: a pool of connections for each event loop, and one `Leg` for each request in flight.

The core has the timers, and aborts a leg that took too long; the one limit here is that for a single write.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio

from agcore.protocol import Origin, Sent, Streamed, UpstreamInput, UpstreamRequest, Written
from agcore_asgi.inbox import Gate, Inbox
from agcore_asgi.network import BROKEN, Network, Stream
from agcore_asgi.public_network import public_network
from agcore_host.clock import Clock
from agcore_host.spool import Spool
from agcore_host.upstream.failures import Unreachable, lost, reason
from agcore_host.upstream.leg import LegState, Step
from agcore_host.upstream.pool import MAX_IDLE, IdleConnections, UpstreamConnection

Connect: TypeAlias = Callable[[Origin], Awaitable[Stream]]
Connection: TypeAlias = UpstreamConnection[Stream]

SLOW_WRITE: Final = 0.01
"""Seconds from which on a write is worth an input."""

LAST_WORDS: Final = 1.0
"""Seconds given to an upstream that broke off our request to say why."""


class UpstreamPool:
    """Keep-alive connections by origin, the last used first; one for each event loop.

    Those that were idle for too long are closed when the pool is next used.

    Args:
        idle: seconds that a connection is kept without use.
        connect: makes a stream for an origin or raises `Unreachable`.
        connect_public: likewise, but only where the origin is on the public internet.
        max_idle: how many idle connections are kept for one origin.
    """

    def __init__(
        self,
        *,
        idle: float,
        connect: Connect | None = None,
        connect_public: Connect | None = None,
        max_idle: int = MAX_IDLE,
    ) -> None:
        network = Network()
        self.idle = idle
        """May be changed at any time, and holds for all connections."""
        self._connect = connect or network
        self._connect_public = connect_public or public_network(network)
        self._idle: IdleConnections[Stream] = IdleConnections(max_idle=max_idle)

    @property
    def kept(self) -> int:
        """The number of idle connections."""
        return len(self._idle)

    def take(self, origin: Origin) -> Connection | None:
        """Returns an idle connection that has stayed quiet, if there is one."""
        self._drop(anyio.current_time() - self.idle)
        while (connection := self._idle.take(origin)) is not None:
            if connection.quiet:
                return connection
            connection.stream.close()
        return None

    async def connect(self, origin: Origin, *, public_only: bool = False) -> Connection:
        """Makes a new connection.

        Raises:
            Unreachable: it could not be made.
        """
        stream = await (self._connect_public if public_only else self._connect)(origin)
        return UpstreamConnection(origin, stream, stream.descriptor)

    def checkin(self, connection: Connection) -> None:
        """Takes a connection back after an answer, or closes it when it is of no more use."""
        now = anyio.current_time()
        self._drop(now - self.idle)
        if connection.stream.unread or not self._idle.put(connection, now=now):
            connection.stream.close()

    def close(self) -> None:
        """Closes all idle connections."""
        self._drop(anyio.current_time())

    def _drop(self, idle_before: float) -> None:
        while (connection := self._idle.expired(idle_before)) is not None:
            connection.stream.close()


class Leg(LegState):
    """One request to an upstream, run by a task of its own.

    It reports, in this order: `UpstreamConnected`, a `Written` for each write that took long, `UpstreamHead`,
    `UpstreamData`s, `UpstreamEnd`; or, at any point, `UpstreamFailed`. It waits at its gate after each read that
    brought something.

    A request that is more than one write is read from while it is written. A refusal that comes early is reported at
    once, and what was not sent then never is; a success that comes early is reported when all was sent.

    Args:
        number: what the core calls it.
        request: what to send.
        inbox: takes each input.
        clock: tells how long writes took.
        spool: the file of a `Spooled` body.
        write_limit: seconds that one write may take; None for ever.
        public_only: see `OpenUpstream`.
    """

    def __init__(
        self,
        number: int,
        request: UpstreamRequest,
        *,
        inbox: Inbox,
        clock: Clock,
        spool: Spool | None = None,
        write_limit: float | None = None,
        public_only: bool = False,
    ) -> None:
        super().__init__(number, request, spool, defers_success=True)
        self.gate = Gate(inbox)
        self._inbox = inbox
        self._clock = clock
        self._write_limit = write_limit
        self._public_only = public_only
        self._scope = anyio.CancelScope()
        self._reading = anyio.CancelScope()
        self._news = anyio.Event()
        """There is more to write, or nothing will be."""
        self._wrote_all = anyio.Event()
        self._broken: Exception | None = None
        """Why nothing more can be written."""

    @property
    def taken(self) -> bool:
        """Whether the upstream's socket has taken all of the body that there is so far, or needs no more of it."""
        if self.refused or self.step is Step.OVER or not isinstance(self._request.body, Streamed):
            return True
        return self.step is not Step.OPEN and not self._pieces

    def feed(self, data: bytes) -> None:
        """Adds a piece to a `Streamed` body."""
        super().feed(data)
        self._news.set()

    def end(self) -> None:
        """Ends a `Streamed` body."""
        super().end()
        self._news.set()

    def abort(self) -> None:
        """Drops the leg and its connection; nothing more is heard of it."""
        self._scope.cancel()
        self._inbox.forget(self.number)

    async def run(self, pool: UpstreamPool) -> None:
        """Does all of it; returns when the last input was reported, or the leg aborted."""
        if self._scope.cancel_called:
            return
        origin = self._request.origin
        connection = None if self._public_only else pool.take(origin)
        try:
            with self._scope:
                try:
                    connection = connection or await pool.connect(origin, public_only=self._public_only)
                except Unreachable as error:
                    self._report(self._unreachable(error))
                else:
                    self._report(*self._begin(connection.engine, reused=connection.used))
                    await self._relay(connection.stream)
        finally:
            self.step = Step.OVER
            if connection is not None and self.keeps_connection and not self._public_only:
                pool.checkin(connection)
            elif connection is not None:
                connection.stream.close()

    async def _relay(self, stream: Stream) -> None:
        if self.in_one_piece:
            await self._write(stream)
            await self._read(stream)
        elif self.step is not Step.OVER:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, stream)
                await self._read(stream)
                tasks.cancel_scope.cancel()

    async def _write(self, stream: Stream) -> None:
        try:
            while self._pieces or (self._streaming and not self.refused):
                if self._pieces:
                    await self._write_piece(stream, self._pieces[0])
                else:
                    self._news = anyio.Event()
                    self._inbox.wake()
                    await self._news.wait()
        except BROKEN as error:
            # Perhaps it has said why, and what was said can still be read.
            self._broken = error
            self._keep_back()
            self._reading.deadline = anyio.current_time() + LAST_WORDS
        except TimeoutError:
            self._report(self._failed("did not take the request in time"))
            self._reading.cancel()
        except OSError as error:
            self._report(self._failed(f"did not get the whole request: {reason(error) or error}"))
            self._reading.cancel()
        self._wrote_all.set()
        if isinstance(self._request.body, Streamed):
            self._inbox.wake()

    async def _write_piece(self, stream: Stream, piece: bytes | memoryview) -> None:
        began = self._clock.now()
        self.sent = Sent.PART
        if self._write_limit is None:
            await stream.send(piece)
        else:
            with anyio.fail_after(self._write_limit):
                await stream.send(piece)
        if self._clock.now() - began >= SLOW_WRITE:
            self._report(Written(self.number))
        if self._pieces:
            self._piece_sent()

    async def _read(self, stream: Stream) -> None:
        with self._reading:
            while self.step is not Step.OVER:
                try:
                    data = await stream.receive()
                except BROKEN as error:
                    self._report(self._failed(lost(self._broken or error)))
                    return
                if self._broken is not None and not data:
                    break
                await self._hear(data)
        if self.step is not Step.OVER:
            self._report(self._failed(lost(self._broken or TimeoutError())))

    async def _hear(self, data: bytes) -> None:
        inputs = self._parse(data)
        if self.deferred:
            self.deferred = False
            await self._wrote_all.wait()
            inputs += self._parse(None)
        self._report(*inputs)
        if inputs and self.step is not Step.OVER:
            self._reading.deadline = math.inf
            await self.gate.wait()

    def _report(self, *inputs: UpstreamInput | Written) -> None:
        for each in inputs:
            self._inbox.put(each)
