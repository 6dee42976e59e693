"""Subtitles, whatever a model wrote."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.subtitles import srt, vtt
from agcore.conversation.transcripts import LATEST, Segment, in_order

times = st.floats() | st.floats(-10, 100) | st.sampled_from([0.0, 1.0, LATEST, LATEST * 2])
texts = st.text(st.characters() | st.sampled_from("-->&<\n\r\x00 1:0,"), max_size=30)
segments = st.lists(st.builds(Segment, times, times, texts), max_size=12)


def _seconds(stamp: str) -> float:
    match = re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})", stamp)
    assert match is not None
    hours, minutes, whole, rest = map(int, match.groups())
    return (hours * 60 + minutes) * 60 + whole + rest / 1000


@given(segments)
def test_subtitles_are_well_formed_whatever_the_segments_hold(given: list[Segment]) -> None:
    ordered = in_order(given)
    for format, write, point in (("srt", srt, ","), ("vtt", vtt, ".")):
        text = write(ordered)
        assert len(text.splitlines()) == len(text.split("\n")) - 1
        if format == "vtt":
            assert text.startswith("WEBVTT\n\n")
            text = text.removeprefix("WEBVTT\n\n")
        assert text.count("-->") == len(ordered)
        cues = text.split("\n\n")
        assert cues.pop() == ""
        last = 0.0
        for number, (cue, segment) in enumerate(zip(cues, ordered, strict=True), 1):
            lines = cue.split("\n")
            if format == "srt":
                assert lines.pop(0) == str(number)
            stamps, shown = lines
            start, end = stamps.split(" --> ")
            assert point in start
            assert point in end
            assert last <= _seconds(start) < _seconds(end)
            assert (_seconds(start), _seconds(end)) == pytest.approx((segment.start, segment.end))
            last = _seconds(end)
            assert shown
            assert format == "srt" or "<" not in shown
