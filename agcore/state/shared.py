"""The one port to state that exchanges share.

Which key serves a request depends on what every other request met before it, so an exchange never looks at another
one: it asks the Ledger, and each answer is a plain value. That is what makes one exchange replayable on its own.

What it holds beside the pool of keys is memory: of responses, signatures and model lists, and the count of bytes that
all exchanges hold together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agcore.machines.ids import Ids
from agcore.routing.selection import Selector
from agcore.state.provider_models import ProviderLists
from agcore.state.rate_limits import RateLimits
from agcore.state.responses import ResponseStore
from agcore.state.signatures import SignatureMemory

if TYPE_CHECKING:
    from agcore.state.mcp_sessions import Sessions


class LocalState:
    """Keys and memory, shared by all exchanges of a gateway."""

    def __init__(self, ids: Ids, *, max_buffered: int) -> None:
        self.max_buffered = max_buffered
        """Bytes that all exchanges may hold together."""
        self._buffered = 0
        self.pool = Selector(ids.fraction)
        """The keys of all providers."""
        self.lists = ProviderLists()
        """The providers' own model lists. It has bounds of its own."""
        self.responses = ResponseStore()
        """What requests may go on from. It has bounds of its own."""
        self.signatures = SignatureMemory()
        """What clients may fail to echo. It has bounds of its own."""
        self.allowances = RateLimits()
        """What client keys may still use."""
        self._ids = ids
        self._sessions: Sessions | None = None

    @property
    def sessions(self) -> Sessions:
        """Those of the built-in MCP server. They have bounds of their own."""
        if self._sessions is None:
            from agcore.state.mcp_sessions import Sessions  # for those who use it

            self._sessions = Sessions(self._ids)
        return self._sessions

    @property
    def buffered(self) -> int:
        """Bytes of bodies that all exchanges hold at present."""
        return self._buffered

    def reserve(self, size: int) -> bool:
        """Account for `size` more bytes of memory; False, and nothing accounted, when there is no room for them."""
        if self._buffered + size > self.max_buffered:
            return False
        self._buffered += size
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve` took."""
        self._buffered -= size
