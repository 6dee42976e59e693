"""Tools that come and go in the course of a conversation (docs/wire/tools.md#changes).

A system message adds a tool, by its definition or by the name of one that is declared, or withdraws one; a compaction
sums up the changes of what it compacted. Elsewhere tools stand in one list: those that there are at the end.
"""

from __future__ import annotations

from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import HostedTool, Invalid, Tool
from agcore.dialects.anthropic.fields import blocks, filled, kind_of, members
from agcore.dialects.anthropic.tools_reader import read_tool

CHANGES: Final = frozenset({"tool_addition", "tool_removal"})
"""The blocks that change the tools."""

_SERVERS: Final = frozenset({"mcp_tool_reference", "mcp_toolset_reference"})


class ToolChanges:
    """The changes of one request, in order."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._changes: list[tuple[bool, str, Tool | HostedTool | None, str]] = []
        """Whether it is an addition, the tool's name, its definition where that is given, and the place."""

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
        return [each for each in left if isinstance(each, Tool)], [
            each for each in left if isinstance(each, HostedTool)
        ]


def _name(tool: Tool | HostedTool) -> str:
    """The name by which a tool is referred to; for one that Anthropic runs, its own or its kind."""
    if isinstance(tool, Tool):
        return tool.name
    names = (tool.value.get(member) for member in ("name", "mcp_server_name"))
    return next((name for name in names if isinstance(name, str) and name), tool.kind)
