"""One clock for everything: seconds since the epoch that move with trio's clock.

The machines take absolute times as floats. A wall clock may be set back and a monotonic clock stands still while a
laptop sleeps, so `Clock` is an epoch anchor plus `trio.current_time()`, and the anchor moves forward, never back, when
the wall clock is found to be more than a second ahead. As the moving part is trio's, a `trio.testing.MockClock` drives
everything in tests.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

import trio

MAX_LAG: Final = 1.0
"""Seconds by which the wall clock may be ahead before the anchor follows it."""

ROUNDING: Final = 1e-6
"""Added to converted deadlines, in seconds: an epoch time has a resolution of 0.24 us, and a timer that fires one unit
early under a clock that stands still would fire for ever."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock:
    """Seconds since the epoch, never going back; to be made inside `trio.run`.

    `wall` is the wall clock, in seconds since the epoch.
    """

    __slots__ = ("_anchor", "_date", "_date_second", "_wall")

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._anchor = wall() - trio.current_time()
        self._date = b""
        self._date_second = -1

    def now(self) -> float:
        """The time now, in seconds since the epoch."""
        monotonic = trio.current_time()
        now = self._anchor + monotonic
        wall = self._wall()
        if wall - now > MAX_LAG:
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

    def deadline_to_trio(self, deadline: float | None) -> float:
        """Turn a deadline of the machines (seconds since the epoch, None for never) into one for a cancel scope."""
        if deadline is None:
            return math.inf
        return deadline - self._anchor + ROUNDING
