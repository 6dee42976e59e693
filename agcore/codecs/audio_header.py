"""Headers of audio recordings: the format, and the length where a header states one.

Names of files and declared types are not looked at: phones, browsers and converters get them wrong. Nothing is decoded,
so that a recording of any size costs the same.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

FORMATS: Final = "WAV, MP3, FLAC, Ogg (Opus or Vorbis), M4A or MP4, WebM, AIFF, AAC (ADTS)"
"""What is recognised, for people."""

_Order = Literal["little", "big"]

_MAX_CHUNKS: Final = 64
_MAX_SECONDS: Final = 1e7
"""Four months: more than that is a broken header."""


class AudioHeader(msgspec.Struct, frozen=True):
    """The format of a recording, and its length where that stands in its header."""

    media_type: str
    """As Google names it."""
    seconds: float | None = None
    """None where it is not known."""


def read_header(data: bytes) -> AudioHeader | None:
    """The header of the recording `data`; None where it is none of `FORMATS`."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return AudioHeader("audio/wav", _wav_seconds(data))
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return AudioHeader("audio/aiff", _aiff_seconds(data))
    if data[:4] == b"fLaC":
        return AudioHeader("audio/flac", _flac_seconds(data))
    if data[:4] == b"OggS":
        return AudioHeader("audio/ogg")
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return AudioHeader("audio/webm")
    if data[4:8] == b"ftyp":
        return AudioHeader("audio/mp4")
    if data[:3] == b"ID3" or _is_mpeg_frame(data[:4]):
        return AudioHeader("audio/mp3")
    if len(data) >= 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
        return AudioHeader("audio/aac")
    return None


def _is_mpeg_frame(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer II or III begins here (ISO/IEC 11172-3, 2.4.1.3, and its extensions)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sampling_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer in (1, 2) and bit_rate != 15 and sampling_rate != 3


def _chunk(data: bytes, wanted: bytes, order: _Order) -> tuple[int, int] | None:
    """Where the payload of a RIFF or IFF chunk begins, and its declared size."""
    position = 12
    for _ in range(_MAX_CHUNKS):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], order)
        if len(name) < 4:
            break
        if name == wanted:
            return position + 8, size
        position += 8 + size + size % 2
    return None


def _wav_seconds(data: bytes) -> float | None:
    """Seconds of a WAV file: bytes of sound by their rate. The size that a streamed file declares is not believed."""
    described, sound = _chunk(data, b"fmt ", "little"), _chunk(data, b"data", "little")
    if described is None or sound is None:
        return None
    rate = int.from_bytes(data[described[0] + 8 : described[0] + 12], "little")
    return _seconds(min(sound[1], len(data) - sound[0]), rate)


def _aiff_seconds(data: bytes) -> float | None:
    """Seconds of an AIFF file: sample frames by their rate, which is an 80-bit float."""
    described = _chunk(data, b"COMM", "big")
    common = b"" if described is None else data[described[0] : described[0] + 18]
    if len(common) < 18:
        return None
    frames, exponent = int.from_bytes(common[2:6], "big"), int.from_bytes(common[8:10], "big") - 16383 - 63
    mantissa = int.from_bytes(common[10:18], "big")
    return _seconds(frames, mantissa * 2.0**exponent if -200 < exponent < 0 else 0)


def _flac_seconds(data: bytes) -> float | None:
    """Seconds of a FLAC file, from its first block (RFC 9639, section 8.2); None where that counts no samples."""
    packed = int.from_bytes(data[18:26], "big") if len(data) >= 26 else 0
    return _seconds(packed & (1 << 36) - 1, packed >> 44)


def _seconds(amount: float, rate: float) -> float | None:
    return amount / rate if amount > 0 and rate >= 1 and amount / rate < _MAX_SECONDS else None
