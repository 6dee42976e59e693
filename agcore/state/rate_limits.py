"""Limits of client keys: requests and tokens in a minute, and requests in flight at once.

A key with a limit has a `RateLimit`: a token bucket for requests, one for tokens, and a count. A request is let in
while each bucket has at least one left and the count is below its limit. Then it takes one request, and a place among
those in flight. What it consumes is known only at its end and taken then, so a bucket of tokens may owe some: the
debt is paid by waiting. A refusal takes nothing, and a request for which no upstream was asked gives back what it took.

A bucket starts full, holds what its limit allows for a minute, and is refilled evenly: in a window of any length no
more requests are let in than the limit, and what is refilled meanwhile. There is a `RateLimit` for each limited key
that was seen, and none for any other.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import msgspec

from agcore.config.values import ClientKey
from agcore.protocol.fault import Fault
from agcore.protocol.state import Acquire, Denied, Granted, Settle

MINUTE: Final = 60.0
TICK: Final = 1e-6
"""A wait of so many seconds is none, and waits are told no finer: as floats, times since the epoch hardly are."""
PLACE: Final = 1.0
"""Seconds to wait for a place among those under way; when one is really given back, nobody knows."""


class Bucket(msgspec.Struct):
    """A token bucket that holds `limit`, and is refilled by `limit` in a minute."""

    limit: int
    level: float
    """Content at the time `at`; below 0 is a debt."""
    at: float
    """Time of the level, in seconds since the epoch."""

    def refill(self, *, now: float) -> None:
        """Bring the level to `now`. A clock that was set back takes nothing away, and counts on from there."""
        self.level = min(self.level + max(now - self.at, 0.0) * self.limit / MINUTE, self.limit)
        self.at = now

    @property
    def wait(self) -> float:
        """Seconds from `at` until there is one to take, to the microsecond; 0 where there is."""
        seconds = (1 - self.level) * MINUTE / self.limit
        return round(seconds, 6) if seconds > TICK else 0.0


class RateLimit(msgspec.Struct):
    """The rest of what one key may use, under the limits that its latest request was asked for with."""

    requests: Bucket | None = None
    tokens: Bucket | None = None
    in_flight: int = 0
    leaving: bool = False
    """The key was removed: this is forgotten as soon as nothing is under way."""


class Allowance(msgspec.Struct, frozen=True):
    """What a client key may still use at a moment."""

    requests: int | None
    """Requests at once; None where they are not limited."""
    tokens: int | None
    """Tokens, below 0 where some are owed; None where they are not limited."""
    in_flight: int
    """Requests under way, where any limit is set."""


class RateLimits:
    """The rest of what all client keys may use, shared by all exchanges of a gateway."""

    def __init__(self) -> None:
        self._of: dict[str, RateLimit] = {}

    def __len__(self) -> int:
        return len(self._of)

    def admit(self, key: ClientKey, *, now: float) -> Fault | None:
        """Let a request in, for which `done` must be called once, with the same key; or the 429 that refuses it.

        `now` is in seconds. The fault's `retry_after` is when the request would be let in if nothing else came.
        """
        if not key.limited:
            return None
        reply = self.acquire(Acquire(0, key.name, key.rpm, key.tpm, key.concurrency), now=now)
        return None if isinstance(reply, Granted) else _refused(key, reply.wait, reply.limit, now)

    def acquire(self, asked: Acquire, *, now: float) -> Granted | Denied:
        """Let a request in, for which `settle` must be called once; or say what forbids it."""
        rate = self._of.setdefault(asked.client, RateLimit())
        requests = rate.requests = _resized(rate.requests, asked.rpm, now)
        tokens = rate.tokens = _resized(rate.tokens, asked.tpm, now)
        refusals: list[tuple[float, str]] = []
        if requests is not None and requests.wait:
            refusals.append((requests.wait, _many(asked.rpm, "request") + " per minute"))
        if tokens is not None and tokens.wait:
            refusals.append((tokens.wait, _many(asked.tpm, "token") + " per minute"))
        if asked.concurrency is not None and rate.in_flight >= asked.concurrency:
            refusals.append((PLACE, _many(asked.concurrency, "request") + " at a time"))
        if refusals:
            wait, limit = max(refusals)
            return Denied(asked.id, wait, limit)
        if requests is not None:
            requests.level -= 1
        rate.in_flight += 1
        return Granted(asked.id)

    def allowance(self, key: ClientKey, *, now: float) -> Allowance:
        """What a key may still use; asking takes nothing."""
        rate = self._of.get(key.name) or RateLimit()
        return Allowance(_level(rate.requests, key.rpm, now=now), _level(rate.tokens, key.tpm, now=now), rate.in_flight)

    def done(self, key: ClientKey, *, tokens: int, asked: bool, now: float) -> None:
        """A request that `admit` let in is over: it consumed this many tokens, and an upstream was `asked` or not."""
        if key.limited:
            self.settle(Settle(key.name, tokens, asked), now=now)

    def settle(self, done: Settle, *, now: float) -> None:
        """A request that `acquire` granted is over."""
        rate = self._of[done.client]
        rate.in_flight -= 1
        if rate.requests is not None and not done.asked:
            rate.requests.refill(now=now)
            rate.requests.level = min(rate.requests.level + 1, rate.requests.limit)
        if rate.tokens is not None:
            rate.tokens.refill(now=now)
            rate.tokens.level -= done.tokens
        if rate.leaving and not rate.in_flight:
            del self._of[done.client]

    def keep(self, names: Collection[str]) -> None:
        """Forget all keys but these: at once, or with the last of their requests that is under way."""
        for name, rate in tuple(self._of.items()):
            rate.leaving = name not in names
            if rate.leaving and not rate.in_flight:
                del self._of[name]


def _resized(bucket: Bucket | None, limit: int | None, now: float) -> Bucket | None:
    """The bucket under this limit, refilled; a new one is full."""
    if limit is None:
        return None
    if bucket is None:
        return Bucket(limit=limit, level=limit, at=now)
    bucket.limit = limit
    bucket.refill(now=now)
    return bucket


def _level(bucket: Bucket | None, limit: int | None, *, now: float) -> int | None:
    """The whole units in a bucket under this limit; one that nobody has taken from is full."""
    if limit is None:
        return None
    asked = Bucket(limit, limit, now) if bucket is None else Bucket(limit, bucket.level, bucket.at)
    asked.refill(now=now)
    return math.floor(asked.level)


def _many(count: int | None, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _refused(key: ClientKey, seconds: float, limit: str, now: float) -> Fault:
    shown = f"{math.ceil(seconds * 1000) / 1000:.3f}".rstrip("0").rstrip(".")
    moment = ""
    if seconds > MINUTE:
        from agcore.codecs.moment_text import until  # for those who owe

        moment = f", {until(now + seconds, now=now)}"
    return Fault(
        status=429,
        message=f"the key {key.name!r} has reached its limit of {limit}{moment}; try again in {shown}s",
        code="rate_limit_exceeded",
        retry_after=seconds,
    )
