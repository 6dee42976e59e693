"""Presets of providers: where each is, what it speaks, and how it takes a key.

A preset is data. It fills in what a `[[providers]]` entry leaves out, and nothing in the core asks which preset a
provider came from afterwards. The order of the table is the order in which providers found in the environment are
tried for a model name; vendors of their own models therefore stand before those who serve everybody's (`"*"`).

Base URLs are written the way `base_url` is: with the version for `openai*` (it is not `/v1` everywhere), without
`/v1` for `anthropic`, without `/v1beta` for `gemini`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

AUTH_NAMES: Final = ("bearer", "x-api-key", "x-goog-api-key", "none")
"""How a key is sent: `Authorization: Bearer K`, or in the header of that name, or not at all."""

DEFAULT_AUTH: Final[Mapping[str, str]] = {
    "openai": "bearer",
    "openai_completions": "bearer",
    "openai_responses": "bearer",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}
"""The way each dialect's own vendor takes a key."""

LOCAL_FIRST_BYTE: Final = 3600.0
"""Seconds: a machine of one's own may read a long prompt for many minutes, and would begin anew if it were asked again
(ollama 13939, 14395)."""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, as far as the preset's name tells."""

    base_urls: Mapping[str, str]
    """Dialect -> base URL."""
    auth: Mapping[str, str] = {}
    """Dialect -> one of `AUTH_NAMES`, where it differs from `DEFAULT_AUTH`."""
    models: tuple[str, ...] = ("*",)
    """Ids or globs it serves."""
    signer: str = ""
    """Whose reasoning signatures it makes and accepts; empty for the provider's own name."""
    vendor: str = ""
    """Whose models a bare `*` means, as the table of models names the vendor; empty where it may be anybody's."""
    environment: tuple[str, ...] = ()
    """The variables that usually hold its key; the first one that is set counts."""
    key_needed: bool = True
    """False for servers on one's own machine, which take any key or none."""
    first_byte: float = 0
    """Seconds until its answers begin, where it takes longer than others; 0 for the usual time."""

    def auth_for(self, dialect: str) -> str:
        """The way, one of `AUTH_NAMES`, in which the provider takes a key on its endpoint for `dialect`."""
        return self.auth.get(dialect, DEFAULT_AUTH[dialect])


PRESETS: Final[Mapping[str, Preset]] = {
    "openai": Preset(
        base_urls={
            "openai": "https://api.openai.com/v1",
            "openai_responses": "https://api.openai.com/v1",
            "openai_completions": "https://api.openai.com/v1",
        },
        # Not text-embedding-*: that would take Gemini's text-embedding-004 along.
        models=(
            "gpt-*",
            "chatgpt-*",
            "o1*",
            "o3*",
            "o4*",
            "codex-*",
            "computer-use-*",
            "text-embedding-3-*",
            "text-embedding-ada-*",
            "whisper-*",
            "tts-*",
            "dall-e-*",
            "sora-*",
            "omni-moderation-*",
            "text-moderation-*",
            "davinci-*",
            "babbage-*",
            "ft:*",
        ),
        signer="openai",
        vendor="openai",
        environment=("OPENAI_API_KEY",),
    ),
    "anthropic": Preset(
        base_urls={"anthropic": "https://api.anthropic.com"},
        models=("claude-*",),
        signer="anthropic",
        vendor="anthropic",
        environment=("ANTHROPIC_API_KEY",),
    ),
    "gemini": Preset(
        base_urls={"gemini": "https://generativelanguage.googleapis.com"},
        models=(
            "gemini-*",
            "gemma-*",
            "imagen-*",
            "veo-*",
            "learnlm-*",
            "text-embedding-004",
            "text-embedding-005",
            "embedding-001",
            "aqa",
        ),
        signer="gemini",
        vendor="google",
        environment=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    "zai": Preset(
        base_urls={"openai": "https://api.z.ai/api/paas/v4", "anthropic": "https://api.z.ai/api/anthropic"},
        models=("glm-*", "cogview-*", "cogvideox-*"),
        signer="zai",
        vendor="zai",
        environment=("ZAI_API_KEY",),
    ),
    "deepseek": Preset(
        base_urls={"openai": "https://api.deepseek.com/v1", "anthropic": "https://api.deepseek.com/anthropic"},
        models=("deepseek-*",),
        signer="deepseek",
        vendor="deepseek",
        environment=("DEEPSEEK_API_KEY",),
    ),
    "mistral": Preset(
        base_urls={"openai": "https://api.mistral.ai/v1"},
        models=(
            "mistral-*",
            "ministral-*",
            "magistral-*",
            "codestral-*",
            "devstral-*",
            "pixtral-*",
            "voxtral-*",
            "open-mistral-*",
            "open-mixtral-*",
        ),
        signer="mistral",
        vendor="mistral",
        environment=("MISTRAL_API_KEY",),
    ),
    # x.ai's Messages endpoint is deprecated: Anthropic's clients are served by translation.
    "xai": Preset(
        base_urls={"openai": "https://api.x.ai/v1", "openai_responses": "https://api.x.ai/v1"},
        models=("grok-*",),
        signer="xai",
        vendor="xai",
        environment=("XAI_API_KEY",),
    ),
    "moonshot": Preset(
        base_urls={"openai": "https://api.moonshot.ai/v1", "anthropic": "https://api.moonshot.ai/anthropic"},
        auth={"anthropic": "bearer"},
        models=("kimi-*", "moonshot-*"),
        signer="moonshot",
        vendor="moonshot",
        environment=("MOONSHOT_API_KEY",),
    ),
    "minimax": Preset(
        base_urls={"openai": "https://api.minimax.io/v1", "anthropic": "https://api.minimax.io/anthropic"},
        auth={"anthropic": "bearer"},
        models=("MiniMax-*", "minimax-*"),
        signer="minimax",
        vendor="minimax",
        environment=("MINIMAX_API_KEY",),
    ),
    "dashscope": Preset(
        base_urls={
            "openai": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "anthropic": "https://dashscope-intl.aliyuncs.com/apps/anthropic",
        },
        auth={"anthropic": "bearer"},
        models=("qwen*", "qwq-*", "qvq-*"),
        signer="dashscope",
        vendor="qwen",
        environment=("DASHSCOPE_API_KEY",),
    ),
    "perplexity": Preset(
        base_urls={"openai": "https://api.perplexity.ai"},
        models=("sonar", "sonar-*"),
        signer="perplexity",
        vendor="perplexity",
        environment=("PERPLEXITY_API_KEY",),
    ),
    "cohere": Preset(
        base_urls={"openai": "https://api.cohere.ai/compatibility/v1"},
        models=("command-*", "embed-*", "c4ai-*"),
        signer="cohere",
        environment=("COHERE_API_KEY", "CO_API_KEY"),
    ),
    "openrouter": Preset(
        base_urls={
            "openai": "https://openrouter.ai/api/v1",
            "openai_responses": "https://openrouter.ai/api/v1",
            "anthropic": "https://openrouter.ai/api",
        },
        auth={"anthropic": "bearer"},
        signer="openrouter",
        environment=("OPENROUTER_API_KEY",),
    ),
    "groq": Preset(
        base_urls={"openai": "https://api.groq.com/openai/v1", "openai_responses": "https://api.groq.com/openai/v1"},
        signer="groq",
        environment=("GROQ_API_KEY",),
    ),
    "together": Preset(
        base_urls={"openai": "https://api.together.xyz/v1", "openai_completions": "https://api.together.xyz/v1"},
        signer="together",
        environment=("TOGETHER_API_KEY",),
    ),
    "fireworks": Preset(
        base_urls={
            "openai": "https://api.fireworks.ai/inference/v1",
            "openai_completions": "https://api.fireworks.ai/inference/v1",
        },
        signer="fireworks",
        environment=("FIREWORKS_API_KEY",),
    ),
    "cerebras": Preset(
        base_urls={"openai": "https://api.cerebras.ai/v1"},
        signer="cerebras",
        environment=("CEREBRAS_API_KEY",),
    ),
    "nvidia": Preset(
        base_urls={"openai": "https://integrate.api.nvidia.com/v1"},
        signer="nvidia",
        environment=("NVIDIA_API_KEY",),
    ),
    "sambanova": Preset(
        base_urls={"openai": "https://api.sambanova.ai/v1"},
        signer="sambanova",
        environment=("SAMBANOVA_API_KEY",),
    ),
    "deepinfra": Preset(
        base_urls={"openai": "https://api.deepinfra.com/v1/openai"},
        signer="deepinfra",
        environment=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
    ),
    "huggingface": Preset(
        base_urls={"openai": "https://router.huggingface.co/v1"},
        signer="huggingface",
        environment=("HF_TOKEN",),
    ),
    # Servers on one's own machine. Newer ones speak Responses and Messages too; what they all speak is listed here,
    # and `dialect` with a `base_url` table says more.
    "ollama": Preset(
        base_urls={"openai": "http://127.0.0.1:11434/v1", "openai_completions": "http://127.0.0.1:11434/v1"},
        key_needed=False,
        first_byte=LOCAL_FIRST_BYTE,
    ),
    "lmstudio": Preset(
        base_urls={"openai": "http://127.0.0.1:1234/v1", "openai_completions": "http://127.0.0.1:1234/v1"},
        key_needed=False,
        first_byte=LOCAL_FIRST_BYTE,
    ),
    "vllm": Preset(
        base_urls={"openai": "http://127.0.0.1:8000/v1", "openai_completions": "http://127.0.0.1:8000/v1"},
        key_needed=False,
        first_byte=LOCAL_FIRST_BYTE,
    ),
    "llamacpp": Preset(
        base_urls={"openai": "http://127.0.0.1:8080/v1", "openai_completions": "http://127.0.0.1:8080/v1"},
        key_needed=False,
        first_byte=LOCAL_FIRST_BYTE,
    ),
}
"""By the name that `preset` takes."""
