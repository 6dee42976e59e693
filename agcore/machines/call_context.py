"""The state that all calls of one exchange share: credentials, time and attempts left, and where they report to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.config.values import Timeouts
from agcore.machines.call_events import CallEvent
from agcore.machines.outside import Selections
from agcore.protocol.effects import Effect

if TYPE_CHECKING:
    from agcore.machines.upstream_call import UpstreamCall

LONGEST_PAUSE: Final = 5.0
"""Seconds: where the next attempt is further off than this, the client hears of it and may choose for itself."""


class CallContext(msgspec.Struct):
    """The state that all calls of one exchange share, with the queue that they report to."""

    selector: Selections
    """Has the credentials."""
    timeouts: Timeouts
    """Of the configuration."""
    retries_left: int
    """Attempts that the request may make beyond the first one of each call."""
    effects: list[Effect]
    """Commands for the driver, in order."""
    events: list[tuple[UpstreamCall, CallEvent]]
    """Reports of the calls, in order."""
    live: dict[int, UpstreamCall]
    """Leg -> the call whose live leg it is."""
    hops: bytes = b""
    """The way that the request has come, for upstreams (see `upstream.hops`)."""
    opened: int = 0
    """Legs so far. They are numbered from 1 in the order in which they are opened; no number is used again."""
    first_content_by: float = math.inf
    """End of the time for all attempts, in absolute seconds."""
    patient_until: float = 0.0
    """End of the time for which a request may wait for a cooldown, in absolute seconds; past where it may not."""

    def times(self, own: float, most: float, *, now: float) -> tuple[float, float]:
        """The seconds until an answer begins, and between its pieces.

        Args:
            own: A provider's own time until its answers begin; 0 for none. One beyond the request's lengthens that.
            most: What neither may exceed; 0 for no bound.
            now: When the attempt begins, in seconds since the epoch.
        """
        timeouts = self.timeouts
        if most:
            return min(most, own or timeouts.first_byte), min(most, timeouts.idle)
        if not own:
            return timeouts.first_byte, timeouts.idle
        if own > timeouts.request:
            self.first_content_by = max(self.first_content_by, now + timeouts.connect + own)
        return own, max(own, timeouts.idle)  # a server may send its head at once, and read the prompt then

    def may_pause(self, until: float, *, patient: bool, usual: bool, now: float) -> bool:
        """Returns True where an attempt may wait `until` then: a `patient` call as long as it may, a `usual` one for a
        moment, and none beyond the request's time."""
        longest = max(LONGEST_PAUSE if usual else 0.0, self.patient_until - now if patient else 0.0)
        return until - now <= longest and until < self.first_content_by
