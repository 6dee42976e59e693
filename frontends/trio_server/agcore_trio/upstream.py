"""Connections to upstreams: a pool of them by origin, and one `Leg` for each request in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from agcore.protocol import Origin, Sent, UpstreamInput, UpstreamRequest
from agcore_host.upstream.failures import Unreachable, lost, reason
from agcore_host.upstream.leg import LegState, Step
from agcore_host.upstream.pool import MAX_IDLE, IdleConnections, UpstreamConnection
from agcore_trio.network import Network
from agcore_trio.public_network import public_network
from agcore_trio.streams import close_now, descriptor_of, receive, unread, write_now

if TYPE_CHECKING:
    from agcore_host.spool import Spool

Connect: TypeAlias = Callable[[Origin], Awaitable[trio.abc.Stream]]
Connection: TypeAlias = UpstreamConnection[trio.abc.Stream]

LAST_WORDS: Final = 1.0
"""Seconds given to an upstream that broke off our request to say why."""

MAX_LAST_WORDS: Final = 64 * 1024
"""Bytes read of such an answer while its request is still being written."""


class UpstreamPool:
    """Keep-alive connections by origin, the last used first.

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
        self._idle: IdleConnections[trio.abc.Stream] = IdleConnections(max_idle=max_idle)
        self._stale: list[Connection] = []

    @property
    def kept(self) -> int:
        """The number of idle connections."""
        return len(self._idle)

    def leg(
        self, number: int, request: UpstreamRequest, spool: Spool | None = None, *, public_only: bool = False
    ) -> Leg:
        """Returns a leg for `request`, whose `Spooled` body is in `spool`; nothing happens before its `open`."""
        return Leg(self, number, request, spool, public_only=public_only)

    def take(self, origin: Origin) -> Connection | None:
        """Returns an idle connection that has stayed quiet, if there is one."""
        oldest = trio.current_time() - self.idle
        while (connection := self._idle.take(origin)) is not None:
            if connection.idle_since > oldest and connection.quiet:
                return connection
            self.drop(connection)
        return None

    def drop(self, connection: Connection) -> None:
        """Takes a connection that is of no more use, to be closed soon."""
        self._stale.append(connection)

    async def connect(self, origin: Origin, *, public_only: bool = False) -> Connection:
        """Makes a new connection.

        Raises:
            Unreachable: it could not be made.
        """
        await self._close_stale()
        connect = self._connect_public if public_only else self._connect
        stream = await connect(origin)
        return UpstreamConnection(origin, stream, descriptor_of(stream))

    async def checkin(self, connection: Connection) -> None:
        """Takes a connection back after an answer, or closes it when it is of no more use."""
        if await unread(connection.stream) or not self._idle.put(connection, now=trio.current_time()):
            await close_now(connection.stream)

    async def sweep(self) -> None:
        """Closes connections that were idle for too long, until cancelled."""
        while True:
            await trio.sleep(max(1.0, self.idle / 4))
            await self._drop(trio.current_time() - self.idle)

    async def close(self) -> None:
        """Closes all idle connections."""
        await self._drop(trio.current_time())

    async def _drop(self, idle_before: float) -> None:
        while (connection := self._idle.expired(idle_before)) is not None:
            self.drop(connection)
        await self._close_stale()

    async def _close_stale(self) -> None:
        while self._stale:
            await close_now(self._stale.pop().stream)


class Leg(LegState):
    """One request to an upstream: `open`, then `send` while `step` says SEND, then `read` until it says OVER.

    `open_now` and `send_now` go before their namesakes and do what can be done without waiting.

    Each call returns what it learned, and all of that is to be fed before the next call. Cancelling `open` or `read`
    loses nothing, they may be called again; a `send` that was cancelled has to be followed by `cut`.
    """

    def __init__(
        self,
        pool: UpstreamPool,
        number: int,
        request: UpstreamRequest,
        spool: Spool | None = None,
        *,
        public_only: bool = False,
    ) -> None:
        super().__init__(number, request, spool)
        self._pool = pool
        self._public_only = public_only
        """Its connection is checked when it is made, serves this request, and no other."""
        self._connection: Connection | None = None

    def open_now(self) -> list[UpstreamInput]:
        """Takes an idle connection; without one, nothing happens."""
        connection = None if self._public_only else self._pool.take(self._request.origin)
        return [] if connection is None else self._connected(connection)

    async def open(self) -> list[UpstreamInput]:
        """Makes a new connection."""
        try:
            connection = await self._pool.connect(self._request.origin, public_only=self._public_only)
        except Unreachable as error:
            return [self._unreachable(error)]
        if self.step is Step.OVER:  # aborted meanwhile
            await close_now(connection.stream)
            return []
        return self._connected(connection)

    def send_now(self) -> None:
        """Writes what is short as far as that goes without waiting; afterwards `step` may still say SEND."""
        if len(self._pieces) > 1 or self._later is not None or self._connection is None:
            return
        piece = self._pieces[0]
        written = write_now(self._connection.stream, piece)
        if written == len(piece):
            self._piece_sent()
        elif written:
            self.sent = Sent.PART
            self._pieces = [memoryview(piece)[written:]]

    async def send(self) -> list[UpstreamInput]:
        """Writes the next piece of the request.

        While a long request is written its answer is read as well: an upstream that refuses it half way is heard.
        """
        connection = self._connection
        assert connection is not None
        piece = self._pieces[0]
        inputs: list[UpstreamInput] = []
        # Most requests are one piece of less than a socket's buffer and need no second task to be written.
        listening = not self.in_one_piece
        self.sent = Sent.PART
        try:
            if listening:
                inputs = await self._send_listening(connection.stream, piece)
            else:
                await connection.stream.send_all(piece)
            if self.step is Step.SEND:
                self._piece_sent()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return await self._last_words(connection.stream, error)
        except OSError as error:
            inputs.append(self._failed(f"did not get the whole request: {reason(error) or error}"))
        return await self._settled(inputs)

    async def read(self) -> list[UpstreamInput]:
        """Waits for bytes of the answer, once; they may say several things, or nothing yet."""
        connection = self._connection
        if connection is None:
            return []
        try:
            data = await receive(connection.stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return await self._settled([] if self.step is Step.OVER else [self._failed(lost(error))])
        return await self._settled(self._parse(data))

    async def cut(self) -> list[UpstreamInput]:
        """Gives up after a `send` that was cancelled: its connection is in an unknown state."""
        return await self._settled([self._failed("did not take the request in time")])

    async def abort(self) -> None:
        """Drops the leg at once, in whatever state it is; a call that waits returns nothing more."""
        self.step = Step.OVER
        await self._settled([])

    def _connected(self, connection: Connection) -> list[UpstreamInput]:
        inputs = self._begin(connection.engine, reused=connection.used)
        if self.step is Step.OVER:
            self._pool.drop(connection)
        else:
            self._connection = connection
        return inputs

    async def _send_listening(self, stream: trio.abc.Stream, piece: bytes | memoryview) -> list[UpstreamInput]:
        inputs: list[UpstreamInput] = []
        broken: trio.BrokenResourceError | trio.ClosedResourceError | None = None

        async def listen() -> None:
            heard = 0
            while heard < MAX_LAST_WORDS and self.step is not Step.OVER:
                try:
                    data = await receive(stream)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return
                heard += len(data)
                inputs.extend(self._parse(data))
                if self.refused:
                    # Its whole answer, if it is short: a TLS stream cannot be read any more once a write is cut.
                    nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS
            if self.step is not Step.SEND:
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            try:
                await stream.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                broken = error
            if self.step is Step.SEND:
                nursery.cancel_scope.cancel()
        if broken is not None and not inputs:
            raise broken
        return inputs

    async def _last_words(self, stream: trio.abc.Stream, error: Exception) -> list[UpstreamInput]:
        inputs: list[UpstreamInput] = []
        if self.step is Step.OVER:
            return inputs
        heard = 0
        with trio.move_on_after(LAST_WORDS), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while heard < MAX_LAST_WORDS and self.step is Step.SEND:
                data = await receive(stream)
                if not data:
                    break
                heard += len(data)
                inputs += self._parse(data)
        if not inputs:
            inputs = [self._failed(lost(error))]
        else:
            self._keep_back()
        return await self._settled(inputs)

    async def _settled(self, inputs: list[UpstreamInput]) -> list[UpstreamInput]:
        """Gives the connection back, or closes it, once the leg is over."""
        connection = self._connection
        if self.step is Step.OVER and connection is not None:
            self._connection = None
            if self.keeps_connection and not self._public_only:
                await self._pool.checkin(connection)
            else:
                await close_now(connection.stream)
        return inputs
