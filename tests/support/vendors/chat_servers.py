"""What Chat servers that are not OpenAI's refuse: chat templates of local models, and vendors."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from tests.support.vendors.rule import Json, Rule, Sent, objects

_USER: Final[Json] = {"role": "user", "content": "a"}
_SAID: Final[Json] = {"role": "assistant", "content": "b"}
_SYSTEM: Final[Json] = {"role": "system", "content": "s"}
_CALL: Final[Json] = {"id": "a1B2c3D4e", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_CALLS: Final[Json] = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
_RESULT: Final[Json] = {"role": "tool", "tool_call_id": "a1B2c3D4e", "content": "r"}
_TOOL: Final[Json] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def _roles(sent: Sent) -> list[str]:
    return [message["role"] for message in sent.body["messages"]]


def _conversation(sent: Sent) -> list[Json]:
    """Without the one leading system message."""
    messages: list[Json] = sent.body["messages"]
    return messages[1:] if messages and messages[0]["role"] == "system" else messages


# Templates: Qwen, and Mistral's open weights


QWEN: Final = (
    Rule(
        id="qwen.system_first",
        words="System message must be at the beginning.",
        source="ggml-org/llama.cpp#20733, QwenLM/Qwen3.8#244",
        breaks=lambda sent: "system" in _roles(sent)[1:],
        bad={"messages": [_SYSTEM, _USER, _SYSTEM]},
        status=500,
    ),
    Rule(
        id="qwen.roles",
        words="Unexpected message role.",
        source="ggml-org/llama.cpp#20733",
        breaks=lambda sent: not set(_roles(sent)) <= {"system", "user", "assistant", "tool"},
        bad={"messages": [{"role": "developer", "content": "s"}, _USER]},
        status=500,
    ),
    Rule(
        id="qwen.some_user",
        words="No user query found in messages.",
        source="lmstudio-ai/lmstudio-bug-tracker#1655",
        breaks=lambda sent: "user" not in _roles(sent),
        bad={"messages": [_SYSTEM]},
        status=500,
    ),
)


def _alternates(messages: list[Json], *, steps: bool) -> bool:
    """Whether user and assistant take turns; with `steps` a message that calls tools is no turn."""
    turns = [
        message["role"]
        for message in messages
        if message["role"] in ("system", "user")
        or (message["role"] == "assistant" and not (steps and message.get("tool_calls")))
    ]
    return all((role == "user") == (at % 2 == 0) for at, role in enumerate(turns))


MISTRAL_TEMPLATE: Final = (
    Rule(
        id="devstral.roles",
        words="Only user, assistant and tool roles are supported, got x",
        source="SWE-agent/mini-swe-agent#759",
        breaks=lambda sent: not {message["role"] for message in _conversation(sent)} <= {"user", "assistant", "tool"},
        bad={"messages": [_USER, _SAID, _SYSTEM]},
        status=500,
    ),
    Rule(
        id="devstral.alternates",
        words="After the optional system message, conversation roles must alternate user and assistant roles except "
        "for tool calls and results.",
        source="anomalyco/opencode#5034, SWE-agent/mini-swe-agent#759",
        breaks=lambda sent: not _alternates(_conversation(sent), steps=True),
        bad={"messages": [_SYSTEM, _USER, _USER]},
        status=500,
    ),
)


# Vendors of their own models


def _ids(sent: Sent) -> list[str]:
    messages = sent.body["messages"]
    called = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    return called + [message["tool_call_id"] for message in messages if message["role"] == "tool"]


def _unanswered(sent: Sent) -> bool:
    """Whether a message with calls is not followed by a result for each."""
    messages = sent.body["messages"]
    for at, message in enumerate(messages):
        calls = {call["id"] for call in message.get("tool_calls") or ()}
        results = {each["tool_call_id"] for each in messages[at + 1 : at + 1 + len(calls)] if each["role"] == "tool"}
        if calls != results:
            return True
    return False


PAIRS: Final = Rule(
    id="chat.results",
    words="An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: x",
    source="https://platform.openai.com/docs/guides/function-calling, anomalyco/opencode#3077",
    breaks=_unanswered,
    bad={"messages": [_USER, _CALLS, _SAID, _USER], "thinking": {"type": "disabled"}},
)

MISTRAL: Final = (
    *MISTRAL_TEMPLATE,
    Rule(
        id="mistral.behind_a_tool",
        words="Unexpected role 'user' after role 'tool'",
        source="zed-industries/zed#37021 (code 3230)",
        breaks=lambda sent: any(
            before == "tool" and role not in ("tool", "assistant") for before, role in pairwise(_roles(sent))
        ),
        bad={"messages": [_USER, _CALLS, _RESULT, _SAID, _RESULT, _USER]},
    ),
    Rule(
        id="mistral.last",
        words="Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        source="https://github.com/mistralai/mistral-common MistralRequestValidatorV3",
        breaks=lambda sent: _roles(sent)[-1] not in ("user", "tool") and not sent.body["messages"][-1].get("prefix"),
        bad={"messages": [_USER, _SAID]},
    ),
    Rule(
        id="mistral.ids",
        words="Tool call id was x but must be a-z, A-Z, 0-9, with a length of 9.",
        source="langchain-ai/langchain#24668 (code 3280)",
        breaks=lambda sent: not all(re.fullmatch("[a-zA-Z0-9]{9}", id) for id in _ids(sent)),
        bad={
            "messages": [
                _USER,
                {**_CALLS, "tool_calls": [{**_CALL, "id": "toolu_01A"}]},
                {**_RESULT, "tool_call_id": "toolu_01A"},
            ]
        },
    ),
    Rule(
        id="mistral.members",
        words="Extra inputs are not permitted",
        source="https://docs.mistral.ai/api (a 422 of pydantic's); BerriAI/litellm#15825",
        breaks=lambda sent: any("reasoning_content" in message for message in sent.body["messages"]),
        bad={"messages": [_USER, {**_SAID, "reasoning_content": "c"}, _USER]},
        status=422,
    ),
    PAIRS,
)

PERPLEXITY: Final = (
    Rule(
        id="perplexity.tools",
        words="Tool calling is not supported for this model",
        source="BerriAI/litellm#11665",
        breaks=lambda sent: bool(sent.body.get("tools")),
        bad={"tools": [_TOOL]},
    ),
    Rule(
        id="perplexity.roles",
        words="messages[x].role must be one of system, user, assistant",
        source="pipecat-ai/pipecat#4862",
        breaks=lambda sent: any(
            message["role"] not in ("system", "user", "assistant") or "tool_calls" in message
            for message in sent.body["messages"]
        ),
        bad={"messages": [_USER, _CALLS, _RESULT]},
    ),
    Rule(
        id="perplexity.alternates",
        words="After the (optional) system message(s), user and assistant roles should be alternating.",
        source="perplexityai/api-discussion#265",
        breaks=lambda sent: not _alternates(_conversation(sent), steps=False),
        bad={"messages": [_USER, _USER]},
    ),
    Rule(
        id="perplexity.last",
        words="Last message must have role `user`.",
        source="perplexityai/api-discussion#265",
        breaks=lambda sent: _roles(sent)[-1] != "user",
        bad={"messages": [_USER, _SAID]},
    ),
)


def _thinks(sent: Sent) -> bool:
    return bool((sent.body.get("thinking") or {}).get("type") != "disabled")


def _forced(sent: Sent) -> bool:
    return sent.body.get("tool_choice") not in (None, "auto", "none")


def _without_reasoning(sent: Sent) -> bool:
    return _thinks(sent) and any(
        message["role"] == "assistant" and not message.get("reasoning_content") for message in sent.body["messages"]
    )


DEEPSEEK: Final = (
    Rule(
        id="deepseek.reasoning",
        words="The `reasoning_content` in the thinking mode must be passed back to the API.",
        source="NousResearch/hermes-agent#17341, openclaw/openclaw#73417",
        breaks=_without_reasoning,
        bad={"messages": [_USER, _CALLS, _RESULT]},
    ),
    Rule(
        id="deepseek.forced_tool",
        words="Thinking mode does not support this tool_choice",
        source="deepseek-ai/DeepSeek-V3#1376",
        breaks=lambda sent: _thinks(sent) and _forced(sent),
        bad={"tools": [_TOOL], "tool_choice": "required"},
    ),
    Rule(
        id="deepseek.roles",
        words="Failed to deserialize the JSON body into the target type: messages[x].role: unknown variant `developer`, "
        "expected one of `system`, `user`, `assistant`, `tool`",
        source="Aider-AI/aider#3169 by its form; https://api-docs.deepseek.com/api/create-chat-completion",
        breaks=lambda sent: not set(_roles(sent)) <= {"system", "user", "assistant", "tool"},
        bad={"messages": [{"role": "developer", "content": "s"}, _USER]},
    ),
    Rule(
        id="deepseek.prefill",
        words="The last message of the assistant needs prefix mode, which is at another address",
        source="BerriAI/litellm#8090 (words are ours)",
        breaks=lambda sent: _roles(sent)[-1] == "assistant",
        bad={"messages": [_USER, {**_SAID, "reasoning_content": "c"}]},
    ),
    PAIRS,
)


def _foreign_reference(sent: Sent) -> bool:
    return any(
        isinstance(each.get("$ref"), str) and not each["$ref"].startswith("#/$defs/")
        for each in objects(sent.body.get("tools"))
    )


def _parameters(sent: Sent) -> list[Json]:
    return [tool["function"].get("parameters") or {"type": "object"} for tool in sent.body.get("tools") or ()]


KIMI: Final = (
    Rule(
        id="kimi.reasoning",
        words="thinking is enabled but reasoning_content is missing in assistant tool call message at index x",
        source="MoonshotAI/kimi-cli#2141, JohnnyZ93/oai-compatible-copilot#140",
        breaks=_without_reasoning,
        bad={"messages": [_USER, _CALLS, _RESULT]},
    ),
    Rule(
        id="kimi.temperature",
        words="invalid temperature: only 1 is allowed for this model",
        source="MoonshotAI/kimi-code#686, Narcooo/inkos#174",
        breaks=lambda sent: sent.body.get("temperature") not in (None, 1 if _thinks(sent) else 0.6),
        bad={"temperature": 0},
    ),
    Rule(
        id="kimi.forced_tool",
        words="tool_choice 'required' is incompatible with thinking enabled",
        source="can1357/oh-my-pi#827",
        breaks=lambda sent: _thinks(sent) and _forced(sent),
        bad={"tools": [_TOOL], "tool_choice": "required"},
    ),
    Rule(
        id="kimi.schema_root",
        words="function parameters is not a valid moonshot flavored json schema, details: <root type must be object>",
        source="MoonshotAI/kimi-cli#1595 and #2061",
        breaks=lambda sent: any(schema.get("type") != "object" for schema in _parameters(sent)),
        bad={"tools": [{"type": "function", "function": {"name": "f", "parameters": {"anyOf": [{"type": "object"}]}}}]},
    ),
    Rule(
        id="kimi.references",
        words="function parameters is not a valid moonshot flavored json schema, details: <$ref must start with "
        "#/$defs/>",
        source="MoonshotAI/kimi-cli#2531, router-for-me/CLIProxyAPI#5316",
        breaks=_foreign_reference,
        bad={
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}},
                    },
                }
            ]
        },
    ),
    PAIRS,
)
