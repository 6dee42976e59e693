"""What a vendor signed around a tool call, and the memory that gives it back to a history that comes without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from agcore.conversation.values import Conversation, Part, Signature, Thinking, ToolCall, Turn


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


def with_signatures(conversation: Conversation, find: Callable[[str], Signed | None]) -> Conversation:
    """The conversation with the signatures put back that its history lacks; `find` knows them by the ids of calls."""
    turns = tuple(_turn(turn, find) for turn in conversation.turns)
    if all(new is old for new, old in zip(turns, conversation.turns, strict=True)):
        return conversation
    return msgspec.structs.replace(conversation, turns=turns)


def _turn(turn: Turn, find: Callable[[str], Signed | None]) -> Turn:
    if turn.role != "assistant" or not any(isinstance(part, ToolCall) for part in turn.parts):
        return turn
    if any(isinstance(part, Thinking) and part.signature is not None for part in turn.parts):
        return turn
    parts = tuple(part for each in turn.parts for part in _parts(each, find))
    return turn if parts == turn.parts else msgspec.structs.replace(turn, parts=parts)


def _parts(part: Part, find: Callable[[str], Signed | None]) -> Iterator[Part]:
    signed = find(part.id) if isinstance(part, ToolCall) and part.signature is None else None
    if signed is None or not isinstance(part, ToolCall):
        yield part
        return
    yield from signed.thoughts
    yield msgspec.structs.replace(part, signature=signed.signature)
