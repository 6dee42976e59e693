"""Tool names and call ids that the other side does not allow: mapped there and back.

The mapping depends on the request alone, so the same history always gives the same names: prompt caches and signatures
depend on that. Names that are legal stay as they are; the others are made legal, and told apart by a hash of the
original where that is needed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from hashlib import blake2s
from typing import Final

import msgspec

from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.conversation.values import Conversation, Part, Tool, ToolCall, ToolResult, Turn

_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_-]")
_LEGAL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class ToolNames:
    """The tool names of one request, towards an upstream with a rule of its own.

    Args:
        conversation: The request.
        rule: Which names are legal.
        reserved: Names that are taken by others: tools that the vendor runs.
    """

    def __init__(self, conversation: Conversation, rule: ToolNameRule, *, reserved: Collection[str] = ()) -> None:
        self._longest = rule.longest
        originals = dict.fromkeys(_names(conversation))
        taken = {name for name in originals if name not in reserved and rule.pattern.fullmatch(name)}
        self._there = {name: name for name in taken}
        taken.update(reserved)
        for name in originals:
            if name not in self._there:
                legal = self._legalised(name, taken)
                taken.add(legal)
                self._there[name] = legal
        self._back = {legal: name for name, legal in self._there.items() if legal != name}

    def original(self, name: str) -> str:
        """The client's name for a tool that the upstream names."""
        return self._back.get(name, name)

    def applied(self, conversation: Conversation) -> Conversation:
        """The conversation with legal names and call ids, in definitions, choice and history alike."""
        if not self._back and all(_LEGAL_ID.fullmatch(id) for id in _ids(conversation)):
            return conversation
        choice = conversation.tool_choice
        if choice is not None:
            choice = msgspec.structs.replace(choice, names=tuple(self._there.get(name, name) for name in choice.names))
        return msgspec.structs.replace(
            conversation,
            tools=tuple(self._tool(tool) for tool in conversation.tools),
            tool_choice=choice,
            turns=tuple(self._turn(turn) for turn in conversation.turns),
        )

    def _legalised(self, name: str, taken: set[str]) -> str:
        text = _ILLEGAL.sub("_", name)
        if not (text[:1].isalpha() or text[:1] == "_"):
            text = f"_{text}"
        if len(text) <= self._longest and text not in taken:
            return text
        for extent in range(8, 33, 8):
            suffix = blake2s(name.encode("utf-8", "surrogatepass")).hexdigest()[:extent]
            shortened = f"{text[: self._longest - extent - 1]}_{suffix}"
            if shortened not in taken:
                return shortened
        raise AssertionError("two names with one hash")

    def _tool(self, tool: Tool) -> Tool:
        return msgspec.structs.replace(tool, name=self._there[tool.name])

    def _turn(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, parts=tuple(self._part(part) for part in turn.parts))

    def _part(self, part: Part) -> Part:
        if isinstance(part, ToolCall):
            return msgspec.structs.replace(part, id=safe_call_id(part.id), name=self._there[part.name])
        if isinstance(part, ToolResult):
            name = self._there.get(part.name, part.name)
            return msgspec.structs.replace(part, call_id=safe_call_id(part.call_id), name=name)
        return part


def safe_call_id(id: str) -> str:
    """A call id that every vendor takes: itself where it is one, else a hash of it."""
    if _LEGAL_ID.fullmatch(id):
        return id
    return f"call_{blake2s(id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def _names(conversation: Conversation) -> Iterable[str]:
    for tool in conversation.tools:
        yield tool.name
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                yield part.name


def _ids(conversation: Conversation) -> Iterable[str]:
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                yield part.id
            elif isinstance(part, ToolResult):
                yield part.call_id
