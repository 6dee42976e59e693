"""What the events of a Responses stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.conversation.usage import count
from agcore.protocol.report import Usage


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the input's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    read = count(usage, "input_tokens_details", "cached_tokens")
    write = count(usage, "input_tokens_details", "cache_write_tokens")
    return Usage(
        fresh=max(count(usage, "input_tokens") - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "output_tokens"),
        reasoning=count(usage, "output_tokens_details", "reasoning_tokens"),
    )
