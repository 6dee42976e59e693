"""The list of a request's tools as upstreams take it: each name once, and no description too long."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Tool

_CUT: Final = "..."


def fitted_tools(conversation: Conversation, *, longest_description: int, losses: Losses) -> Conversation:
    """Returns the conversation with a list of tools that an upstream takes.

    Args:
        conversation: The client's.
        longest_description: Characters that the upstream takes of a tool's description; 0 for any number.
        losses: Told of a tool whose name another one has, and of descriptions that are cut.
    """
    tools: dict[str, Tool] = {}
    for position, tool in enumerate(conversation.tools):
        path = f"tools[{position}]"
        if tool.name in tools:
            if tools[tool.name] != tool:
                losses.add(path, f"another tool is called {tool.name}")
        elif longest_description and len(tool.description) > longest_description:
            losses.add(f"{path}.description", f"the upstream takes {longest_description} characters", action="cut")
            cut = tool.description[: longest_description - len(_CUT)] + _CUT
            tools[tool.name] = msgspec.structs.replace(tool, description=cut)
        else:
            tools[tool.name] = tool
    fitted = tuple(tools.values())
    return conversation if fitted == conversation.tools else msgspec.structs.replace(conversation, tools=fitted)


def hosted_names(conversation: Conversation) -> frozenset[str]:
    """The names by which a request's hosted tools go: a function of the client's beside them needs another one."""
    names = {hosted.kind for hosted in conversation.hosted_tools}
    for hosted in conversation.hosted_tools:
        name = hosted.value.get("name") if isinstance(hosted.value, dict) else None
        if isinstance(name, str):
            names.add(name)
    return frozenset(names)
