from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.globs import is_glob, literal_length, matches

texts = st.text(alphabet="ab*", max_size=12)


@given(pattern=texts, name=texts)
def test_matching_equals_a_regular_expression(pattern: str, name: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
    assert matches(pattern, name) is expected


@given(pieces=st.lists(st.text(max_size=4), min_size=1), fill=st.text(max_size=4))
def test_a_pattern_matches_what_its_stars_are_filled_with(pieces: list[str], fill: str) -> None:
    pattern = "*".join(piece.replace("*", "") for piece in pieces)
    assert matches(pattern, pattern.replace("*", fill))


def test_only_the_star_is_special_and_case_counts() -> None:
    assert matches("gpt-4.1", "gpt-4.1")
    assert not matches("gpt-4.1", "gpt-4x1")
    assert not matches("gpt-?", "gpt-4")
    assert not matches("gpt-[45]*", "gpt-4o")
    assert not matches("GPT-*", "gpt-4o")


def test_head_and_tail_do_not_share_characters() -> None:
    assert not matches("aba*aba", "ababa")
    assert matches("aba*aba", "abaaba")


def test_many_stars_against_a_long_name_need_no_backtracking() -> None:
    # A backtracking matcher would be at this until the end of the run.
    assert not matches("*a" * 40 + "b", "a" * 20_000)


def test_the_measure_of_a_pattern_counts_what_stands_for_itself() -> None:
    assert literal_length("claude-*-4*") == len("claude--4")
    assert is_glob("claude-*")
    assert not is_glob("claude")
