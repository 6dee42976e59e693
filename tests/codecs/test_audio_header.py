"""What the first bytes of a recording tell."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agcore.codecs.audio_header import AudioHeader, read_header
from tests.support.recordings import MP3, aiff, flac, wav


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (wav(), "audio/wav"),
        (MP3, "audio/mp3"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00", "audio/mp3"),
        (b"\xff\xf3\x40\xc4", "audio/mp3"),
        (b"\xff\xfd\x90\x00", "audio/mp3"),
        (flac(1, rate=8000), "audio/flac"),
        (b"OggS\x00\x02" + bytes(22) + b"OpusHead", "audio/ogg"),
        (b"\x00\x00\x00\x1cftypM4A ", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", "audio/webm"),
        (aiff(1, rate=8000), "audio/aiff"),
        (b"FORM\x00\x00\x00\x04AIFC", "audio/aiff"),
        (b"\xff\xf1\x50\x80\x02\x1f\xfc", "audio/aac"),
        (b"\xff\xf9\x50\x80\x02\x1f\xfc", "audio/aac"),
    ],
)
def test_a_format_is_known_by_its_bytes(data: bytes, media_type: str) -> None:
    header = read_header(data)
    assert header is not None
    assert header.media_type == media_type


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"FORM\x00\x00\x00\x00ILBM",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"%PDF-1.7",
        "\ufeffHello, world".encode("utf-16-le"),
        b"\xff\xfb",
        b"\xff\xfb\xf0\x00",
        b"\xff\xfb\x9c\x00",
        b"\xff\xeb\x90\x00",
        b"\xff\xf1\x50",
        b"hello, this is text",
    ],
)
def test_what_is_no_recording_is_not_taken_for_one(data: bytes) -> None:
    assert read_header(data) is None


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (wav(2.5), 2.5),
        (wav(2.5, declared=0xFFFFFFFF), 2.5),
        (wav(2.5, declared=1000), 1.0),
        (wav(2.5, declared=0), None),
        (wav(0), None),
        (aiff(88200, rate=44100), 2.0),
        (flac(240_000, rate=48000), 5.0),
        (flac(0, rate=48000), None),
        (flac(5, rate=0), None),
        (flac(5, rate=8000)[:25], None),
        (MP3, None),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", None),
    ],
)
def test_a_length_is_told_where_the_header_has_it(data: bytes, seconds: float | None) -> None:
    header = read_header(data)
    assert header is not None
    assert header.seconds == seconds


def test_chunks_before_the_sound_are_skipped() -> None:
    plain = wav(2)
    listed = b"LIST" + struct.pack("<I", 3) + b"abc\x00"
    assert read_header(plain[:36] + listed + plain[36:]) == AudioHeader("audio/wav", 2.0)


def test_no_more_than_a_few_chunks_are_looked_at() -> None:
    plain = wav(2)
    assert read_header(plain[:36] + b"LIST\x00\x00\x00\x00" * 70 + plain[36:]) == AudioHeader("audio/wav")


@given(
    st.sampled_from([wav(1), aiff(9, rate=8000), flac(9, rate=8000), MP3, b"OggS"]),
    st.integers(0, 80),
    st.binary(max_size=40),
)
@example(b"RIFF\x00\x00\x00\x00WAVEfmt ", 16, b"")
def test_broken_headers_never_raise(data: bytes, cut: int, junk: bytes) -> None:
    header = read_header(data[:cut] + junk)
    assert header is None or header.seconds is None or header.seconds > 0
