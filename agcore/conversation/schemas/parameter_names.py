"""Names of tools' parameters that the other side does not allow: mapped there and back (docs/wire/tools.md#names).

A vendor that checks them refuses the whole request for one name, whichever server of tools it is from. Only the
parameters themselves are checked, not what is inside of them. The mapping depends on the tool alone.
"""

from __future__ import annotations

import re
from hashlib import blake2s
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.schemas.json_schema import Schema
from agcore.conversation.schemas.references import Resolved
from agcore.conversation.schemas.writer import is_plain_object, plain_object
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.conversation.values import Conversation, Part, Tool, ToolCall, Turn

_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_.-]")


class ParameterNames:
    """The names of parameters in one request, towards an upstream with a rule of its own.

    Args:
        conversation: The request.
        rule: Which names are legal; None for any.
    """

    def __init__(self, conversation: Conversation, rule: ToolNameRule | None) -> None:
        self._there: dict[str, dict[str, str]] = {}  # tool -> name -> legal name, of those that have to change
        self._schemas: dict[str, Schema] = {}
        self._back: dict[str, dict[str, str]] = {}  # the same, from legal name to name
        if rule is not None:
            for tool in conversation.tools:
                self._take(tool, rule)

    def _take(self, tool: Tool, rule: ToolNameRule) -> None:
        given = tool.parameters
        if tool.custom or not isinstance(given, dict) or (is_plain_object(given) and not _illegal(given, rule)):
            return
        resolved = Resolved(given, "kept").schema
        schema = resolved if is_plain_object(resolved) else plain_object(resolved)
        illegal = _illegal(schema, rule)
        if not illegal:
            return
        properties = schema["properties"]
        assert isinstance(properties, dict)
        taken = properties.keys() - set(illegal)
        there = self._there[tool.name] = {}
        for name in illegal:
            there[name] = _legalised(name, taken, rule.longest)
            taken.add(there[name])
        self._back[tool.name] = {legal: name for name, legal in there.items()}
        self._schemas[tool.name] = _renamed(schema, there)

    def __contains__(self, tool: object) -> bool:
        """Whether a tool goes with other names of parameters than it has."""
        return tool in self._there

    def applied(self, conversation: Conversation) -> Conversation:
        """The conversation with legal names of parameters, in definitions and calls alike."""
        if not self._there:
            return conversation
        return msgspec.structs.replace(
            conversation,
            tools=tuple(self._tool(tool) for tool in conversation.tools),
            turns=tuple(self._turn(turn) for turn in conversation.turns),
        )

    def original(self, tool: str, arguments: str) -> str:
        """The arguments of a call, under the client's own names; text that is no object stays."""
        return _with_names(arguments, self._back[tool])

    def _tool(self, tool: Tool) -> Tool:
        if tool.name not in self._schemas:
            return tool
        return msgspec.structs.replace(tool, parameters=self._schemas[tool.name])

    def _turn(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, parts=tuple(self._part(part) for part in turn.parts))

    def _part(self, part: Part) -> Part:
        if not isinstance(part, ToolCall) or part.name not in self._there:
            return part
        return msgspec.structs.replace(part, arguments=_with_names(part.arguments, self._there[part.name]))


def _illegal(schema: Schema, rule: ToolNameRule) -> list[str]:
    """The names of a schema's properties that a rule does not allow, in order."""
    properties = schema.get("properties")
    return [name for name in properties if not rule.pattern.fullmatch(name)] if isinstance(properties, dict) else []


def _renamed(schema: Schema, names: dict[str, str]) -> Schema:
    properties, required = schema["properties"], schema.get("required")
    assert isinstance(properties, dict)
    renamed = {**schema, "properties": {names.get(name, name): value for name, value in properties.items()}}
    if isinstance(required, list):
        renamed["required"] = [names.get(name, name) if isinstance(name, str) else name for name in required]
    return renamed


def _legalised(name: str, taken: set[str], longest: int) -> str:
    text = _ILLEGAL.sub("_", name).strip("_") or "parameter"
    if len(text) <= longest and text not in taken:
        return text
    suffix = blake2s(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: longest - len(suffix) - 1]}_{suffix}"


def _with_names(arguments: str, names: dict[str, str]) -> str:
    try:
        said = json_text.decode(arguments.encode("utf-8", "surrogatepass"))
    except ValueError:
        return arguments
    if not isinstance(said, dict) or names.keys().isdisjoint(said):
        return arguments
    return json_text.encode({names.get(name, name): value for name, value in said.items()}).decode()
