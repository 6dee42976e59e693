"""Where Notes go: the standard library's `logging`, so that the embedding service decides what becomes of them.

Access rows go to the logger `agcore.access`, all others to `agcore`; each is one line. A sink is any callable that
takes a `Note`; it is called on the event loop and must not block.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.protocol.effects import Note

Sink: TypeAlias = Callable[[Note], None]

LEVELS: Final[Mapping[str, int]] = {"warning": logging.WARNING, "error": logging.ERROR}
"""By the kind of a Note; other kinds are `INFO`."""


def text_line(note: Note) -> str:
    """Renders a Note as `kind key=value ...`; values with blanks, quotes or control characters are quoted."""
    return " ".join([note.kind, *(f"{key}={_plain(value)}" for key, value in note.fields.items())])


def json_line(note: Note) -> str:
    """Renders a Note as one JSON object, its kind under `"kind"`."""
    return msgspec.json.encode({"kind": note.kind, **note.fields}, enc_hook=str).decode()


class LogSink:
    """Hands every Note to `logging`.

    Args:
        render: how a Note becomes a line: `text_line` or `json_line`.
    """

    def __init__(self, render: Callable[[Note], str] = text_line) -> None:
        self._render = render
        self._access = logging.getLogger("agcore.access")
        self._other = logging.getLogger("agcore")

    def __call__(self, note: Note) -> None:
        """Records `note`, unless nobody listens at its level."""
        logger = self._access if note.kind == "access" else self._other
        level = LEVELS.get(note.kind, logging.INFO)
        if logger.isEnabledFor(level):
            logger.log(level, "%s", self._render(note))


def _plain(value: object) -> str:
    text = str(value)
    plain = bool(text) and text.isprintable() and not any(char in text for char in ' "=')
    return text if plain else msgspec.json.encode(text).decode()
