"""JSON of peers, read and written without trust in it.

msgspec is fast, and strict where the world is not: lone surrogate escapes, which upstreams send that cut strings in the
middle of an emoji, are refused. Text that msgspec refuses is read once more by the standard library before it is called
bad.
"""

from __future__ import annotations

import msgspec

_decode = msgspec.json.decode


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
