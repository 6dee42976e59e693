"""Segments of transcripts: their order, their times, their texts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.transcripts import LATEST, Segment, in_order, joined


def test_times_that_contradict_the_order_give_way() -> None:
    given = [Segment(5, 9, "a"), Segment(2, 3, "b"), Segment(8, 1, "c"), Segment(math.inf, -1, "d")]
    assert in_order(given) == (
        Segment(5.0, 5.001, "a"),
        Segment(5.001, 5.002, "b"),
        Segment(8.0, 8.001, "c"),
        Segment(8.001, 8.002, "d"),
    )


def test_segments_without_a_text_are_left_out_and_texts_are_one_line() -> None:
    given = [Segment(0, 1, " \n"), Segment(1, 2, " a\r\n\r\nb\x00\u2028c ")]
    assert in_order(given) == (Segment(1.0, 2.0, "a b c"),)


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (["Guten Tag.", "Wie geht's?"], "Guten Tag. Wie geht's?"),
        (["こんにちは。", "元気ですか。"], "こんにちは。元気ですか。"),
        (["안녕하세요.", "반갑습니다."], "안녕하세요. 반갑습니다."),
        (["東京", "Tokyo"], "東京 Tokyo"),
        (["", "a"], "a"),
        ([], ""),
    ],
)
def test_texts_are_joined_as_their_script_has_it(texts: list[str], text: str) -> None:
    assert joined(texts) == text


times = st.floats() | st.floats(-10, 100) | st.sampled_from([0.0, 1.0, LATEST, LATEST * 2])
texts = st.text(st.characters() | st.sampled_from("-->&<\n\r\x00 1:0,"), max_size=30)
segments = st.lists(st.builds(Segment, times, times, texts), max_size=12)


@given(segments)
def test_segments_never_run_backwards_or_overlap(given: list[Segment]) -> None:
    ordered = in_order(given)
    edges = [edge for each in ordered for edge in (each.start, each.end)]
    assert edges == sorted(edges)
    assert all(each.start < each.end and each.text for each in ordered)
    assert in_order(ordered) == ordered
