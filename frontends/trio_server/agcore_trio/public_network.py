"""Making connections to public addresses only, for legs whose origin somebody else has chosen.

A name is resolved once, every address that comes of it must be public, and the connection goes to one of those very
addresses: a second look-up could give another answer (DNS rebinding). Through a proxy the tunnel is asked for that
address, too. TLS is still verified against the name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio

from agcore.protocol.addresses import is_public
from agcore.protocol.http import Origin
from agcore.protocol.inputs import Stage
from agcore_trio.network import Unreachable, place, reason

PATIENCE: Final = 2.0
"""Seconds for an address while there is another one to try: a broken IPv6 must not cost all the time there is."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
ConnectAt: TypeAlias = Callable[[Origin, str], Awaitable[trio.abc.Stream]]


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a host, those to try first in front.

    Raises:
        OSError: it has none.
        UnicodeError: it is no name.
    """
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PublicConnector:
    """Connects to origins that are on the public internet, and to no others.

    Args:
        connect: makes a stream for an origin at one of its addresses or raises `Unreachable`: a `Connector`.
        resolve: finds the addresses of a host, one at least.
    """

    def __init__(self, connect: ConnectAt, *, resolve: Resolve = addresses_of) -> None:
        self._connect = connect
        self._resolve = resolve

    async def __call__(self, origin: Origin) -> trio.abc.Stream:
        """Connects to `origin`.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        *others, last = await self._checked(origin)
        for address in others:
            with trio.move_on_after(PATIENCE):
                try:
                    return await self._connect(origin, address)
                except Unreachable as error:
                    if error.stage is Stage.TLS:
                        raise
        return await self._connect(origin, last)

    async def _checked(self, origin: Origin) -> list[str]:
        try:
            addresses = await self._resolve(origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            raise _refused(origin, reason(error) or "bad name") from error
        # One that is not public spoils them all, and is not told: it is news from a network that is not the client's.
        if not all(is_public(address) for address in addresses):
            raise _refused(origin, "it is not a public address")
        return addresses


def _refused(origin: Origin, why: str) -> Unreachable:
    return Unreachable(Stage.CONNECT, f"cannot connect to {place(origin)}: {why}")
