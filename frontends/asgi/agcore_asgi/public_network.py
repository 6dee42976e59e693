"""Streams to public addresses only, for legs whose origin somebody else has chosen.

A name is resolved once, here; every address that comes of it must be public; and the network below is asked for one of
those very addresses, because a second look-up could give another answer (DNS rebinding). httpcore, which asks for the
stream, goes on to verify TLS against the name.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, TypeAlias

import anyio
import httpcore

from agcore.protocol.addresses import is_public

PATIENCE: Final = 2.0
"""Seconds for an address while there is another one to try: a broken IPv6 must not cost all the time there is."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a host, those to try first in front.

    Raises:
        OSError: it has none.
        UnicodeError: it is no name.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Makes streams to hosts that are on the public internet, and to no others.

    Args:
        network: makes a stream to a checked address; a proxy it has is asked for that address.
        resolve: finds the addresses of a host, one at least.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend, *, resolve: Resolve = addresses_of) -> None:
        self._network = network
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to an upstream.

        Raises:
            OSError: where its name cannot be resolved.
            httpcore.ConnectError: where it cannot be reached, or is not public.
            httpcore.ProxyError: where the proxy cannot be reached, or refuses.
        """
        addresses = await self._resolve(host, port)
        # One that is not public spoils them all, and is not told: it is news from a network that is not the client's.
        if not all(is_public(address) for address in addresses):
            raise httpcore.ConnectError("it is not a public address")
        *others, last = addresses
        for address in others:
            with anyio.move_on_after(PATIENCE), suppress(httpcore.ConnectError, httpcore.ProxyError):
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)
