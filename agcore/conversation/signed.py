"""What a vendor signed around a tool call, and the memory that gives it back to a history that comes without it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from agcore.conversation.values import Conversation, Signature, Thinking


class Signed(msgspec.Struct, frozen=True):
    """What belongs to a call: the signed thoughts before it, and the call's own signature."""

    thoughts: tuple[Thinking, ...] = ()
    signature: Signature | None = None

    @property
    def size(self) -> int:
        """About its bytes."""
        thoughts = sum(len(each.text) + len(each.signature.data if each.signature else "") for each in self.thoughts)
        return 200 + thoughts + (len(self.signature.data) if self.signature else 0)


class SignedCalls(Protocol):
    """One client's signed tool calls."""

    def remember(self, call_id: str, signed: Signed) -> None:
        """Keep what belongs to a call that this client is being told of."""

    def recalled(self, conversation: Conversation) -> Conversation:
        """The conversation with the signatures put back that its history lacks."""
