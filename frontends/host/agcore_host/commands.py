"""Secrets that commands print: `cmd:COMMAND`, such as a password manager's.

A command is run without a shell, in the directory of the configuration, and what it printed is kept: until it is old,
or until a vendor refuses a key, which may have been changed since.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agcore.protocol import CredentialCooled, Event

PATIENCE: Final = 30.0
"""Seconds that a command may take: it may ask its user for something."""

LASTS: Final = 3600.0
"""Seconds after which a command is run again."""

AT_MOST_EVERY: Final = 60.0
"""Seconds between two runs of a command, however often keys are refused."""


class Commands:
    """What commands printed.

    Args:
        clock: tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[str, float]] = {}
        """Command -> its output, and when it was run."""
        self._doubted = False

    def output(self, command: str, *, beside: Path) -> str | None:
        """What a command printed, or prints now, without white space around it.

        Args:
            command: its words, as a shell would write them.
            beside: the directory in which it is run.

        Returns:
            The output; where the command fails, is not there or prints nothing, what it printed before, or None.
        """
        now = self._clock()
        known = self._known.get(command)
        if known is not None and not self._is_due(known[1], now):
            return known[0]
        printed = _run(command, beside)
        if printed is None and known is not None:
            printed = known[0]
        if printed is not None:
            self._known[command] = (printed, now)
            self._doubted = self._doubted and self.are_due()
        return printed

    def hear(self, event: Event) -> None:
        """Takes an event: where a vendor refuses a key, all that was printed is doubted."""
        if isinstance(event, CredentialCooled) and event.refused:
            self._doubted = bool(self._known)

    def are_due(self) -> bool:
        """Whether any command should be run again."""
        now = self._clock()
        return any(self._is_due(at, now) for _, at in self._known.values())

    def _is_due(self, at: float, now: float) -> bool:
        return now - at >= (AT_MOST_EVERY if self._doubted else LASTS)


def _run(command: str, beside: Path) -> str | None:
    import shlex  # for those who have commands
    import subprocess

    try:
        words = shlex.split(command)
        if not words:
            return None
        done = subprocess.run(
            words,
            cwd=beside,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout.decode().strip() or None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
