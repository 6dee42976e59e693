"""Reading from several sources at once, for the exchanges that have more than one.

One task per read: starting it is the permission to read, and what it brings waits until it is fetched. So a source is
never more than one read ahead, and nothing is queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable

import trio

from agcore.protocol import Input


class Readers:
    """Reads in progress, at most one for each source; their tasks live in `nursery`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: dict[Hashable, trio.CancelScope] = {}
        self._done: deque[tuple[Hashable, list[Input]]] = deque()
        self._lot = trio.lowlevel.ParkingLot()

    @property
    def busy(self) -> bool:
        """A read is in progress, or its inputs were not fetched yet."""
        return bool(self._scopes)

    def reads(self, source: Hashable) -> bool:
        """This source is being read, or what it brought was not fetched yet."""
        return source in self._scopes

    def start(self, source: Hashable, read: Callable[[], Awaitable[list[Input]]]) -> None:
        """Begins to read `source`, unless it is being read."""
        if source not in self._scopes:
            self._scopes[source] = trio.CancelScope()
            self._nursery.start_soon(self._run, source, read)

    def cancel(self, source: Hashable) -> None:
        """Ends a read; it brings nothing."""
        if source in self._scopes:
            self._scopes[source].cancel()

    async def next(self) -> list[Input]:
        """Waits for the read that is done first, for ever if there is none, and returns its inputs."""
        while not self._done:
            await self._lot.park()
        source, inputs = self._done.popleft()
        del self._scopes[source]
        return inputs

    async def recall(self, source: Hashable) -> list[Input]:
        """Ends a read and returns what it has brought all the same."""
        self.cancel(source)
        while True:
            for done in self._done:
                if done[0] == source:
                    self._done.remove(done)
                    del self._scopes[source]
                    return done[1]
            await self._lot.park()

    async def stop(self) -> None:
        """Ends all reads and waits until they have ended."""
        for scope in self._scopes.values():
            scope.cancel()
        while self._scopes:
            await self.next()

    async def _run(self, source: Hashable, read: Callable[[], Awaitable[list[Input]]]) -> None:
        inputs: list[Input] = []
        try:
            with self._scopes[source]:
                inputs = await read()
        finally:
            # Also when the nursery is cancelled: `stop` waits for this.
            self._done.append((source, inputs))
            self._lot.unpark()
