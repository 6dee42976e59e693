"""What the chunks of a Chat Completions stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.conversation.usage import count
from agcore.protocol.report import Usage


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the prompt's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = count(usage, "prompt_tokens")
    # DeepSeek counts its cache hits under a name of its own, Moonshot beside the details.
    read = (
        count(usage, "prompt_tokens_details", "cached_tokens")
        or count(usage, "prompt_cache_hit_tokens")
        or count(usage, "cached_tokens")
    )
    write = count(usage, "prompt_tokens_details", "cache_write_tokens")
    return Usage(
        fresh=max(prompt - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "completion_tokens") or max(count(usage, "total_tokens") - prompt, 0),
        reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
    )
