"""MCP sessions: what a handshake agreed on, and which exchanges work for it.

A session belongs to the credential that made it. For anybody else its id means nothing, as that of one that is over.
Sessions end by their client's DELETE, by an hour without use, or when there are too many, of one owner or of all: then
the one that was not used for longest goes, of those that nothing runs in. A client whose session is gone makes a new
one by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

MAX_SESSIONS: Final = 1000
MAX_OF_ONE: Final = 200
"""Sessions of one owner, whose flood shall not end those of others."""
IDLE: Final = 3600.0
"""Seconds."""


Id: TypeAlias = str | int
"""The id of a JSON-RPC request."""


class Owner(msgspec.Struct, frozen=True):
    """The client that may use a session, and the server that the session is with."""

    server: str
    client: str | None
    """The name of the client key that was shown."""
    peer: str
    """Place of a client that showed no key: `loopback` or an address. Empty for a client with a key."""


class Session(msgspec.Struct):
    """One session."""

    id: str
    owner: Owner
    revision: str
    """The version of the protocol that was agreed on."""
    used: float
    """Time of the last message, in seconds since the epoch."""
    calls: dict[Id, str]
    """Request id -> the exchange that works on it."""
    streams: set[str]
    """The exchanges of open GET streams."""

    @property
    def exchanges(self) -> set[str]:
        """All exchanges that are at work for it."""
        return {*self.calls.values(), *self.streams}

    def forget(self, exchange: str) -> None:
        """An exchange is over."""
        self.streams.discard(exchange)
        for id in [id for id, each in self.calls.items() if each == exchange]:
            del self.calls[id]


class Sessions:
    """All sessions of a gateway.

    Args:
        mint: Makes an id with this prefix that nobody can guess.
    """

    def __init__(self, mint: Callable[[str], str]) -> None:
        self._mint = mint
        self._sessions: dict[str, Session] = {}  # in the order of their last use

    def __len__(self) -> int:
        return len(self._sessions)

    def create(self, owner: Owner, revision: str, *, now: float) -> Session:
        """Make a session, with an id that nobody can guess."""
        self._drop(session for session in self._sessions.values() if _is_stale(session, now))
        own = [session for session in self._sessions.values() if session.owner == owner]
        if len(own) >= MAX_OF_ONE:
            self._make_room(own)
        elif len(self._sessions) >= MAX_SESSIONS:
            self._make_room(list(self._sessions.values()))
        session = Session(self._mint("mcp-"), owner, revision, used=now, calls={}, streams=set())
        self._sessions[session.id] = session
        return session

    def find(self, id: str, owner: Owner, *, now: float) -> Session | None:
        """The session of that id, in use again; None where `owner` has none of it (any more)."""
        session = self._sessions.get(id)
        if session is None or session.owner != owner:
            return None
        del self._sessions[id]
        if _is_stale(session, now):
            return None
        session.used = now
        self._sessions[id] = session
        return session

    def end(self, id: str) -> tuple[str, ...]:
        """The client is done with a session; the exchanges that are at work for it."""
        session = self._sessions.pop(id, None)
        return () if session is None else tuple(sorted(session.exchanges))

    def join(self, id: str, exchange: str, *, call: Id | None = None) -> None:
        """An exchange works for a session: on the request `call`, or on a stream of the server's."""
        session = self._sessions.get(id)
        if session is not None and call is not None:
            session.calls[call] = exchange
        elif session is not None:
            session.streams.add(exchange)

    def leave(self, id: str, exchange: str) -> None:
        """An exchange is over."""
        session = self._sessions.get(id)
        if session is not None:
            session.forget(exchange)

    def worker_of(self, id: str, call: Id) -> str | None:
        """The exchange that works on a request of a session."""
        session = self._sessions.get(id)
        return None if session is None else session.calls.get(call)

    def _make_room(self, among: Sequence[Session]) -> None:
        self._drop([next((session for session in among if not session.exchanges), among[0])])

    def _drop(self, sessions: Iterable[Session]) -> None:
        for session in list(sessions):
            del self._sessions[session.id]


def _is_stale(session: Session, now: float) -> bool:
    return now - session.used > IDLE and not session.exchanges
