"""Named deadlines: an enum of names and a table of times, whose minimum is the next thing to wait for."""

from __future__ import annotations

import enum


class Timer(enum.IntEnum):
    """Every deadline that an exchange or a call can have. Integers, because they hash fast."""

    BODY = 1  # the next piece of the client's request body
    REQUEST = 2  # the first content of the answer, all attempts together
    OPEN = 3  # silence after which a waiting stream is opened
    PING = 4  # the next keepalive on a silent stream
    HOLD = 5  # lifecycle events of the upstream go out even though no content came
    LINGER = 6  # a stream whose last event was passed on, but whose upstream does not end
    CONNECT = 7  # the upstream connection
    FIRST_BYTE = 8  # the upstream's head
    IDLE = 9  # the next upstream byte
    RETRY = 10  # the end of a pause before the next attempt
    FILE = 11  # a file that is being read
    ALARM = 12  # what the operation asked to be woken for


class Timers:
    """Deadlines in absolute seconds, at most one for each name."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: dict[Timer, float] = {}

    def set(self, timer: Timer, at: float) -> None:
        """Arm `timer` for `at`, replacing what it was."""
        self._at[timer] = at

    def clear(self, *timers: Timer) -> None:
        """Disarm; those that are not armed are passed over."""
        for timer in timers:
            self._at.pop(timer, None)

    def clear_all(self) -> None:
        """Disarm everything."""
        self._at.clear()

    def armed(self, timer: Timer) -> bool:
        """Whether `timer` is set."""
        return timer in self._at

    def at(self, timer: Timer) -> float:
        """When an armed timer is due."""
        return self._at[timer]

    @property
    def next(self) -> float | None:
        """The earliest deadline."""
        return min(self._at.values()) if self._at else None

    def pop_due(self, now: float) -> Timer | None:
        """Disarm and return the earliest timer that is due, or None.

        One at a time: what the first one triggers may disarm the others. Of two that are due at the same time it is
        the one that was armed first.
        """
        if not self._at:
            return None
        timer = min(self._at, key=self._at.__getitem__)
        if self._at[timer] > now:
            return None
        del self._at[timer]
        return timer
