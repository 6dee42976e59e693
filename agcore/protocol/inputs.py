"""Inputs to the machines: past facts, reported by a driver.

A driver (a frontend) does the IO and tells an `Exchange` what happened by passing one of these to `Exchange.receive`.
Every input that concerns an upstream carries its `leg`, the number that `OpenUpstream` gave it, so that news from a leg
that was aborted meanwhile is told apart by one comparison.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from agcore.protocol.http import Headers
from agcore.protocol.state import Reply


class RequestData(msgspec.Struct, frozen=True, tag=True):
    """A piece of the request's body arrived."""

    data: bytes


class RequestEnd(msgspec.Struct, frozen=True, tag=True):
    """The request's body is complete (also reported, at once, for a request without one)."""


class RequestBroken(msgspec.Struct, frozen=True, tag=True):
    """The client's bytes stopped being HTTP in the middle of a body (bad chunk framing, a short body)."""

    reason: str


class ClientGone(msgspec.Struct, frozen=True, tag=True):
    """The client closed or reset its connection, or a write to it was cut short. Nothing can be sent to it any more."""


class UpstreamConnected(msgspec.Struct, frozen=True, tag=True):
    """A connection for this leg is ready and its request is about to be written."""

    leg: int
    reused: bool
    """The connection came from the pool: the other side may already have decided to close it."""


class UpstreamHead(msgspec.Struct, frozen=True, tag=True):
    """The final (not 1xx) response head of a leg."""

    leg: int
    status: int
    headers: Headers


class UpstreamData(msgspec.Struct, frozen=True, tag=True):
    """A piece of a leg's response body, transfer coding removed, content coding untouched."""

    leg: int
    data: bytes


class UpstreamEnd(msgspec.Struct, frozen=True, tag=True):
    """A leg's response body is complete by its own framing; one that broke off is `UpstreamFailed` instead."""

    leg: int


class Stage(enum.Enum):
    """The stages of a leg, for the one that it failed in."""

    UNSUPPORTED = "unsupported"
    """Nothing was tried: the frontend cannot do what was commanded, such as `public_only` or a `Streamed` body."""
    CONNECT = "connect"
    TLS = "tls"
    SEND = "send"
    HEAD = "head"
    BODY = "body"


class Sent(enum.Enum):
    """The parts of a leg's request that may have reached the upstream when the leg failed."""

    NONE = "none"
    PART = "part"
    ALL = "all"


class UpstreamFailed(msgspec.Struct, frozen=True, tag=True):
    """A leg came to an early end: refused, unreachable, reset, closed in mid-body, or not speaking HTTP.

    A leg that the frontend cannot begin, for want of something that `OpenUpstream` asks for, comes to its end at the
    stage `UNSUPPORTED`: the client is told, nobody else is asked, and no credential is left alone for it.
    """

    leg: int
    stage: Stage
    sent: Sent
    reused: bool
    cause: str
    """One line for people, naming the host where that helps; never holds a secret. What is lacking at `UNSUPPORTED`:
    `"streamed bodies"`."""


class Written(msgspec.Struct, frozen=True, tag=True):
    """A write finished that took long enough to matter (10 ms or more of the driver's clock).

    Idle timers count from here, so that a slow reader is never taken for an idle writer.
    """

    leg: int | None
    """The leg written to, or None for the client."""


class SpoolFailed(msgspec.Struct, frozen=True, tag=True):
    """A temporary file could not be written (the disk is full, say). It is gone."""

    id: int
    cause: str


class FileRead(msgspec.Struct, frozen=True, tag=True):
    """A file that `ReadFile` or `ReadSpool` asked for, whole."""

    id: int
    data: bytes


class FileRefused(msgspec.Struct, frozen=True, tag=True):
    """A file that `ReadFile` or `ReadSpool` asked for may not be read, or cannot be."""

    id: int
    reason: str
    """For people, going on after the file's name: "is larger than 9 bytes". It is the same for all files outside of
    the roots and all that cannot be opened, so that nobody learns what exists."""


class StateReplied(msgspec.Struct, frozen=True, tag=True):
    """Whoever holds shared state has answered an `AskState`, or cannot be reached: `reply.id` is the query's."""

    reply: Reply


class Notified(msgspec.Struct, frozen=True, tag=True):
    """Another exchange has something to say, by `NotifyExchange`; what it means is between their operations."""

    kind: str
    subject: str | int | None = None


class DrainRequested(msgspec.Struct, frozen=True, tag=True):
    """The server is shutting down: open-ended streams end now, the others may finish."""


UpstreamInput: TypeAlias = UpstreamConnected | UpstreamHead | UpstreamData | UpstreamEnd | UpstreamFailed
Input: TypeAlias = (
    RequestData
    | RequestEnd
    | RequestBroken
    | ClientGone
    | UpstreamInput
    | Written
    | SpoolFailed
    | FileRead
    | FileRefused
    | StateReplied
    | Notified
    | DrainRequested
)
