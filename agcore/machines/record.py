"""The event that tells all of a request when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from agcore.config.values import dialect_name
from agcore.ingress.request import Request
from agcore.machines.client_response import Counters
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.events import Outcome, RequestEnded, RequestStarted
from agcore.protocol.report import Report


def request_ended(
    request: Request, counters: Counters, calls: Sequence[UpstreamCall], report: Report, *, outcome: Outcome, now: float
) -> RequestEnded:
    """The record of a request.

    Args:
        request: What was asked.
        counters: Of its exchange.
        calls: To upstreams, in order.
        report: Of its operation.
        outcome: How it ended.
        now: Seconds since the epoch.
    """
    started = RequestStarted(
        id=request.id,
        at=request.started,
        method=request.head.method,
        path=request.target.path,
        dialect=dialect_name(request.dialect),
        operation=request.operation,
        peer=request.peer.host,
        client_key=request.client,
    )
    asked = [call for call in calls if call.attempts]
    # Providers that were asked side by side have no last one among them.
    one = len({call.candidate.provider.name for call in asked if not call.counts_as_retry}) == 1
    last = asked[-1] if one else None
    return RequestEnded(
        started=started,
        at=now,
        outcome=outcome,
        status=counters.status,
        bytes_in=counters.received,
        bytes_out=counters.sent,
        first_content=counters.first_content,
        provider=None if last is None else last.candidate.provider.name,
        upstream_model="" if last is None else last.candidate.model,
        key="" if last is None else last.key.label,
        attempts=sum(call.attempts for call in asked) if asked else None,
        failed=tuple(each for call in asked for each in call.trail),
        report=report,
        error=None if counters.fault is None else counters.fault.message,
    )
