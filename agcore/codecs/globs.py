"""Globs over model names: `*` stands for any run of characters, everything else for itself, case included.

There are no other wildcards and no escapes, so that a name may hold `?`, `[` or `.` without meaning anything. Patterns
come from a configuration but names come from clients, hence a matcher whose time is linear in the name: the pieces
between the stars are found one after the other, leftmost first, and nothing is ever tried twice.
"""

from __future__ import annotations


def is_glob(pattern: str) -> bool:
    """Whether `pattern` holds a wildcard, and so can match more than itself."""
    return "*" in pattern


def literal_length(pattern: str) -> int:
    """How many characters of `pattern` stand for themselves: the measure of how specific a pattern is."""
    return len(pattern) - pattern.count("*")


def matches(pattern: str, name: str) -> bool:
    """Whether the whole of `name` matches `pattern`."""
    if "*" not in pattern:
        return name == pattern
    head, *middle, tail = pattern.split("*")
    if len(name) < len(head) + len(tail) or not name.startswith(head) or not name.endswith(tail):
        return False
    at, end = len(head), len(name) - len(tail)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
