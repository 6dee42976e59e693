"""What Anthropic refuses, and DeepSeek's door of the Messages kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.support.vendors.rule import Json, Rule, Sent, objects, unknown

_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_MEMBERS: Final = """model max_tokens system messages tools tool_choice thinking output_config temperature top_p top_k
stop_sequences stream metadata service_tier cache_control"""
_OF_BETAS: Final = {
    "context_management": "context-management",
    "mcp_servers": "mcp-client",
    "container": "code-execution",
    "output_format": "structured-outputs",
    "speed": "fast-mode",
    "diagnostics": "diagnos",
    "fallbacks": "fallback",
    "inference_geo": "",
}
"""Member -> how the name of the beta begins that it belongs to."""
_BLOCKS: Final = {
    "text": "type text cache_control citations",
    "thinking": "type thinking signature",
    "redacted_thinking": "type data",
    "tool_use": "type id name input cache_control caller",
    "tool_result": "type tool_use_id content is_error cache_control",
}
_USER: Final[Json] = {"role": "user", "content": "a"}
_CALL: Final[Json] = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
_RESULT: Final[Json] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}
_CALLED: Final[Json] = {"role": "assistant", "content": [_CALL]}
_ANSWERED: Final[Json] = {"role": "user", "content": [_RESULT]}


def _messages(sent: Sent) -> list[tuple[str, list[Json]]]:
    """Role and blocks of every message."""
    return [
        (
            message["role"],
            [{"type": "text", "text": message["content"]}]
            if isinstance(message["content"], str)
            else message["content"],
        )
        for message in sent.body["messages"]
    ]


def _blocks(sent: Sent) -> Iterator[Json]:
    for _, blocks in _messages(sent):
        yield from blocks


def _strange_member(sent: Sent) -> bool:
    more = sent.body.keys() - set(_MEMBERS.split())
    return any(
        name not in _OF_BETAS or not any(beta.startswith(_OF_BETAS[name]) for beta in sent.betas) for name in more
    )


def _unanswered(sent: Sent) -> bool:
    """Whether the message behind one with calls does not begin with a result for each."""
    messages = _messages(sent)
    for at, (_, blocks) in enumerate(messages):
        called = {block["id"] for block in blocks if block["type"] == "tool_use"}
        behind = messages[at + 1][1] if at + 1 < len(messages) else []
        first = behind[: len(called)]
        if called != {block.get("tool_use_id") for block in first if block["type"] == "tool_result"}:
            return True
    return False


def _uncalled(sent: Sent) -> bool:
    """Whether a result answers no call of the message before."""
    before: set[str] = set()
    for _, blocks in _messages(sent):
        if any(block["type"] == "tool_result" and block["tool_use_id"] not in before for block in blocks):
            return True
        before = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return False


def _thinks(sent: Sent) -> bool:
    return (sent.body.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def _unthought(sent: Sent) -> bool:
    """Whether the step that goes on does not begin with its thinking."""
    *earlier, (_, last) = _messages(sent)
    going_on = bool(earlier) and any(block["type"] == "tool_result" for block in last)
    return (
        (sent.body.get("thinking") or {}).get("type") == "enabled"
        and going_on
        and earlier[-1][1][0]["type"] not in ("thinking", "redacted_thinking")
    )


def _foreign_signature(sent: Sent) -> bool:
    signatures = [
        block.get("signature") or block.get("data") or "" for block in _blocks(sent) if "thinking" in block["type"]
    ]
    return any(not signature or signature.startswith("gw1.") for signature in signatures)


def _budget(sent: Sent) -> bool:
    thinking = sent.body.get("thinking") or {}
    return thinking.get("type") == "enabled" and not 1024 <= thinking["budget_tokens"] < sent.body["max_tokens"]


def _marked(sent: Sent) -> int:
    parts = [sent.body.get("system"), sent.body.get("tools"), sent.body["messages"]]
    return sum(
        "cache_control" in each and "type" in each
        for part in parts
        for each in objects(part)
        if "input_schema" not in each
    )


ANTHROPIC: Final = (
    Rule(
        id="anthropic.system",
        words='messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
        "as an input message role.",
        source="https://docs.anthropic.com/en/api/messages#body-system (of models before mid-conversation messages)",
        breaks=lambda sent: any(role not in ("user", "assistant") for role, _ in _messages(sent)),
        bad={"messages": [_USER, {"role": "system", "content": "s"}]},
    ),
    Rule(
        id="anthropic.members",
        words="x: Extra inputs are not permitted",
        source="anthropics/claude-code#11678 by its form; https://docs.anthropic.com/en/api/beta-headers",
        breaks=_strange_member,
        bad={"context_management": {"edits": []}},
    ),
    Rule(
        id="anthropic.blocks",
        words="messages.x.content.x: Extra inputs are not permitted",
        source="https://docs.anthropic.com/en/api/messages#body-messages",
        breaks=lambda sent: any(
            block["type"] in _BLOCKS and unknown(block, _BLOCKS[block["type"]]) for block in _blocks(sent)
        ),
        bad={"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "thoughtSignature": "x"}]}]},
    ),
    Rule(
        id="anthropic.first",
        words='messages: first message must use the "user" role',
        source="https://docs.anthropic.com/en/api/messages#body-messages",
        breaks=lambda sent: sent.body["messages"][0]["role"] != "user",
        bad={"messages": [{"role": "assistant", "content": "b"}, _USER]},
    ),
    Rule(
        id="anthropic.empty_text",
        words="messages: text content blocks must be non-empty",
        source="https://docs.anthropic.com/en/api/messages#body-messages",
        breaks=lambda sent: any(block["type"] == "text" and not block["text"].strip() for block in _blocks(sent)),
        bad={"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
    ),
    Rule(
        id="anthropic.ids",
        words="messages.x.content.x.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        source="https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use",
        breaks=lambda sent: (
            not all(_ID.fullmatch(block["id"]) for block in _blocks(sent) if block["type"] == "tool_use")
        ),
        bad={
            "messages": [
                _USER,
                {"role": "assistant", "content": [{**_CALL, "id": "functions.f:0"}]},
                {"role": "user", "content": [{**_RESULT, "tool_use_id": "functions.f:0"}]},
            ]
        },
    ),
    Rule(
        id="anthropic.results",
        words="messages.x: `tool_use` ids were found without `tool_result` blocks immediately after: x. Each `tool_use` "
        "block must have a corresponding `tool_result` block in the next message.",
        source="https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use",
        breaks=_unanswered,
        bad={"messages": [_USER, _CALLED, {"role": "user", "content": [{"type": "text", "text": "a"}, _RESULT]}]},
    ),
    Rule(
        id="anthropic.calls",
        words="messages.x.content.x: unexpected `tool_use_id` found in `tool_result` blocks: x. Each `tool_result` block "
        "must have a corresponding `tool_use` block in the previous message.",
        source="https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use",
        breaks=_uncalled,
        bad={"messages": [_ANSWERED]},
    ),
    Rule(
        id="anthropic.thinking_first",
        words="messages.x.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` "
        "is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of "
        "`tool_use` and `tool_result` blocks).",
        source="anomalyco/opencode#3077, mastra-ai/mastra#7799",
        breaks=_unthought,
        bad={"thinking": {"type": "enabled", "budget_tokens": 1024}, "messages": [_USER, _CALLED, _ANSWERED]},
    ),
    Rule(
        id="anthropic.signatures",
        words="messages.x.content.x: Invalid `signature` in `thinking` block",
        source="https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking#thinking-encryption",
        breaks=_foreign_signature,
        bad={
            "messages": [
                _USER,
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "t", "signature": "gw1.openai.eA"}, _CALL],
                },
                _ANSWERED,
            ]
        },
    ),
    Rule(
        id="anthropic.budget",
        words="`max_tokens` must be greater than `thinking.budget_tokens`.",
        source="https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
        breaks=_budget,
        bad={"thinking": {"type": "enabled", "budget_tokens": 9999}},
    ),
    Rule(
        id="anthropic.temperature",
        words="`temperature` may only be set to 1 when thinking is enabled.",
        source="https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking#feature-compatibility",
        breaks=lambda sent: _thinks(sent) and sent.body.get("temperature", 1) != 1,
        bad={"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0},
    ),
    Rule(
        id="anthropic.forced_tool",
        words="Thinking may not be enabled when tool_choice forces tool use.",
        source="https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking#feature-compatibility",
        breaks=lambda sent: _thinks(sent) and (sent.body.get("tool_choice") or {}).get("type") in ("any", "tool"),
        bad={"thinking": {"type": "enabled", "budget_tokens": 1024}, "tool_choice": {"type": "any"}},
    ),
    Rule(
        id="anthropic.names",
        words="tools.x.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        source="https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use",
        breaks=lambda sent: not all(_NAME.fullmatch(tool.get("name", "f")) for tool in sent.body.get("tools") or ()),
        bad={"tools": [{"name": "mcp.f", "input_schema": {"type": "object"}}]},
    ),
    Rule(
        id="anthropic.schema_root",
        words="tools.x.custom.input_schema.type: Field required",
        source="https://docs.anthropic.com/en/api/messages#body-tools",
        breaks=lambda sent: any(
            tool["input_schema"].get("type") != "object"
            for tool in sent.body.get("tools") or ()
            if "input_schema" in tool
        ),
        bad={"tools": [{"name": "f", "input_schema": {"anyOf": [{"type": "object"}]}}]},
    ),
    Rule(
        id="anthropic.markers",
        words="A maximum of 4 blocks with cache_control may be provided. Found 5.",
        source="https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching",
        breaks=lambda sent: _marked(sent) > 4,
        bad={"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}] * 5},
    ),
)


def _without_thinking(sent: Sent) -> bool:
    return (sent.body.get("thinking") or {}).get("type") != "disabled" and any(
        role == "assistant"
        and any(block["type"] == "tool_use" for block in blocks)
        and not any(block["type"] == "thinking" for block in blocks)
        for role, blocks in _messages(sent)
    )


DEEPSEEK: Final = (
    Rule(
        id="deepseek.messages.system",
        words="Failed to deserialize the JSON body into the target type: messages[x].role: unknown variant `system`, "
        "expected `user` or `assistant`",
        source="deepseek-ai/DeepSeek-V3#1370, anthropics/claude-code#63569",
        breaks=lambda sent: any(role not in ("user", "assistant") for role, _ in _messages(sent)),
        bad={"messages": [_USER, {"role": "system", "content": "s"}]},
    ),
    Rule(
        id="deepseek.messages.thinking",
        words="The `content[].thinking` in the thinking mode must be passed back to the API.",
        source="decolua/9router#2397, QwenLM/qwen-code#3788",
        breaks=_without_thinking,
        bad={"messages": [_USER, _CALLED, _ANSWERED]},
    ),
    Rule(
        id="deepseek.messages.tools",
        words="Failed to deserialize the JSON body into the target type: tools[x]: unknown variant `x`, expected "
        "`web_search_20250305` or `web_search_20260209`",
        source="S-Trespassing/claw-in-chrome#6",
        breaks=lambda sent: any(
            tool.get("type", "custom") != "custom" and not tool["type"].startswith("web_search_")
            for tool in sent.body.get("tools") or ()
        ),
        bad={"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    ),
    Rule(
        id="deepseek.messages.forced_tool",
        words="Thinking mode does not support this tool_choice",
        source="deepseek-ai/DeepSeek-V3#1376",
        breaks=lambda sent: _thinks(sent) and (sent.body.get("tool_choice") or {}).get("type") in ("any", "tool"),
        bad={"thinking": {"type": "enabled", "budget_tokens": 1024}, "tool_choice": {"type": "any"}},
    ),
    Rule(
        id="deepseek.messages.user_id",
        words="Invalid metadata.user_id: must match ^[a-zA-Z0-9_-]+$",
        source="deepseek-ai/awesome-deepseek-agent#67",
        breaks=lambda sent: not _ID.fullmatch(str((sent.body.get("metadata") or {}).get("user_id", "u"))),
        bad={"metadata": {"user_id": '{"device_id": "d"}'}},
    ),
    Rule(
        id="deepseek.messages.results",
        words="messages.x: `tool_use` ids were found without `tool_result` blocks immediately after: x.",
        source="https://api-docs.deepseek.com/guides/anthropic_api (by analogy)",
        breaks=_unanswered,
        bad={"messages": [_USER, _CALLED, _USER], "thinking": {"type": "disabled"}},
    ),
)
