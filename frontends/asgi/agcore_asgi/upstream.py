"""The upstream's side: legs over httpx's transport, and the pools that they take their connections from.

A `Leg` sends one `UpstreamRequest` and reports what comes back. It works below `httpx.AsyncClient`, on the transport:
a client adds headers, keeps cookies, follows redirects and reads the environment, and none of that is a driver's to do.
How far a leg came, and whether its connection was a pooled one, is learnt from the events of httpcore's `trace`
extension. There are no timeouts here: the core has all the timers, and aborts a leg that took too long.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final

import anyio
import certifi
import httpx

from agcore.effects import Origin, UpstreamRequest
from agcore.inputs import (
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore_asgi.clock import Clock
from agcore_asgi.inbox import Gate, Inbox

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
    """The upstream connections of one event loop: a pool for each way of verifying servers.

    Args:
        idle: seconds that an unused connection is kept.
    """

    def __init__(self, *, idle: float) -> None:
        self._limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=idle)
        self._transports: dict[tuple[str, str], httpx.AsyncHTTPTransport] = {}

    def transport(self, origin: Origin) -> httpx.AsyncHTTPTransport:
        """The pool for `origin`, made when it is first asked for.

        Raises:
            OSError: where the file of roots cannot be read or holds none.
        """
        key = (origin.scheme, origin.ca_file)
        if (transport := self._transports.get(key)) is None:
            transport = self._transports[key] = httpx.AsyncHTTPTransport(
                verify=_ssl_context(origin), trust_env=False, limits=self._limits
            )
        return transport

    async def aclose(self) -> None:
        """Closes all connections, used and unused ones."""
        while self._transports:
            _, transport = self._transports.popitem()
            await transport.aclose()


class Leg:
    """One request to an upstream, run by a task of its own.

    It reports, in this order: `UpstreamConnected`, `Written` where sending took long, `UpstreamHead`, `UpstreamData`s,
    `UpstreamEnd`; or, at any point, `UpstreamFailed`. After the head and after each piece it waits at its gate.

    Args:
        number: what the core calls it.
        request: what to send.
        inbox: takes each input.
        clock: tells how long sending took.
    """

    def __init__(self, number: int, request: UpstreamRequest, *, inbox: Inbox, clock: Clock) -> None:
        self.number = number
        self.gate = Gate(inbox)
        self._request = request
        self._report = inbox.put
        self._clock = clock
        self._scope = anyio.CancelScope()
        self._stage = Stage.CONNECT
        self._sent = Sent.NONE
        self._reused = True
        self._send_started = 0.0

    def abort(self) -> None:
        """Drops the leg and its connection; nothing more is reported."""
        self._scope.cancel()

    async def run(self, pools: Pools) -> None:
        """Does all of it; returns when the last input was reported, or the leg aborted."""
        with self._scope:
            try:
                await self._relay(pools.transport(self._request.origin))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
                self._report(self._failure(error))

    async def _relay(self, transport: httpx.AsyncHTTPTransport) -> None:
        # `stream=`, because with `content=` httpx puts in the headers that it finds missing.
        request = httpx.Request(
            self._request.method,
            _url(self._request.origin),
            headers=list(self._request.headers),
            stream=_Body(self._request.body),
            extensions={"target": self._request.target, "trace": self._trace},
        )
        response = await transport.handle_async_request(request)
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
                self._send_started = self._clock.now()
                self._report(UpstreamConnected(self.number, self._reused))
                self._sent = Sent.PART
            case "http11.send_request_body.complete":
                self._stage = Stage.HEAD
                self._sent = Sent.ALL
                if self._clock.now() - self._send_started >= SLOW_WRITE:
                    self._report(Written(self.number))

    def _failure(self, error: Exception) -> UpstreamFailed:
        origin = self._request.origin
        what = FAILURES[self._stage].format(f"{origin.host}:{origin.port}")
        if isinstance(error, httpx.LocalProtocolError):
            # Raised before the first byte left; its text may quote a header, and thereby a key.
            sent, why = Sent.NONE, "it is not valid HTTP"
        else:
            sent, why = self._sent, _reason(error)
        # A connection counts as reused only once there was one.
        reused = self._reused and self._stage not in (Stage.CONNECT, Stage.TLS)
        return UpstreamFailed(self.number, self._stage, sent, reused, f"{what}: {why}")


class _Body(httpx.AsyncByteStream):
    """A body in one piece; unlike `httpx.ByteStream`, nothing is left half iterated when sending it fails."""

    def __init__(self, body: bytes) -> None:
        self._pieces = iter([body] if body else [])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


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


def _reason(error: BaseException) -> str:
    # Below "All connection attempts failed" there is a system error that says why.
    root: BaseException | None = error if isinstance(error, httpx.HTTPError) else None
    while root is not None:
        if isinstance(root, OSError) and root.errno is not None:
            error = root
            break
        root = root.exceptions[0] if isinstance(root, BaseExceptionGroup) else root.__cause__ or root.__context__
    # h11 quotes the bytes that it could not parse: what an upstream says is for the client only.
    text = str(error).partition(": bytearray(")[0]
    return " ".join(text.split()) or type(error).__name__
