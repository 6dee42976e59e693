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
    FACTS = 13  # what shared state was asked for


class Timers(dict[Timer, float]):
    """Deadlines in absolute seconds, at most one for each name: a table that is written and read like any other."""

    __slots__ = ()

    def disarm(self, *timers: Timer) -> None:
        """Remove `timers`; those that are not armed are passed over."""
        for timer in timers:
            self.pop(timer, None)

    @property
    def next(self) -> float | None:
        """The earliest deadline."""
        return min(self.values()) if self else None

    def pop_due(self, now: float) -> Timer | None:
        """Remove and return the earliest timer that is due, or None.

        One at a time: what the first one triggers may disarm the others. Of two that are due at the same time it is
        the one that was armed first.
        """
        if not self:
            return None
        timer = min(self, key=self.__getitem__)
        if self[timer] > now:
            return None
        del self[timer]
        return timer
