"""Token counts: read from what vendors write, and added up."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agcore.protocol.report import Usage


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
    if counts is None:
        return 0
    if isinstance(counts, str) and counts.isascii() and counts.isdigit() and len(counts) < 19:
        return int(counts)
    if isinstance(counts, bool) or not isinstance(counts, (int, float)) or not 0 <= counts < 2**63:
        return 0
    return int(counts)
