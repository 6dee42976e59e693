"""Pictures with a size: their first bytes, as the formats' specifications lay them out."""

from __future__ import annotations

import base64
import struct


def png(width: int, height: int) -> bytes:
    """The signature and the first chunk of a PNG."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def jpeg(width: int, height: int, *, before: bytes = b"\xff\xe0\x00\x04JF", marker: int = 0xC0) -> bytes:
    """A JPEG up to its frame header; `before` are the segments that precede it."""
    return b"\xff\xd8" + before + bytes((0xFF, marker)) + struct.pack(">HBHH", 11, 8, height, width) + b"\x01\x01\x11\0"


def webp_lossy(width: int, height: int) -> bytes:
    """A lossy WebP; both edges below 16,384."""
    return _webp(b"VP8 ", b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height))


def webp_lossless(width: int, height: int) -> bytes:
    """A lossless WebP; both edges below 16,385."""
    return _webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14 | 1 << 28) + bytes(8))


def webp_extended(width: int, height: int) -> bytes:
    """A WebP with features."""
    return _webp(b"VP8X", b"\x10\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3])


def coded(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def _webp(kind: bytes, chunk: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(chunk)) + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body
