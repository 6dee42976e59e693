"""Keeps a running server's configuration what its file says.

The file is read again when it has changed (see `watch`) and when somebody asks. What cannot be used is said once, each
problem in a line of its own, and changes nothing: the configuration in force stays until the file changes again.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import trio

from agcore.config.parser import startup_warnings, with_bind
from agcore.protocol.effects import Note
from agcore_trio.settings import Settings, SettingsError, refusals
from agcore_trio.watch import Watch

if TYPE_CHECKING:
    from agcore.config.values import Config

Load: TypeAlias = Callable[[], Settings]
Complete: TypeAlias = "Callable[[Config], Awaitable[Config]]"


async def as_it_is(config: Config) -> Config:
    """Completes a configuration that lacks nothing."""
    return config


class Reloader:
    """Reads a configuration again and again.

    Args:
        load: reads it; raises SettingsError where that cannot be done.
        host: the address that the server listens on, whatever a later configuration says.
        watch: looks after its files; None where there are none.
        note: told of what is wrong with it, and of what may not be meant.
        complete: adds what a configuration lacks for being served.
    """

    def __init__(
        self,
        load: Load,
        *,
        host: str,
        watch: Watch | None,
        note: Callable[[Note], None],
        complete: Complete = as_it_is,
    ) -> None:
        self._load = load
        self._host = host
        self._watch = watch
        self._note = note
        self._complete = complete
        self._asked = trio.Event()

    def ask(self) -> None:
        """Has the configuration read again at once, changed or not."""
        self._asked.set()

    async def run(self, apply: Callable[[Config], None]) -> None:
        """Calls `apply` with each new configuration that can be used, until cancelled."""
        while True:
            with trio.move_on_after(math.inf if self._watch is None else self._watch.pause):
                await self._asked.wait()
            asked, self._asked = self._asked.is_set(), trio.Event()
            # In a thread, which the server's end does not wait for: the disk may have gone to sleep.
            if await trio.to_thread.run_sync(self._due, asked, abandon_on_cancel=True):
                await self._reload(apply)

    def _due(self, asked: bool) -> bool:
        if self._watch is None or not asked:
            return asked if self._watch is None else self._watch.look()
        self._watch.mark()
        return True

    async def _reload(self, apply: Callable[[Config], None]) -> None:
        try:
            loaded = await trio.to_thread.run_sync(self._checked, abandon_on_cancel=True)
        except SettingsError as error:
            for why in error.details or (str(error),):
                self._warn(f"the configuration stays what it was: {why}")
            return
        config, parsed = loaded.parsed.config, loaded.parsed
        for sentence in (*parsed.warnings, *startup_warnings(config)):
            self._warn(sentence)
        if parsed.unused:
            self._warn(f"not yet in effect: {', '.join(parsed.unused)}")
        apply(await self._complete(config))

    def _checked(self) -> Settings:
        loaded = self._load()
        config = loaded.parsed.config
        # The listener stays where it is, so the configuration must be fit for both: for that address and for its own.
        problems = refusals(config) or refusals(with_bind(config, host=self._host, port=None))
        if problems:
            raise SettingsError("this configuration may not be served", problems)
        return loaded

    def _warn(self, message: str) -> None:
        self._note(Note("warning", {"message": message}))
