"""The tools of an Anthropic client's request, and which of them it wants (docs/wire/tools.md)."""

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
)
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.anthropic.typed_tools import typed_tool
from agcore.dialects.shared.unread import note_unread

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
