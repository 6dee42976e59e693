"""What a vendor thought and signed around a tool call, and the memory that gives it back to a history without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from agcore.conversation.values import Conversation, Part, Signature, Thinking, ToolCall, Turn


class Signed(msgspec.Struct, frozen=True):
    """What belongs to a call: the thoughts that led to it, and the call's own signature."""

    thoughts: tuple[Thinking, ...] = ()
    """The signed ones, and for vendors who want their thoughts back in plain text the others, too."""
    signature: Signature | None = None

    @property
    def size(self) -> int:
        """About its bytes."""
        thoughts = sum(len(each.text) + len(each.signature.data if each.signature else "") for each in self.thoughts)
        return 200 + thoughts + (len(self.signature.data) if self.signature else 0)


class SignedCalls(Protocol):
    """One client's tool calls, with what its dialect or the client itself does not carry."""

    def remember(self, call_id: str, signed: Signed) -> None:
        """Keep what belongs to a call that this client is being told of."""

    def recalled(self, conversation: Conversation, *, plain: bool) -> Conversation:
        """The conversation with what its history lacks put back: see `with_signatures`."""


def with_signatures(
    conversation: Conversation, find: Callable[[str], Signed | None], *, plain: bool = False
) -> Conversation:
    """The conversation with what its history lacks put back.

    Args:
        conversation: Its history is in order: what was said before a call stands in the call's turn.
        find: Knows what belongs to the call of an id.
        plain: Whoever gets it wants thoughts in plain text, signed or not; otherwise signatures count.
    """
    turns: list[Turn] = []
    changed = False
    for turn in conversation.turns:
        turns.append(turn if turn.role != "assistant" else _turn(turn, find, plain))
        changed = changed or turns[-1] is not turn
    return msgspec.structs.replace(conversation, turns=tuple(turns)) if changed else conversation


def _turn(turn: Turn, find: Callable[[str], Signed | None], plain: bool) -> Turn:
    if not any(isinstance(part, ToolCall) for part in turn.parts):
        return turn
    if any(isinstance(part, Thinking) and _counts(part, plain) for part in turn.parts):
        return turn
    parts: list[Part] = []
    places = []
    for part in turn.parts:
        places.append(len(parts))
        parts += _parts(part, find, plain)
    if tuple(parts) == turn.parts:
        return turn
    return msgspec.structs.replace(turn, parts=tuple(parts), starts=tuple(places[start] for start in turn.starts))


def _parts(part: Part, find: Callable[[str], Signed | None], plain: bool) -> Iterator[Part]:
    signed = find(part.id) if isinstance(part, ToolCall) and (plain or part.signature is None) else None
    if signed is None or not isinstance(part, ToolCall):
        yield part
        return
    yield from (thought for thought in signed.thoughts if _counts(thought, plain))
    yield msgspec.structs.replace(part, signature=part.signature or signed.signature)


def _counts(thought: Thinking, plain: bool) -> bool:
    return bool(thought.text) if plain else thought.signature is not None


def signed_by(conversation: Conversation, signer: str) -> Conversation:
    """The conversation with all signatures that are nobody's given to `signer`, whose dialect they came in."""

    def own(part: Part) -> Part:
        if isinstance(part, Thinking | ToolCall) and part.signature is not None and not part.signature.signer:
            return msgspec.structs.replace(part, signature=msgspec.structs.replace(part.signature, signer=signer))
        return part

    turns = tuple(msgspec.structs.replace(turn, parts=tuple(map(own, turn.parts))) for turn in conversation.turns)
    return msgspec.structs.replace(conversation, turns=turns)
