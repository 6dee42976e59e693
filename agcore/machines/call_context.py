"""The state that all calls of one exchange share: credentials, time and attempts left, and where they report to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from agcore.config.values import Timeouts
from agcore.machines.call_events import CallEvent
from agcore.machines.outside import Selections
from agcore.protocol.effects import Effect

if TYPE_CHECKING:
    from agcore.machines.upstream_call import UpstreamCall


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
