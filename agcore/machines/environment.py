"""Requests of an operation to the machine that it runs on: for files, room outside memory, an hour to be woken at, and
a word for another exchange."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import Effect, NotifyExchange, ReadFile, ReadSpool, Spool
from agcore.protocol.inputs import Notified

FILE: Final = 30.0
"""Seconds for reading a file: after the last was asked for, all that are missing count as refused."""

LATE: Final = f"was not read within {FILE:g} s"
"""Reason for refusing a file that is missing then."""


class Environment(msgspec.Struct):
    """The machine below one exchange, as its operation sees it."""

    effects: list[Effect]
    """Take the commands for the driver."""
    timers: Timers
    """Of the exchange."""
    spooled: int = 0
    """The number of what was put aside; 0 where nothing was, or it is gone."""
    files: int = 0
    """Number of files that were asked for, which are numbered from 1."""
    missing: list[int] = []
    """The files that are still waited for."""

    def spool(self, data: bytes) -> int:
        """Put a piece of the request aside, outside memory; the number names what was put aside so far."""
        self.spooled = 1
        self.effects.append(Spool(self.spooled, data))
        return self.spooled

    def read_file(self, path: str, *, roots: tuple[str, ...], max_bytes: int, now: float) -> int:
        """Have a file of this machine read (see `ReadFile`); `Operation.file_read` or `file_refused` gets its number.

        Not before the request is complete. Its bytes are not accounted for: who keeps them reserves memory.
        """
        number = self._number_file(now)
        self.effects.append(ReadFile(number, path, roots, max_bytes))
        return number

    def read_spool(self, *, now: float) -> int:
        """Have what was put aside read back as a whole; the rest is as with `read_file`. It stays put aside, too."""
        number = self._number_file(now)
        self.effects.append(ReadSpool(number, self.spooled))
        return number

    def set_alarm(self, at: float) -> None:
        """Have `Operation.alarm` called at this moment, in absolute seconds."""
        self.timers[Timer.ALARM] = at

    def notify(self, exchange: str, message: Notified) -> None:
        """Have another exchange of the same gateway told something."""
        self.effects.append(NotifyExchange(exchange, message))

    def file_came(self, number: int) -> bool:
        """Note that a file was read or refused. Returns whether it is one that is still waited for."""
        if number not in self.missing:
            return False
        self.missing.remove(number)
        if not self.missing:
            self.timers.pop(Timer.FILE, None)
        return True

    def _number_file(self, now: float) -> int:
        self.timers[Timer.FILE] = now + FILE
        self.files += 1
        self.missing.append(self.files)
        return self.files
