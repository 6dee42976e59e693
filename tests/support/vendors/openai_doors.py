"""What OpenAI's own doors refuse, and xAI's door of the Responses kind."""

from __future__ import annotations

import re
from typing import Final

from tests.support.vendors.chat_servers import PAIRS
from tests.support.vendors.rule import Json, Rule, Sent, objects, unknown

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EMPTY: Final[Json] = {"type": "object", "properties": {}}


def _chat_tool(name: str = "f", schema: Json = _EMPTY) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def _tool(name: str = "f", schema: Json = _EMPTY, **more: object) -> Json:
    return {"type": "function", "name": name, "parameters": schema, **more}


def _rejects_effort(sent: Sent) -> bool:
    """GPT-5.6 and later think by default; 5.4 and 5.5 only where an effort is asked."""
    found = re.match(r"gpt-(\d+)(?:\.(\d+))?", sent.body["model"])
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    effort = sent.body.get("reasoning_effort", "medium" if version >= (5, 6) else "none")
    return bool(sent.body.get("tools")) and version >= (5, 4) and effort != "none"


def _chat_functions(sent: Sent) -> list[Json]:
    return [tool["function"] for tool in sent.body.get("tools") or () if tool["type"] == "function"]


def _bad_root(schemas: list[Json | None]) -> bool:
    return any(
        schema is not None
        and (schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "enum", "not"} & schema.keys())
        for schema in schemas
    )


def _loose(schema: Json) -> bool:
    """Whether a schema that is called strict is not."""
    return any(
        each.get("additionalProperties") is not False or set(each.get("required", ())) != set(each["properties"])
        for each in objects(schema)
        if isinstance(each.get("properties"), dict) and each.get("type") == "object"
    )


_ROOT: Final = "Invalid schema for function 'x': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"x\"'."
_STRICT: Final = (
    "Invalid schema for function 'x': In context=(), 'additionalProperties' is required to be supplied and to be false."
)

CHAT: Final = (
    Rule(
        id="openai.chat.responses_only",
        words="This model is only supported in v1/responses and not in v1/chat/completions.",
        source="alvinunreal/tmuxai#82, arbs-io/vscode-openai#358",
        breaks=lambda sent: "codex" in sent.body["model"] or "-pro" in sent.body["model"],
        bad={"model": "gpt-5-codex"},
        status=404,
    ),
    Rule(
        id="openai.chat.tools_with_effort",
        words="Function tools with reasoning_effort are not supported for x in /v1/chat/completions. Please use "
        "/v1/responses instead.",
        source="BerriAI/litellm#34569, openai/openai-openapi#541",
        breaks=_rejects_effort,
        bad={"model": "gpt-5.6-sol", "tools": [_chat_tool()]},
    ),
    Rule(
        id="openai.chat.max_tokens",
        words="Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        source="anomalyco/opencode#37964, teilomillet/gollm#33",
        breaks=lambda sent: "max_tokens" in sent.body,
        bad={"max_tokens": 9},
    ),
    Rule(
        id="openai.chat.temperature",
        words="Unsupported value: 'temperature' does not support x with this model. Only the default (1) value is supported.",
        source="https://platform.openai.com/docs/guides/latest-model#parameter-compatibility",
        breaks=lambda sent: sent.body.get("temperature", 1) != 1,
        bad={"temperature": 0},
    ),
    Rule(
        id="openai.chat.names",
        words="Invalid 'tools[x].function.name': string does not match pattern. Expected a string that matches the "
        "pattern '^[a-zA-Z0-9_-]+$' and has a maximum length of 64.",
        source="https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools",
        breaks=lambda sent: not all(_NAME.fullmatch(each["name"]) for each in _chat_functions(sent)),
        bad={"tools": [_chat_tool("f" * 65)], "reasoning_effort": "none"},
    ),
    Rule(
        id="openai.chat.schema_root",
        words=_ROOT,
        source="https://platform.openai.com/docs/guides/structured-outputs#root-objects-must-not-be-anyof",
        breaks=lambda sent: _bad_root([each.get("parameters") for each in _chat_functions(sent)]),
        bad={"tools": [_chat_tool("f", {"type": "array", "items": {}})], "reasoning_effort": "none"},
    ),
    Rule(
        id="openai.chat.strict",
        words=_STRICT,
        source="https://platform.openai.com/docs/guides/structured-outputs#supported-schemas",
        breaks=lambda sent: any(each.get("strict") and _loose(each["parameters"]) for each in _chat_functions(sent)),
        bad={
            "tools": [{"type": "function", "function": {"name": "f", "parameters": _EMPTY, "strict": True}}],
            "reasoning_effort": "none",
        },
    ),
    PAIRS,
)

_MEMBERS: Final = """model input instructions store stream include max_output_tokens reasoning text tools tool_choice
parallel_tool_calls temperature top_p top_logprobs prompt_cache_key prompt_cache_retention prompt_cache_options service_tier
safety_identifier user metadata truncation client_metadata stream_options max_tool_calls background conversation prompt
previous_response_id context_management moderation"""
_ITEMS: Final[dict[str, str]] = {
    "message": "type id role content status phase",
    "function_call": "type id call_id name namespace arguments status caller",
    "function_call_output": "type id call_id output status caller name",
    "reasoning": "type id summary content encrypted_content status",
    "custom_tool_call": "type id call_id name namespace input status caller",
    "custom_tool_call_output": "type id call_id output status caller name",
    "tool_search_call": "type id call_id execution arguments status",
    "tool_search_output": "type id call_id execution tools status",
    "additional_tools": "type id role tools status",
    "compaction": "type id encrypted_content",
    "compaction_trigger": "type",
}
_PREFIXES: Final = {"reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc", "message": "msg"}
_CALLED: Final[Json] = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
_ASKED: Final[Json] = {"role": "user", "content": "a"}


def items(sent: Sent) -> list[Json]:
    """The input of a Responses request as a list of items."""
    given = sent.body["input"]
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _kind(item: Json) -> str:
    return str(item.get("type", "message"))


def _functions(sent: Sent) -> list[Json]:
    return [each for each in objects(sent.body.get("tools")) if each.get("type") == "function" and "name" in each]


def _strange_item(sent: Sent) -> bool:
    return any(_kind(item) not in _ITEMS or unknown(item, _ITEMS[_kind(item)]) for item in items(sent))


def _no_output(sent: Sent) -> bool:
    called = {item["call_id"] for item in items(sent) if _kind(item).endswith("_call") and item.get("call_id")}
    answered = {item["call_id"] for item in items(sent) if _kind(item).endswith("_output") and item.get("call_id")}
    return called != answered


def _alone(sent: Sent) -> bool:
    """Whether reasoning is followed by nothing that it led to."""
    listed = items(sent)
    return any(
        _kind(item) == "reasoning"
        and (
            at + 1 == len(listed) or (_kind(listed[at + 1]).endswith("_output") or listed[at + 1].get("role") == "user")
        )
        for at, item in enumerate(listed)
    )


def _foreign_id(sent: Sent) -> bool:
    return any(
        not str(item["id"]).startswith(_PREFIXES[_kind(item)])
        for item in items(sent)
        if item.get("id") and _kind(item) in _PREFIXES
    )


RESPONSES: Final = (
    Rule(
        id="openai.responses.members",
        words="Unknown parameter: 'x'.",
        source="https://platform.openai.com/docs/api-reference/responses/create",
        breaks=lambda sent: unknown(sent.body, _MEMBERS),
        bad={"thinking": {"type": "enabled"}},
    ),
    Rule(
        id="openai.responses.items",
        words="Unknown parameter: 'input[x].x'.",
        source="https://platform.openai.com/docs/api-reference/responses/create#responses-create-input, openai/codex#19871",
        breaks=_strange_item,
        bad={"input": [{**_ASKED, "cache_control": {"type": "ephemeral"}}]},
    ),
    Rule(
        id="openai.responses.ids",
        words="Invalid 'input[x].id': 'x'. Expected an ID that begins with 'fc'.",
        source="openai/openai-agents-python#873",
        breaks=_foreign_id,
        bad={
            "input": [
                _ASKED,
                {**_CALLED, "id": "toolu_1"},
                {"type": "function_call_output", "call_id": "call_1", "output": ""},
            ]
        },
    ),
    Rule(
        id="openai.responses.call_ids",
        words="Invalid 'input[x].call_id': string too long. Expected a string with maximum length 64.",
        source="vercel/ai#7099 by its form; https://platform.openai.com/docs/api-reference/responses/create",
        breaks=lambda sent: any(len(str(item.get("call_id") or "")) > 64 for item in items(sent)),
        bad={
            "input": [
                {**_CALLED, "call_id": "c" * 65},
                {"type": "function_call_output", "call_id": "c" * 65, "output": ""},
            ]
        },
    ),
    Rule(
        id="openai.responses.outputs",
        words="No tool output found for function call x.",
        source="charmbracelet/crush#480",
        breaks=_no_output,
        bad={"input": [_ASKED, _CALLED, _ASKED]},
    ),
    Rule(
        id="openai.responses.reasoning",
        words="Item 'rs_x' of type 'reasoning' was provided without its required following item.",
        source="vercel/ai#7099",
        breaks=_alone,
        bad={"input": [_ASKED, {"type": "reasoning", "id": "rs_1", "summary": []}, _ASKED]},
    ),
    Rule(
        id="openai.responses.encrypted",
        words="The encrypted content x could not be verified.",
        source="docs/wire/reasoning-and-signatures.md",
        breaks=lambda sent: any(str(item.get("encrypted_content") or "").startswith("gw1.") for item in items(sent)),
        bad={
            "input": [
                {"type": "reasoning", "summary": [], "encrypted_content": "gw1.anthropic.eA"},
                {**_ASKED, "role": "assistant"},
            ]
        },
    ),
    Rule(
        id="openai.responses.names",
        words="Invalid 'tools[x].name': string does not match pattern. Expected a string that matches the pattern "
        "'^[a-zA-Z0-9_-]+$' and has a maximum length of 64.",
        source="https://platform.openai.com/docs/api-reference/responses/create#responses-create-tools",
        breaks=lambda sent: not all(_NAME.fullmatch(each["name"]) for each in _functions(sent)),
        bad={"tools": [_tool("mcp.f")]},
    ),
    Rule(
        id="openai.responses.schema_root",
        words=_ROOT,
        source="https://platform.openai.com/docs/guides/structured-outputs#root-objects-must-not-be-anyof",
        breaks=lambda sent: _bad_root([each.get("parameters") for each in _functions(sent)]),
        bad={"tools": [_tool("f", {"anyOf": [_EMPTY], "type": "object"})]},
    ),
    Rule(
        id="openai.responses.strict",
        words=_STRICT,
        source="https://platform.openai.com/docs/guides/structured-outputs#supported-schemas (strict unless it says not)",
        breaks=lambda sent: any(
            each.get("strict") and _loose(each.get("parameters") or {}) for each in _functions(sent)
        ),
        bad={"tools": [_tool("f", _EMPTY, strict=True)]},
    ),
    Rule(
        id="openai.responses.temperature",
        words="Unsupported parameter: 'temperature' is not supported with this model.",
        source="https://platform.openai.com/docs/guides/latest-model#parameter-compatibility",
        breaks=lambda sent: sent.body.get("temperature", 1) != 1 or sent.body.get("top_p", 1) != 1,
        bad={"temperature": 0},
    ),
    Rule(
        id="openai.responses.least_tokens",
        words="Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.",
        source="docs/wire/openai-responses.md",
        breaks=lambda sent: (sent.body.get("max_output_tokens") or 16) < 16,
        bad={"max_output_tokens": 1},
    ),
)

_GROK_TOOLS: Final = {"function", "web_search", "x_search", "code_interpreter", "file_search", "mcp"}
_GROK_ITEMS: Final = {
    "message": "type id role content status",
    "function_call": "type id call_id name arguments status",
    "function_call_output": "type id call_id output status",
    "reasoning": "type id summary content encrypted_content status",
}

XAI: Final = (
    Rule(
        id="xai.tools",
        words="Failed to deserialize the JSON body into the target type: tools[x].type: unknown variant `x`, expected one "
        "of `function`, `web_search`, `x_search`, `code_interpreter`, `file_search`, `mcp`",
        source="router-for-me/CLIProxyAPI#5257, chenyme/grok2api#673 (variants `custom` and `namespace`)",
        breaks=lambda sent: any(tool.get("type") not in _GROK_TOOLS for tool in sent.body.get("tools") or ()),
        bad={"tools": [{"type": "custom", "name": "apply_patch"}]},
        status=422,
    ),
    Rule(
        id="xai.items",
        words="Failed to deserialize the JSON body into the target type: data did not match any variant of untagged enum "
        "ModelInput",
        source="router-for-me/CLIProxyAPI#4282 and #4434, chenyme/grok2api#673",
        breaks=lambda sent: any(
            _kind(item) not in _GROK_ITEMS or unknown(item, _GROK_ITEMS[_kind(item)]) for item in items(sent)
        ),
        bad={"input": [_ASKED, {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": ""}]},
        status=422,
    ),
    Rule(
        id="xai.tool_choice",
        words="Failed to deserialize the JSON body into the target type: data did not match any variant of untagged enum "
        "ModelToolChoice",
        source="router-for-me/CLIProxyAPI#4718 and #4758",
        breaks=lambda sent: (
            not isinstance(sent.body.get("tool_choice", "auto"), str)
            and sent.body["tool_choice"].get("type") != "function"
        ),
        bad={"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        status=422,
    ),
    Rule(
        id="xai.summary",
        words="Argument not supported on this model: reasoning.summary",
        source="can1357/oh-my-pi#7454",
        breaks=lambda sent: "summary" in (sent.body.get("reasoning") or {}),
        bad={"reasoning": {"effort": "high", "summary": "auto"}},
    ),
    Rule(
        id="xai.outputs",
        words="No tool output found for function call x.",
        source="charmbracelet/crush#480 (of OpenAI; by analogy)",
        breaks=_no_output,
        bad={"input": [_ASKED, _CALLED, _ASKED]},
    ),
)
