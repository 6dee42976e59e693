"""What an exchange consumed, in disjoint parts.

Vendors overlap their counts in different ways (OpenAI's prompt tokens include the cached ones, Anthropic's do not;
Gemini's candidate tokens exclude the thoughts, everybody else's output includes them). Each dialect module reads its
own form into this one, in which nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one exchange."""

    fresh: int = 0
    """Input that no cache served."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """All output, reasoning included."""
    reasoning: int = 0

    @property
    def input(self) -> int:
        """All input."""
        return self.fresh + self.cache_read + self.cache_write


def total(usages: Iterable[Usage]) -> Usage:
    """The usage of several calls together."""
    counts = [msgspec.structs.astuple(usage) for usage in usages]
    return Usage(*map(sum, zip(*counts, strict=True)))


def count(counts: object, *path: str) -> int:
    """The non-negative integer at `path` of nested objects; 0 where it is absent or something else.

    Integers may come as strings (int64 in Google's JSON) or as whole floats.
    """
    for name in path:
        if not isinstance(counts, dict):
            return 0
        counts = counts.get(name)
    if isinstance(counts, str) and counts.isascii() and counts.isdigit() and len(counts) < 19:
        return int(counts)
    if isinstance(counts, bool) or not isinstance(counts, int | float) or not 0 <= counts < 2**63:
        return 0
    return int(counts)
