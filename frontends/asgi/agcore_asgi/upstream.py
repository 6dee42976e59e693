"""The upstream's side: legs over httpx's transport, and the pools that they take their connections from.

A `Leg` sends one `UpstreamRequest` and reports what comes back. It works below `httpx.AsyncClient`, on the transport:
a client adds headers, keeps cookies, follows redirects and reads the environment, and none of that is a driver's to do.
How far a leg came, and whether its connection was a pooled one, is learnt from the events of httpcore's `trace`
extension. The core has the timers, and aborts a leg that took too long; the one limit here is that for a single write.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import anyio
import certifi
import httpcore
import httpx

from agcore.protocol.http import Origin, ProxyServer, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import (
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore_asgi.inbox import Gate, Inbox
from agcore_asgi.network import UPLOAD, Network, place, reason
from agcore_asgi.public_network import PublicNetwork
from agcore_asgi.request_body import ArrivingBody, Body, FileBody
from agcore_host.clock import Clock
from agcore_host.spool import Spool

MakeNetwork: TypeAlias = Callable[[httpcore.AsyncNetworkBackend], httpcore.AsyncNetworkBackend]

SLOW_WRITE: Final = 0.01
"""Seconds from which on a write is worth an input."""

FAILURES: Final[Mapping[Stage, str]] = {
    Stage.CONNECT: "cannot connect to {}",
    Stage.TLS: "no TLS with {}",
    Stage.SEND: "cannot send the request to {}",
    Stage.HEAD: "no answer from {}",
    Stage.BODY: "the answer of {} broke off",
}


class Pools:
    """The upstream connections of one event loop: a pool for each way of verifying servers and of reaching them.

    Args:
        idle: seconds that an unused connection is kept.
        public: makes the network for legs to public addresses out of the one for all others.
    """

    def __init__(self, *, idle: float, public: MakeNetwork = PublicNetwork) -> None:
        self.idle = idle
        """May be changed at any time, and holds for connections that are made from then on."""
        self._public = public
        self._transports: dict[tuple[str, str, ProxyServer | None, bool], httpx.AsyncHTTPTransport] = {}

    def transport(self, origin: Origin, *, public_only: bool = False) -> httpx.AsyncHTTPTransport:
        """The pool for `origin`, made when it is first asked for. With `public_only` it keeps no connection.

        Raises:
            OSError: where the file of roots cannot be read or holds none.
        """
        key = (origin.scheme, origin.ca_file, origin.proxy, public_only)
        if (transport := self._transports.get(key)) is None:
            network: httpcore.AsyncNetworkBackend = Network(origin.proxy)
            if public_only:
                transport = _Transport(origin, self._public(network), idle=lambda: 0, max_idle=0)
            else:
                transport = _Transport(origin, network, idle=lambda: self.idle)
            self._transports[key] = transport
        return transport

    async def aclose(self) -> None:
        """Closes all connections, used and unused ones."""
        while self._transports:
            _, transport = self._transports.popitem()
            await transport.aclose()


class _Transport(httpx.AsyncHTTPTransport):
    # httpx's own constructor has no argument for the backend of its pool, and this attribute is all that it sets.
    def __init__(
        self,
        origin: Origin,
        network: httpcore.AsyncNetworkBackend,
        *,
        idle: Callable[[], float],
        max_idle: int | None = None,
    ) -> None:
        self._pool = _ConnectionPool(_ssl_context(origin), network, idle=idle, max_idle=max_idle)


class _ConnectionPool(httpcore.AsyncConnectionPool):
    # httpcore's own takes the seconds once; connections are told when they are made.
    def __init__(
        self,
        context: ssl.SSLContext,
        network: httpcore.AsyncNetworkBackend,
        *,
        idle: Callable[[], float],
        max_idle: int | None,
    ) -> None:
        super().__init__(max_connections=None, max_keepalive_connections=max_idle)
        self._context = context
        self._network = network
        self._idle = idle

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._context, keepalive_expiry=self._idle(), network_backend=self._network
        )


class Leg:
    """One request to an upstream, run by a task of its own.

    It reports, in this order: `UpstreamConnected`, a `Written` for each write that took long, `UpstreamHead`,
    `UpstreamData`s, `UpstreamEnd`; or, at any point, `UpstreamFailed`. After the head and after each piece it waits at
    its gate. The head may come before the body was sent: what was not sent then never is.

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
        self.number = number
        self.gate = Gate(inbox)
        self._request = request
        self._body = _body(request, spool, inbox.wake)
        self._body.wrote, self._body.writes = self._wrote, self._writes
        self._report = inbox.put
        self._clock = clock
        self._write_limit = write_limit
        self._public_only = public_only
        self._scope = anyio.CancelScope()
        self._stage = Stage.CONNECT
        self._sent = Sent.NONE
        self._head_sent = False
        self._reused = True
        self._write_started = 0.0

    @property
    def taken(self) -> bool:
        """Whether the upstream's socket has taken all of the body that there is so far, or needs no more of it."""
        return self._body.taken

    def send(self, data: bytes) -> None:
        """Adds a piece to a `Streamed` body."""
        assert isinstance(self._body, ArrivingBody)
        self._body.send(data)

    def end(self) -> None:
        """Ends a `Streamed` body."""
        assert isinstance(self._body, ArrivingBody)
        self._body.end()

    def abort(self) -> None:
        """Drops the leg and its connection; nothing more is reported."""
        self._scope.cancel()

    async def run(self, pools: Pools) -> None:
        """Does all of it; returns when the last input was reported, or the leg aborted."""
        UPLOAD.set(self._body.upload)
        with self._scope:
            try:
                await self._relay(pools.transport(self._request.origin, public_only=self._public_only))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
                self._body.close()
                if not self._scope.cancel_called:
                    self._report(self._failure(error))

    async def _relay(self, transport: httpx.AsyncHTTPTransport) -> None:
        # `stream=`, because with `content=` httpx puts in the headers that it finds missing.
        request = httpx.Request(
            self._request.method,
            _url(self._request.origin),
            headers=list(self._request.headers),
            stream=self._body,
            extensions={
                "target": self._request.target,
                "trace": self._trace,
                "timeout": {"write": self._write_limit},
            },
        )
        response = await transport.handle_async_request(request)
        self._body.close()
        self._stage = Stage.BODY
        pieces = response.aiter_raw()
        try:
            headers = tuple((name.lower(), value) for name, value in response.headers.raw)
            self._report(UpstreamHead(self.number, response.status_code, headers))
            await self.gate.wait()
            async for piece in pieces:
                self._report(UpstreamData(self.number, piece))
                await self.gate.wait()
            self._report(UpstreamEnd(self.number))
        finally:
            await _close(pieces)

    async def _trace(self, event: str, info: Mapping[str, object]) -> None:
        match event:
            case "connection.connect_tcp.started":
                self._reused = False
            case "connection.start_tls.started":
                self._stage = Stage.TLS
            case "http11.send_request_headers.started":
                self._stage = Stage.SEND
                self._writes()
                self._report(UpstreamConnected(self.number, self._reused))
                self._sent = Sent.PART
            case "http11.send_request_headers.complete":
                self._head_sent = True
            case "http11.send_request_body.complete":
                self._wrote()
                self._stage = Stage.HEAD
                self._sent = Sent.ALL

    def _writes(self) -> None:
        self._write_started = self._clock.now()

    def _wrote(self) -> None:
        if self._clock.now() - self._write_started >= SLOW_WRITE:
            self._report(Written(self.number))

    def _failure(self, error: Exception) -> UpstreamFailed:
        origin = self._request.origin
        what = FAILURES[self._stage].format(place(origin.host, origin.port))
        sent, why = self._sent, reason(error)
        if isinstance(error, httpx.LocalProtocolError):
            # Where that is raised for the head, no byte has left; its text may quote a header, and thereby a key.
            sent, why = self._sent if self._head_sent else Sent.NONE, "it is not valid HTTP"
        elif isinstance(error, httpx.WriteTimeout):
            why = "it was not taken in time"
        elif isinstance(error, httpx.ProxyError):
            why = str(error)
        # A connection counts as reused only once there was one.
        reused = self._reused and self._stage not in (Stage.CONNECT, Stage.TLS)
        return UpstreamFailed(self.number, self._stage, sent, reused, f"{what}: {why}")


def _body(request: UpstreamRequest, spool: Spool | None, wake: Callable[[], None]) -> Body:
    match request.body:
        case Streamed(first):
            return ArrivingBody(first, wake=wake)
        case Spooled(_, patches):
            assert spool is not None
            return FileBody(spool.pieces(patches))
        case data:
            return Body(data)


async def _close(pieces: AsyncIterator[bytes]) -> None:
    # httpx reads through five nested generators and `aclose` of the outermost leaves the inner ones to the garbage
    # collector, and with them the connection. An exception from the innermost unwinds all five: so the stream is read
    # on, in a scope that is cancelled already. A stream that was read to its end is not touched by this.
    with anyio.CancelScope(shield=True) as scope, suppress(httpx.HTTPError):
        scope.cancel()
        async for _ in pieces:
            pass


def _ssl_context(origin: Origin) -> ssl.SSLContext:
    if origin.scheme == "http":
        # Never used for a handshake; a context without roots costs nothing and trusts nobody.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = origin.ca_file or certifi.where()
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise OSError(f"{path} cannot be read as a file of certificates: {error}") from error


@functools.lru_cache(maxsize=256)
def _url(origin: Origin) -> httpx.URL:
    return httpx.URL(scheme=origin.scheme, host=origin.host, port=origin.port)
