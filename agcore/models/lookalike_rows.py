"""Who imitates the dialect of another vendor, and what such a door knows of it (docs/wire/lookalikes.md)."""

from __future__ import annotations

from typing import Final

from agcore.models.vendor_profile import VendorRow

_MESSAGES: Final = ("anthropic",)
_RESPONSES: Final = ("openai_responses",)

LOOKALIKES: Final[tuple[VendorRow, ...]] = (
    VendorRow(
        vendors=(
            *("dashscope", "deepseek", "fireworks", "huggingface", "llamacpp", "lmstudio", "minimax", "moonshot"),
            *("nvidia", "ollama", "openrouter", "vllm", "zai"),
        ),
        dialects=_MESSAGES,
        members={
            "lookalike": True,
            "late_system": "user_text",
            "refused_members": (
                *("container", "context_management", "diagnostics", "fallbacks", "inference_geo", "mcp_servers"),
                *("output_format", "speed"),
            ),
        },
        source="github.com/deepseek-ai/DeepSeek-V3#1370, anthropics/claude-code#63569; the others by analogy",
    ),
    VendorRow(
        vendors=("lmstudio", "llamacpp", "moonshot", "ollama", "vllm", "zai"),
        dialects=_MESSAGES,
        members={"adaptive_thinking": False},
        source="https://docs.ollama.com/api/anthropic-compatibility, ggml-org/llama.cpp#17570; the others by analogy",
    ),
    VendorRow(
        vendors=("deepseek",),
        dialects=_MESSAGES,
        members={"known_tools": ("web_search",), "user_ids": "words", "reasoning_content": "demanded"},
        source="https://api-docs.deepseek.com/api/create-message, github.com/decolua/9router#2397, "
        "QwenLM/qwen-code#3788, deepseek-ai/awesome-deepseek-agent#67",
    ),
    VendorRow(
        vendors=("deepseek",),
        models=("*deepseek-v4*", "*deepseek-reasoner*"),
        dialects=_MESSAGES,
        members={"forced_tool": "not_while_thinking"},
        source="deepseek-ai/DeepSeek-V3#1376 (a forced choice passes with thinking disabled)",
    ),
    VendorRow(
        vendors=("moonshot",),
        models=("*kimi-k2.5*", "*kimi-k2.6*", "*kimi-k2.7*", "*kimi-k3*"),
        dialects=_MESSAGES,
        members={"forced_tool": "refused"},
        source="https://platform.moonshot.ai/docs/guide/kimi-k2-5-quickstart (of Chat: auto or none); by analogy",
    ),
    VendorRow(
        vendors=("moonshot",),
        models=("*kimi-k2.5*", "*kimi-k2.6*", "*kimi-k2.7*", "*kimi-k3*"),
        dialects=_MESSAGES,
        members={"reasoning_content": "demanded"},
        source="github.com/NousResearch/hermes-agent#16748 (Kimi's coding endpoint), getkimchi#1209; by analogy",
    ),
    VendorRow(
        vendors=("openrouter",),
        models=("claude-*",),
        dialects=_MESSAGES,
        members={"lookalike": False, "late_system": "in_place", "refused_members": ()},
        source="https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-messages (Anthropic answers)",
    ),
    VendorRow(
        vendors=(
            *("dashscope", "deepseek", "fireworks", "groq", "huggingface", "llamacpp", "lmstudio", "minimax"),
            *("moonshot", "nvidia", "ollama", "openrouter", "perplexity", "together", "vllm", "xai", "zai"),
        ),
        dialects=_RESPONSES,
        members={"lookalike": True},
        source="github.com/lmstudio-ai/lmstudio-bug-tracker#1810, ggml-org/llama.cpp#20156, ollama/ollama#17618, "
        "vllm-project/vllm#49493, BerriAI/litellm#30722; the others by analogy",
    ),
    VendorRow(
        vendors=("xai",),
        dialects=_RESPONSES,
        members={
            "known_tools": ("web_search", "x_search", "code_interpreter", "file_search", "mcp"),
            "refused_members": ("reasoning.summary", "text.verbosity", "client_metadata"),
            "developer_role": True,
        },
        source="https://docs.x.ai/docs/guides/tools/overview; github.com/can1357/oh-my-pi#7454 (`reasoning.summary`), "
        "router-for-me/CLIProxyAPI#4434, chenyme/grok2api#673 (items)",
    ),
    VendorRow(
        vendors=("lmstudio",),
        dialects=_RESPONSES,
        members={"known_tools": ("mcp",)},
        source="github.com/lmstudio-ai/lmstudio-bug-tracker#1383 (Expected 'function' | 'mcp')",
    ),
    VendorRow(
        vendors=("groq",),
        dialects=_RESPONSES,
        members={"known_tools": ("browser_search", "code_interpreter", "mcp"), "refused_members": ("include",)},
        source="https://console.groq.com/docs/responses-api",
    ),
    VendorRow(
        vendors=("openrouter",),
        dialects=_RESPONSES,
        members={"known_tools": ("web_search", "web_search_preview")},
        source="https://openrouter.ai/docs/api/reference/responses/overview",
    ),
    VendorRow(
        vendors=("openrouter",),
        models=("gpt-5*", "gpt-6*"),
        dialects=_RESPONSES,
        members={"known_tools": ("custom", "web_search", "web_search_preview")},
        source="https://openrouter.ai/docs/api/reference/responses/overview (OpenAI answers); by analogy",
    ),
)
"""In the order in which they are merged, behind the vendors."""
