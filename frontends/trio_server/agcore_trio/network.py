"""Making connections to upstreams: over TCP, through an outbound proxy, with TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from agcore.protocol import Origin, ProxyServer
from agcore_host.sockets import keep_alive
from agcore_host.upstream.failures import not_connected, not_secured
from agcore_host.upstream.tls import Contexts
from agcore_trio.streams import RECEIVE, close_now

if TYPE_CHECKING:
    import ssl


class Network:
    """Makes connections over TCP, through a proxy where the origin names one, with TLS for `https`."""

    def __init__(self) -> None:
        self._contexts = Contexts()

    async def __call__(self, origin: Origin, address: str = "") -> trio.abc.Stream:
        """Connects to `origin`.

        Args:
            origin: where to connect; a certificate is verified against its host.
            address: where that is, as an IP literal, so that nobody resolves the host's name.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        context = self._context(origin)
        made = await _open(origin, address)
        stream: trio.abc.Stream = made
        try:
            if origin.proxy is not None:
                stream = await self._through(stream, origin, origin.proxy, address)
            return stream if context is None else await _secured(stream, origin, context)
        except BaseException:
            await close_now(made)
            raise

    def _context(self, origin: Origin) -> ssl.SSLContext | None:
        return self._contexts.trusting(origin.ca_file, origin.more_cas) if origin.scheme == "https" else None

    async def _through(
        self, stream: trio.abc.Stream, origin: Origin, proxy: ProxyServer, address: str
    ) -> trio.abc.Stream:
        from agcore_host.upstream.tunnel import place_of_proxy, tunnel_for

        there = place_of_proxy(proxy)
        context = self._context(there)
        if context is not None:
            stream = await _secured(stream, there, context)
        tunnel = tunnel_for(origin, proxy, address)
        opened = False
        try:
            while not opened:
                data = tunnel.outgoing()
                if data:
                    await stream.send_all(data)
                opened = tunnel.receive(await stream.receive_some(RECEIVE))
        except trio.BrokenResourceError as error:
            raise tunnel.broken(error) from error
        return stream


async def _open(origin: Origin, address: str) -> trio.SocketStream:
    server = origin.proxy or origin
    host = address if address and origin.proxy is None else server.host
    try:
        stream = await trio.open_tcp_stream(host, server.port)
        keep_alive(stream)
        return stream
    except (OSError, UnicodeError) as error:
        raise not_connected(origin, error) from error


async def _secured(stream: trio.abc.Stream, origin: Origin, context: ssl.SSLContext) -> trio.abc.Stream:
    try:
        secure = trio.SSLStream(stream, context, server_hostname=origin.host, https_compatible=True)
        await secure.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        raise not_secured(origin, error) from error
    return secure
