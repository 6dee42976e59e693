"""Making connections to upstreams: over TCP, through an outbound proxy, with TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from agcore.protocol import Origin, ProxyServer
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
        context = self._contexts.trusting(origin.ca_file) if origin.scheme == "https" else None
        stream = await _open(origin, address)
        try:
            if origin.proxy is not None:
                await _through(stream, origin, origin.proxy, address)
            return stream if context is None else await _secured(stream, origin, context)
        except BaseException:
            await close_now(stream)
            raise


async def _open(origin: Origin, address: str) -> trio.SocketStream:
    server = origin.proxy or origin
    host = address if address and origin.proxy is None else server.host
    try:
        return await trio.open_tcp_stream(host, server.port)
    except (OSError, UnicodeError) as error:
        raise not_connected(origin, error) from error


async def _through(stream: trio.abc.Stream, origin: Origin, proxy: ProxyServer, address: str) -> None:
    from agcore_host.upstream.tunnel import Tunnel

    tunnel = Tunnel(origin, proxy, address)
    try:
        await stream.send_all(tunnel.request)
        while not tunnel.receive(await stream.receive_some(RECEIVE)):
            pass
    except trio.BrokenResourceError as error:
        raise tunnel.broken(error) from error


async def _secured(stream: trio.abc.Stream, origin: Origin, context: ssl.SSLContext) -> trio.abc.Stream:
    try:
        secure = trio.SSLStream(stream, context, server_hostname=origin.host, https_compatible=True)
        await secure.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        raise not_secured(origin, error) from error
    return secure
