"""What an exchange gets from outside of itself: selections, memory, look-ups and ids, all from one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agcore.machines.ids import Ids
from agcore.routing.selection import Selector
from agcore.state.shared import LocalState

if TYPE_CHECKING:
    from agcore.state.mcp_sessions import Sessions


class Outside:
    """The state that exchanges share, and the rules by which they use it."""

    def __init__(self, ids: Ids, *, max_buffered: int) -> None:
        self.state = state = LocalState(fraction=ids.fraction, mint=ids.mint, max_buffered=max_buffered)
        self.pool = Selector(state.cooldowns, state.affinity, state.turns)
        """The keys of all providers."""
        self.lists = state.lists
        self.responses = state.responses
        self.signatures = state.signatures
        self.allowances = state.rate_limits

    @property
    def sessions(self) -> Sessions:
        """Those of the built-in MCP server."""
        return self.state.sessions

    def reserve(self, size: int) -> bool:
        """Account for `size` more bytes of memory; False, and nothing accounted, when there is no room for them."""
        return self.state.memory.reserve(size)

    def release(self, size: int) -> None:
        """Give back what `reserve` took."""
        self.state.memory.release(size)
