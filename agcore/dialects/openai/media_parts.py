"""Pictures, files and sound as OpenAI's dialects write them: data URLs, plain URLs and named formats."""

from __future__ import annotations

import base64
import binascii
import re
import string
from typing import Final

from agcore.conversation.values import Document, Source

_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_MAGIC: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_STANDARD: Final = str.maketrans("-_", "+/", string.whitespace)
"""From either alphabet of base64 to the standard one. Splitting at white space would make an object of each piece."""
_AUDIO_FORMATS: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_AUDIO_TYPES: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mpeg3": "mp3",
}


def source_of(url: str) -> Source | None:
    """The source that a URL names; a data URL is taken apart. None for what is neither.

    What the bytes of a picture or PDF say they are counts more than what the URL claims: upstreams compare.
    """
    match = _DATA_URL.match(url)
    if match is None:
        return Source(url=url) if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", url) and url[:5].lower() != "data:" else None
    media_type, parameters = match[1].lower(), match[2].lower()
    if not parameters.endswith(";base64"):
        return None
    data = clean_base64(url[match.end() :])
    if not data:
        return None
    return Source(media_type=sniffed(data) or media_type or "text/plain", data=data)


def clean_base64(text: str) -> str | None:
    """Base64 of either alphabet as standard base64, padded, without white space; None for what is no base64."""
    if not text.isascii():
        return None
    standard = text.translate(_STANDARD).rstrip("=")
    standard += "=" * (-len(standard) % 4)
    try:
        base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError):
        return None
    return standard


def sniffed(data: str) -> str:
    """The media type that the first bytes of base64 `data` give away; empty where they do not."""
    head = base64.b64decode(data[:24] + "=" * (-len(data[:24]) % 4))
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def url_of(source: Source) -> str:
    """The URL of a source, a data URL where it holds bytes."""
    if source.data:
        return f"data:{source.media_type or 'application/octet-stream'};base64,{source.data}"
    return source.url


def audio_type(audio_format: str) -> str:
    """The media type of an `input_audio` format."""
    return _AUDIO_FORMATS.get(audio_format, f"audio/{audio_format}")


def audio_format(media_type: str) -> str:
    """The `input_audio` format for a media type; empty where there is none."""
    return _AUDIO_TYPES.get(media_type.partition(";")[0].strip().lower(), "")


def plain_text(document: Document) -> str | None:
    """The text of a document that is text; None for any other."""
    media_type = document.source.media_type.partition(";")[0].strip().lower()
    if not document.source.data or not (media_type.startswith("text/") or media_type == "application/json"):
        return None
    text = base64.b64decode(document.source.data).decode(errors="replace")
    return f"{document.title}\n\n{text}" if document.title else text
