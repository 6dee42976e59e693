"""The credential that each conversation had last, so that the conversation uses the vendor's prompt cache."""

from __future__ import annotations

from typing import Final

from agcore.protocol.state import AffinityDelta
from agcore.state.cooldowns import CredentialModel

MAX_CONVERSATIONS: Final = 16_384
"""Conversations whose key is remembered; the one heard of longest ago goes first."""


class Affinity:
    """Conversations, by the keys of `routing.conversation_key`."""

    def __init__(self) -> None:
        self._of: dict[bytes, tuple[CredentialModel, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def get(self, conversation: bytes) -> CredentialModel | None:
        """Returns the credential that a conversation had last; None where nothing is known."""
        held = self._of.get(conversation)
        return None if held is None else held[0]

    def keep(self, conversation: bytes, slot: CredentialModel, *, now: float) -> None:
        """Notes the credential that a conversation has from now on."""
        self._of.pop(conversation, None)
        self._of[conversation] = (slot, now)
        if len(self._of) > MAX_CONVERSATIONS:
            del self._of[next(iter(self._of))]

    def delta(self, conversation: bytes) -> AffinityDelta | None:
        """Returns what other gateways should know of a conversation; None for nothing."""
        held = self._of.get(conversation)
        return None if held is None else AffinityDelta(conversation, *held[0], at=held[1])

    def merge(self, delta: AffinityDelta) -> None:
        """Take in what another gateway chose; the latest choice counts, wherever it was made."""
        slot = (delta.provider, delta.key, delta.model)
        held = self._of.get(delta.conversation)
        if held is None or (held[1], held[0]) < (delta.at, slot):
            self.keep(delta.conversation, slot, now=delta.at)
