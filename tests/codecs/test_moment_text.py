from __future__ import annotations

import pytest

from agcore.codecs.moment_text import day_and_time, iso, until

NOON = 1_790_078_400.0  # 2026-09-22 12:00:00 UTC


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (-5, "until 11:59:55 UTC (in 0 s)"),
        (44.2, "until 12:00:45 UTC (in 45 s)"),
        (90, "until 12:01 UTC (in 2 min)"),
        (3540, "until 12:59 UTC (in 59 min)"),
        (5 * 3600, "until 17:00 UTC (in 5 h)"),
        (13 * 3600, "until 2026-09-23 01:00 UTC (in 13 h)"),
        (2 * 86400, "until 2026-09-24 12:00 UTC (in 2 days)"),
    ],
)
def test_until_tells_the_moment_and_the_span(wait: float, words: str) -> None:
    assert until(NOON + wait, now=NOON) == words


def test_moments_are_told_in_utc() -> None:
    assert day_and_time(NOON) == "2026-09-22 12:00 UTC"
    assert iso(NOON + 0.5) == "2026-09-22T12:00:01Z"
