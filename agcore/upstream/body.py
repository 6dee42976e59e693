"""An upstream's body, collected within a bound and accounted for."""

from __future__ import annotations

from typing import Protocol


class Memory(Protocol):
    """Accounts for what a request holds."""

    def reserve(self, size: int, *, now: float) -> bool:
        """Hold `size` more bytes. Without room for them the request has failed, and nobody needs the body any more."""

    def release(self, size: int) -> None:
        """Hold `size` bytes less."""


class CollectedBody:
    """Pieces of a body, up to a bound.

    Args:
        memory: Accounts for the pieces.
        limit: Bytes of the whole body.
    """

    def __init__(self, memory: Memory, *, limit: int) -> None:
        self.size = 0
        """Bytes so far, those beyond the bound included."""
        self._memory = memory
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0

    def add(self, data: bytes, *, now: float) -> bool:
        """Keep a piece; False where the body is beyond the bound now, and the piece is not kept."""
        self.size += len(data)
        if self.size > self._limit:
            return False
        if self._memory.reserve(len(data), now=now):
            self._held += len(data)
            self._pieces.append(data)
        return True

    def take(self) -> bytes:
        """The whole body, which is not kept from here on, but accounted for: what is made of it takes its place."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Let go of everything, as for an attempt before another one."""
        self._memory.release(self._held)
        self._pieces.clear()
        self.size = self._held = 0
