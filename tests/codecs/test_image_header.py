"""What the first bytes of pictures say, against files as their formats' specifications lay them out."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.image_header import HEAD, ImageHeader, read_base64_header, read_header
from tests.support.pictures import jpeg, png, webp_extended, webp_lossless, webp_lossy

edges = st.integers(1, 16_383)


@given(edges, edges)
def test_the_size_of_every_format_is_read(width: int, height: int) -> None:
    assert read_header(png(width, height)) == ImageHeader("image/png", width, height)
    assert read_header(jpeg(width, height)) == ImageHeader("image/jpeg", width, height)
    for made in (webp_lossy, webp_lossless, webp_extended):
        assert read_header(made(width, height)) == ImageHeader("image/webp", width, height)


def test_what_stands_before_the_size_of_a_jpeg_is_skipped() -> None:
    before = b"\xff\xe1" + struct.pack(">H", 40_000) + b"\xff\xc0" * 19_999  # a segment that holds a marker's bytes
    assert read_header(jpeg(640, 480, before=before)) == ImageHeader("image/jpeg", 640, 480)
    filled = b"\xff\xff\xff\xd0" + b"\xff\xc4\x00\x04ab"
    assert read_header(jpeg(640, 480, before=filled, marker=0xC2)) == ImageHeader("image/jpeg", 640, 480)


@pytest.mark.parametrize(
    ("whole", "kind"),
    [
        (png(3, 4), "image/png"),
        (jpeg(3, 4), "image/jpeg"),
        (webp_lossy(3, 4), "image/webp"),
        (webp_lossless(3, 4), "image/webp"),
        (webp_extended(3, 4), "image/webp"),
    ],
)
def test_a_picture_that_is_cut_off_keeps_its_format_or_is_none(whole: bytes, kind: str) -> None:
    for length in range(len(whole)):
        found = read_header(whole[:length])
        assert found in (None, ImageHeader(kind), ImageHeader(kind, 3, 4))


def test_a_jpeg_whose_segments_are_broken_has_no_size() -> None:
    assert read_header(b"\xff\xd8\xff\xe0\x00\x04abNOT A MARKER") == ImageHeader("image/jpeg")
    assert read_header(b"RIFF\0\0\0\0WEBPVP8 " + bytes(14)) == ImageHeader("image/webp")  # no start code
    assert read_header(b"RIFF\0\0\0\0WEBPICCP" + bytes(14)) == ImageHeader("image/webp")
    assert read_header(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT" + bytes(8)) == ImageHeader("image/png")


@given(st.binary(max_size=64))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n"):
        read_header(start + data)


def test_base64_is_read_up_to_its_head_only() -> None:
    assert read_base64_header(base64.b64encode(png(5, 6)).decode()) == ImageHeader("image/png", 5, 6)
    late = jpeg(640, 480, before=(b"\xff\xe1" + struct.pack(">H", 65_535) + bytes(65_533)) * 5)
    assert len(late) > HEAD
    assert read_base64_header(base64.b64encode(late).decode()) == ImageHeader("image/jpeg")
    assert read_base64_header("no base64!") is None
    assert read_base64_header("AAAA") is None
    assert read_base64_header("é") is None
