"""Vendors and servers, and what they take whatever the model; then what they take of one family."""

from __future__ import annotations

from typing import Final

from agcore.models.family_rows import CHAT, OPENAI
from agcore.models.vendor_profile import VendorRow

_OPENAI_HOSTS: Final = ("openai", "azure")

VENDORS: Final[tuple[VendorRow, ...]] = (
    # OpenAI, and Azure with the same models
    VendorRow(
        vendors=_OPENAI_HOSTS,
        models=(*OPENAI, "gpt-*"),
        members={"endpoints": ("openai_responses", "openai_chat")},
        source="https://platform.openai.com/docs/models, "
        "https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses",
    ),
    VendorRow(
        vendors=_OPENAI_HOSTS,
        models=(
            *("*codex*", "gpt-5-pro*", "gpt-5.*-pro*", "gpt-6*-pro*", "o1-pro*", "o3-pro*"),
            *("*deep-research*", "computer-use-*"),
        ),
        members={"endpoints": ("openai_responses",)},
        source="https://platform.openai.com/docs/models/gpt-5-codex, /gpt-5-pro, /o3-deep-research",
    ),
    VendorRow(
        vendors=_OPENAI_HOSTS,
        models=("gpt-5*", "gpt-6*", "o1*", "o3*", "o4*", "codex-*"),
        dialects=CHAT,
        members={"limit_on_chat": "max_completion_tokens"},
        source="https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens (not compatible with "
        "reasoning models), anomalyco/opencode#37964: \"Unsupported parameter: 'max_tokens'\"",
    ),
    VendorRow(
        vendors=_OPENAI_HOSTS,
        models=("gpt-audio*", "gpt-4o-audio*", "gpt-4o-mini-audio*", "*-search-preview*", "*-search-api*"),
        members={"endpoints": ("openai_chat",)},
        source="https://platform.openai.com/docs/models/gpt-audio, /gpt-4o-search-preview",
    ),
    VendorRow(
        vendors=_OPENAI_HOSTS,
        models=("gpt-3.5-turbo-instruct*", "*davinci-*", "*babbage-*"),
        members={"endpoints": ("openai_completions",)},
        source="https://platform.openai.com/docs/models/gpt-3.5-turbo-instruct",
    ),
    # Vendors of their own models
    VendorRow(
        vendors=("deepseek",),
        models=("deepseek-chat*",),
        dialects=CHAT,
        members={"reasoning_content": "taken"},
        source="https://api-docs.deepseek.com/quick_start/pricing (the name for V4 Flash without thinking)",
    ),
    VendorRow(
        vendors=("mistral",),
        dialects=CHAT,
        members={"prefill": "prefix_member", "reasoning_content": "refused"},
        source='https://docs.mistral.ai/capabilities/completion; "Extra inputs are not permitted" for unknown members',
    ),
    VendorRow(
        vendors=("xai",),
        members={"endpoints": ("openai_responses", "openai_chat", "anthropic")},
        source="https://docs.x.ai/docs/guides/chat (Chat is deprecated there), "
        "https://docs.x.ai/developers/advanced-api-usage/troubleshooting-reasoning (encrypted reasoning)",
    ),
    VendorRow(
        vendors=("xai",),
        models=("grok-4*", "grok-5*", "grok-code*", "grok-3-mini*", "grok-latest*"),
        members={"stop": False},
        source="https://docs.x.ai/docs/guides/reasoning: presencePenalty, frequencyPenalty and stop are errors",
    ),
    VendorRow(
        vendors=("xai",),
        models=("*non-reasoning*",),
        members={"stop": True},
        source="https://docs.x.ai/docs/models",
    ),
    VendorRow(
        vendors=("dashscope",),
        models=("*qwen*", "*qwq*"),
        dialects=CHAT,
        members={"forced_tool": "not_while_thinking"},
        source='cloudwego/eino#994, QwenLM/qwen-code#7659: "The tool_choice parameter does not support being set to '
        'required or object in thinking mode"',
    ),
    VendorRow(
        vendors=("deepseek",),
        dialects=CHAT,
        members={"prefill": "refused"},
        source="BerriAI/litellm#8090, https://api-docs.deepseek.com/guides/chat_prefix_completion (at another address)",
    ),
    VendorRow(
        vendors=("deepseek", "zai"),
        dialects=CHAT,
        members={"structured_output": False},
        source="https://api-docs.deepseek.com/api/create-chat-completion and "
        "https://docs.z.ai/api-reference/llm/chat-completion: text or json_object",
    ),
    VendorRow(
        vendors=("perplexity",),
        members={"tools": False, "alternates": True, "json_object": False},
        source="pipecat-ai/pipecat#4862, BerriAI/litellm#11665, "
        "https://docs.perplexity.ai/guides/structured-outputs (json_schema and regex)",
    ),
    VendorRow(
        vendors=("zai",),
        dialects=CHAT,
        members={"forced_tool": "refused"},
        source="https://docs.z.ai/api-reference/llm/chat-completion (`tool_choice`: only `auto`), "
        "https://java.agentscope.io/v2/en/integration/model/glm",
    ),
    VendorRow(
        vendors=("minimax",),
        dialects=CHAT,
        members={"reasoning_member": "unasked"},
        source='MiniMax-AI/MiniMax-M2#51 and #27: several system messages are "invalid chat setting (2013)"; '
        "https://java.agentscope.io/v2/en/integration/model/minimax",
    ),
    VendorRow(
        vendors=("cohere",),
        dialects=CHAT,
        members={"forced_tool": "by_word"},
        source="https://docs.cohere.com/docs/compatibility-api (`tool_choice`: REQUIRED or NONE)",
    ),
    # Who serves everybody's models
    VendorRow(
        vendors=("groq", "cerebras"),
        dialects=CHAT,
        members={"reasoning_content": "refused", "reasoning_member": "unasked"},
        source="janhq/jan#8136 and QwenLM/qwen-code#11045: \"property 'reasoning_content' is unsupported\"; "
        "https://console.groq.com/docs/reasoning, proxysoul/Empryo#209",
    ),
    VendorRow(
        vendors=("groq", "cerebras"),
        models=("*gpt-oss*",),
        dialects=CHAT,
        members={"reasoning_member": "reasoning_effort"},
        source="https://console.groq.com/docs/reasoning, https://inference-docs.cerebras.ai/capabilities/reasoning",
    ),
    VendorRow(
        vendors=("together", "fireworks", "sambanova", "deepinfra", "huggingface"),
        dialects=CHAT,
        members={"reasoning_member": "reasoning_effort"},
        source="https://docs.together.ai/docs/reasoning-overview, https://docs.fireworks.ai/guides/reasoning, "
        "https://deepinfra.com/docs/advanced/reasoning",
    ),
    VendorRow(
        vendors=("nvidia",),
        dialects=CHAT,
        members={"reasoning_member": "unasked", "refused_members": ("presence_penalty", "frequency_penalty")},
        source='Kilo-Org/kilocode#9652, can1357/oh-my-pi#2299, NousResearch/hermes-agent#77973: "Unsupported '
        'parameter(s)"',
    ),
    VendorRow(
        vendors=("nvidia",),
        models=("*deepseek-v4*", "*gpt-oss*", "*kimi-k2-thinking*", "*nemotron-3*"),
        dialects=CHAT,
        members={"reasoning_member": "reasoning_effort"},
        source="NousResearch/hermes-agent#19888, mnfst/modelparams.dev#48",
    ),
    VendorRow(
        vendors=("openrouter",),
        dialects=CHAT,
        members={"reasoning_member": "reasoning", "tools_with_effort_on_chat": "taken"},
        source="https://openrouter.ai/docs/use-cases/reasoning-tokens",
    ),
    VendorRow(
        vendors=("openrouter",),
        members={"endpoints": ("openai_chat", "anthropic", "openai_responses", "openai_completions")},
        source="https://openrouter.ai/docs/api-reference/responses-api-beta (stateless, in beta)",
    ),
    VendorRow(
        vendors=("openrouter",),
        models=("claude-*",),
        members={"endpoints": ("anthropic", "openai_chat", "openai_responses", "openai_completions")},
        source="https://openrouter.ai/docs/api-reference/anthropic-messages",
    ),
    VendorRow(
        vendors=("openrouter",),
        models=("claude-*",),
        dialects=CHAT,
        members={"cache_field": True},
        source="https://openrouter.ai/docs/features/prompt-caching, microsoft/vscode#312939",
    ),
    # Servers on one's own machine
    VendorRow(
        vendors=("vllm", "llamacpp"),
        models=("*qwen*", "*glm-*", "*deepseek-v*", "*kimi*", "*nemotron*", "*granite*"),
        dialects=CHAT,
        members={"reasoning_member": "chat_template_kwargs"},
        source="https://docs.vllm.ai/en/latest/features/reasoning_outputs.html, "
        "ggml-org/llama.cpp tools/server/README.md",
    ),
    VendorRow(
        vendors=("ollama", "lmstudio"),
        dialects=CHAT,
        members={"reasoning_member": "reasoning_effort"},
        source="https://docs.ollama.com/api/openai-compatibility, https://lmstudio.ai/docs/developer/openai-compat",
    ),
    VendorRow(
        vendors=("lmstudio", "llamacpp"),
        dialects=CHAT,
        members={"forced_tool": "by_word"},
        source="lmstudio-ai/lmstudio-bug-tracker#670: \"Invalid tool_choice type: 'object'. Supported string values: "
        'none, auto, required"; ggml-org/llama.cpp common/chat.cpp takes a string, too',
    ),
    VendorRow(
        vendors=("lmstudio",),
        dialects=CHAT,
        members={"json_object": False},
        source="https://lmstudio.ai/docs/developer/openai-compat/structured-output: json_schema or text",
    ),
)
"""In the order in which they are merged, behind the families."""
