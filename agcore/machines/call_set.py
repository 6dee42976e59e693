"""The calls of one exchange: whose a leg is, which timer is next, and what all of them may still spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agcore.machines.upstream_call import UpstreamCall


class CallSet:
    """Legs are numbered from 1 in the order in which they are opened; a number is never used again.

    Args:
        attempts: What the request has, the first one included. What a call takes beyond its first, another one lacks.
    """

    def __init__(self, *, attempts: int) -> None:
        self.calls: list[UpstreamCall] = []
        """All of them, in order."""
        self._live: dict[int, UpstreamCall] = {}
        self._opened = 0
        self._further = attempts - 1

    def __contains__(self, leg: int) -> bool:
        return leg in self._live

    def __str__(self) -> str:
        return ", ".join(f"leg {leg} {call.state.value}" for leg, call in self._live.items())

    def open(self, call: UpstreamCall) -> int:
        """A fresh number, whose reports go to `call`."""
        self._opened += 1
        self._live[self._opened] = call
        return self._opened

    def drop(self, leg: int) -> None:
        """Reports of this leg are not wanted any more."""
        self._live.pop(leg, None)

    def find(self, leg: int) -> UpstreamCall | None:
        """The call whose live leg this is."""
        return self._live.get(leg)

    @property
    def attempts(self) -> int:
        """The attempts so far; calls that were made side by side count as one."""
        return sum(call.attempts - (not call.further) for call in self.calls if call.asked) + 1

    @property
    def may_retry(self) -> bool:
        """Whether there is an attempt left beside the first one."""
        return self._further > 0

    def spend_attempt(self) -> None:
        """Take one of them."""
        self._further -= 1

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of a live leg."""
        if not self._live:
            return None
        return min((at for call in self._live.values() if (at := call.timers.next) is not None), default=None)

    def expire(self, *, now: float) -> bool:
        """Fire one timer that is due; whether there was one. What it triggers may disarm the others."""
        for call in self._live.values():
            timer = call.timers.pop_due(now)
            if timer is not None:
                call.expire(timer, now=now)
                return True
        return False

    def written(self, *, now: float) -> None:
        """A slow write is over."""
        for call in tuple(self._live.values()):
            call.written(now=now)

    def abort(self) -> None:
        """Drop all that are live."""
        for call in tuple(self._live.values()):
            call.abort()
