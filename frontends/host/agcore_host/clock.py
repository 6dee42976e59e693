"""The time that the core is told: seconds since the epoch that never run backward.

A wall clock may be set back and a monotonic clock stands still while a laptop sleeps. So `Clock` is an anchor of wall
time plus a monotonic clock, and the anchor moves forward, never back, when the wall clock is found to be more than a
second ahead.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

AHEAD: Final = 1.0
"""Seconds by which the wall clock must be ahead before the anchor follows it."""

ROUNDING: Final = 1e-6
"""Added to converted deadlines, in seconds: an epoch time has a resolution of 0.24 us, and a timer that fires one unit
early under a clock that stands still would fire for ever."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock:
    """Tells `now`.

    Args:
        wall: seconds since the epoch, may jump either way.
        monotonic: seconds since anything, never runs backward: the clock of the event loop, where there is one.
    """

    __slots__ = ("_anchor", "_date", "_date_second", "_monotonic", "_wall")

    def __init__(
        self, wall: Callable[[], float] = time.time, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall() - monotonic()
        self._date = b""
        self._date_second = -1

    def now(self) -> float:
        """Seconds since the epoch; never less than what was told before."""
        monotonic = self._monotonic()
        now = self._anchor + monotonic
        wall = self._wall()
        if wall - now > AHEAD:
            self._anchor = wall - monotonic
            return wall
        return now

    def date(self) -> bytes:
        """The wall clock's time as the value of a `date` field (RFC 9110, section 5.6.7)."""
        second = int(self._wall())
        if second != self._date_second:
            self._date_second = second
            year, month, day, hour, minute, sec, weekday, _, _ = time.gmtime(second)
            text = f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year} {hour:02}:{minute:02}:{sec:02} GMT"
            self._date = text.encode("ascii")
        return self._date

    def to_monotonic(self, deadline: float | None) -> float:
        """A deadline of the core (seconds since the epoch, None for never) as a time of the monotonic clock."""
        if deadline is None:
            return math.inf
        return deadline - self._anchor + ROUNDING
