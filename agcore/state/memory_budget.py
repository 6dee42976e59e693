"""The bytes of bodies that all exchanges may hold together."""

from __future__ import annotations


class MemoryBudget:
    """Memory is reserved before it is held.

    Args:
        limit: Bytes; it may change while memory is held.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        """Bytes that are held at present."""

    def reserve(self, size: int) -> bool:
        """Account for `size` more bytes of memory; False, and nothing accounted, when there is no room for them."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve` took."""
        self.held -= size
