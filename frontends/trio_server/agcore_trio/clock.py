"""The clock of trio's own time, so that a `trio.testing.MockClock` drives everything in tests."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from agcore_host import clock


class Clock(clock.Clock):
    """Seconds since the epoch that move with trio's clock; to be made inside `trio.run`.

    Args:
        wall: the wall clock, in seconds since the epoch.
    """

    __slots__ = ()

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        super().__init__(wall, monotonic=trio.current_time)
