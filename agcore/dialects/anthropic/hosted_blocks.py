"""Calls of tools that Anthropic ran, and their results, in words that all vendors know (docs/wire/tools.md#hosted).

Every such call is read as one that was made, and what it gave back as its result, in text: a model elsewhere is to know
what was found. What only Claude can read (encrypted contents) is left out, and of files that it made the ids remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agcore.conversation.values import Part, Text, ToolCall, ToolResult
from agcore.dialects.anthropic.arguments import object_text
from agcore.dialects.anthropic.fields import cache_of, filled

CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
RESULTS: Final = frozenset({
    "web_search_tool_result", "web_fetch_tool_result", "advisor_tool_result", "code_execution_tool_result",
    "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
    "mcp_tool_result",
})  # fmt: skip

_UNSEEN: Final = frozenset({
    "type", "cache_control", "citations", "encrypted_content", "encrypted_index", "encrypted_stdout", "media_type",
})  # fmt: skip
"""Members that say nothing to a reader."""


def stands_for(block: dict[str, object], kind: str, path: str) -> tuple[Part, ...]:
    """The neutral parts that a block of `CALLS` or `RESULTS` stands for. Raises Invalid for one without its ids."""
    if kind in CALLS:
        name, server = filled(block, "name", path), block.get("server_name")
        if isinstance(server, str) and server:
            name = f"{server}__{name}"
        return (ToolCall(filled(block, "id", path), name, object_text(block.get("input"))),)
    content = block.get("content")
    text = "\n".join(readable(content))
    failed = block.get("is_error") is True or (
        isinstance(content, dict) and str(content.get("type", "")).endswith("_error")
    )
    parts = (Text(text),) if text else ()
    return (ToolResult(filled(block, "tool_use_id", path), parts, is_error=failed, cache=cache_of(block)),)


def readable(value: object, name: str = "") -> Iterator[str]:
    """The lines that tell what a JSON value says to people. A text that stands alone needs no name."""
    if isinstance(value, dict):
        said = {key: each for key, each in value.items() if key not in _UNSEEN and each not in (None, "", [], {})}
        if value.get("type") == "base64":
            yield f"[{value.get('media_type') or 'file'}]"
            return
        alone = len(said) == 1
        for key, each in said.items():
            yield from readable(each, "" if alone or isinstance(each, dict | list) else key)
    elif isinstance(value, list):
        for each in value:
            yield from readable(each, name)
    elif value is not None:
        text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        yield f"{name}: {text}" if name else text
