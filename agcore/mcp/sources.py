"""Pictures and videos that tools are given: where they are, and what they are by their first bytes.

A source is an `https` URL, a `data:` URI or the absolute path of a local file. What a server, a URI or a file name says
about a type is not believed; the bytes say it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from string import whitespace
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from agcore.codecs.url import parse_url

Kind: TypeAlias = Literal["image", "video"]

MAX_BYTES: Final[Mapping[Kind, int]] = {"image": 5 * 1024 * 1024, "video": 8 * 1024 * 1024}

TAKEN: Final[Mapping[Kind, Mapping[str, str]]] = {
    "image": {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/gif": "GIF"},
    "video": {"video/mp4": "MP4", "video/quicktime": "QuickTime", "video/webm": "WebM", "video/x-msvideo": "AVI"},
}
"""Kind -> media type -> its name for people."""

_MAX_ESCAPES: Final = 1 << 18
"""`%41` and the like in a data URI. Base64 needs few; each costs much time and memory."""
_LONGEST_SCHEME: Final = 20
"""Characters of an unknown scheme that are shown."""

_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypavis", "image/avif"),
    (4, b"ftyphe", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypmsf1", "image/heif"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
)
"""(offset, bytes there, type); the first row that fits counts, those at offset 8 in RIFF files only."""


class Inline(msgspec.Struct, frozen=True):
    """The bytes came with the source."""

    data: bytes


class Remote(msgspec.Struct, frozen=True):
    """An `https` URL."""

    url: str


class Local(msgspec.Struct, frozen=True):
    """A file of the machine that the gateway runs on."""

    path: str


Source: TypeAlias = Inline | Remote | Local


class BadSource(ValueError):
    """A source that is not taken; the text says why, for the model that gave it."""


def parse(text: str, *, kind: Kind) -> Source:
    """Read a source. Raises BadSource."""
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme == "data" and colon:
        return Inline(_data_of(rest, kind))
    if scheme == "https" and colon:
        return Remote(https_url(text))
    if "\0" in text:
        raise BadSource("a path holds no NUL character")
    if text.startswith("/") or (len(scheme) == 1 and rest.startswith(("\\", "/"))):
        return Local(text)
    if scheme == "file" and colon:
        raise BadSource("file: URLs are not taken; give the absolute path of the file")
    if colon and rest.startswith("//"):
        raise BadSource(f"{scheme[:_LONGEST_SCHEME]}: URLs are not taken, only https: ones")
    raise BadSource("give an https: URL, a data: URI, or the absolute path of a file")


def https_url(text: str) -> str:
    """`text` without a fragment, if it is an `https` URL. Raises BadSource."""
    url = text.partition("#")[0]
    try:
        scheme = parse_url(url, query=True).scheme
    except ValueError as error:
        raise BadSource(f"not a URL that is taken, but {error}") from None
    if scheme != "https":
        raise BadSource(f"{scheme}: URLs are not taken, only https: ones")
    return url


def type_of(data: bytes, *, kind: Kind) -> str:
    """The media type of a picture or video by its first bytes. Raises BadSource for anything else."""
    if not data:
        raise BadSource(f"the {kind} is empty")
    if len(data) > MAX_BYTES[kind]:
        raise BadSource(too_large(kind))
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset) and (offset != 8 or data.startswith(b"RIFF")):
            if name in TAKEN[kind]:
                return name
            break
    raise BadSource(f"the content is no {kind} in a format that is taken ({', '.join(TAKEN[kind].values())})")


def too_large(kind: Kind) -> str:
    """Returns the words for a source over its limit."""
    return f"the {kind} is larger than {MAX_BYTES[kind] // (1024 * 1024)} MB"


def _data_of(uri: str, kind: Kind) -> bytes:
    """The bytes of a data URI (RFC 2397), given without its scheme."""
    head, comma, text = uri.partition(",")
    if not comma:
        raise BadSource("the data: URI has no comma")
    if len(text) > 4 * MAX_BYTES[kind]:
        raise BadSource(too_large(kind))
    if text.count("%") > _MAX_ESCAPES:
        raise BadSource("the data: URI has too many escapes; send base64")
    raw = unquote_to_bytes(text.encode("utf-8", "surrogatepass"))
    if not head.lower().endswith(";base64"):
        return raw
    try:
        return b64decode(raw.translate(None, whitespace.encode()), validate=True)
    except binascii.Error:
        raise BadSource("the data: URI is not base64") from None
