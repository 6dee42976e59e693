"""Arguments of a call as the object that Anthropic's `input` must be."""

from __future__ import annotations

import msgspec

from agcore.codecs import json_text


def arguments_object(text: str) -> dict[str, object]:
    """The object that `text` spells: empty for blank text, `{"_raw": text}` for what is not an object."""
    return _read(text)[0]


def arguments_text(text: str) -> str:
    """JSON text of that object: `text` itself wherever it will do."""
    value, same = _read(text)
    return text if same else json_text.encode(value).decode()


def object_text(value: object) -> str:
    """JSON text of an `input`; of an empty one for what is not an object, or is nested too deeply to write."""
    try:
        return json_text.encode(value if isinstance(value, dict) else {}).decode()
    except ValueError:
        return "{}"


def _read(text: str) -> tuple[dict[str, object], bool]:
    """The object, and whether `text` is good JSON for it."""
    if not text.strip():
        return {}, False
    try:
        value, same = msgspec.json.decode(text.encode()), True
    except (ValueError, RecursionError):
        same = False
        try:
            value = json_text.decode(text.encode())
        except ValueError:
            value = None
    return (value, same) if isinstance(value, dict) else ({"_raw": text}, False)
