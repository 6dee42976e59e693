"""Keeps a running server's configuration what its file says, and its state file what its gateway has learned."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from agcore.config import startup_warnings, with_bind
from agcore.protocol import Event
from agcore_host.reload import ConfigReader
from agcore_host.settings import Settings, SettingsError, refusals
from agcore_host.state_file import SAVE, StateFile
from agcore_host.watch import Watch

if TYPE_CHECKING:
    from agcore.config import Config

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
        sink: told of what is wrong with it, and of what may not be meant.
        complete: adds what a configuration lacks for being served.
    """

    def __init__(
        self,
        load: Load,
        *,
        host: str,
        watch: Watch | None,
        sink: Callable[[Event], None],
        complete: Complete = as_it_is,
    ) -> None:
        self._load = load
        self._host = host
        self._complete = complete
        # The server's end does not wait for the thread: the disk may have gone to sleep.
        in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True)
        self._reader = ConfigReader(self._checked, watch=watch, sink=sink, in_thread=in_thread)
        self._asked = trio.Event()

    def ask(self) -> None:
        """Has the configuration read again at once, changed or not."""
        self._asked.set()

    async def run(self, apply: Callable[[Config], None]) -> None:
        """Calls `apply` with each new configuration that can be used, until cancelled."""
        watch = self._reader.watch
        while True:
            with trio.move_on_after(math.inf if watch is None else watch.pause):
                await self._asked.wait()
            asked, self._asked = self._asked.is_set(), trio.Event()
            settings = await self._reader.read(asked=asked)
            if settings is not None:
                config, unused = settings.parsed.config, settings.parsed.unused
                for sentence in startup_warnings(config, now=time.time()):
                    self._reader.warn(sentence)
                if unused:
                    self._reader.warn(f"not yet in effect: {', '.join(unused)}")
                apply(await self._complete(config))

    def _checked(self) -> Settings:
        loaded = self._load()
        config = loaded.parsed.config
        # The listener stays where it is, so the configuration must be fit for both: for that address and for its own.
        problems = refusals(config) or refusals(with_bind(config, host=self._host, port=None))
        if problems:
            raise SettingsError("this configuration may not be served", problems)
        return loaded


async def save_often(state: StateFile) -> None:
    """Saves a gateway's state when it has changed, until cancelled."""
    while True:
        await trio.sleep(SAVE)
        await state.save()
