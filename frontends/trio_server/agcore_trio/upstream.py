"""Connections to upstreams: a pool of them by origin, and one `Leg` for each request in flight.

A connection goes back to the pool only after an answer that was complete and left nothing unread, and comes out of it
only if it has stayed quiet meanwhile: bytes that nobody asked for would be taken for the next answer. Nothing here
retries. What a failed leg had done (`stage`, `sent`, `reused`) is reported, and the machines decide.
"""

from __future__ import annotations

import enum
import select
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

from agcore.protocol.http import Origin, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import (
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore_host.http.base import BadAnswer
from agcore_host.http.engines import client_engine
from agcore_trio.network import Connect, Connector, Unreachable, lost, place, reason
from agcore_trio.public_network import PublicConnector
from agcore_trio.streams import close_now, descriptor_of, receive, write_now

if TYPE_CHECKING:
    from agcore_host.spool import Spool

MAX_IDLE: Final = 32
"""Idle connections kept for one origin."""

LAST_WORDS: Final = 1.0
"""Seconds given to an upstream that broke off our request to say why."""

MAX_LAST_WORDS: Final = 64 * 1024
"""Bytes read of such an answer while its request is still being written."""


class UpstreamConnection:
    """A stream to an upstream, its engine, and a look at whether it is quiet."""

    def __init__(self, origin: Origin, stream: trio.abc.Stream) -> None:
        self.origin = origin
        self.stream = stream
        self.engine = client_engine()
        self.used = False
        """It has served a request before."""
        self.idle_since = 0.0
        self._poll: select.poll | None = None
        descriptor = descriptor_of(stream)
        if descriptor is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLIN)

    @property
    def quiet(self) -> bool:
        """Nothing came that was not asked for, an end of file included.

        A stream without a descriptor is taken to be quiet: its engine has vouched for all that was read.
        """
        if isinstance(self.stream, trio.SSLStream) and self.stream.pending():
            return False
        return self._poll is None or not self._poll.poll(0)

    async def close(self) -> None:
        """Closes at once, without a goodbye."""
        self._poll = None
        await close_now(self.stream)


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
        connector = Connector()
        self.idle = idle
        """May be changed at any time, and holds for all connections."""
        self._connect = connect or connector
        self._connect_public = connect_public or PublicConnector(connector)
        self._max_idle = max_idle
        self._shelves: dict[Origin, list[UpstreamConnection]] = {}
        self._stale: list[UpstreamConnection] = []

    @property
    def kept(self) -> int:
        """The number of idle connections."""
        return sum(map(len, self._shelves.values()))

    def leg(
        self, number: int, request: UpstreamRequest, spool: Spool | None = None, *, public_only: bool = False
    ) -> Leg:
        """Returns a leg for `request`, whose `Spooled` body is in `spool`; nothing happens before its `open`."""
        return Leg(self, number, request, spool, public_only=public_only)

    def take(self, origin: Origin) -> UpstreamConnection | None:
        """Returns an idle connection that has stayed quiet, if there is one."""
        shelf = self._shelves.get(origin)
        oldest = trio.current_time() - self.idle
        while shelf:
            connection = shelf.pop()
            if connection.idle_since > oldest and connection.quiet:
                return connection
            self._stale.append(connection)
        return None

    async def connect(self, origin: Origin, *, public_only: bool = False) -> UpstreamConnection:
        """Makes a new connection.

        Raises:
            Unreachable: it could not be made.
        """
        while self._stale:
            await self._stale.pop().close()
        connect = self._connect_public if public_only else self._connect
        return UpstreamConnection(origin, await connect(origin))

    async def checkin(self, connection: UpstreamConnection) -> None:
        """Takes a connection back after an answer, or closes it when it is of no more use."""
        shelf = self._shelves.setdefault(connection.origin, [])
        if not connection.engine.reusable or not connection.quiet or len(shelf) >= self._max_idle:
            await connection.close()
            return
        connection.used = True
        connection.idle_since = trio.current_time()
        shelf.append(connection)

    async def sweep(self) -> None:
        """Closes connections that were idle for too long, until cancelled."""
        while True:
            await trio.sleep(max(1.0, self.idle / 4))
            await self._drop(trio.current_time() - self.idle)

    async def close(self) -> None:
        """Closes all idle connections."""
        await self._drop(trio.current_time())

    async def _drop(self, idle_before: float) -> None:
        while self._stale:
            await self._stale.pop().close()
        for origin, shelf in list(self._shelves.items()):
            while shelf and shelf[0].idle_since <= idle_before:
                await shelf.pop(0).close()
            if not shelf:
                self._shelves.pop(origin, None)


class Step(enum.Enum):
    """What a leg does next."""

    OPEN = enum.auto()
    SEND = enum.auto()
    READ = enum.auto()
    OVER = enum.auto()


class Leg:
    """One request to an upstream: `open`, then `send` while `step` says SEND, then `read` until it says OVER.

    `open_now` and `send_now` go before their namesakes and do what can be done without waiting.

    While a `Streamed` body is incomplete, `step` says READ when all of it that is here was written; `feed` and `end`
    say what more there is. Once the upstream has refused it, the rest is kept back (RFC 9112, section 9.5).

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
        self.number = number
        self.step = Step.OPEN
        self._pool = pool
        self._request = request
        self._public_only = public_only
        """Its connection is checked when it is made, serves this request, and no other."""
        self._connection: UpstreamConnection | None = None
        self._pieces: list[bytes | memoryview] = []
        """What is to be written now."""
        self._spool = spool
        self._later: Iterator[bytes] | None = None
        """What of a spooled body comes after that."""
        self._streaming = isinstance(request.body, Streamed)
        """More of the body will be fed."""
        self._refused = False
        self._stage = Stage.CONNECT
        self._sent = Sent.NONE
        self._complete = False

    @property
    def uploading(self) -> bool:
        """A streamed body is under way: the answer may come already."""
        return isinstance(self._request.body, Streamed) and self._sent is Sent.PART

    def open_now(self) -> list[UpstreamInput]:
        """Takes an idle connection; without one, nothing happens."""
        connection = None if self._public_only else self._pool.take(self._request.origin)
        return [] if connection is None else [self._connected(connection)]

    async def open(self) -> list[UpstreamInput]:
        """Makes a new connection."""
        try:
            connection = await self._pool.connect(self._request.origin, public_only=self._public_only)
        except Unreachable as error:
            self.step = Step.OVER
            return [UpstreamFailed(self.number, error.stage, Sent.NONE, False, error.cause)]
        if self.step is Step.OVER:  # aborted meanwhile
            await connection.close()
            return []
        return [self._connected(connection)]

    def feed(self, data: bytes) -> None:
        """Takes a further piece of a streamed body, which is written by the next `send`."""
        if self._connection is not None and not self._refused:
            self._add(self._connection.engine.send_data(data))

    def end(self) -> None:
        """The streamed body is complete."""
        if self._connection is not None and not self._refused:
            self._streaming = False
            self._add(self._connection.engine.end_request())
            if not self._pieces:
                self._all_sent()

    def send_now(self) -> None:
        """Writes what is short as far as that goes without waiting; afterwards `step` may still say SEND."""
        if len(self._pieces) > 1 or self._later is not None or self._connection is None:
            return
        piece = self._pieces[0]
        written = write_now(self._connection.stream, piece)
        if written == len(piece):
            self._piece_sent()
        elif written:
            self._sent = Sent.PART
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
        listening = len(self._pieces) > 1 or self._later is not None or self._sent is not Sent.NONE
        self._sent = Sent.PART
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

    def _connected(self, connection: UpstreamConnection) -> UpstreamConnected:
        self._connection = connection
        self._pieces = connection.engine.send_request(self._request)
        if isinstance(self._request.body, Spooled):
            assert self._spool is not None
            self._later = connection.engine.send_all(self._spool.pieces(self._request.body.patches))
        self._stage = Stage.SEND
        self.step = Step.SEND
        return UpstreamConnected(self.number, connection.used)

    def _add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self.step = Step.SEND

    def _piece_sent(self) -> None:
        """Turns to the next piece, or to reading if there is none."""
        del self._pieces[0]
        self._sent = Sent.PART
        if not self._pieces and self._later is not None:
            self._pieces = [*islice(self._later, 1)]
        if self._pieces:
            return
        if self._streaming:
            self.step = Step.READ
        else:
            self._all_sent()

    def _keep_back(self) -> None:
        """Writes nothing more of the request."""
        self._refused = True
        self._pieces = []
        if self.step is Step.SEND:
            self.step = Step.READ

    def _all_sent(self) -> None:
        self._pieces = []
        self._sent = Sent.ALL
        self._stage = Stage.BODY if self._stage is Stage.BODY else Stage.HEAD
        self.step = Step.READ

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
                if self._refused:
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

    def _parse(self, data: bytes | bytearray) -> list[UpstreamInput]:
        connection = self._connection
        if connection is None:
            return []
        inputs: list[UpstreamInput] = []
        engine = connection.engine
        engine.receive(data)
        try:
            while (item := engine.next_input(self.number)) is not None:
                inputs.append(item)
                if type(item) is UpstreamHead:
                    self._stage = Stage.BODY
                    if item.status >= 400 and self._sent is not Sent.ALL:
                        self._keep_back()
                elif type(item) is UpstreamEnd:
                    self._complete = True
                    self.step = Step.OVER
                    break
        except BadAnswer as error:
            inputs.append(self._failed(str(error)))
        return inputs

    def _failed(self, what: str) -> UpstreamFailed:
        self.step = Step.OVER
        reused = self._connection is not None and self._connection.used
        cause = f"{place(self._request.origin)} {what}"
        return UpstreamFailed(self.number, self._stage, self._sent, reused, cause)

    async def _settled(self, inputs: list[UpstreamInput]) -> list[UpstreamInput]:
        """Gives the connection back, or closes it, once the leg is over."""
        connection = self._connection
        if self.step is Step.OVER and connection is not None:
            self._connection = None
            if self._complete and self._sent is Sent.ALL and not self._public_only:
                await self._pool.checkin(connection)
            else:
                await connection.close()
        return inputs
