"""Connections to upstreams: a pool of them by origin, and one `Leg` for each request in flight.

A connection goes back to the pool only after an answer that was complete and left nothing unread, and comes out of it
only if it has stayed quiet meanwhile: bytes that nobody asked for would be taken for the next answer. Nothing here
retries. What a failed leg had done (`stage`, `sent`, `reused`) is reported, and the machines decide.
"""

from __future__ import annotations

import enum
import os
import select
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from agcore.effects import Origin, UpstreamRequest
from agcore.inputs import Sent, Stage, UpstreamConnected, UpstreamEnd, UpstreamFailed, UpstreamHead, UpstreamInput
from agcore_trio.engine import BadAnswer, ClientEngine
from agcore_trio.streams import RECEIVE, close_now, descriptor_of, write_now

if TYPE_CHECKING:
    import ssl

MAX_IDLE: Final = 32
"""Idle connections kept for one origin."""

LAST_WORDS: Final = 1.0
"""Seconds given to an upstream that broke off our request to say why."""

MAX_LAST_WORDS: Final = 64 * 1024
"""Bytes read of such an answer while its request is still being written."""

Connect: TypeAlias = Callable[[Origin], Awaitable[trio.abc.Stream]]


class Unreachable(Exception):
    """There is no connection; the text is one line for people that names the host."""

    def __init__(self, stage: Stage, cause: str) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause


class Connector:
    """Makes connections over TCP, with TLS for `https`.

    An SSL context is made when the first connection needs it, one for each CA file: loading roots takes tens of
    milliseconds, which a gateway to local models never pays.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def __call__(self, origin: Origin) -> trio.abc.Stream:
        """Connects to `origin`.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        where = place(origin)
        try:
            stream = await trio.open_tcp_stream(origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            # A name that is no name fails in its encoding.
            raise Unreachable(Stage.CONNECT, f"cannot connect to {where}: {_reason(error) or 'bad name'}") from error
        if origin.scheme != "https":
            return stream
        try:
            context = self._context(origin.ca_file)
            secure = trio.SSLStream(stream, context, server_hostname=origin.host, https_compatible=True)
            await secure.do_handshake()
        except BaseException as error:
            await close_now(stream)
            if not isinstance(error, (trio.BrokenResourceError, OSError)):
                raise
            raise Unreachable(Stage.TLS, _tls_cause(origin, error)) from error
        return secure

    def _context(self, ca_file: str) -> ssl.SSLContext:
        context = self._contexts.get(ca_file)
        if context is None:
            import ssl

            import certifi

            cafile = ca_file or certifi.where()
            try:
                context = ssl.create_default_context(cafile=cafile)
            except OSError as error:
                raise Unreachable(Stage.TLS, f"cannot use the CA file {cafile}: {_reason(error)}") from error
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[ca_file] = context
        return context


class UpstreamConnection:
    """A stream to an upstream, its engine, and a look at whether it is quiet."""

    def __init__(self, origin: Origin, stream: trio.abc.Stream) -> None:
        self.origin = origin
        self.stream = stream
        self.engine = ClientEngine()
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
        max_idle: how many idle connections are kept for one origin.
    """

    def __init__(self, *, idle: float, connect: Connect | None = None, max_idle: int = MAX_IDLE) -> None:
        self._idle = idle
        self._connect = connect or Connector()
        self._max_idle = max_idle
        self._shelves: dict[Origin, list[UpstreamConnection]] = {}
        self._stale: list[UpstreamConnection] = []

    @property
    def kept(self) -> int:
        """The number of idle connections."""
        return sum(map(len, self._shelves.values()))

    def leg(self, number: int, request: UpstreamRequest) -> Leg:
        """Returns a leg for `request`; nothing happens before its `open`."""
        return Leg(self, number, request)

    def take(self, origin: Origin) -> UpstreamConnection | None:
        """Returns an idle connection that has stayed quiet, if there is one."""
        shelf = self._shelves.get(origin)
        oldest = trio.current_time() - self._idle
        while shelf:
            connection = shelf.pop()
            if connection.idle_since > oldest and connection.quiet:
                return connection
            self._stale.append(connection)
        return None

    async def connect(self, origin: Origin) -> UpstreamConnection:
        """Makes a new connection.

        Raises:
            Unreachable: it could not be made.
        """
        while self._stale:
            await self._stale.pop().close()
        return UpstreamConnection(origin, await self._connect(origin))

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
            await trio.sleep(max(1.0, self._idle / 4))
            await self._drop(trio.current_time() - self._idle)

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

    Each call returns what it learned, and all of that is to be fed before the next call. Cancelling `open` or `read`
    loses nothing, they may be called again; a `send` that was cancelled has to be followed by `cut`.
    """

    def __init__(self, pool: UpstreamPool, number: int, request: UpstreamRequest) -> None:
        self.number = number
        self.step = Step.OPEN
        self._pool = pool
        self._request = request
        self._connection: UpstreamConnection | None = None
        self._pieces: list[bytes | memoryview] = []
        self._stage = Stage.CONNECT
        self._sent = Sent.NONE
        self._complete = False

    def open_now(self) -> list[UpstreamInput]:
        """Takes an idle connection; without one, nothing happens."""
        connection = self._pool.take(self._request.origin)
        return [] if connection is None else [self._connected(connection)]

    async def open(self) -> list[UpstreamInput]:
        """Makes a new connection."""
        try:
            connection = await self._pool.connect(self._request.origin)
        except Unreachable as error:
            self.step = Step.OVER
            return [UpstreamFailed(self.number, error.stage, Sent.NONE, False, error.cause)]
        if self.step is Step.OVER:  # aborted meanwhile
            await connection.close()
            return []
        return [self._connected(connection)]

    def send_now(self) -> bool:
        """Writes a short request as far as that goes without waiting; true when it is written."""
        if len(self._pieces) > 1 or self._connection is None:
            return False
        piece = self._pieces[0]
        written = write_now(self._connection.stream, piece)
        if written == len(piece):
            self._all_sent()
            return True
        if written:
            self._sent = Sent.PART
            self._pieces = [memoryview(piece)[written:]]
        return False

    async def send(self) -> list[UpstreamInput]:
        """Writes the next piece of the request.

        While a long request is written its answer is read as well: an upstream that refuses it half way is heard, and
        the rest of the request is kept back (RFC 9112, section 9.5).
        """
        connection = self._connection
        assert connection is not None
        piece = self._pieces[0]
        inputs: list[UpstreamInput] = []
        # Most requests are one piece of less than a socket's buffer and need no second task to be written.
        listening = len(self._pieces) > 1 or self._sent is not Sent.NONE
        self._sent = Sent.PART
        try:
            if listening:
                inputs = await self._send_listening(connection.stream, piece)
            else:
                await connection.stream.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return await self._last_words(connection.stream, error)
        if self.step is Step.SEND:
            del self._pieces[0]
            if not self._pieces:
                self._all_sent()
        return await self._settled(inputs)

    async def read(self) -> list[UpstreamInput]:
        """Waits for bytes of the answer, once; they may say several things, or nothing yet."""
        connection = self._connection
        if connection is None:
            return []
        try:
            data = await connection.stream.receive_some(RECEIVE)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return await self._settled([] if self.step is Step.OVER else [self._failed(_lost(error))])
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
        self._stage = Stage.SEND
        self.step = Step.SEND
        return UpstreamConnected(self.number, connection.used)

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
                    data = await stream.receive_some(RECEIVE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return
                heard += len(data)
                inputs.extend(self._parse(data))
                if self._refused(inputs):
                    self.step = Step.READ if self.step is Step.SEND else self.step
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
                data = await stream.receive_some(RECEIVE)
                if not data:
                    break
                heard += len(data)
                inputs += self._parse(data)
        if not inputs:
            inputs = [self._failed(_lost(error))]
        elif self.step is Step.SEND:
            self.step = Step.READ
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
                elif type(item) is UpstreamEnd:
                    self._complete = True
                    self.step = Step.OVER
                    break
        except BadAnswer as error:
            inputs.append(self._failed(str(error)))
        return inputs

    @staticmethod
    def _refused(inputs: list[UpstreamInput]) -> bool:
        return any(type(item) is UpstreamHead and item.status >= 400 for item in inputs)

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
            if self._complete and self._sent is Sent.ALL:
                await self._pool.checkin(connection)
            else:
                await connection.close()
        return inputs


def place(origin: Origin) -> str:
    """The host and port of an origin as text, an IPv6 address in brackets."""
    return f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"


def _lost(error: Exception) -> str:
    reason = _reason(error)
    return f"closed the connection{f' ({reason})' if reason else ''}"


def _tls_cause(origin: Origin, error: BaseException) -> str:
    message = getattr(error.__cause__, "verify_message", "")
    if message:
        return f"TLS certificate of {origin.host} not accepted: {message}"
    return f"TLS handshake with {place(origin)} failed: {_reason(error) or 'connection closed'}"


def _reason(error: BaseException | None) -> str:
    """What the system says, of the first error in a chain that has a number."""
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error, OSError) and error.errno is not None:
            # TLS errors have reasons like WRONG_VERSION_NUMBER; those of name resolution have numbers below zero.
            tls = getattr(error, "reason", None)
            if isinstance(tls, str):
                return tls.replace("_", " ").lower()
            return (os.strerror(error.errno) if error.errno > 0 else str(error.strerror)).lower()
        else:
            error = error.__cause__
    return ""
