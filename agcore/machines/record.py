"""The record of a request: one event when it is over, and for those who watch, each when it comes about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agcore.codecs.header_fields import CLIENT_IDS, named_id
from agcore.config.values import dialect_name
from agcore.ingress.request import Request
from agcore.machines.call_faults import attempt
from agcore.machines.client_response import Counters
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.effects import Effect, Emit
from agcore.protocol.events import (
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Event,
    FirstContent,
    Outcome,
    RequestEnded,
    RequestStarted,
    Resolved,
)
from agcore.protocol.report import Report

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


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
    attempts, providers, last = list[Attempt](), set[str](), None
    for call in calls:
        if call.selection is not None:
            last = call.selection
            attempts += _attempts(call, now)
            if not call.counts_as_retry:
                providers.add(last.candidate.provider.name)
    if len(providers) != 1:
        last = None  # providers that were asked side by side have no last one among them
    return RequestEnded(
        started=request_started(request),
        at=now,
        outcome=outcome,
        status=counters.status,
        bytes_in=counters.received,
        bytes_out=counters.sent,
        first_content=counters.first_content,
        provider=None if last is None else last.candidate.provider.name,
        upstream_model="" if last is None else last.candidate.model,
        key="" if last is None else last.key.label,
        attempts=tuple(attempts),
        report=report,
        error=None if counters.fault is None else counters.fault.message,
    )


def request_started(request: Request) -> RequestStarted:
    """The beginning of that record."""
    fields = dict(reversed(request.head.headers))  # the first field of a name counts
    trace = fields.get(b"traceparent", b"")
    return RequestStarted(
        id=request.id,
        at=request.started,
        method=request.head.method,
        path=request.target.path,
        dialect=dialect_name(request.dialect),
        operation=request.operation,
        peer=request.peer.host,
        client_key=request.client,
        client_request_id=named_id(fields, CLIENT_IDS),
        traceparent=trace.decode("ascii") if _TRACEPARENT.fullmatch(trace) else "",
    )


class Watch:
    """Sees what became of an exchange since it looked last, and tells of it in events."""

    def __init__(self, request: Request, counters: Counters, calls: Sequence[UpstreamCall]) -> None:
        self._request = request
        self._counters = counters
        self._calls = calls
        self._told: set[object] = set()
        self._number = 0
        self._numbers: dict[tuple[int, int], int] = {}
        """The place of a call among the calls, and of an attempt among its own -> the number of the attempt."""

    def look(self, *, over: bool, now: float) -> list[Effect]:
        """The events of what is new; where the exchange is `over`, all attempts are."""
        id, events = self._request.id, list[Event]()
        if self._is_new("started"):
            events.append(request_started(self._request))
        if self._calls and self._is_new("resolved"):
            places = (f"{each.provider.name}/{each.model}" for each in self._calls[0].candidates)
            events.append(Resolved(id, now, tuple(places)))
        for place, call in enumerate(self._calls):
            done = _attempts(call, now) if over else call.failed
            for number, each in enumerate(done):
                if self._is_new((place, number, "ended")):
                    events += self._started(place, number, each)
                    events.append(AttemptEnded(id, each.ended, self._numbers[place, number], each))
            if call.attempts > len(done):
                assert call.selection is not None
                begun = attempt(call.selection, call.began, now, headers=())
                events += self._started(place, len(done), begun)
        if self._counters.first_content is not None and self._is_new("content"):
            events.append(FirstContent(id, self._counters.first_content))
        return [Emit(event) for event in events]

    def _started(self, place: int, number: int, each: Attempt) -> list[Event]:
        if not self._is_new((place, number)):
            return []
        self._number += 1
        self._numbers[place, number] = self._number
        return [AttemptStarted(self._request.id, each.began, self._number, each.provider, each.model, each.key)]

    def _is_new(self, what: object) -> bool:
        new = what not in self._told
        self._told.add(what)
        return new


def _attempts(call: UpstreamCall, now: float) -> list[Attempt]:
    """All attempts of a call that is over by now."""
    if call.attempts == len(call.failed):
        return call.failed
    assert call.selection is not None
    return [*call.failed, attempt(call.selection, call.began, now, headers=call.headers)]
