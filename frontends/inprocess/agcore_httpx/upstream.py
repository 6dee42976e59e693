"""The upstream's side: legs over the transports of an HTTP client library.

How far a leg came, and whether its connection was a pooled one, is learnt from the events of httpcore's `trace`
extension. The core has the timers, and aborts a leg that took too long.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import anyio

from agcore.protocol import (
    Input,
    Origin,
    ProxyServer,
    Sent,
    Spooled,
    Stage,
    Streamed,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamRequest,
    is_public,
)
from agcore_host.spool import Spool
from agcore_host.upstream.failures import Unreachable, not_secured, place, reason
from agcore_host.upstream.tls import Contexts
from agcore_httpx.library import Ask, Library, Transport

PIECE: Final = 256 * 1024
"""Bytes of a piece of a longer body."""

FAILURES: Final[Mapping[Stage, str]] = {
    Stage.CONNECT: "cannot connect to {}",
    Stage.SEND: "cannot send the request to {}",
    Stage.HEAD: "no answer from {}",
    Stage.BODY: "the answer of {} broke off",
}


class Transports:
    """The library's transports: one for each way of verifying servers and of reaching them.

    Args:
        library: whose they are.
        idle: seconds that an unused connection is kept.
    """

    def __init__(self, library: Library, *, idle: float) -> None:
        self.library = library
        self._idle = idle
        self._contexts = Contexts()
        self._transports: dict[tuple[bool, str, str, ProxyServer | None, bool], Transport] = {}

    def to(self, origin: Origin, *, public_only: bool) -> Transport:
        """The transport for `origin`, made when it is first asked for; with `public_only` one that keeps no connection.

        Raises:
            Unreachable: the file of CAs cannot be used.
        """
        secure = origin.scheme == "https"
        key = (secure, origin.ca_file, origin.more_cas, origin.proxy, public_only)
        transport = self._transports.get(key)
        if transport is None:
            # Without TLS, nothing is verified, and no roots need be loaded.
            context = self._contexts.trusting(origin.ca_file, origin.more_cas) if secure else False
            proxy, proxy_tls = origin.proxy, None
            if proxy is not None and proxy.scheme == "https":
                proxy_tls = self._contexts.trusting("", proxy.more_cas)
            try:
                transport = self.library.connect(context, proxy, proxy_tls, 0 if public_only else self._idle)
            except ImportError:
                lacks = "SOCKS, which takes the package socksio (pip install socksio)"
                raise Unreachable(Stage.UNSUPPORTED, lacks) from None
            self._transports[key] = transport
        return transport

    async def aclose(self) -> None:
        """Closes all connections, used and unused ones."""
        while self._transports:
            _, transport = self._transports.popitem()
            await transport.aclose()


class Leg:
    """One request to an upstream, run by a task of its own.

    Args:
        number: what the core calls it.
        request: what to send.
        report: takes each input.
        wanted: returns when the machine wants more of the leg.
        drained: called when all of a `Streamed` body that there is so far was taken.
        spool: the file of a `Spooled` body.
        public_only: see `OpenUpstream`.
    """

    def __init__(
        self,
        number: int,
        request: UpstreamRequest,
        *,
        report: Callable[[Input], None],
        wanted: Callable[[], Awaitable[None]],
        drained: Callable[[], None],
        spool: Spool | None,
        public_only: bool,
    ) -> None:
        self._number = number
        self._request = request
        self._report = report
        self._wanted = wanted
        self._public_only = public_only
        self._body = _body(request, spool, drained)
        self._scope = anyio.CancelScope()
        self._stage = Stage.CONNECT
        self._sent = Sent.NONE
        self._head_sent = False
        self._tunnelling = False
        self._reused = True

    @property
    def taken(self) -> bool:
        """The library has taken all of the body that there is so far."""
        return not isinstance(self._body, ArrivingBody) or self._body.taken

    def feed(self, data: bytes) -> None:
        """Adds a piece to a `Streamed` body."""
        assert isinstance(self._body, ArrivingBody)
        self._body.feed(data)

    def end(self) -> None:
        """Ends a `Streamed` body."""
        assert isinstance(self._body, ArrivingBody)
        self._body.end()

    def abort(self) -> None:
        """Drops the leg and its connection; nothing more is reported."""
        self._scope.cancel()

    async def run(self, transports: Transports) -> None:
        """Does all of it; returns when the last input was reported, or the leg aborted."""
        library = transports.library
        caught: tuple[type[Exception], ...] = (*library.errors, OSError, UnicodeError)
        with self._scope:
            try:
                await self._relay(transports)
            except Unreachable as error:
                self._report(UpstreamFailed(self._number, error.stage, Sent.NONE, False, error.cause))
            except caught as error:
                if not self._scope.cancel_called:
                    self._report(self._failure(error, isinstance(error, library.local_errors)))

    async def _relay(self, transports: Transports) -> None:
        request, origin = self._request, self._request.origin
        extensions: dict[str, object] = {"trace": self._trace, "timeout": {}}
        if origin.proxy is None or origin.proxy.scheme == "socks5":
            # An HTTP proxy would be asked for this in place of the upstream's address.
            extensions["target"] = request.target
        host = origin.host
        if self._public_only:
            host = await _public_address(origin)
            extensions["sni_hostname"] = origin.host
        ask = Ask(
            request.method, origin.scheme, host, origin.port, request.headers, self._body, request.target, extensions
        )
        transport = transports.to(origin, public_only=self._public_only)
        response, headers = await transports.library.ask(transport, ask)
        self._stage = Stage.BODY
        pieces = response.aiter_raw()
        try:
            self._report(UpstreamHead(self._number, response.status_code, headers))
            await self._wanted()
            async for piece in pieces:
                self._report(UpstreamData(self._number, piece))
                await self._wanted()
            self._report(UpstreamEnd(self._number))
        finally:
            await _close(pieces, transports.library)

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            self._tunnelling = info["request"].method == b"CONNECT"
        if self._tunnelling and event.startswith("http11."):
            self._stage = Stage.CONNECT  # a proxy is asked for the way, and nothing of the request has left
            return
        match event:
            case "connection.connect_tcp.started":
                self._reused = False
            case "connection.start_tls.started" | "proxy.start_tls.started":
                self._stage = Stage.TLS
            case "http11.send_request_headers.started":
                self._stage = Stage.SEND
                self._report(UpstreamConnected(self._number, self._reused))
                self._sent = Sent.PART
            case "http11.send_request_headers.complete":
                self._head_sent = True
            case "http11.send_request_body.complete":
                self._stage = Stage.HEAD
                self._sent = Sent.ALL

    def _failure(self, error: Exception, local: bool) -> UpstreamFailed:
        if self._stage is Stage.TLS:
            failed = not_secured(self._request.origin, error)
            return UpstreamFailed(self._number, failed.stage, Sent.NONE, False, failed.cause)
        what = FAILURES[self._stage].format(place(self._request.origin))
        sent, why = self._sent, reason(error) or "the connection broke"
        if local:
            # Where that is raised for the head, no byte has left; its text may quote a header, and thereby a key.
            sent, why = self._sent if self._head_sent else Sent.NONE, "it is not valid HTTP"
        # A connection counts as reused only once there was one.
        reused = self._reused and self._stage not in (Stage.CONNECT, Stage.TLS)
        return UpstreamFailed(self._number, self._stage, sent, reused, f"{what}: {why}")


class ArrivingBody(AsyncIterator[bytes]):
    """A body whose pieces are still to come.

    Args:
        first: what there is already.
        drained: called when all that there is so far was taken.
    """

    def __init__(self, first: bytes, drained: Callable[[], None]) -> None:
        self._drained = drained
        self._pieces = deque([first] if first else [])
        self._complete = False
        self._news = anyio.Event()

    @property
    def taken(self) -> bool:
        """Nobody waits to be written."""
        return not self._pieces

    def feed(self, data: bytes) -> None:
        """Adds a piece."""
        if data:
            self._pieces.append(data)
            self._news.set()

    def end(self) -> None:
        """Says that there are no further pieces."""
        self._complete = True
        self._news.set()

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._complete:
                raise StopAsyncIteration
            self._news = anyio.Event()
            self._drained()
            await self._news.wait()
        return self._pieces.popleft()


class PresentBody(AsyncIterator[bytes]):
    """A body that is here.

    Args:
        pieces: of it.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    async def __anext__(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        return piece


def _body(request: UpstreamRequest, spool: Spool | None, drained: Callable[[], None]) -> ArrivingBody | PresentBody:
    match request.body:
        case Streamed(first):
            return ArrivingBody(first, drained)
        case Spooled(_, patches):
            assert spool is not None
            return PresentBody(spool.pieces(patches))
        case data:
            return PresentBody(data[at : at + PIECE] for at in range(0, len(data), PIECE))


async def _public_address(origin: Origin) -> str:
    """One of the addresses of a host, all of which are public; a second look-up could give another answer."""
    found = await anyio.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    if not all(map(is_public, addresses)):
        raise Unreachable(Stage.CONNECT, f"cannot connect to {place(origin)}: it is not a public address")
    return addresses[0]


async def _close(pieces: AsyncIterator[bytes], library: Library) -> None:
    # httpx reads through five nested generators and `aclose` of the outermost leaves the inner ones to the garbage
    # collector, and with them the connection. An exception from the innermost unwinds all five: so the stream is read
    # on, in a scope that is cancelled already. A stream that was read to its end is not touched by this.
    with anyio.CancelScope(shield=True) as scope, suppress(*library.errors):
        scope.cancel()
        async for _ in pieces:
            pass
