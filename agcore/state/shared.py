"""The stores that exchanges share and that change while the server runs, held in this process.

Each store is a value with bounds of its own. `ask` answers the queries of `protocol.state` at once, so a single gateway
never waits for its state, and `merge` takes in what other gateways learned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from agcore.protocol.state import (
    Acquire,
    AffinityDelta,
    CooldownCleared,
    CooldownDelta,
    Delta,
    Load,
    Loaded,
    Query,
    Reply,
    Save,
    Settle,
    Store,
)
from agcore.state.affinity import Affinity
from agcore.state.cooldowns import Cooldowns
from agcore.state.memory_budget import MemoryBudget
from agcore.state.provider_models import ProviderLists
from agcore.state.rate_limits import RateLimits
from agcore.state.responses import Entry, Missing, ResponseStore
from agcore.state.signatures import SignatureMemory
from agcore.state.turns import Turns

if TYPE_CHECKING:
    from agcore.conversation.signed import Signed
    from agcore.state.mcp_sessions import Sessions


@cache
def _entries() -> msgspec.json.Decoder[Entry]:
    return msgspec.json.Decoder(Entry)


def read_entry(value: bytes) -> Entry:
    """Returns the entry that a value of `Store.RESPONSES` or `Store.ITEMS` holds.

    Raises:
        ValueError: It holds none.
    """
    return _entries().decode(value)


@cache
def _signed_calls() -> msgspec.json.Decoder[Signed]:
    from agcore.conversation.signed import Signed

    return msgspec.json.Decoder(Signed)


class LocalState:
    """The stores of one gateway.

    Args:
        fraction: Gives numbers from 0 up to 1, for jitter.
        mint: Makes an id with this prefix that nobody can guess.
        max_buffered: Bytes of bodies that all exchanges may hold together.
    """

    def __init__(self, *, fraction: Callable[[], float], mint: Callable[[str], str], max_buffered: int) -> None:
        self.cooldowns = Cooldowns(fraction)
        """Who is left alone."""
        self.affinity = Affinity()
        """Which key conversations had last."""
        self.turns = Turns()
        """Whose turn it is."""
        self.memory = MemoryBudget(max_buffered)
        """The bytes that all exchanges hold."""
        self.lists = ProviderLists()
        """The providers' own model lists."""
        self.responses = ResponseStore()
        """What requests may go on from."""
        self.signatures = SignatureMemory()
        """What clients may fail to echo."""
        self.rate_limits = RateLimits()
        """What client keys may still use."""
        self._mint = mint
        self._sessions: Sessions | None = None

    @property
    def sessions(self) -> Sessions:
        """Those of the built-in MCP server."""
        if self._sessions is None:
            from agcore.state.mcp_sessions import Sessions  # for those who use it

            self._sessions = Sessions(self._mint)
        return self._sessions

    def ask(self, query: Query, *, now: float) -> Reply | None:
        """The reply to a query, at once; None for one that has none.

        How long an entry is kept is a matter of room here: what was used least recently goes first, whatever its `ttl`.

        Raises:
            ValueError: A value to be saved is no entry of its store.
        """
        match query:
            case Acquire():
                return self.rate_limits.acquire(query, now=now)
            case Settle():
                self.rate_limits.settle(query, now=now)
            case Load(id, Store.SIGNATURES, client, key):
                return Loaded(id, _encoded(self.signatures.find(client, key)))
            case Load(id):
                found = self.load(query)
                if isinstance(found, Missing):
                    return Loaded(id, None, foreign=found is Missing.FOREIGN)
                return Loaded(id, _encoded(found))
            case Save(Store.RESPONSES, client, key, value):
                entry = msgspec.structs.replace(read_entry(value), client=client)
                self.responses.put(key, entry)
            case Save(Store.ITEMS):
                raise ValueError("an item is saved with its response")
            case _:
                self.signatures.remember(query.client, query.key, _signed_calls().decode(query.value))
        return None

    def load(self, query: Load) -> Entry | Missing:
        """Returns what `ask` would reply to a query for a response or one of its items, as a value."""
        key, client, responses = query.key, query.client, self.responses
        if query.store is Store.ITEMS:
            return responses.find_item(key, client=client) or Missing.NOTHING
        missing = Missing.FOREIGN if responses.is_foreign(key, client=client) else Missing.NOTHING
        return responses.find(key, client=client) or missing

    def merge(self, delta: Delta) -> None:
        """Take in what another gateway learned; late, twice or in any order."""
        if isinstance(delta, CooldownDelta | CooldownCleared):
            self.cooldowns.merge(delta)
        elif isinstance(delta, AffinityDelta):
            self.affinity.merge(delta)
        else:
            self.lists.merge(delta)


def _encoded(entry: Entry | Signed | None) -> bytes | None:
    return None if entry is None else msgspec.json.encode(entry)
