"""Moments as words, in UTC: the core has no clock, and a server's zone is not its client's."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

_MINUTES: Final = 90.0
"""Seconds from which on a span is told in minutes."""
_HOURS: Final = 90 * 60.0
_DAYS: Final = 36 * 3600.0


def until(moment: float, *, now: float) -> str:
    """The words `until 07:41 UTC (in 59 min)`: with the date on another day, and with seconds where it is near."""
    at, day = datetime.fromtimestamp(math.ceil(moment), UTC), datetime.fromtimestamp(now, UTC).date()
    wait = max(moment - now, 0.0)
    clock = at.strftime("%H:%M:%S" if wait < _MINUTES else "%H:%M")
    date = "" if at.date() == day else f"{at:%Y-%m-%d} "
    return f"until {date}{clock} UTC (in {_span(wait)})"


def day_and_time(moment: float) -> str:
    """The words `2027-01-31 12:00 UTC`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def iso(moment: float) -> str:
    """A moment for programs, to the second: `2027-01-31T12:00:00Z` (RFC 3339)."""
    return f"{datetime.fromtimestamp(math.ceil(moment), UTC):%Y-%m-%dT%H:%M:%S}Z"


def _span(seconds: float) -> str:
    if seconds < _MINUTES:
        return f"{math.ceil(seconds)} s"
    if seconds < _HOURS:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h" if seconds < _DAYS else f"{math.ceil(seconds / 86400)} days"
