"""Which schemas OpenAI's dialects take, for the functions and formats of one model."""

from __future__ import annotations

from agcore.conversation.schemas.targets import MOONSHOT, OPENAI, OPENAI_STRICT, SchemaTarget
from agcore.models.profiles import Profile


def parameters_target(profile: Profile, *, strict: bool) -> SchemaTarget:
    """Returns what a function's parameters may say."""
    if profile.upstream.schemas == "moonshot":
        return MOONSHOT
    return output_target(strict=strict)


def output_target(*, strict: bool) -> SchemaTarget:
    """Returns what the schema of structured output may say."""
    return OPENAI_STRICT if strict else OPENAI
