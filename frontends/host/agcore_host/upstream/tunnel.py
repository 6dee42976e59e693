"""Asking an HTTP proxy for a tunnel to an upstream: CONNECT (RFC 9110, section 9.3.6), without IO.

Whatever is spoken in the tunnel, plain HTTP or TLS, is between us and the upstream. With an `https` proxy all of it is
spoken inside TLS to that proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11

from agcore.protocol import Origin, ProxyServer, Stage
from agcore_host.http.heads import request_head
from agcore_host.upstream.failures import Unreachable, authority, lost, place

if TYPE_CHECKING:
    from agcore_host.upstream.socks import SocksTunnel

MAX_HEAD: Final = 64 * 1024
"""Bytes of the head of a proxy's answer."""


class Tunnel:
    """The wish for a tunnel through the proxy of an origin.

    Args:
        origin: where the tunnel leads.
        proxy: who is asked.
        address: where the origin is, as an IP literal, so that the proxy resolves no name; empty for its host.
    """

    def __init__(self, origin: Origin, proxy: ProxyServer, address: str = "") -> None:
        self._proxy = proxy
        self._target = authority(address or origin.host, origin.port)
        host = self._target.encode("ascii")
        headers = [(b"host", host)]
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._http.send(h11.Request(method="CONNECT", target=host, headers=[*headers]))
        self._http.send(h11.EndOfMessage())
        if proxy.authorization:
            headers.append((b"proxy-authorization", proxy.authorization.encode("ascii")))
        self._outgoing = request_head("CONNECT", host, headers)

    def outgoing(self) -> bytes:
        """The bytes to send now, each once; empty where the proxy has the word."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes | bytearray) -> bool:
        """Takes what the proxy says; `b""` for the end of the connection.

        Returns:
            Whether the tunnel is open.

        Raises:
            Unreachable: the proxy does not want to, or does not speak HTTP. No secret is in the text.
        """
        self._http.receive_data(bytes(data))
        try:
            status = self._status()
        except h11.RemoteProtocolError:
            raise self._refused("did not answer CONNECT in HTTP") from None
        if status is None:
            return False
        if not 200 <= status < 300:
            why = ", it wants other credentials" if status == 407 else ""
            raise self._refused(f"answered {status} to CONNECT {self._target}{why}")
        if self._http.trailing_data[0]:
            # Who speaks first in a tunnel is the client: nobody but the proxy can have said this.
            raise self._refused(f"said more than its answer to CONNECT {self._target}")
        return True

    def broken(self, error: Exception) -> Unreachable:
        """The failure of a connection to the proxy that broke meanwhile."""
        return self._refused(lost(error))

    def _status(self) -> int | None:
        while True:
            event = self._http.next_event()
            if type(event) is h11.Response:
                return event.status_code
            if event is h11.NEED_DATA:
                return None
            if type(event) is not h11.InformationalResponse:
                raise self._refused("closed the connection before it answered CONNECT")

    def _refused(self, what: str) -> Unreachable:
        return Unreachable(Stage.CONNECT, f"the proxy {place(self._proxy)} {what}")


def tunnel_for(origin: Origin, proxy: ProxyServer, address: str = "") -> Tunnel | SocksTunnel:
    """The wish for a way through `proxy`, in the words that it understands; the arguments are those of `Tunnel`."""
    if proxy.scheme != "socks5":
        return Tunnel(origin, proxy, address)
    from agcore_host.upstream.socks import SocksTunnel

    return SocksTunnel(origin, proxy, address)


def place_of_proxy(proxy: ProxyServer) -> Origin:
    """The proxy as a place that TLS is spoken with."""
    return Origin(proxy.scheme, proxy.host, proxy.port, more_cas=proxy.more_cas)
