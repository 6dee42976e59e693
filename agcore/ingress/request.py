"""A client's request as the machines see it: what was decided from its head alone."""

from __future__ import annotations

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.config.values import ClientKey
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.http import Headers, Peer, RequestHead


class Request(msgspec.Struct, frozen=True):
    """The decided facts of one request."""

    id: str
    head: RequestHead
    peer: Peer
    started: float
    """Seconds since the epoch."""
    target: RequestTarget
    """Without credentials."""
    dialect: str
    """Whose error shape the answer has."""
    match: MatchedRoute | None = None
    """None for a request that was refused before it had a route."""
    identity: ClientKey | None = None
    """The client key it showed."""
    cors: Headers = ()
    """What a browser needs to let its page read the answer."""

    @property
    def client(self) -> str | None:
        """The name of the client key it showed."""
        return None if self.identity is None else self.identity.name
