"""Where events go: the standard library's `logging`, so that the embedding service decides what becomes of them.

Access rows go to the logger `agcore.access`, all others to `agcore`; each is one line. A sink is any callable that
takes an `Event`; it is called on the event loop and must not block.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from agcore import LogRow, log_row
from agcore.protocol import Crashed, CredentialCooled, Event, HeadRefused, RequestEnded, Warned
from agcore_host.log_lines import fields_line

Sink: TypeAlias = Callable[[Event], None]

LEVELS: Final[Mapping[type, int]] = {
    Warned: logging.WARNING,
    CredentialCooled: logging.WARNING,
    Crashed: logging.ERROR,
}
"""By the class of an event; others are `INFO`."""


def show_on_stderr() -> None:
    """Have rows shown on standard error, if nobody has configured `logging` for them: no server does that by itself."""
    logger = logging.getLogger("agcore")
    if logger.hasHandlers() or logger.level != logging.NOTSET:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class LogSink:
    """Hands every event that has a row to `logging`.

    Args:
        render: how a row becomes a line: `fields_line` or `json_line` of `agcore_host.log_lines`.
    """

    def __init__(self, render: Callable[[LogRow], str] = fields_line) -> None:
        self._render = render
        self._access = logging.getLogger("agcore.access")
        self._other = logging.getLogger("agcore")

    def __call__(self, event: Event) -> None:
        """Records `event`, unless nobody listens at its level."""
        logger = self._access if isinstance(event, RequestEnded | HeadRefused) else self._other
        level = LEVELS.get(type(event), logging.INFO)
        if logger.isEnabledFor(level) and (row := log_row(event)) is not None:
            logger.log(level, "%s", self._render(row))
