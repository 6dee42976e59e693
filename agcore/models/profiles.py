"""Profiles of models: what each accepts, how much of it, and which of that a configuration may override.

Finding the profile of a name takes the shipped table, which loads on first use (`known`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.models.vendor_profile import VendorProfile

REASONING_KINDS: Final = ("none", "effort", "budget", "adaptive", "level")
"""How a model's reasoning is asked for: not at all, by OpenAI's effort, by a token budget (Anthropic up to 4.5, Gemini
2.5), adaptively with an effort (Anthropic from 4.6), or by Gemini's thinking level."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What one model accepts, and how much of it."""

    model: str
    """The name that was looked up."""
    display_name: str
    vendor: str = ""
    """`openai`, `anthropic`, `google`, `zai`, `deepseek`, `xai`, `mistral`, `moonshot`, `qwen`, `perplexity` or
    `minimax`; empty when unknown."""
    created: int = 0
    """The day of release, seconds since the epoch; 0 when unknown."""
    listed: bool = True
    """Shown where a glob lists the shipped table; false for models that their vendor does not serve (any more)."""
    context_window: int = 128_000
    """Tokens; 0 where the notion does not apply."""
    max_output_tokens: int = 8_192
    """Tokens; 0 where the notion does not apply."""
    chat: bool = True
    """It takes part in conversations; false for models that only embed, draw, hear or speak."""
    tools: bool = True
    vision: bool = True
    pdf: bool = False
    audio_in: bool = False
    structured_output: bool = True
    sampling: bool = True
    """It accepts temperature and top_p at values other than their defaults."""
    top_k: bool = False
    penalties: bool = True
    """It accepts presence and frequency penalties."""
    reasoning: str = "none"
    """One of `REASONING_KINDS`."""
    efforts: tuple[str, ...] = ()
    """The effort levels it takes, weakest first. `none` is among them where reasoning can be switched off, for budget
    models too."""
    min_budget: int = 0
    """Tokens: the smallest reasoning budget."""
    max_budget: int = 0
    """Tokens: the largest reasoning budget; 0 where it takes none."""
    image_output: bool = False
    transcription: bool = False
    speech: bool = False
    embeddings: bool = False
    upstream: VendorProfile = VendorProfile()
    """The manners of who serves it. What these rule out (tools, sampling) is False above, too."""


CAPABILITY_FIELDS: Final[Mapping[str, type]] = {
    "display_name": str,
    "context_window": int,
    "max_output_tokens": int,
    "chat": bool,
    "tools": bool,
    "vision": bool,
    "pdf": bool,
    "audio_in": bool,
    "structured_output": bool,
    "sampling": bool,
    "top_k": bool,
    "penalties": bool,
    "reasoning": str,
    "efforts": list,
    "min_budget": int,
    "max_budget": int,
    "image_output": bool,
    "transcription": bool,
    "speech": bool,
    "embeddings": bool,
}
"""The members that a configuration may set, and of which type; `reasoning` is one of `REASONING_KINDS`."""
