"""Calls of tools and their results told in words, for models that are offered none.

Vendors refuse calls in a history where no tools are offered, and some models know none at all.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Part, Text, ToolCall, ToolResult


def tell_tools(conversation: Conversation, *, losses: Losses) -> Conversation:
    """The conversation with words for its calls and results; a further turn changes nothing before it."""
    if not any(isinstance(part, ToolCall | ToolResult) for turn in conversation.turns for part in turn.parts):
        return conversation
    losses.add("tool calls", "the model knows no tools", action="sent as text")
    names: dict[str, str] = {}
    turns = [
        msgspec.structs.replace(turn, parts=tuple(told(turn.parts, names)), starts=()) for turn in conversation.turns
    ]
    return msgspec.structs.replace(conversation, turns=tuple(turns))


def told(parts: tuple[Part, ...], names: dict[str, str]) -> Iterator[Part]:
    """Yields the parts of a turn, with words for calls and results. `names` collects the tools' names by call id."""
    # In lines of their own: neighbouring texts of a message may be joined with nothing between them.
    for part in parts:
        if isinstance(part, ToolCall):
            names[part.id] = part.name
            yield Text(f"\n[Called {part.name}: {part.arguments or '{}'}]\n")
        elif isinstance(part, ToolResult):
            name = names.get(part.call_id) or part.name or part.call_id
            yield Text(f"\n[{'Failure' if part.is_error else 'Result'} of {name}]\n")
            yield from part.content
        else:
            yield part
