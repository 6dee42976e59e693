"""The state port: what the core asks of state that gateways share, and what it tells and is told of it.

There are two kinds of state, and nothing in the core waits for either:

- **Hints** (cooldowns, the key that a conversation has, the providers' model lists) are decided by each gateway on its
  own copy, at once. What one learned is a *delta*, and the deltas of others are merged into the copy. A merge is
  commutative, associative and idempotent, so deltas may come late, twice and in any order, and no lock is needed. A
  hint that is wrong costs one attempt.
- **Facts** (limits, stored responses, signatures) have one value. They are asked for by a *query*, and a *reply* with
  the query's number answers it, exactly as `ReadFile` is answered by `FileRead`. Whoever holds the state in this
  process (`state.shared.LocalState`) replies at once, so that a single gateway never waits.

A backend that is away is a reply, too: `StateUnavailable`. Limits then fail open or closed as the configuration says,
and a stored response becomes one that does not exist, which clients know how to go on from.

Times are seconds since the epoch of the asking gateway; whoever shares state between machines translates them, as
their clocks differ. Values of stores are the JSON of their entries, so that any backend can hold them.
"""

from __future__ import annotations

import enum
from typing import Protocol, TypeAlias

import msgspec

from agcore.protocol.fault import FailureKind


class Digest(Protocol):
    """A keyed hash, which only this cluster of gateways can compute."""

    def digest(self, data: bytes) -> bytes:
        """32 bytes that say nothing about `data`, and are the same whenever `data` is."""


class Store(enum.Enum):
    """A store of facts."""

    RESPONSES = "responses"
    """By client and response id: what `previous_response_id` goes on from."""
    ITEMS = "items"
    """By client and the id of an output item: the response that holds it. An item is saved with its response."""
    SIGNATURES = "signatures"
    """By client and call id: signatures that a client may not echo."""


class Load(msgspec.Struct, frozen=True, tag=True):
    """Ask for the value under a key; `Loaded` replies."""

    id: int
    store: Store
    client: str | None
    """The name of the client key: an entry belongs to the client that made it."""
    key: str


class Save(msgspec.Struct, frozen=True, tag=True):
    """Keep a value under a key, in place of any other, for about `ttl` seconds; nothing replies."""

    store: Store
    client: str | None
    key: str
    value: bytes
    ttl: float


class Acquire(msgspec.Struct, frozen=True, tag=True):
    """Ask whether a client key may make one more request; `Granted` or `Denied` replies.

    A backend that many gateways ask may grant more than was wanted: a lease, from which the next requests are let in
    without a question.
    """

    id: int
    client: str
    """The name of the client key."""
    rpm: int | None = None
    """Requests per minute that the configuration allows; None for any number."""
    tpm: int | None = None
    """Tokens per minute likewise."""
    concurrency: int | None = None
    """Requests in flight likewise."""


class Settle(msgspec.Struct, frozen=True, tag=True):
    """A request that was granted is over: what it consumed, known only now. Nothing replies.

    Whoever shares limits between machines sends sums of these: one that comes twice or late changes nothing.
    """

    client: str
    tokens: int
    asked: bool = True
    """An upstream was asked. Where none was, the request that was granted is given back."""


Query: TypeAlias = Load | Save | Acquire | Settle
Question: TypeAlias = Load | Acquire
"""A query that is replied to."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The content of a store."""

    id: int
    value: bytes | None
    """None where there is nothing, or nothing for this client."""
    foreign: bool = False
    """Whether there is something that belongs to another client."""


class Granted(msgspec.Struct, frozen=True, tag=True):
    """The limits allow it."""

    id: int
    requests: int = 1
    """Number of requests that are allowed: those beyond the first are a lease."""
    until: float | None = None
    """Time at which the rest of a lease returns to the others; None where nobody else asks."""


class Denied(msgspec.Struct, frozen=True, tag=True):
    """A limit forbids it, and nothing was taken."""

    id: int
    wait: float
    """Seconds after which the same may be allowed."""
    limit: str
    """The limit, for people: `5 requests per minute`."""


class StateUnavailable(msgspec.Struct, frozen=True, tag=True):
    """Whoever holds the state cannot be reached in time."""

    id: int


Reply: TypeAlias = Loaded | Granted | Denied | StateUnavailable


class CooldownDelta(msgspec.Struct, frozen=True, tag=True):
    """A credential is left alone. Merged: a limit counts more than anything else, then what lasts longest."""

    provider: str
    key: str
    """The credential's fingerprint; empty for all of the provider's."""
    model: str
    """Empty for all models."""
    failure: FailureKind
    since: float
    until: float
    failures: int
    """Number of failures in a row."""
    reason: str
    refused: bool
    """The vendor refuses the credential itself."""


class CooldownCleared(msgspec.Struct, frozen=True, tag=True):
    """An attempt that began at `began` was answered: what came to light until then is over."""

    provider: str
    key: str
    model: str
    began: float


class AffinityDelta(msgspec.Struct, frozen=True, tag=True):
    """A conversation has its key. Merged: the latest choice counts."""

    conversation: bytes
    provider: str
    key: str
    model: str
    at: float


class ModelListDelta(msgspec.Struct, frozen=True, tag=True):
    """A provider's own model list was read. Merged: the latest reading counts."""

    source: str
    """The provider's name and the address of its list."""
    ids: tuple[str, ...]
    read_at: float


Delta: TypeAlias = CooldownDelta | CooldownCleared | AffinityDelta | ModelListDelta
