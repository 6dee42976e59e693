"""Noticing that a client hung up while its connection's owner waits for something else, at no cost per request.

Two tasks may not read one trio stream, and a task per request is what the hot path cannot afford. So every client
socket is registered once, for its life, with an epoll of our own, for hang-ups only and edge-triggered; one task per
process waits for that epoll, which is a descriptor like any other. Linux only: elsewhere, and for streams without a
descriptor, `driver.Driver` starts a reader for the time it waits.

A client that closes only its sending side has hung up, too: the kernel reports both alike at this point.
"""

from __future__ import annotations

import select
import sys
from typing import Protocol

import trio


class Watched(Protocol):
    """What can be told that its peer hung up."""

    def hung_up(self) -> None:
        """Called once for each change, from the task of the watch; must not block."""
        ...


if sys.platform == "linux":

    class HangupWatch:
        """Tells connections when their clients hang up, while `run` runs."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._watched: dict[int, Watched] = {}

        def add(self, descriptor: int, connection: Watched) -> None:
            """Begins to watch an open socket; a hang-up in the past is reported as well."""
            self._watched[descriptor] = connection
            self._epoll.register(descriptor, select.EPOLLRDHUP | select.EPOLLET)

        def remove(self, descriptor: int) -> None:
            """Ends it. To be called before the socket is closed, because its number is given to the next one."""
            del self._watched[descriptor]
            self._epoll.unregister(descriptor)

        async def run(self) -> None:
            """Watches until cancelled."""
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for descriptor, _ in self._epoll.poll(0):
                    if descriptor in self._watched:
                        self._watched[descriptor].hung_up()

        def close(self) -> None:
            """Gives the epoll back, after the last `remove`."""
            self._epoll.close()

    def make_watch() -> HangupWatch | None:
        """Returns a watch, or None where the platform has no way to make one."""
        return HangupWatch()

else:

    class HangupWatch:
        """Not available on this platform."""

        def add(self, descriptor: int, connection: Watched) -> None:
            """Never called."""

        def remove(self, descriptor: int) -> None:
            """Never called."""

        async def run(self) -> None:
            """Never called."""

        def close(self) -> None:
            """Never called."""

    def make_watch() -> HangupWatch | None:
        """Returns a watch, or None where the platform has no way to make one."""
        return None
