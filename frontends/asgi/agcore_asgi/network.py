"""Streams to upstreams, below httpcore: they go through a proxy, and hear an answer before all of the request is sent.

httpcore writes a whole request before it reads. A request that takes its time (an `Upload`) may be refused half way,
and its sender should hear that (RFC 9112, section 9.5). So while an upload is being written, or waits for its next
piece, its `Stream` reads ahead. On a refusal it raises `httpcore.WriteError`, on which httpcore goes on to the answer.
A success that comes early is kept back until all was sent.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import anyio
import h11
import httpcore

from agcore.protocol.http import ProxyServer

RECEIVE: Final = 65536
"""Bytes that are read at most in one go."""

LAST_WORDS: Final = 0.5
"""Seconds that a refused write over TLS still has: cutting it would make the rest of the answer unreadable."""

STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5])")
STATUS_BYTES: Final = 10


class Upload:
    """A request that is sent piece by piece; its `stream` is known from its first write on."""

    def __init__(self) -> None:
        self.stream: Stream | None = None

    async def wait(self, work: Callable[[], Awaitable[None]]) -> None:
        """Awaits `work()`, listening.

        Raises:
            httpcore.WriteError: where an answer makes it pointless.
        """
        assert self.stream is not None
        await self.stream.unless_refused(work)


UPLOAD: Final[ContextVar[Upload | None]] = ContextVar("UPLOAD", default=None)
"""The upload of the task that is writing: httpcore does not tell a stream for whom it writes."""


class Network(httpcore.AsyncNetworkBackend):
    """Makes streams for a pool.

    Args:
        proxy: the HTTP proxy that all of them go through; None to connect directly.
    """

    def __init__(self, proxy: ProxyServer | None = None) -> None:
        self._proxy = proxy
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Stream:
        """Connects to an upstream.

        Raises:
            httpcore.ConnectError: where it cannot be reached.
            httpcore.ProxyError: where the proxy cannot be reached, or refuses.
        """
        proxy = self._proxy
        if proxy is None:
            return Stream(await self._sockets.connect_tcp(host, port, timeout, local_address, socket_options))
        name = f"the proxy {place(proxy.host, proxy.port)}"
        try:
            stream = await self._sockets.connect_tcp(proxy.host, proxy.port, timeout, local_address, socket_options)
        except httpcore.ConnectError as error:
            raise httpcore.ProxyError(f"{name} cannot be reached: {reason(error)}") from error
        try:
            status, early = await _tunnel(stream, place(host, port).encode("ascii"), proxy.authorization)
        except (httpcore.NetworkError, h11.ProtocolError) as error:
            await stream.aclose()
            # h11 quotes what it does not like, which may be the secret.
            why = "did not answer in HTTP" if isinstance(error, h11.ProtocolError) else f"failed: {reason(error)}"
            raise httpcore.ProxyError(f"{name} {why}") from None
        except BaseException:
            with anyio.CancelScope(shield=True):
                await stream.aclose()
            raise
        if not 200 <= status < 300:
            await stream.aclose()
            raise httpcore.ProxyError(f"{name} refused with status {status}")
        return Stream(stream, early)


class Stream(httpcore.AsyncNetworkStream):
    """A stream of httpcore's that can listen while it is written to.

    Args:
        stream: the one below.
        heard: what was read from it already.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, heard: bytes = b"") -> None:
        self._stream = stream
        self._heard = heard
        self._listens = True
        self._refused = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Returns what was heard already, else reads."""
        if self._heard:
            data, self._heard = self._heard[:max_bytes], self._heard[max_bytes:]
            return data
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Writes; for an upload, until it is refused."""
        upload = UPLOAD.get()
        if upload is None or not buffer:
            await self._stream.write(buffer, timeout)
            return
        upload.stream = self
        patience = 0.0 if self._stream.get_extra_info("ssl_object") is None else LAST_WORDS
        await self.unless_refused(partial(self._stream.write, buffer, timeout), patience=patience)

    async def unless_refused(self, work: Callable[[], Awaitable[None]], *, patience: float = 0.0) -> None:
        """Awaits `work()` and listens meanwhile.

        Args:
            work: a write, or a wait for something to write.
            patience: seconds that it may go on after a refusal.

        Raises:
            httpcore.WriteError: where the request was refused, or the connection has ended.
        """
        failure: Exception | None = None
        if not self._refused:
            async with anyio.create_task_group() as tasks:
                if self._listens:
                    tasks.start_soon(self._listen, tasks.cancel_scope, patience)
                try:
                    await work()
                except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                    failure = error
                tasks.cancel_scope.cancel()
        if self._refused:
            raise httpcore.WriteError("the answer came before the end of the request")
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Stream:
        """Makes a stream with TLS out of this one."""
        return Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of the stream below. One that refused an upload looks closed, so that no pool keeps it."""
        if info == "is_readable" and (self._refused or self._heard):
            return True
        return self._stream.get_extra_info(info)

    async def _listen(self, scope: anyio.CancelScope, patience: float) -> None:
        heard = 0
        try:
            while self._listens and heard < RECEIVE:
                data = await self._stream.read(RECEIVE)
                heard += len(data) if self._refused else 0
                self._heard += data
                if not data:
                    break
                if self._judge() and not self._refused:
                    self._refused = True
                    scope.deadline = anyio.current_time() + patience
        except httpcore.NetworkError:
            pass  # It shows again to whom reads next.
        if self._listens:
            self._refused = True
            scope.cancel()

    def _judge(self) -> bool:
        """Whether what was heard is a refusal. Interim answers are dropped; after a success there is no listening."""
        while (found := STATUS.match(self._heard)) is not None:
            if found[1] != b"1":
                self._listens = found[1] != b"2"
                return self._listens
            _, end, rest = self._heard.partition(b"\r\n\r\n")
            if not end:
                return False
            self._heard = rest
        return len(self._heard) >= STATUS_BYTES


def place(host: str, port: int) -> str:
    """A host and a port as text, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: BaseException) -> str:
    """What the system says, where it is the system that says it, else the text of the error; one line."""
    root: BaseException | None = None if isinstance(error, OSError) else error
    # Below "All connection attempts failed" there is a system error that says why.
    while root is not None:
        if isinstance(root, OSError) and root.errno is not None:
            error = root
            break
        root = root.exceptions[0] if isinstance(root, BaseExceptionGroup) else root.__cause__ or root.__context__
    # h11 quotes the bytes that it could not parse: what an upstream says is for the client only.
    text = str(error).partition(": bytearray(")[0]
    return " ".join(text.split()) or type(error).__name__


async def _tunnel(stream: httpcore.AsyncNetworkStream, target: bytes, authorization: str) -> tuple[int, bytes]:
    """Asks a proxy for a tunnel (RFC 9110, section 9.3.6); returns its status and what came after its answer."""
    http = h11.Connection(h11.CLIENT)
    headers = [(b"host", target)]
    if authorization:
        headers.append((b"proxy-authorization", authorization.encode()))
    request = http.send(h11.Request(method=b"CONNECT", target=target, headers=headers))
    await stream.write((request or b"") + (http.send(h11.EndOfMessage()) or b""))
    while not isinstance(event := http.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            http.receive_data(await stream.read(RECEIVE))
    return event.status_code, bytes(http.trailing_data[0])
