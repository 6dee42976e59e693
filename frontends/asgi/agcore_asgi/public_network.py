"""The network to public addresses only (`agcore_host.upstream.public_network`), on anyio."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import anyio

from agcore.protocol import Origin
from agcore_asgi.network import Stream
from agcore_host.upstream.public_network import PublicNetwork, Resolve


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a host, those to try first in front.

    Raises:
        OSError: it has none.
        UnicodeError: it is no name.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def public_network(
    connect: Callable[[Origin, str], Awaitable[Stream]], *, resolve: Resolve = addresses_of
) -> PublicNetwork[Stream]:
    """The network that connects by `connect`, a `Network`, to public addresses and to no others."""
    return PublicNetwork(connect, resolve=resolve, move_on_after=anyio.move_on_after)
