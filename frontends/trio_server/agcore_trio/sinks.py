"""Events as lines, of text or JSON, on a file descriptor.

Rows go into a bounded queue; one task writes them, many at a time. Nothing here waits for the reader of a pipe: what
does not fit into the queue is dropped and counted, and the count is written when there is room again.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from agcore import LogRow, log_row
from agcore.protocol import Event, Warned

MAX_ROWS: Final = 10_000
"""Rows that wait to be written."""

BATCH: Final = 0.05
"""Seconds between two rounds of writing: a busy server wakes the writer 20 times a second, not once a request."""

MAX_ROUND: Final = 250
"""Rows rendered at once, which takes a few milliseconds."""

ATOMIC: Final = 4096
"""Bytes that a pipe takes without blocking once it is writable (PIPE_BUF)."""


class LogSink:
    """Writes events as lines.

    Args:
        descriptor: where to; standard error by default. It is neither closed nor made non-blocking.
        render: makes a line, without its end, from a row and the time its event was taken.
        max_rows: how many rows may wait.
        wall: the time, in seconds since the epoch.
        hear: told of each event as well, at once.
    """

    def __init__(
        self,
        render: Callable[[LogRow, float], str],
        *,
        descriptor: int = 2,
        max_rows: int = MAX_ROWS,
        wall: Callable[[], float] = time.time,
        hear: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._hear = hear
        self.dropped = 0
        """Rows lost since the last one written."""
        self._render = render
        self._descriptor = descriptor
        self._max_rows = max_rows
        self._wall = wall
        self._rows: deque[tuple[Event, float]] = deque()
        self._lot = trio.lowlevel.ParkingLot()

    def __call__(self, event: Event) -> None:
        """Takes an event, to be written soon; drops it when too many wait."""
        self._hear(event)
        if len(self._rows) >= self._max_rows:
            self.dropped += 1
            return
        self._rows.append((event, self._wall()))
        if len(self._rows) == 1:
            self._lot.unpark()

    async def run(self) -> None:
        """Writes rows as they come, until cancelled."""
        while True:
            while not self._rows:
                await self._lot.park()
            await self._write(self._take())
            await trio.sleep(0 if self._rows else BATCH)

    async def close(self) -> None:
        """Writes what is left; the last call."""
        while self._rows or self.dropped:
            await self._write(self._take())

    def _take(self) -> list[bytes]:
        lines: list[bytes] = []
        if self.dropped:
            lost = Warned(f"{self.dropped} log rows were dropped")
            lines += self._lines(lost, self._wall())
            self.dropped = 0
        count = min(len(self._rows), MAX_ROUND)
        for _ in range(count):
            lines += self._lines(*self._rows.popleft())
        return lines

    def _lines(self, event: Event, at: float) -> list[bytes]:
        """The line of an event, if it has one."""
        row = log_row(event)
        return [] if row is None else [(self._render(row, at) + "\n").encode("utf-8", "backslashreplace")]

    async def _write(self, lines: list[bytes]) -> None:
        data = memoryview(b"".join(lines))
        try:
            while data:
                await self._writable()
                data = data[os.write(self._descriptor, data[:ATOMIC]) :]
        except OSError as error:
            # Nobody reads any more, or the disk is full: serving goes on without a log.
            if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF):
                raise

    async def _writable(self) -> None:
        if sys.platform == "win32":
            return
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(0):
            await trio.lowlevel.wait_writable(self._descriptor)
