"""Making connections to public addresses only, for legs whose origin somebody else has chosen.

A name is resolved once, every address that comes of it must be public, and the connection goes to one of those very
addresses: a second look-up could give another answer (DNS rebinding). Through a proxy the tunnel is asked for that
address, too. TLS is still verified against the name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final, Generic, TypeAlias, TypeVar

from agcore.protocol import Origin, Stage, is_public
from agcore_host.upstream.failures import Unreachable, place, reason

PATIENCE: Final = 2.0
"""Seconds for an address while there is another one to try: a broken IPv6 must not cost all the time there is."""

Stream = TypeVar("Stream")
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
MoveOnAfter: TypeAlias = Callable[[float], AbstractContextManager[object]]


class PublicNetwork(Generic[Stream]):
    """Connects to origins that are on the public internet, and to no others.

    Args:
        connect: makes a stream for an origin at one of its addresses or raises `Unreachable`.
        resolve: finds the addresses of a host, one at least, those to try first in front.
        move_on_after: the event loop's: leaves a block after so many seconds.
    """

    def __init__(
        self, connect: Callable[[Origin, str], Awaitable[Stream]], *, resolve: Resolve, move_on_after: MoveOnAfter
    ) -> None:
        self._connect = connect
        self._resolve = resolve
        self._move_on_after = move_on_after

    async def __call__(self, origin: Origin) -> Stream:
        """Connects to `origin`.

        Raises:
            Unreachable: with stage `CONNECT` or `TLS`.
        """
        *others, last = await self._checked(origin)
        for address in others:
            with self._move_on_after(PATIENCE):
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
