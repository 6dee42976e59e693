"""The time that the core is told: seconds since the epoch that never run backward.

An anchor of wall time plus the monotonic clock, so that a corrected wall clock moves no deadline. The monotonic clock
stands still while a laptop sleeps; where the wall clock is found more than a second ahead, the anchor moves forward.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

AHEAD: Final = 1.0
"""Seconds by which the wall clock must be ahead before the anchor is moved."""


class Clock:
    """Tells `now`.

    Args:
        wall: seconds since the epoch, may jump either way.
        monotonic: seconds since anything, never runs backward.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall() - monotonic()

    def now(self) -> float:
        """Seconds since the epoch; never less than what was told before."""
        now = self._anchor + self._monotonic()
        wall = self._wall()
        if wall - now > AHEAD:
            self._anchor += wall - now
            return wall
        return now
