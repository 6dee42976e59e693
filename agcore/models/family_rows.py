"""Families of models, and what they take wherever they are served: chat templates travel with the weights.

Names are matched in lower case and without what stands before the last slash (`vendor_profiles.short_name`). Files of
weights have the family in the middle of their names (`mistralai_Devstral-Small-2.gguf`), hence the leading stars.
"""

from __future__ import annotations

from typing import Final

from agcore.models.vendor_profile import VendorRow

CHAT: Final = ("openai_chat",)

OPENAI: Final = (
    *("gpt-3*", "gpt-4*", "gpt-5*", "gpt-6*", "gpt-audio*", "chatgpt-*", "codex-*", "computer-use-*"),
    *("o1*", "o3*", "o4*", "ft:*"),
)
"""OpenAI's own models; its open weights (gpt-oss) are everybody's."""

_MISTRAL: Final = (
    *("*mistral*", "*ministral*", "*magistral*", "*devstral*", "*codestral*", "*pixtral*", "*mixtral*", "*voxtral*"),
    "*mathstral*",
)
_KIMI_THINKS: Final = (
    *("*kimi-k2.5*", "*kimi-k2.6*", "*kimi-k2.7*", "*kimi-k2.8*", "*kimi-k3*"),
    *("kimi-for-coding*", "*kimi-k2-thinking*", "*kimi-thinking*"),
)

FAMILIES: Final[tuple[VendorRow, ...]] = (
    VendorRow(
        models=OPENAI,
        members={
            "leading_system": "many",
            "late_system": "in_place",
            "developer_role": True,
            "endpoints": ("openai_responses", "openai_chat", "anthropic", "gemini", "openai_completions"),
        },
        source="https://platform.openai.com/docs/guides/migrate-to-responses (encrypted reasoning between calls), "
        "https://platform.openai.com/docs/api-reference/chat/create (roles)",
    ),
    VendorRow(
        models=("gpt-5.2*", "gpt-5.3*", "gpt-5.4*", "gpt-5.5*"),
        dialects=CHAT,
        members={"tools_with_effort_on_chat": "left_out"},
        source="livekit/agents#5084 and #5088, openai/openai-openapi#541, charmbracelet/crush#2913",
    ),
    VendorRow(
        models=("gpt-5.6*", "gpt-5.7*", "gpt-5.8*", "gpt-5.9*", "gpt-6*"),
        dialects=CHAT,
        members={"tools_with_effort_on_chat": "none"},
        source="BerriAI/litellm#34569, fazer-ai/agents#66 and #74, danny-avila/LibreChat#14231",
    ),
    VendorRow(
        models=(
            *("gpt-3*", "gpt-4", "gpt-4-*", "gpt-4o", "gpt-4o-2*", "gpt-4o-mini", "gpt-4o-mini-2*"),
            *("o1*", "o3-mini*"),
        ),
        members={"longest_description": 1024},
        source="getsentry/sentry-mcp#106 (gpt-4o), dnakov/anon-kode#45 (o1, o3-mini); from gpt-4.1 on 1,048,576 by "
        "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/models",
    ),
    VendorRow(
        models=("claude-*",),
        members={"endpoints": ("anthropic", "openai_responses", "openai_chat", "gemini", "openai_completions")},
        source="https://docs.anthropic.com/en/api/openai-sdk (its Chat endpoint is for tests)",
    ),
    VendorRow(
        models=("gemini-*", "gemma-*"),
        members={"endpoints": ("gemini", "openai_chat", "openai_responses", "anthropic", "openai_completions")},
        source="https://ai.google.dev/gemini-api/docs/openai",
    ),
    VendorRow(
        models=("*qwen3.5*", "*qwen3.6*", "*qwen3.7*", "*qwen3.8*", "*qwen-3.8*"),
        dialects=CHAT,
        members={"leading_system": "one", "late_system": "user_text", "user_first": True},
        source='ggml-org/llama.cpp#27367 and #20733, QwenLM/Qwen3.8#244: "System message must be at the beginning"; '
        'lmstudio-ai/lmstudio-bug-tracker#1655: "No user query found in messages"',
    ),
    VendorRow(
        models=("*qwen*", "*qwq*"),
        dialects=CHAT,
        members={"reasoning_member": "enable_thinking"},
        source="https://www.alibabacloud.com/help/en/model-studio/deep-thinking",
    ),
    VendorRow(
        models=("*deepseek*",),
        dialects=CHAT,
        members={"reasoning_member": "thinking", "reasoning_content": "taken"},
        source="https://api-docs.deepseek.com/guides/thinking_mode",
    ),
    VendorRow(
        models=("*deepseek-v4*", "*deepseek-reasoner*"),
        dialects=CHAT,
        members={"reasoning_content": "demanded", "forced_tool": "not_while_thinking"},
        source='deepseek-ai/DeepSeek-V3#1376: "Thinking mode does not support this tool_choice", '
        "NousResearch/hermes-agent#17341 and openclaw/openclaw#73417 (a single space is taken), can1357/oh-my-pi#7315",
    ),
    VendorRow(
        models=("*deepseek-r1*", "*-r1-distill*"),
        dialects=CHAT,
        members={"reasoning_member": "unasked", "reasoning_content": "refused"},
        source="https://api-docs.deepseek.com/guides/reasoning_model (of R1: a history with its thoughts is a 400)",
    ),
    VendorRow(
        models=("*kimi*", "moonshot-*"),
        dialects=CHAT,
        members={"reasoning_member": "thinking", "reasoning_content": "taken"},
        source="https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model",
    ),
    VendorRow(
        models=("*kimi-k3*",),
        dialects=CHAT,
        members={"reasoning_member": "reasoning_effort"},
        source="AgentFlocks/flocks#620, theopenco/llmgateway#3274",
    ),
    VendorRow(
        models=_KIMI_THINKS,
        dialects=CHAT,
        members={"reasoning_content": "demanded", "forced_tool": "not_while_thinking"},
        source="MoonshotAI/kimi-cli#2141, JohnnyZ93/oai-compatible-copilot#140: "
        '"thinking is enabled but reasoning_content is missing in assistant tool call message"',
    ),
    VendorRow(
        models=_KIMI_THINKS,
        members={"sampling": "fixed"},
        source='MoonshotAI/kimi-code#686, Narcooo/inkos#174: "invalid temperature: only 1 is allowed for this model", '
        "or 0.6 without thinking",
    ),
    VendorRow(
        models=("*kimi*", "moonshot-*"),
        members={"schemas": "moonshot"},
        source="MoonshotAI/kimi-cli#1595, #2061 and #2531, router-for-me/CLIProxyAPI#5316, anomalyco/opencode#39995",
    ),
    VendorRow(
        models=("*glm-4*", "*glm-5*"),
        dialects=CHAT,
        members={"reasoning_member": "thinking", "reasoning_content": "taken"},
        source="https://docs.z.ai/guides/capabilities/thinking-mode",
    ),
    VendorRow(
        models=("sonar*",),
        members={"tools": False, "alternates": True, "json_object": False},
        source="pipecat-ai/pipecat#4862, BerriAI/litellm#11665, "
        "https://docs.perplexity.ai/guides/structured-outputs (json_schema and regex)",
    ),
    VendorRow(
        models=_MISTRAL,
        dialects=CHAT,
        members={
            "leading_system": "one",
            "late_system": "user_text",
            "alternates": True,
            "user_after_tool": False,
            "call_ids": "nine_alphanumerics",
        },
        source="github.com/mistralai/mistral-common MistralRequestValidatorV3, vllm-project/vllm#6862, "
        "anomalyco/opencode#5034, sterlp/eclipse-peon-ai#75: "
        '"After the optional system message, conversation roles must alternate user and assistant roles"',
    ),
)
"""In the order in which they are merged."""
