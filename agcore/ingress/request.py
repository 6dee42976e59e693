"""A client's request as the machines see it: what was decided from its head alone."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.config.values import ClientKey
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers, Peer, RequestHead


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are known of every request."""

    id: str
    head: RequestHead
    peer: Peer
    started: float
    """Seconds since the epoch."""
    target: RequestTarget
    """Without credentials."""
    dialect: str
    """Whose error shape the answer has."""
    operation: str = ""
    """Name of what the route does; empty where there is no route."""
    identity: ClientKey | None = None
    """The client key it showed."""
    cors: Headers = ()
    """Fields by which a browser lets its page read the answer."""

    @property
    def client(self) -> str | None:
        """The name of the client key it showed."""
        return None if self.identity is None else self.identity.name


class Routed(RequestFacts, frozen=True, kw_only=True):
    """A request that was let in and has a route."""

    match: MatchedRoute
    metered: bool = False
    """The limits of its key let it in, and have lent it what it may use."""
    codings: tuple[str, ...] = ()
    """The codings of its body, in the order in which they were applied; all of them can be undone."""


class Refused(RequestFacts, frozen=True, kw_only=True):
    """A request that is answered with an error, whatever its body."""

    fault: Fault


class Preflight(RequestFacts, frozen=True, kw_only=True):
    """An `OPTIONS`, a browser's or another one: answered without a key, by `headers` alone."""

    headers: Headers


Request: TypeAlias = Routed | Refused | Preflight
