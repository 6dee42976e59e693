"""Keep-alive connections to upstreams: which are idle, for how long, and which may serve another request.

A connection goes back to the pool only after an answer that was complete and left nothing unread, and comes out of it
only if it has stayed quiet meanwhile: bytes that nobody asked for would be taken for the next answer, which is another
client's.
"""

from __future__ import annotations

import select
from typing import Final, Generic, TypeVar

from agcore.protocol import Origin
from agcore_host.http.engines import client_engine

Stream = TypeVar("Stream")
"""A frontend's stream."""

MAX_IDLE: Final = 32
"""Idle connections kept for one origin."""


class UpstreamConnection(Generic[Stream]):
    """A stream to an upstream, its engine, and a look at whether it is quiet.

    Args:
        origin: where it leads.
        stream: its bytes.
        descriptor: of the socket below; None where there is none.

    Attributes:
        used: it has served a request before.
        idle_since: when it was put into a pool.
    """

    def __init__(self, origin: Origin, stream: Stream, descriptor: int | None) -> None:
        self.origin = origin
        self.stream = stream
        self.engine = client_engine()
        self.used = False
        self.idle_since = 0.0
        self._descriptor = descriptor
        self._poll: select.poll | None = None
        if descriptor is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLIN)

    @property
    def quiet(self) -> bool:
        """Nothing waits in its socket, an end of file included.

        A stream without a descriptor is taken to be quiet: its engine has vouched for all that was read.
        """
        if self._poll is not None:
            return not self._poll.poll(0)
        return self._descriptor is None or not select.select([self._descriptor], [], [], 0)[0]


class IdleConnections(Generic[Stream]):
    """Idle connections by origin, the last used first.

    Each look costs the same however many there are: a list for each origin, and all of them in the order of their age.

    Args:
        max_idle: how many are kept for one origin.
    """

    def __init__(self, *, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._by_origin: dict[Origin, list[UpstreamConnection[Stream]]] = {}
        self._by_age: dict[UpstreamConnection[Stream], None] = {}

    def __len__(self) -> int:
        return len(self._by_age)

    def put(self, connection: UpstreamConnection[Stream], *, now: float) -> bool:
        """Keeps a connection after an answer.

        Args:
            connection: one from whose stream no byte was read that its engine has not got.
            now: seconds of a clock that does not go back.

        Returns:
            False where it must not serve another request, or there are enough: it is to be closed.
        """
        if not connection.engine.reusable or not connection.quiet:
            return False
        kept = self._by_origin.setdefault(connection.origin, [])
        if len(kept) >= self._max_idle:
            return False
        connection.used = True
        connection.idle_since = now
        kept.append(connection)
        self._by_age[connection] = None
        return True

    def take(self, origin: Origin) -> UpstreamConnection[Stream] | None:
        """Takes out the one that was last used, quiet or not; None where there is none."""
        kept = self._by_origin.get(origin)
        if not kept:
            return None
        connection = kept.pop()
        del self._by_age[connection]
        return connection

    def expired(self, before: float) -> UpstreamConnection[Stream] | None:
        """Takes out the oldest, if it has been idle since `before` or longer."""
        oldest = next(iter(self._by_age), None)
        if oldest is None or oldest.idle_since > before:
            return None
        kept = self._by_origin[oldest.origin]
        del kept[0], self._by_age[oldest]
        if not kept:
            del self._by_origin[oldest.origin]
        return oldest
