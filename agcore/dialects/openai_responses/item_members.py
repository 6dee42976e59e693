"""What is read of each kind of Responses item (docs/wire/openai-responses.md#items).

Ids and states of items are their vendor's bookkeeping: nobody else has a use for them, and nobody misses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.dialects.openai_responses import typed_tools

_ITEM: Final = frozenset({"type", "id", "status"})
_CALL: Final = _ITEM | {"call_id", "cache_control", "prompt_cache_breakpoint"}


def _of(base: frozenset[str], *more: str) -> frozenset[str]:
    return base | frozenset(more)


MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "message": _of(_ITEM, "role", "content", "phase", "cache_control", "prompt_cache_breakpoint"),
    "reasoning": _of(_ITEM, "summary", "content", "encrypted_content"),
    "function_call": _of(_CALL, "name", "namespace", "arguments"),
    "custom_tool_call": _of(_CALL, "name", "namespace", "input"),
    "function_call_output": _of(_CALL, "output"),
    "custom_tool_call_output": _of(_CALL, "output"),
    **{kind: _of(_CALL, "action", "actions", "operation", "arguments", "execution") for kind in typed_tools.CALLS},
    **{
        kind: _of(_CALL, "output", "tools", "execution", "acknowledged_safety_checks", "pending_safety_checks")
        for kind in typed_tools.OUTPUTS
    },
    "additional_tools": _of(_ITEM, "role", "tools"),
    "image_generation_call": _of(_ITEM, "result", "output_format", "revised_prompt", "error"),
    "mcp_call": _of(_ITEM, "server_label", "name", "arguments", "output", "error"),
    "mcp_list_tools": _of(_ITEM, "server_label", "tools", "error"),
    "mcp_approval_request": _of(_ITEM, "server_label", "name", "arguments"),
    "mcp_approval_response": _of(_ITEM, "approval_request_id", "approve", "reason"),
    "code_interpreter_call": _of(_ITEM, "code", "outputs"),
    "web_search_call": _of(_ITEM, "action"),
    "file_search_call": _of(_ITEM, "queries", "results"),
    "multi_agent_call": _of(_CALL, "action", "arguments"),
    "multi_agent_call_output": _of(_CALL, "output"),
    "agent_message": _of(_ITEM, "author", "recipient", "content"),
    "program": _of(_CALL, "code"),
    "program_output": _of(_CALL, "result"),
    "compaction": _of(_ITEM, "encrypted_content"),
    "compaction_summary": _of(_ITEM, "encrypted_content"),
    "context_compaction": _of(_ITEM, "encrypted_content"),
}
"""Kind of item -> the members that its reader reads. A kind that is not listed is kept whole, for its own vendor."""
