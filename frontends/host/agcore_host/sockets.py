"""What every TCP socket of a gateway has set, whoever made it."""

from __future__ import annotations

import socket
from typing import Final, Protocol, TypeAlias

KEEPALIVE_IDLE: Final = 60
"""Seconds of silence until the other side is asked whether it is still there. Some NATs forget within six minutes."""
KEEPALIVE_INTERVAL: Final = 20
"""Seconds between such questions."""
KEEPALIVE_COUNT: Final = 4
"""Questions without an answer until a connection counts as broken."""

Option: TypeAlias = tuple[int, int, int]


class HasOptions(Protocol):
    """A socket, of the standard library or of an event loop."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """Set an option."""


def keepalive_options() -> tuple[Option, ...]:
    """Returns the options, for `setsockopt`, by which a silent connection is kept, and found out when it is dead.

    Not every system can be told the times; what it cannot be told is left out.
    """
    times = (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
        ("TCP_KEEPALIVE", KEEPALIVE_IDLE),  # the same on macOS
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    )
    known = vars(socket)
    options = [(socket.IPPROTO_TCP, int(known[name]), value) for name, value in times if name in known]
    return ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options)


def keep_alive(made: HasOptions) -> None:
    """Has the system ask a silent peer, now and then, whether it is still there (RFC 9293, section 3.8.4)."""
    for option in keepalive_options():
        try:
            made.setsockopt(*option)
        except OSError:  # a connection that is gone already, or no TCP
            return
