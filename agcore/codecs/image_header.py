"""Headers of pictures: the format, and the size in pixels, from the first bytes.

PNG (W3C PNG 11.2.1), JPEG (ITU T.81, B.2.2) and WebP (RFC 9649) only, which is what the vendors' image models take and
make. Nothing is decoded, so that a picture of any size costs the same.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

HEAD: Final = 256 * 1024
"""Bytes that are looked at; what a camera or an editor puts before a JPEG's size is rarely longer."""

_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the frame headers, which hold the size."""
_JPEG_BARE: Final = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})
"""Markers without a length: restarts, the start, and fill bytes."""


class ImageHeader(msgspec.Struct, frozen=True):
    """The format of a picture, and its size where that stands in its first bytes."""

    media_type: str
    width: int = 0
    """Pixels; 0 where it is not known."""
    height: int = 0
    """Pixels; 0 where it is not known."""


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a picture that begins with `data`; None where it is no PNG, JPEG or WebP."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _sized("image/png", data[16:20], data[20:24]) if data[12:16] == b"IHDR" else ImageHeader("image/png")
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def read_base64_header(data: str) -> ImageHeader | None:
    """The header of a picture in standard base64; None also where it is no base64."""
    head = data[: HEAD * 4 // 3 // 4 * 4]
    try:
        return read_header(base64.b64decode(head))
    except (binascii.Error, ValueError):
        return None


def _sized(media_type: str, width: bytes, height: bytes) -> ImageHeader:
    """A header with a size in big-endian numbers; without one where they are cut off."""
    if not width or len(width) != len(height):
        return ImageHeader(media_type)
    return ImageHeader(media_type, int.from_bytes(width, "big"), int.from_bytes(height, "big"))


def _jpeg(data: bytes) -> ImageHeader:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _JPEG_SIZES:
            return _sized("image/jpeg", data[position + 7 : position + 9], data[position + 5 : position + 7])
        if marker in _JPEG_BARE:
            position += 1 if marker == 0xFF else 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return ImageHeader("image/jpeg")


def _webp(data: bytes) -> ImageHeader:
    """The three kinds of first chunk: lossy, lossless, and the canvas of an extended file."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return ImageHeader("image/webp")
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        edges = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        edges = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        edges = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    else:
        return ImageHeader("image/webp")
    return ImageHeader("image/webp", *edges)
