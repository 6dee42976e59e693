"""The tools of an Anthropic client's request, and which of them it wants (docs/wire/tools.md).

They come and go in the course of a conversation: a system message adds a tool, by its definition or by the name of one
that is declared, or withdraws one; a compaction sums up the changes of what it compacted. Elsewhere tools stand in one
list: those that there are at the end.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.json_schema import has_optional
from agcore.conversation.values import (
    HostedTool,
    Invalid,
    Tool,
    ToolChoice,
)
from agcore.dialects.anthropic.fields import (
    blocks,
    cache_of,
    filled,
    kind_of,
    members,
)
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.anthropic.typed_tools import typed_tool
from agcore.dialects.shared.unread import note_unread

CHANGES: Final = frozenset({"tool_addition", "tool_removal"})
"""The blocks that change the tools."""

_SERVERS: Final = frozenset({"mcp_tool_reference", "mcp_toolset_reference"})

_RELEASE: Final = re.compile(r"_\d{8}$")
_CUSTOM: Final = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control", "defer_loading"})
_TYPED: Final = frozenset({"type", "name", "display_width_px", "display_height_px", "cache_control"})
"""What is read of a tool by its schema, and of one by a type that stands for a schema."""
_OPENAI: Final = ("function", "custom", "allowed_tools", "required")
"""Types of OpenAI's choices."""


def read_tools(tools: object, losses: Losses) -> tuple[list[Tool], list[HostedTool]]:
    """The tools that the client runs, and those that Anthropic runs."""
    found: list[Tool] = []
    hosted: list[HostedTool] = []
    for at, tool in enumerate(blocks([] if tools is None else tools, "tools")):
        each = read_tool(tool, f"tools[{at}]", losses)
        if isinstance(each, Tool):
            found.append(each)
        else:
            hosted.append(each)
    return found, hosted


def read_tool(tool: dict[str, object], path: str, losses: Losses) -> Tool | HostedTool:
    """One tool, in Anthropic's form or in OpenAI's. Raises Invalid for what is none."""
    kind = tool.get("type") or "custom"
    if not isinstance(kind, str):
        raise Invalid(f"{path}.type: Input should be a string", param=f"{path}.type")
    if "input_schema" not in tool and (kind == "function" or isinstance(tool.get(kind), dict)):
        from agcore.dialects.openai_chat import tools as openai_tools

        return openai_tools.read_tool(tool, f"{path}.")
    if kind != "custom":
        family = _RELEASE.sub("", kind)
        known = typed_tool(family, tool)
        if known is None:
            return HostedTool(NAME, family, tool)
        losses.add(path, f"a model elsewhere does not know `{kind}`", action="sent as a function", weight="note")
        note_unread(tool, _TYPED, path + ".", losses)
        return msgspec.structs.replace(known, cache=cache_of(tool))
    schema, strict, description = tool.get("input_schema"), tool.get("strict"), tool.get("description")
    if not isinstance(schema, dict):
        raise Invalid(f"{path}.input_schema: Field required", param=f"{path}.input_schema")
    if description is not None and not isinstance(description, str):
        raise Invalid(f"{path}.description: Input should be a string", param=f"{path}.description")
    if strict is True and has_optional(schema):
        # Anthropic takes such a tool, OpenAI refuses it.
        losses.add(f"{path}.strict", "strict tools elsewhere have no optional parameters", weight="note")
        strict = False
    if tool.get("defer_loading"):
        losses.add(f"{path}.defer_loading", "no tool search elsewhere", action="sent at once", weight="note")
    note_unread(tool, _CUSTOM, path + ".", losses)
    name, promised = filled(tool, "name", path), strict if isinstance(strict, bool) else None
    return Tool(name, description or "", schema, promised, cache=cache_of(tool))


def read_choice(choice: object) -> tuple[ToolChoice | None, bool | None]:
    """Which tools may or must be called, and whether several at once; None where nothing is said."""
    if choice is None:
        return None, None
    if isinstance(choice, str) or (isinstance(choice, dict) and choice.get("type") in _OPENAI):
        from agcore.dialects.openai_chat import tools as openai_tools

        return openai_tools.read_choice(choice, "tool_choice"), None
    if not isinstance(choice, dict):
        raise Invalid("tool_choice: Input should be an object", param="tool_choice")
    parallel = False if choice.get("disable_parallel_tool_use") is True else None
    kind = choice.get("type")
    if kind == "tool":
        return ToolChoice("required", (filled(choice, "name", "tool_choice"),)), parallel
    modes: dict[object, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "any": "required"}
    if not isinstance(kind, str) or kind not in modes:
        raise Invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'", param="tool_choice.type")
    return ToolChoice(modes[kind]), parallel


def forced(
    choice: ToolChoice | None, tools: list[Tool], hosted: list[HostedTool]
) -> tuple[ToolChoice | None, list[HostedTool]]:
    """The choice and the hosted tools: a choice that names one of these is none among the client's, and forces it."""
    if choice is None or not choice.names or any(tool.name in choice.names for tool in tools):
        return choice, hosted
    marked = [
        msgspec.structs.replace(tool, forced=True)
        if isinstance(tool.value, dict) and tool.value.get("name") in choice.names
        else tool
        for tool in hosted
    ]
    return (choice if marked == hosted else None), marked


class ToolChanges:
    """The changes of one request, in order (docs/wire/tools.md#changes)."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._changes: list[tuple[bool, str, Tool | HostedTool | None, str]] = []
        """Whether it is an addition, the tool's name, its definition where that is given, and the place."""
        self._gone: frozenset[str] = frozenset()

    def read_all(self, changes: object, path: str) -> None:
        """Read a list of changes; None is none. Raises Invalid, as `read` does."""
        for at, change in enumerate(blocks([] if changes is None else changes, path)):
            self.read(change, f"{path}[{at}]")

    def read(self, block: dict[str, object], path: str) -> None:
        """Read one change. Raises Invalid for what Anthropic would refuse."""
        kind = kind_of(block, path)
        if kind not in CHANGES:
            raise Invalid(f"{path}.type: Input should be 'tool_addition' or 'tool_removal'", param=f"{path}.type")
        adds, here = kind == "tool_addition", f"{path}.tool"
        tool = members(block.get("tool"), here)
        named = kind_of(tool, here)
        if named == "tool_definition" and adds:
            found = read_tool(members(tool.get("definition"), f"{here}.definition"), f"{here}.definition", self._losses)
            self._changes.append((True, _name(found), found, path))
        elif named == "tool_reference":
            self._changes.append((adds, filled(tool, "name", here), None, path))
        elif named in _SERVERS:
            self._losses.add(here, "only Anthropic asks MCP servers itself", weight="warn")
        else:
            raise Invalid(
                f"{here}.type: Input should be a reference to a tool, or its definition", param=f"{here}.type"
            )

    def applied(self, tools: list[Tool], hosted: list[HostedTool]) -> tuple[list[Tool], list[HostedTool]]:
        """The tools as the changes leave them: the declared ones where they stood, new ones behind them."""
        if not self._changes:
            return tools, hosted
        every: list[Tool | HostedTool] = [*tools, *hosted]
        declared = {_name(tool): tool for tool in every}
        there = dict.fromkeys(declared, True)
        for adds, name, definition, path in self._changes:
            if definition is not None:
                declared[name] = definition
            if name in declared:
                there[name] = adds
            else:
                self._losses.add(path, f"no tool {name} is declared", weight="warn" if adds else "note")
        left = [tool for name, tool in declared.items() if there[name]]
        self._gone = frozenset(name for name, stays in there.items() if not stays)
        return [each for each in left if isinstance(each, Tool)], [
            each for each in left if isinstance(each, HostedTool)
        ]

    def chosen(self, choice: ToolChoice | None) -> ToolChoice | None:
        """The choice, once the changes were applied: a tool that was removed cannot be demanded."""
        if choice is None or not self._gone.intersection(choice.names):
            return choice
        self._losses.add("tool_choice", "the tool was removed", action="left to the model")
        return None


def _name(tool: Tool | HostedTool) -> str:
    """The name by which a tool is referred to; for one that Anthropic runs, its own or its kind."""
    if isinstance(tool, Tool):
        return tool.name
    names = (tool.value.get(member) for member in ("name", "mcp_server_name"))
    return next((name for name in names if isinstance(name, str) and name), tool.kind)
