"""The network to public addresses only (`agcore_host.upstream.public_network`), on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from agcore.protocol import Origin
from agcore_host.upstream.public_network import PublicNetwork, Resolve


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a host, those to try first in front.

    Raises:
        OSError: it has none.
        UnicodeError: it is no name.
    """
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def public_network(
    connect: Callable[[Origin, str], Awaitable[trio.abc.Stream]], *, resolve: Resolve = addresses_of
) -> PublicNetwork[trio.abc.Stream]:
    """The network that connects by `connect`, a `Network`, to public addresses and to no others."""
    return PublicNetwork(connect, resolve=resolve, move_on_after=trio.move_on_after)
