"""Event streams: the same frames however the bytes are cut, and every rule of the format by example."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.sse import Decoder, Frame, SSELimitError, encode

ATOMS = (
    b"data: x",
    b"data:x",
    b"data",
    b'data: {"a":1}',
    b"data: [DONE]",
    b":c",
    b"event: e",
    b"event:",
    b"id: 1",
    b"id: \x00",
    b"id",
    b"retry: 10",
    b":",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"\xef",
    "é漢😀".encode(),
    "\u2028\u0085\x0b".encode(),
    b"\xff",
    b"\x00",
)
streams = st.lists(st.sampled_from(ATOMS), max_size=30).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    stream = draw(streams)
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *places, len(stream)]
    return stream, [stream[a:b] for a, b in itertools.pairwise(edges)]


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def decode(pieces: Iterable[bytes]) -> tuple[list[Frame], Frame | None, bool]:
    decoder = Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    last = decoder.close()
    return frames, last, decoder.truncated


def frames_of(stream: bytes) -> list[Frame]:
    frames, last, truncated = decode([stream])
    assert (last, truncated) == (None, False)
    assert decode(bytewise(stream)) == (frames, None, False)
    return frames


def fields(stream: bytes) -> list[tuple[bytes | None, str | None, str | None]]:
    return [(frame.data, frame.event, frame.id) for frame in frames_of(stream)]


def with_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def reference(stream: bytes) -> list[tuple[str | None, str | None, str | None]]:
    """The standard's algorithm, over the decoded text and line by line; the unfinished frame is left out."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    found: list[tuple[str | None, str | None, str | None]] = []
    data: list[str] = []
    event: str | None = None
    last_id: str | None = None
    for line in re.split(r"\r\n|\r|\n", text)[:-1]:
        if line == "":
            found.append(("\n".join(data) if data else None, event or None, last_id))
            data, event, last_id = [], None, None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return found


# What holds for every stream


@given(cut_streams())
def test_any_cutting_of_a_stream_gives_the_same_frames(case: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = case
    whole = decode([stream])
    assert decode(pieces) == whole
    assert decode(bytewise(stream)) == whole


@given(streams)
def test_frames_are_those_of_the_standards_line_by_line_algorithm(stream: bytes) -> None:
    frames, _, _ = decode([stream])
    found = [(None if f.data is None else f.data.decode(), f.event, f.id) for f in frames]
    assert found == reference(stream)


@given(streams)
def test_the_raw_frames_are_the_stream_without_its_byte_order_mark(stream: bytes) -> None:
    stream += b"x\n\n"
    frames, _, _ = decode([stream])
    raws = [frame.raw for frame in frames]
    assert with_lf(b"".join(raws)) == with_lf(stream.removeprefix(b"\xef\xbb\xbf"))
    assert not any(raw.endswith(b"\r") for raw in raws)


@given(streams)
def test_a_raw_frame_is_a_stream_of_that_one_frame(stream: bytes) -> None:
    frames, last, _ = decode([stream])
    for frame in frames + ([last] if last else []):
        assert decode([b"\xef\xbb\xbf", frame.raw]) == ([frame], None, False)


@given(
    cut_streams(),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_limits_stop_a_stream_after_the_same_frame_however_it_is_cut(
    case: tuple[bytes, list[bytes]], max_line: int, max_event: int
) -> None:
    def run(pieces: Iterable[bytes]) -> tuple[list[Frame], str]:
        decoder = Decoder(max_line=max_line, max_event=max_event)
        frames: list[Frame] = []
        try:
            for piece in pieces:
                frames += decoder.feed(piece)
            last = decoder.close()
        except SSELimitError:
            return frames, "over"
        return frames + ([last] if last else []), "within"

    stream, pieces = case
    whole = run([stream])
    assert run(pieces) == whole
    assert run(bytewise(stream)) == whole


payloads = st.lists(
    st.sampled_from([*(c.encode() for c in 'a: {"é漢\u2028\x00'), b"\n", b"\r", b"\r\n", b"data: "])
).map(b"".join)


@given(payloads, st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1))
def test_an_encoded_frame_decodes_to_what_went_in(data: bytes, event: str | None) -> None:
    raw = encode(data, event=event)
    assert frames_of(raw) == [Frame(raw, with_lf(data), event)]


# Line ends and frames


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_frame_keeps_its_bytes_with_either_usual_line_end(end: bytes) -> None:
    one, two = b"event: e" + end + b"data: 1" + end + end, b"data: 2" + end + end
    assert frames_of(one + two) == [Frame(one, b"1", "e"), Frame(two, b"2")]


def test_a_frame_ended_by_a_bare_cr_is_reported_at_once_with_the_lf_added() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\r\r") == [Frame(b"data: 1\r\r\n", b"1")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\ndata: 2\n\n") == [Frame(b"data: 2\n\n", b"2")]


def test_only_one_lf_after_a_bare_cr_is_swallowed() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\r\r") == [Frame(b"data: 1\r\r\n", b"1")]
    assert decoder.feed(b"\n\n") == [Frame(b"\n")]


def test_an_lf_further_on_is_not_swallowed() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\r\rdata: 2\n") == [Frame(b"data: 1\r\r\n", b"1")]
    assert decoder.feed(b"\n") == [Frame(b"data: 2\n\n", b"2")]


def test_a_blank_line_of_a_bare_cr_is_normalised_in_mid_stream_too() -> None:
    assert frames_of(b"data: 1\r\rdata: 2\n\n") == [Frame(b"data: 1\r\r\n", b"1"), Frame(b"data: 2\n\n", b"2")]


def test_bare_crs_inside_a_frame_stay_in_raw() -> None:
    assert frames_of(b"data: 1\rdata: 2\n\n") == [Frame(b"data: 1\rdata: 2\n\n", b"1\n2")]


def test_a_crlf_is_one_line_end_and_not_a_blank_line() -> None:
    assert fields(b"data: 1\r\ndata: 2\r\n\r\n") == [(b"1\n2", None, None)]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n"])
def test_an_extra_blank_line_is_a_frame_without_data(blank: bytes) -> None:
    assert frames_of(blank + b"data: 1\n\n" + blank) == [Frame(blank), Frame(b"data: 1\n\n", b"1"), Frame(blank)]


def test_other_unicode_line_separators_end_no_line() -> None:
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode()
    assert fields(b"data: " + text + b"\n\n") == [(text, None, None)]


# The byte order mark


def test_one_leading_byte_order_mark_is_dropped() -> None:
    assert frames_of(b"\xef\xbb\xbfdata: 1\n\n") == [Frame(b"data: 1\n\n", b"1")]


def test_a_second_byte_order_mark_belongs_to_the_field_name() -> None:
    raw = b"\xef\xbb\xbfdata: 1\n\n"
    assert frames_of(b"\xef\xbb\xbf" + raw) == [Frame(raw)]


def test_a_byte_order_mark_that_breaks_off_is_left_over_bytes() -> None:
    assert decode([b"\xef", b"\xbb"]) == ([], None, True)
    assert frames_of(b"\xef\xbbdata: 1\n\n") == [Frame(b"\xef\xbbdata: 1\n\n")]


# Fields


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data: x", b"x"),
        (b"data:x", b"x"),
        (b"data:  x", b" x"),
        (b"data:\tx", b"\tx"),
        (b"data: x: y", b"x: y"),
        (b"data:", b""),
        (b"data: ", b""),
        (b"data", b""),
        (b"Data: x", None),
        (b" data: x", None),
        (b"data : x", None),
        (b"database: x", None),
        (b": data: x", None),
        (b":", None),
        (b"retry: 3000", None),
        (b"whatever", None),
    ],
)
def test_a_field_is_its_exact_name_and_the_value_behind_the_colon_less_one_space(
    line: bytes, data: bytes | None
) -> None:
    assert frames_of(line + b"\n\n") == [Frame(line + b"\n\n", data)]


def test_data_lines_are_joined_by_lf() -> None:
    assert fields(b'data: {"a":\ndata\ndata: 1}\n\n') == [(b'{"a":\n\n1}', None, None)]


def test_comments_between_fields_are_no_part_of_the_data() -> None:
    assert fields(b"data: 1\n: note\ndata: 2\n\n") == [(b"1\n2", None, None)]


def test_an_event_without_data_is_reported() -> None:
    assert fields(b"event: ping\n\n") == [(None, "ping", None)]


@pytest.mark.parametrize(
    ("lines", "event"),
    [
        (b"event: a\nevent: b\n", "b"),
        (b"event: a\nevent\n", None),
        (b"event:\n", None),
        ("event: é\n".encode(), "é"),
        (b"event: \xff\n", "\ufffd"),
    ],
)
def test_the_last_event_line_holds_and_an_empty_one_means_none(lines: bytes, event: str | None) -> None:
    assert fields(lines + b"data: 1\n\n") == [(b"1", event, None)]


def test_an_event_type_does_not_outlive_its_frame() -> None:
    assert fields(b"event: a\nid: 7\n\ndata: 1\n\n") == [(None, "a", "7"), (b"1", None, None)]


@pytest.mark.parametrize(
    ("lines", "last_id"),
    [
        (b"id: 1\n", "1"),
        (b"id: 1\nid: 2\n", "2"),
        (b"id: a\x00b\n", None),
        (b"id: 1\nid: \x00\n", "1"),
        (b"id\n", ""),
        (b"id: \xff\n", "\ufffd"),
    ],
)
def test_the_last_id_without_nul_holds_and_an_empty_one_resets(lines: bytes, last_id: str | None) -> None:
    assert fields(lines + b"\n") == [(None, None, last_id)]


# UTF-8


def test_malformed_utf8_is_replaced_in_data_and_kept_in_raw() -> None:
    raw = b"data: a\xff\xe6\xbc\ndata: \xed\xa0\x80\n\n"
    assert frames_of(raw) == [Frame(raw, "a\ufffd\ufffd\n\ufffd\ufffd\ufffd".encode())]


# The end of the stream


@pytest.mark.parametrize(
    ("stream", "raw"),
    [
        (b'data: {"a": 1}', b'data: {"a": 1}\n\n'),
        (b'data: {"a": 1}\n', b'data: {"a": 1}\n\n'),
        (b'data: {"a": 1}\r\n', b'data: {"a": 1}\r\n\n'),
        (b'data: {"a": 1}\r', b'data: {"a": 1}\r\r\n'),
        (b'data: {"a":\r\ndata: 1}', b'data: {"a":\r\ndata: 1}\n\n'),
    ],
)
def test_complete_json_without_its_blank_line_is_flushed_and_well_formed(stream: bytes, raw: bytes) -> None:
    frames, last, truncated = decode([stream])
    assert (frames, truncated) == ([], False)
    assert last is not None
    assert last.raw == raw
    assert frames_of(raw) == [last]


def test_a_final_done_without_its_blank_line_is_flushed() -> None:
    assert decode([b"data: 1\n\ndata: [DONE]"]) == (
        [Frame(b"data: 1\n\n", b"1")],
        Frame(b"data: [DONE]\n\n", b"[DONE]"),
        False,
    )


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"a": 1',
        b'data: {"a": "\xff',
        b"data: [DONE",
        b"data:",
        b"event: e\n",
        b": c",
        b"data: " + b"[" * 100_000,
    ],
)
def test_anything_else_unfinished_is_discarded_and_called_truncated(stream: bytes) -> None:
    assert decode([stream]) == ([], None, True)


def test_an_empty_stream_is_not_truncated() -> None:
    assert decode([]) == ([], None, False)


# Limits


@pytest.mark.parametrize(("end", "max_event"), [(b"\n", 16), (b"\r", 16), (b"\r\n", 18)])
def test_lines_and_events_of_exactly_the_limit_pass(end: bytes, max_event: int) -> None:
    decoder = Decoder(max_line=7, max_event=max_event)
    assert len(decoder.feed((b"data: 1" + end + b"data: 2" + end + end) * 2)) == 2


def test_a_byte_order_mark_counts_for_no_limit() -> None:
    decoder = Decoder(max_line=1, max_event=1)
    assert [decoder.feed(piece) for piece in bytewise(b"\xef\xbb\xbf")] == [[], [], []]
    assert decoder.close() is None


@pytest.mark.parametrize("stream", [b"data: 12", b"data: 12\n", b"data: 12\n\n", b":\ndata: 12\n:\n", b":\rdata: 12"])
def test_a_line_over_the_limit_is_an_error_finished_or_not(stream: bytes) -> None:
    decoder = Decoder(max_line=7)
    with pytest.raises(SSELimitError, match="line of the stream is longer than 7 bytes"):
        _ = decoder.feed(stream), decoder.close()


def test_an_unfinished_line_is_refused_as_soon_as_it_is_too_long() -> None:
    decoder = Decoder(max_line=8)
    assert decoder.feed(b":\n: 34567") == []
    assert decoder.feed(b"8") == []
    with pytest.raises(SSELimitError):
        decoder.feed(b"9")


def test_an_event_over_the_limit_is_refused_before_it_is_complete() -> None:
    decoder = Decoder(max_event=16)
    assert decoder.feed(b"data: 1\ndata: 2\n") == []
    with pytest.raises(SSELimitError, match="event of the stream is larger than 16 bytes"):
        decoder.feed(b"d")


def test_a_whole_event_over_the_limit_is_refused() -> None:
    with pytest.raises(SSELimitError, match="event of the stream is larger than 15 bytes"):
        Decoder(max_event=15).feed(b"data: 1\ndata: 2\n\n")


def test_a_long_line_is_noticed_behind_a_frame_of_several_lines() -> None:
    decoder = Decoder(max_line=8)
    assert decoder.feed(b":\n:") == []
    assert decoder.feed(b"\n\n: 3456789") == [Frame(b":\n:\n\n")]
    with pytest.raises(SSELimitError):
        decoder.feed(b"")


def test_frames_before_the_offence_are_returned_first_and_then_the_decoder_is_dead() -> None:
    decoder = Decoder(max_line=7)
    assert decoder.feed(b"data: 1\n\ndata: 12\n\ndata: 3\n\n") == [Frame(b"data: 1\n\n", b"1")]
    with pytest.raises(SSELimitError):
        decoder.feed(b"data: 4\n\n")
    with pytest.raises(SSELimitError):
        decoder.feed(b"")
    with pytest.raises(SSELimitError):
        decoder.close()


# Work


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_long_line_in_small_pieces_is_searched_once(end: bytes) -> None:
    stream = end + b"data: " + b"x" * 1_000_000 + end + end
    pieces = [stream[i : i + 100] for i in range(0, len(stream), 100)]
    decoder = Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    assert [frame.data for frame in frames] == [None, b"x" * 1_000_000]
    assert decoder.scanned <= len(stream) + len(pieces)  # one byte a piece is looked at twice


def test_many_frames_in_one_piece_are_searched_once() -> None:
    stream = b"data: 1\n\n" * 10_000
    decoder = Decoder()
    assert len(decoder.feed(stream)) == 10_000
    assert decoder.scanned == len(stream)


# Writing


@pytest.mark.parametrize(
    ("data", "event", "raw"),
    [
        (b"{}", None, b"data: {}\n\n"),
        (b"{}", "ping", b"event: ping\ndata: {}\n\n"),
        (b"", None, b"data: \n\n"),
        (b"a\nb\r\nc\rd\n", None, b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
    ],
)
def test_a_frame_is_written_with_one_data_line_per_line(data: bytes, event: str | None, raw: bytes) -> None:
    assert encode(data, event=event) == raw
