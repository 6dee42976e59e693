"""Requests of an operation to the machine that it runs on: for files, room outside memory, an hour to be woken at, a
word for another exchange, and facts of shared state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from agcore.machines.outside import Outside
from agcore.machines.timers import Timer, Timers
from agcore.protocol.effects import AskState, Effect, NotifyExchange, ReadFile, ReadSpool, Spool
from agcore.protocol.inputs import Notified
from agcore.protocol.state import Load, Loaded, Reply, Store
from agcore.state.responses import Entry, Missing
from agcore.state.shared import read_entry

FILE: Final = 30.0
"""Seconds for reading a file: after the last was asked for, all that are missing count as refused."""

LATE: Final = f"was not read within {FILE:g} s"
"""Reason for refusing a file that is missing then."""

FACTS: Final = 1.0
"""Seconds for facts: after the last was asked for, whoever holds those that are missing counts as away."""


class Pending(Exception):
    """What an operation needs to know was asked for: it is run again once all of that is known."""


class Environment(msgspec.Struct):
    """The machine below one exchange, as its operation sees it."""

    effects: list[Effect]
    """Take the commands for the driver."""
    timers: Timers
    """Of the exchange."""
    outside: Outside
    """Has facts, or knows that they must be asked for."""
    spooled: int = 0
    """The number of what was put aside; 0 where nothing was, or it is gone."""
    files: int = 0
    """Number of files that were asked for, which are numbered from 1."""
    missing: list[int] = []
    """The files that are still waited for."""
    facts: dict[tuple[Store, str], Entry | Missing] = {}
    """What was replied to questions, by store and key."""
    asked: dict[int, Load] = {}
    """The questions that are still to be replied to, by their numbers."""
    questions: int = 0
    """Number of questions that were asked, which are numbered from 1."""
    loaded: int = 0
    """Bytes of replies that nobody has accounted for yet."""

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

    def load(self, store: Store, keys: Iterable[str], *, client: str | None, now: float) -> dict[str, Entry | Missing]:
        """What is known of responses or items of a client, by their ids, of which none is `Missing.PENDING`.

        Only for `Operation.run`, before it has done anything else.

        Raises:
            Pending: Some of them were asked for. `Operation.run` lets it pass.
        """
        found = {key: self._load(store, key, client, now) for key in dict.fromkeys(keys)}
        if self.asked:
            raise Pending
        return found

    def reply(self, reply: Reply) -> bool:
        """Take in a reply. Returns whether it is the last one that was waited for; one that was not says nothing."""
        query = self.asked.pop(reply.id, None)
        if query is None:
            return False
        self.facts[query.store, query.key] = _fact(reply, query.client)
        self.loaded += len(reply.value or b"") if isinstance(reply, Loaded) else 0
        if self.asked:
            return False
        self.timers.pop(Timer.FACTS, None)
        return True

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

    def _load(self, store: Store, key: str, client: str | None, now: float) -> Entry | Missing:
        known = self.facts.get((store, key))
        if known is not None:
            return known
        query = Load(self.questions + 1, store, client, key)
        found = self.outside.load(query)
        if found is Missing.PENDING:
            self.questions = query.id
            self.asked[query.id] = query
            self.effects.append(AskState(query))
            self.timers[Timer.FACTS] = now + FACTS
        return found


def _fact(reply: Reply, client: str | None) -> Entry | Missing:
    """What a reply to a client's `Load` says. A value that nobody here can read is as good as away."""
    if not isinstance(reply, Loaded):
        return Missing.AWAY
    if reply.value is None:
        return Missing.FOREIGN if reply.foreign else Missing.NOTHING
    try:
        entry = read_entry(reply.value)
    except ValueError:
        return Missing.AWAY
    return entry if entry.client == client else Missing.FOREIGN
