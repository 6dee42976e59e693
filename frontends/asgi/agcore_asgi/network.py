"""Making connections to upstreams: over TCP, through an outbound proxy, with TLS; under asyncio and trio.

Streams are sockets of our own below anyio's TLS: nothing is read before somebody asks, so that what a `Stream` holds
unread can be told, and a pool need not trust it.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from contextlib import suppress
from typing import Final

import anyio
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from agcore.protocol import Origin, ProxyServer
from agcore_host.sockets import keep_alive
from agcore_host.upstream.failures import not_connected, not_secured
from agcore_host.upstream.tls import Contexts
from agcore_host.upstream.tunnel import place_of_proxy, tunnel_for

RECEIVE: Final = 64 * 1024
"""Bytes asked of a socket at once."""

STAGGER: Final = 0.25
"""Seconds until the next address of a host is tried beside the one before (RFC 8305, section 5)."""

_UNDER_WAY: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)

BROKEN: Final = (BrokenResourceError, ClosedResourceError, ssl.SSLError)
"""What the methods of a `Stream` raise when its connection has broken."""


class Stream:
    """A connection to an upstream.

    Args:
        socket: a connected one.
        tls: what is spoken over it; None for nothing but bytes.
    """

    def __init__(self, socket: Socket, tls: TLSStream | None = None) -> None:
        self._socket = socket
        self._tls = tls

    @property
    def descriptor(self) -> int:
        """The file descriptor of its socket."""
        return self._socket.descriptor

    @property
    def unread(self) -> bool:
        """TLS holds bytes that nobody has read, or has said goodbye; without TLS, nothing is held here.

        One packet may bring several records, of which a read returns one. To be asked once the answer is complete:
        what is found is thrown away.
        """
        if self._tls is None:
            return False
        if isinstance(self._tls.transport_stream, TLSStream):
            return True  # what the TLS below it holds cannot be told, so that such a connection serves once
        try:
            self._tls.extra(TLSAttribute.ssl_object).read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True

    async def receive(self) -> bytes:
        """What comes next; empty once the other side has closed.

        Raises:
            BROKEN: the connection broke.
        """
        try:
            return await (self._socket if self._tls is None else self._tls).receive(RECEIVE)
        except EndOfStream:
            return b""

    async def send(self, data: bytes | memoryview) -> None:
        """Writes; once this was cancelled, nothing can follow.

        Raises:
            BROKEN: the connection broke.
        """
        if self._tls is None:
            await self._socket.send(data)
        else:
            await self._tls.send(bytes(data))

    def close(self) -> None:
        """Closes at once, without a goodbye."""
        self._socket.close()


class Socket(ByteStream):
    """A connected socket of TCP that does not block, as a stream; it holds nothing back and reads nothing ahead."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made

    @property
    def descriptor(self) -> int:
        """The file descriptor."""
        return self._socket.fileno()

    async def receive(self, max_bytes: int = RECEIVE) -> bytes:
        """What comes next, as anyio has it."""
        while True:
            try:
                data = self._socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise BrokenResourceError from error
            else:
                if not data:
                    raise EndOfStream
                return data

    async def send(self, item: bytes | memoryview) -> None:
        """Writes all of it, as anyio has it; what the kernel takes at once does not wait."""
        rest = memoryview(item)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise BrokenResourceError from error

    async def send_eof(self) -> None:
        """Ends our side."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes it, at once."""
        self._socket.close()


class Network:
    """Makes connections over TCP, through a proxy where the origin names one, with TLS for `https`."""

    def __init__(self) -> None:
        self._contexts = Contexts()

    async def __call__(self, origin: Origin, address: str = "") -> Stream:
        """Connects to `origin`.

        Args:
            origin: where to connect; a certificate is verified against its host.
            address: where that is, as an IP literal, so that nobody resolves the host's name.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        context = self._context(origin)
        made = await _open(origin, address)
        below: ByteStream = made
        try:
            if origin.proxy is not None:
                below = await self._through(made, origin, origin.proxy, address)
            if context is not None:
                return Stream(made, await _secured(below, origin, context))
            return Stream(made, below if isinstance(below, TLSStream) else None)
        except BaseException:
            made.close()
            raise

    def _context(self, origin: Origin) -> ssl.SSLContext | None:
        return self._contexts.trusting(origin.ca_file, origin.more_cas) if origin.scheme == "https" else None

    async def _through(self, made: Socket, origin: Origin, proxy: ProxyServer, address: str) -> ByteStream:
        there = place_of_proxy(proxy)
        context = self._context(there)
        below: ByteStream = made if context is None else await _secured(made, there, context)
        tunnel = tunnel_for(origin, proxy, address)
        opened = False
        try:
            while not opened:
                asked = tunnel.outgoing()
                if asked:
                    await below.send(asked)
                try:
                    data = await below.receive()
                except EndOfStream:
                    data = b""
                opened = tunnel.receive(data)
        except BROKEN as error:
            raise tunnel.broken(error) from error
        return below


async def _open(origin: Origin, address: str) -> Socket:
    server = origin.proxy or origin
    host = address if address and origin.proxy is None else server.host
    try:
        return Socket(await connect_tcp(host, server.port))
    except (OSError, UnicodeError) as error:
        raise not_connected(origin, error) from error


async def _secured(below: ByteStream, origin: Origin, context: ssl.SSLContext) -> TLSStream:
    try:
        return await TLSStream.wrap(below, hostname=origin.host, ssl_context=context, standard_compatible=False)
    except (BrokenResourceError, EndOfStream, OSError) as error:
        raise not_secured(origin, error) from error


async def connect_tcp(host: str, port: int) -> socket.socket:
    """Connects to the address of a host that answers first; each has a quarter of a second before the next is tried.

    Raises:
        OSError: none can be reached, or there is none.
        UnicodeError: it is no name.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first, *others = found
    # The families take turns, so that one that is broken costs little.
    others.sort(key=lambda info: info[0] == first[0])
    connected: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(family: int, address: tuple[str | int, ...], failed: anyio.Event) -> None:
        try:
            connected.append(await _connect(family, address))
        except OSError as error:
            errors.append(error)
            failed.set()
        else:
            tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            for family, _, _, _, address in (first, *others):
                failed = anyio.Event()
                tasks.start_soon(attempt, family, address, failed)
                with anyio.move_on_after(STAGGER):
                    await failed.wait()
    except BaseException:
        for each in connected:
            each.close()
        raise
    if not connected:
        raise errors[0]
    for extra in connected[1:]:
        extra.close()
    return connected[0]


async def _connect(family: int, address: tuple[str | int, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        error = made.connect_ex(address)
        if error in _UNDER_WAY:
            await anyio.wait_writable(made)
            error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(made)
    except BaseException:
        made.close()
        raise
    return made
