"""What the events of a Messages stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.conversation.usage import count
from agcore.protocol.report import Usage


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; `input_tokens` excludes both caches already (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        fresh=count(usage, "input_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write=count(usage, "cache_creation_input_tokens"),
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "thinking_tokens"),
    )
