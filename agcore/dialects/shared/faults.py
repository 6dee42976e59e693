"""Faults of upstreams that have nothing to do with a dialect."""

from __future__ import annotations

from typing import Final

from agcore.protocol.fault import Fault

NOT_JSON: Final = Fault(status=502, message="the upstream sent an event that is not JSON")
EMPTY: Final = Fault(status=502, message="the upstream ended its stream without an answer")
CUT: Final = Fault(status=502, message="the upstream ended its stream before it was complete")


def out_of_bounds(error: ValueError) -> Fault:
    """The fault for a stream that exceeds what is read of one event."""
    return Fault(status=502, message=f"the upstream's stream is out of bounds: {error}")
