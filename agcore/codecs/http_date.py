"""HTTP dates (RFC 9110 section 5.6.7), read without the standard library's mail parser, which loads sockets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse(text: str) -> float | None:
    """Seconds since the epoch of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`; None for anything else."""
    parts = text.replace(",", " ").split()
    if len(parts) != 6 or parts[5] not in ("GMT", "UTC") or parts[2] not in _MONTHS:
        return None
    try:
        hour, minute, second = (int(part) for part in parts[4].split(":"))
        moment = datetime(
            int(parts[3]), _MONTHS.index(parts[2]) + 1, int(parts[1]), hour, minute, min(second, 59), 0, UTC
        )
    except (ValueError, OverflowError):
        return None
    return moment.timestamp()
