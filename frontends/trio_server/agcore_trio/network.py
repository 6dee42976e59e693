"""Making connections to upstreams: over TCP, through an outbound proxy, with TLS.

What fails is one line for people that names who failed: the upstream, or the proxy before it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import trio

from agcore.protocol.http import Origin, ProxyServer
from agcore.protocol.inputs import Stage
from agcore_trio.streams import close_now

if TYPE_CHECKING:
    import ssl

Connect: TypeAlias = Callable[[Origin], Awaitable[trio.abc.Stream]]


class Unreachable(Exception):
    """There is no connection; the text is one line for people that names the host."""

    def __init__(self, stage: Stage, cause: str) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause


class Connector:
    """Makes connections over TCP, through a proxy where the origin names one, with TLS for `https`.

    An SSL context is made when the first connection needs it, one for each CA file: loading roots takes tens of
    milliseconds, which a gateway to local models never pays.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def __call__(self, origin: Origin, address: str = "") -> trio.abc.Stream:
        """Connects to `origin`.

        Args:
            origin: where to connect; a certificate is verified against its host.
            address: where that is, as an IP literal, so that nobody resolves the host's name.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        host = address or origin.host
        stream = await _open(origin, host)
        try:
            if origin.proxy is not None:
                await _through(stream, origin.proxy, authority(host, origin.port))
            return await self._secured(stream, origin) if origin.scheme == "https" else stream
        except BaseException:
            await close_now(stream)
            raise

    async def _secured(self, stream: trio.abc.Stream, origin: Origin) -> trio.abc.Stream:
        context = self._context(origin.ca_file)
        try:
            secure = trio.SSLStream(stream, context, server_hostname=origin.host, https_compatible=True)
            await secure.do_handshake()
        except (trio.BrokenResourceError, OSError) as error:
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
                raise Unreachable(Stage.TLS, f"cannot use the CA file {cafile}: {reason(error)}") from error
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[ca_file] = context
        return context


async def _open(origin: Origin, host: str) -> trio.SocketStream:
    proxy = origin.proxy
    where = place(origin) if proxy is None else f"the proxy {place(proxy)}"
    try:
        if proxy is not None:
            return await trio.open_tcp_stream(proxy.host, proxy.port)
        return await trio.open_tcp_stream(host, origin.port)
    except (OSError, UnicodeError) as error:
        # A name that is no name fails in its encoding.
        raise Unreachable(Stage.CONNECT, f"cannot connect to {where}: {reason(error) or 'bad name'}") from error


async def _through(stream: trio.abc.Stream, proxy: ProxyServer, target: str) -> None:
    from agcore_trio.tunnel import TunnelRefused, open_tunnel

    try:
        await open_tunnel(stream, proxy, target)
    except (TunnelRefused, trio.BrokenResourceError) as error:
        what = str(error) if isinstance(error, TunnelRefused) else lost(error)
        raise Unreachable(Stage.CONNECT, f"the proxy {place(proxy)} {what}") from error


def place(server: Origin | ProxyServer) -> str:
    """The host and port of a server as text, an IPv6 address in brackets."""
    return authority(server.host, server.port)


def authority(host: str, port: int) -> str:
    """A host and a port as text, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def lost(error: BaseException) -> str:
    """How a connection broke, as what goes on after the name of the other side."""
    why = reason(error)
    return f"closed the connection{f' ({why})' if why else ''}"


def _tls_cause(origin: Origin, error: BaseException) -> str:
    message = getattr(error.__cause__, "verify_message", "")
    if message:
        return f"TLS certificate of {origin.host} not accepted: {message}"
    return f"TLS handshake with {place(origin)} failed: {reason(error) or 'connection closed'}"


def reason(error: BaseException | None) -> str:
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
