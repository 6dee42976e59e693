"""Who serves at an address, for providers whose configuration does not say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VENDOR_OF_HOST: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "z.ai": "zai",
    "bigmodel.cn": "zai",
    "api.deepseek.com": "deepseek",
    "mistral.ai": "mistral",
    "api.x.ai": "xai",
    "moonshot.ai": "moonshot",
    "moonshot.cn": "moonshot",
    "api.kimi.com": "moonshot",
    "api.perplexity.ai": "perplexity",
    "cohere.ai": "cohere",
    "cohere.com": "cohere",
    "openrouter.ai": "openrouter",
    "api.groq.com": "groq",
    "together.xyz": "together",
    "together.ai": "together",
    "fireworks.ai": "fireworks",
    "cerebras.ai": "cerebras",
    "nvidia.com": "nvidia",
    "huggingface.co": "huggingface",
    "aliyuncs.com": "dashscope",
    "minimax.io": "minimax",
    "minimaxi.com": "minimax",
    "sambanova.ai": "sambanova",
    "deepinfra.com": "deepinfra",
    "ollama.com": "ollama",
}
"""Host, or the domain that it is in -> who serves there, as presets are named."""

VENDOR_OF_PORT: Final[Mapping[int, str]] = {
    11434: "ollama",
    1234: "lmstudio",
    8000: "vllm",
    8080: "llamacpp",
}
"""Port of a server on one's own machine -> who usually serves there."""


def vendor_at_host(host: str) -> str:
    """Returns who serves at a host, as presets are named; empty when unknown."""
    labels = host.lower().split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((VENDOR_OF_HOST[domain] for domain in domains if domain in VENDOR_OF_HOST), "")
