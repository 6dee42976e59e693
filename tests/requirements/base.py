"""The shape of a requirement."""

from __future__ import annotations

import msgspec


class Requirement(msgspec.Struct, frozen=True):
    """One sentence that holds."""

    id: str
    sentence: str
    source: str
    """Where it is said: a file of this repository, or an RFC by its number and section."""
    tests: tuple[str, ...]
    """`FILE::NAME`, the file below `tests`."""


def rows(source: str, *rows: tuple[str, str, tuple[str, ...] | str]) -> tuple[Requirement, ...]:
    """Requirements of one source: id, sentence, and the test or the tests."""
    return tuple(
        Requirement(id, sentence, source, (tests,) if isinstance(tests, str) else tests) for id, sentence, tests in rows
    )


def row(id: str, source: str, sentence: str, *tests: str) -> Requirement:
    """One requirement with a source of its own."""
    return Requirement(id, sentence, source, tests)
