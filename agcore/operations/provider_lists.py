"""Base of operations that read the providers' own model lists: several at once, each within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from agcore.config.values import Provider
from agcore.dialects.shared.model_ids import read_ids
from agcore.machines.call_events import Began, CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.upstream.body import CollectedBody
from agcore.upstream.model_list import LISTING, MAX_BODY, PATIENCE, list_headers, list_target
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

MAX_PARALLEL: Final = 8
"""Calls under way at once."""


class ListReader(BaseOperation):
    """Base of such operations: `read_lists` starts, and each candidate ends in `list_read` or in `list_failed`.

    After the last one comes `all_read`, which answers the client. Nothing is read on once the exchange is finished.

    What a list fails of concerns other requests only where they would meet it too: a provider that cannot be reached, a
    key that was revoked.
    """

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._waiting: list[Candidate] = []
        self._under_way = 0
        self._once = False
        self._bodies: dict[UpstreamCall, CollectedBody] = {}

    def read_lists(self, candidates: Iterable[Candidate], *, once: bool = False, now: float) -> None:
        """Start as many calls as may run at once.

        Args:
            candidates: As `list_candidate` makes them.
            once: Ask with the very key of each candidate, whatever is known about it, and with no other.
            now: Seconds since the epoch.
        """
        self._once = once
        self._waiting = [*candidates]
        self._waiting.reverse()
        for _ in range(MAX_PARALLEL):
            self._next(now)
        self._maybe_finish(now)

    def list_read(self, call: UpstreamCall, ids: tuple[str, ...] | None, *, now: float) -> None:
        """A provider answered, with these ids; None where it was no list, or one of absurd length."""
        raise NotImplementedError

    def list_failed(self, provider: Provider, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A provider did not answer, or with an error. Where nobody could be asked, `call.asked` is false."""
        raise NotImplementedError

    def all_read(self, *, now: float) -> None:
        """Every list was read or has failed."""
        raise NotImplementedError

    def list_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A provider is asked, perhaps once more."""

    def list_came(self, call: UpstreamCall, *, now: float) -> None:
        """A provider begins to answer."""

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of one of the calls."""
        if isinstance(event, Data):
            self._receive_data(call, event.data, now)
        elif isinstance(event, NeedPlan):
            endpoint = event.candidate.endpoint
            target, headers = list_target(endpoint), list_headers(endpoint)
            plan = UpstreamPlan(
                target=target, method="GET", headers=headers, first_byte=PATIENCE, wait_for_cooldown=False
            )
            call.proceed(plan, now=now)
        elif isinstance(event, Began):
            self._dropped(call)
            self._bodies[call] = CollectedBody(self.memory, limit=MAX_BODY)
            self.list_begun(call, now=now)
        elif isinstance(event, Head):
            self.list_came(call, now=now)
        elif isinstance(event, End):
            call.commit()
            body = self._bodies[call].take()
            self._dropped(call)
            self.list_read(call, read_ids(body), now=now)
            self._done(now)
        else:
            assert isinstance(event, Failed)
            self._dropped(call)
            provider = call.candidate.provider if call.asked else call.candidates[0].provider
            self.list_failed(provider, call, event.fault, now=now)
            self._done(now)

    def _receive_data(self, call: UpstreamCall, data: bytes, now: float) -> None:
        """Keep a piece of a list. One of absurd length costs its connection."""
        if not self._bodies[call].add(data, now=now):
            call.commit()
            call.abort()
            self._dropped(call)
            self.list_read(call, None, now=now)
            self._done(now)

    def _dropped(self, call: UpstreamCall) -> None:
        """Releases the memory of the lists that came."""
        body = self._bodies.pop(call, None)
        if body is not None:
            body.release()

    def _next(self, now: float) -> None:
        if self._waiting:
            self._under_way += 1
            self.calls.start((self._waiting.pop(),), to=self, now=now, single_attempt=self._once)

    def _done(self, now: float) -> None:
        self._under_way -= 1
        self._next(now)
        self._maybe_finish(now)

    def _maybe_finish(self, now: float) -> None:
        if not self._under_way and not self._waiting and not self.client.finished:
            self.all_read(now=now)


def list_candidate(provider: Provider, *, key: str | None = None) -> Candidate:
    """Returns the candidate that a provider's list is read from, with any of its keys or that of a fingerprint."""
    return Candidate(provider, provider.preferred_endpoint, LISTING, key=key)
