"""Events of a stream and whole answers with single members replaced, all other bytes untouched."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, parse, splice


def edited(data: bytes, event: Mapping[str, object], changes: Mapping[str, bytes | None]) -> bytes:
    """An event's text with some top-level members replaced (or, for None, removed), all other bytes untouched.

    `event` is the same event decoded: an event that only the lenient reader can read is written anew from it.
    """
    try:
        return parse(data).edited(changes)
    except BodyError:
        members = {name: value for name, value in event.items() if name not in changes}
        members.update((name, json_text.decode(value)) for name, value in changes.items() if value is not None)
        return json_text.encode(members)


def renamed(data: bytes, event: dict[str, object], holder: str, model: str) -> bytes:
    """An event's text with `model` for the model named inside its member `holder`, all other bytes untouched.

    `event` is the same event decoded, and follows: `holder` is an object in it that names a model.
    """
    inner = event[holder]
    assert isinstance(inner, dict)
    inner["model"] = model
    return splice(data, (holder, "model"), msgspec.json.encode(model)) or json_text.encode(event)
