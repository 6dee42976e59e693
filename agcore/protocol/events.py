"""Events that are worth recording: the closed union of values that `Emit` hands to a frontend's sink.

An access row, a metric, a span and the rows of a live page are folds of these; none holds a secret, and credentials go
by their labels (`openai#2`). Times are seconds since the epoch.

`RequestEnded` is emitted for every exchange and contains all that came before it: how the request started, and each
attempt. While somebody watches (`Gateway.watched`), the same values are emitted as they come about, too. A request
costs the same whether or not its events are folded into anything: without a watcher there is one event for each.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from agcore.protocol.fault import FailureKind
from agcore.protocol.report import NOTHING_TO_REPORT, Report

Outcome: TypeAlias = Literal["ok", "error", "client gone", "abandoned"]
"""The end of an exchange: answered, answered by an error, left by its client, or given up by its driver."""


class RequestStarted(msgspec.Struct, frozen=True, tag=True):
    """A request's head was decided: the request was admitted, or is about to be refused."""

    id: str
    """The exchange's, as in the answer's request id header."""
    at: float
    method: str
    path: str
    """Without the query."""
    dialect: str
    """The dialect that the client speaks."""
    operation: str = ""
    """Name of what the route does, as `operations.OPERATIONS` has it; empty where no route fits."""
    peer: str | None = None
    """The client's address, where the transport knows one."""
    client_key: str | None = None
    """The name of the client key that was shown; None for a request without one."""
    client_request_id: str = ""
    """The id that the client gave its request; empty for none."""
    traceparent: str = ""
    """The client's trace and span (https://www.w3.org/TR/trace-context/#traceparent-header); empty for none."""


class Resolved(msgspec.Struct, frozen=True, tag=True):
    """It is known which upstreams may answer."""

    id: str
    at: float
    candidates: tuple[str, ...]
    """`provider/model`, in the order of their steps."""


class AttemptStarted(msgspec.Struct, frozen=True, tag=True):
    """An upstream is being asked."""

    id: str
    at: float
    number: int
    """Counts the attempts of the exchange, from 1."""
    provider: str
    model: str
    """The provider's name for the model; empty where there is none."""
    key: str
    """The label of the credential."""


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at an upstream, when it is over."""

    began: float
    ended: float
    """Of the last one of a call, when the request ended."""
    provider: str
    model: str
    """The provider's name for the model; empty where there is none."""
    key: str
    """The label of the credential."""
    failure: FailureKind | None = None
    """Kind of the failure; None where the answer was taken, or nobody wanted it any more."""
    status: int = 0
    """Of the error that it failed with, the upstream's or the gateway's own; 0 where it did not fail."""
    request_id: str = ""
    """The id that the upstream gave the request; empty where it gave none, or did not answer."""

    @property
    def happened(self) -> str:
        """The outcome of the attempt, for people: `openai#1: 429`."""
        return f"{self.key}: {'unreachable' if self.failure is FailureKind.UNREACHABLE else self.status}"


class AttemptEnded(msgspec.Struct, frozen=True, tag=True):
    """An attempt has failed, and perhaps another one follows; or it is over with its request."""

    id: str
    at: float
    number: int
    """Number of the attempt, as in `AttemptStarted`."""
    attempt: Attempt


class FirstContent(msgspec.Struct, frozen=True, tag=True):
    """The first content of an answer left for the client."""

    id: str
    at: float


class CredentialCooled(msgspec.Struct, frozen=True, tag=True):
    """A credential is left alone for a while, because of what an attempt met."""

    key: str
    """Label of the credential."""
    provider: str
    model: str
    """The model that the attempt asked for; the cooldown of a refused credential holds for all models."""
    failure: FailureKind
    refused: bool
    """The vendor refuses the credential itself: somebody has to do something about it. It was not known before."""
    message: str
    """For people: what the vendor said, and what follows."""


class RequestEnded(msgspec.Struct, frozen=True, tag=True):
    """An exchange is over: the last event of each, and everything that a record of it needs."""

    started: RequestStarted
    at: float
    outcome: Outcome
    status: int
    """Status of the answer's head; 0 where none was sent."""
    bytes_in: int
    """Of the request's body."""
    bytes_out: int
    """Of the answer's body."""
    first_content: float | None = None
    """Time at which the first content left."""
    provider: str | None = None
    """The provider that was asked last, answered or not; None for none, or for several side by side."""
    upstream_model: str = ""
    """Name of the model at that provider."""
    key: str = ""
    """The label of the credential."""
    attempts: tuple[Attempt, ...] = ()
    """Call by call, in order. What is made once more because a pooled connection was stale is the same attempt."""
    report: Report = NOTHING_TO_REPORT
    error: str | None = None
    """The failure that the client was told of."""


class HeadRefused(msgspec.Struct, frozen=True, tag=True):
    """Bytes that were no request, or too large a head, got an answer without ever becoming an exchange."""

    id: str
    at: float
    status: int
    error: str
    bytes_out: int


class Warned(msgspec.Struct, frozen=True, tag=True):
    """Something is not as it should be, and serving goes on."""

    message: str


class Crashed(msgspec.Struct, frozen=True, tag=True):
    """A bug: one connection was lost to it."""

    message: str
    traceback: str = ""


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    """Another configuration is in force."""

    changed: tuple[str, ...]
    """Names of what differs in the configuration; empty for nothing."""
    needs_restart: tuple[str, ...] = ()
    """The settings that the frontend reads only once, and that are not what they were at the start."""


class Draining(msgspec.Struct, frozen=True, tag=True):
    """The way out has begun."""

    grace: float
    """Seconds for which new connections are still taken."""
    drain: float
    """Seconds after these that running exchanges have."""


Event: TypeAlias = (
    RequestStarted
    | Resolved
    | AttemptStarted
    | AttemptEnded
    | FirstContent
    | CredentialCooled
    | RequestEnded
    | HeadRefused
    | Warned
    | Crashed
    | Reloaded
    | Draining
)
