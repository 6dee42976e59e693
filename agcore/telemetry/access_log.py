"""The access row: one Note for each exchange, with what it asked for, where it went and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agcore.ingress.request import Request
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import Fault


class Counters(msgspec.Struct):
    """What an exchange counts as it goes."""

    received: int = 0
    """Bytes of the request's body."""
    sent: int = 0
    """Bytes of the answer's body."""
    status: int = 0
    """What the head said; 0 while none was sent."""
    first_content: float | None = None
    """When the first content left, in seconds since the epoch."""
    fault: Fault | None = None
    """What the client was told of."""


def access_row(
    request: Request,
    tally: Counters,
    calls: Sequence[UpstreamCall],
    more: Mapping[str, object],
    *,
    outcome: str,
    now: float,
) -> dict[str, object]:
    """The row's fields. `more` is what the operation adds; there is never a secret among them."""
    row: dict[str, object] = {
        "id": request.id,
        "method": request.head.method,
        "path": request.target.path,
        "status": tally.status,
        "outcome": outcome,
        "seconds": round(max(now - request.started, 0.0), 6),
        "bytes_in": tally.received,
        "bytes_out": tally.sent,
    }
    if tally.first_content is not None:
        row["first_content"] = round(max(tally.first_content - request.started, 0.0), 6)
    if request.peer.host is not None:
        row["peer"] = request.peer.host
    if request.identity is not None:
        row["client_key"] = request.identity.name
    asked = [call for call in calls if call.asked]
    if asked:
        last = asked[-1]
        if (
            len({call.candidate.provider.name for call in asked if not call.further}) == 1
        ):  # else they were asked side by side
            row["provider"] = last.candidate.provider.name
            row["upstream_model"] = last.candidate.model
            row["key"] = last.key.label
        row["attempts"] = sum(call.attempts for call in asked)
        trail = [each for call in asked for each in call.trail]
        if trail and row["attempts"] != 1:
            row["failed"] = trail
    row.update(more)
    if tally.fault is not None:
        row["error"] = tally.fault.message
    return row
