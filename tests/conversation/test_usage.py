"""Counts of tokens as parts that do not overlap."""

from __future__ import annotations

import pytest

from agcore.conversation.usage import count
from agcore.protocol.report import Usage


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (-7, 0),
        (True, 0),
        (None, 0),
        ("x", 0),
        ("٣", 0),
        ("9" * 30, 0),
        (1e300, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        ([7], 0),
    ],
)
def test_only_sensible_counts_count(value: object, number: int) -> None:
    assert count({"a": {"b": value}}, "a", "b") == number
    assert count(value, "a") == 0


def test_all_input_is_the_sum_of_its_parts() -> None:
    assert Usage(fresh=1, cache_read=2, cache_write=4, output=8).input == 7
