"""The one port to state that exchanges share.

Which key serves a request depends on what every other request met before it, so an exchange never looks at another
one: it asks the Ledger, and each answer is a plain value. That is what makes one exchange replayable on its own.

For now the first key of a provider serves everything; what is bounded here is the memory of all exchanges together.
"""

from __future__ import annotations

import msgspec

from agcore.config import Provider, Secret
from agcore.response_store import ResponseStore
from agcore.signature_memory import SignatureMemory


class KeyChoice(msgspec.Struct, frozen=True):
    """The credential for one attempt."""

    label: str
    """How the key is named to people and in Notes: `provider#2`."""
    secret: Secret | None
    """None for a provider that needs no key."""


class Ledger:
    """Keys and memory, shared by all exchanges of a gateway."""

    def __init__(self, *, max_buffered: int) -> None:
        self._max_buffered = max_buffered
        self._buffered = 0
        self.responses = ResponseStore()
        """What requests may go on from. It has bounds of its own."""
        self.signatures = SignatureMemory()
        """What clients may fail to echo. It has bounds of its own."""

    @property
    def buffered(self) -> int:
        """Bytes of bodies that all exchanges hold at present."""
        return self._buffered

    def choose(self, provider: Provider) -> KeyChoice:
        """The key for the next attempt at `provider`."""
        secret = provider.keys[0] if provider.keys else None
        return KeyChoice(label=f"{provider.name}#1", secret=secret)

    def reserve(self, size: int) -> bool:
        """Account for `size` more bytes of memory; False, and nothing accounted, when there is no room for them."""
        if self._buffered + size > self._max_buffered:
            return False
        self._buffered += size
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve` took."""
        self._buffered -= size
