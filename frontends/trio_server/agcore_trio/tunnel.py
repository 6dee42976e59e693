"""Asking an HTTP proxy for a tunnel to an upstream: CONNECT (RFC 9110, section 9.3.6).

Whatever is spoken in the tunnel, plain HTTP or TLS, is between us and the upstream. TLS to the proxy itself is not
supported.
"""

from __future__ import annotations

from typing import Final

import h11
import trio

from agcore.protocol.http import ProxyServer
from agcore_host.http.heads import request_head
from agcore_trio.streams import RECEIVE

MAX_HEAD: Final = 64 * 1024
"""Bytes of the head of a proxy's answer."""


class TunnelRefused(Exception):
    """There is no tunnel; the text goes on after the name of the proxy, and holds no secret."""


async def open_tunnel(stream: trio.abc.Stream, proxy: ProxyServer, authority: str) -> None:
    """Makes a connection to a proxy one to `authority`, such as `api.example.com:443`.

    Raises:
        TunnelRefused: the proxy does not want to, or does not speak HTTP.
        trio.BrokenResourceError: the connection broke.
    """
    host = authority.encode("ascii")
    headers = [(b"host", host)]
    if proxy.authorization:
        headers.append((b"proxy-authorization", proxy.authorization.encode("ascii")))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    http.send(h11.Request(method="CONNECT", target=host, headers=headers[:1]))
    http.send(h11.EndOfMessage())
    await stream.send_all(request_head("CONNECT", host, headers))
    try:
        status = await _status(stream, http)
    except h11.RemoteProtocolError:
        raise TunnelRefused("did not answer CONNECT in HTTP") from None
    if not 200 <= status < 300:
        why = ", it wants other credentials" if status == 407 else ""
        raise TunnelRefused(f"answered {status} to CONNECT {authority}{why}")
    if http.trailing_data[0]:
        # Who speaks first in a tunnel is the client: nobody but the proxy can have said this.
        raise TunnelRefused(f"said more than its answer to CONNECT {authority}")


async def _status(stream: trio.abc.Stream, http: h11.Connection) -> int:
    while True:
        event = http.next_event()
        if type(event) is h11.Response:
            return event.status_code
        if event is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some(RECEIVE)))
        elif type(event) is not h11.InformationalResponse:
            raise TunnelRefused("closed the connection before it answered CONNECT")
