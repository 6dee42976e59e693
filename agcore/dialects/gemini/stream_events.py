"""What the chunks of a generateContent stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.conversation.usage import count
from agcore.protocol.report import Usage


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; thoughts are beside the candidates' tokens, cached ones in the prompt's (docs/wire/answers.md#usage)."""
    usage = answer.get("usageMetadata")
    if not isinstance(usage, dict):
        return None
    prompt, read = count(usage, "promptTokenCount"), count(usage, "cachedContentTokenCount")
    tool, thoughts = count(usage, "toolUsePromptTokenCount"), count(usage, "thoughtsTokenCount")
    return Usage(
        fresh=max(prompt - read, 0) + tool,
        cache_read=read,
        output=count(usage, "candidatesTokenCount") + thoughts,
        reasoning=thoughts,
    )
