"""The transports for httpx2."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx2

from agcore.config import Config
from agcore.protocol import Event, Headers, ProxyServer
from agcore_host.sockets import keepalive_options
from agcore_host.upstream.failures import authority
from agcore_host.upstream.socks import login_of
from agcore_httpx.driver import Driver
from agcore_httpx.gateway import InProcess, LoopThread, within
from agcore_httpx.library import Ask, Library, Transport

BROKEN_OFF: Final = "the answer was broken off"


class AsyncGatewayTransport2(httpx2.AsyncBaseTransport):
    """The gateway as a transport: `httpx2.AsyncClient(transport=AsyncGatewayTransport2(config))`.

    Hosts of URLs do not matter; their paths are the gateway's routes. It belongs to the event loop that it is first
    used in, asyncio's or trio's.

    Args:
        config: what `agcore.load_config` returns, or a dict that it takes. A client needs no key, but where the
            configuration says `auth_mode = "strict"`.
        on_event: takes the core's events (see `agcore.log_row`), in the event loop; must not block.

    Raises:
        ValueError: the configuration is none, or must not be served.
    """

    def __init__(self, config: Config | Mapping[str, Any], *, on_event: Callable[[Event], None] | None = None) -> None:
        self._gateway = InProcess(config, LIBRARY, on_event)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answers a request once its head is known.

        Raises:
            httpx2.ReadTimeout: the client's own limit was over first.
            httpx2.RemoteProtocolError: there is no answer.
        """
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        return await self._answer(request, aiter(request.stream), Stream)

    async def aclose(self) -> None:
        """Ends what runs, and closes the connections to upstreams."""
        await self._gateway.aclose()

    async def _answer(
        self,
        request: httpx2.Request,
        body: AsyncIterator[bytes],
        stream: Callable[[Driver, float | None], httpx2.AsyncByteStream | httpx2.SyncByteStream],
    ) -> httpx2.Response:
        seconds = request.extensions.get("timeout", {}).get("read")
        driver = self._gateway.open(request.method, request.url.raw_path, tuple(request.headers.raw), body)
        try:
            begun = await within(seconds, driver.answer.wait_begun)
        except TimeoutError:
            driver.leave()
            raise httpx2.ReadTimeout("no answer came in time", request=request) from None
        except BaseException:
            driver.leave()
            raise
        if not begun:
            raise httpx2.RemoteProtocolError(BROKEN_OFF, request=request)
        answer = driver.answer
        return httpx2.Response(answer.status, headers=[*answer.headers], stream=stream(driver, seconds))


class GatewayTransport2(httpx2.BaseTransport):
    """The gateway as a transport: `httpx2.Client(transport=GatewayTransport2(config))`.

    It runs in a thread of its own, which does not keep the process alive. It is what `AsyncGatewayTransport2` is, with
    the same arguments.
    """

    def __init__(self, config: Config | Mapping[str, Any], *, on_event: Callable[[Event], None] | None = None) -> None:
        self._gateway = AsyncGatewayTransport2(config, on_event=on_event)
        self._thread = LoopThread()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answers a request once its head is known.

        Raises:
            httpx2.ReadTimeout: the client's own limit was over first.
            httpx2.RemoteProtocolError: there is no answer.
        """
        assert isinstance(request.stream, httpx2.SyncByteStream)
        body = _in_thread(iter(request.stream))

        def stream(driver: Driver, seconds: float | None) -> httpx2.SyncByteStream:
            return SyncStream(Stream(driver, seconds), self._thread)

        return self._thread.call(self._gateway._answer(request, body, stream))

    def close(self) -> None:
        """Ends what runs, closes the connections to upstreams, and ends the thread."""
        self._thread.call(self._gateway.aclose())
        self._thread.close()


class Stream(httpx2.AsyncByteStream, AsyncIterator[bytes]):
    """The body of an answer, as it comes.

    Args:
        driver: of the exchange.
        seconds: how long a piece may take; None for ever.
    """

    def __init__(self, driver: Driver, seconds: float | None) -> None:
        self._driver = driver
        self._seconds = seconds

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if data := await self.next():
            return data
        raise StopAsyncIteration

    async def next(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            httpx2.ReadTimeout: it did not come in time.
            httpx2.RemoteProtocolError: none will come, and the answer is not complete.
        """
        try:
            data = await within(self._seconds, self._driver.answer.take)
        except TimeoutError:
            raise httpx2.ReadTimeout("the answer did not go on in time") from None
        if data is None:
            raise httpx2.RemoteProtocolError(BROKEN_OFF)
        return data

    async def aclose(self) -> None:
        """Ends the exchange; an upstream that is still answering is asked no further."""
        if not self._driver.answer.complete:
            self._driver.leave()
        with anyio.CancelScope(shield=True):
            await self._driver.ended.wait()


class SyncStream(httpx2.SyncByteStream):
    """The body of an answer, as it comes.

    Args:
        stream: of it, in the thread's event loop.
        thread: where that runs.
    """

    def __init__(self, stream: Stream, thread: LoopThread) -> None:
        self._stream = stream
        self._thread = thread

    def __iter__(self) -> Iterator[bytes]:
        while data := self._thread.call(self._stream.next()):
            yield data

    def close(self) -> None:
        """Ends the exchange; an upstream that is still answering is asked no further."""
        self._thread.call(self._stream.aclose())


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


def _connect(
    verify: ssl.SSLContext | bool, proxy: ProxyServer | None, proxy_tls: ssl.SSLContext | None, idle: float
) -> httpx2.AsyncHTTPTransport:
    through = None
    if proxy is not None:
        url = f"{proxy.scheme}://{authority(proxy.host, proxy.port)}"
        login = login_of(proxy) if proxy.scheme == "socks5" else None
        headers = {"proxy-authorization": proxy.authorization} if proxy.authorization and login is None else None
        auth = None if login is None else (login[0].decode("latin-1"), login[1].decode("latin-1"))
        through = httpx2.Proxy(url, ssl_context=proxy_tls, auth=auth, headers=headers)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=idle)
    return httpx2.AsyncHTTPTransport(
        verify=verify, trust_env=False, limits=limits, proxy=through, socket_options=keepalive_options()
    )


async def _ask(transport: Transport, ask: Ask) -> tuple[httpx2.Response, Headers]:
    assert isinstance(transport, httpx2.AsyncHTTPTransport)
    # `stream=`, because with `content=` the fields that are found missing are put in.
    request = httpx2.Request(
        ask.method,
        httpx2.URL(scheme=ask.scheme, host=ask.host, port=ask.port, raw_path=ask.target),
        headers=[*ask.headers],
        stream=_Body(ask.body),
        extensions={**ask.extensions},
    )
    response = await transport.handle_async_request(request)
    return response, tuple((name.lower(), value) for name, value in response.headers.raw)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


LIBRARY: Final = Library(
    _connect, _ask, errors=(httpx2.HTTPError, httpx2.InvalidURL), local_errors=(httpx2.LocalProtocolError,)
)
