"""JSON of peers, read and written without trust in it.

msgspec is fast, and strict where the world is not: lone surrogate escapes, which upstreams send that cut strings in the
middle of an emoji, are refused. Text that msgspec refuses is read once more by the standard library before it is called
bad. Where a text is whole, and what it holds will be sent on and come back, such halves become U+FFFD: `mended`. In a
stream the other half may follow in the next event.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_decode = msgspec.json.decode
_SURROGATES: Final = re.compile(
    # Two backslashes are passed over, so that what follows them is not taken for an escape.
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_ESCAPE: Final = 6
"""Bytes of an escape such as `\\ud83d`: what is longer, a pair, or shorter, two backslashes, stays."""


def mended(data: bytes) -> bytes:
    """JSON text with U+FFFD for every escape of a lone surrogate; `data` itself where there is none."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    text = _SURROGATES.sub(lambda found: b"\\ufffd" if len(found[0]) == _ESCAPE else found[0], data)
    return data if text == data else text


def decode(data: bytes) -> object:
    """The value that `data` spells. Raises ValueError for what is not JSON, or is nested too deeply to read."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        import json  # rarely needed, and not free to import

        try:
            return json.loads(data)
        except RecursionError:
            raise ValueError("JSON is nested too deeply") from None


def encode(value: object) -> bytes:
    """`value` as compact UTF-8 JSON. Lone surrogates, which UTF-8 cannot carry, leave as escapes.

    Raises ValueError for what is nested too deeply to write: the stack may be shorter here than where it was read.
    """
    try:
        try:
            return msgspec.json.encode(value)
        except UnicodeEncodeError:
            import json

            return json.dumps(value, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
