"""HTTP dates: IMF-fixdate is read, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import http_date


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)))
def test_an_http_date_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert http_date.parse(format_datetime(moment, usegmt=True)) == moment.timestamp()


def test_a_leap_second_is_the_one_before() -> None:
    assert http_date.parse("Sat, 31 Dec 2016 23:59:60 GMT") == http_date.parse("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, xx Nov 1994 08:49:37 GMT",
        f"Sun, 06 Nov {10**30} 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_what_is_no_imf_fixdate_is_none(text: str) -> None:
    assert http_date.parse(text) is None


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["Sun,", "06", "Nov", "1994", "08", ":", "49", "37", "GMT", "9999999999999"])).map(
        " ".join
    )
)
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert isinstance(http_date.parse(text), float | None)
