"""Keeps an application's configuration what its file says, and its state file what its gateway has learned.

A task does this where the server runs a lifespan. Where nobody does (an application that is mounted in another one has
none), requests do it on their way in, when its time has come.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio

from agcore.config import Config
from agcore_host.clock import Clock
from agcore_host.reload import ConfigReader
from agcore_host.state_file import SAVE, StateFile


class Upkeep:
    """Does what there is to do, at most as often as it is due.

    Args:
        state: saved every `SAVE` seconds, if it has changed.
        reader: of the configuration's file; None where there is none.
        apply: takes each new configuration.
        clock: tells the time.
    """

    def __init__(
        self, state: StateFile, reader: ConfigReader | None, *, apply: Callable[[Config], object], clock: Clock
    ) -> None:
        self._state = state
        self._reader = reader
        self._apply = apply
        self._clock = clock
        self._look_at = self._next_look()
        self._save_at = clock.now() + SAVE
        self._taken = False
        """Somebody is at it, or will be in time."""

    async def run(self) -> None:
        """Does all of it, until cancelled."""
        self._taken = True
        try:
            while True:
                await self._work()
                await anyio.sleep(max(min(self._look_at, self._save_at) - self._clock.now(), 0))
        finally:
            self._taken = False

    async def in_passing(self) -> None:
        """Does what is due unless somebody else does."""
        if not self._taken and self._clock.now() >= min(self._look_at, self._save_at):
            self._taken = True
            try:
                await self._work()
            finally:
                self._taken = False

    async def _work(self) -> None:
        if self._reader is not None and self._clock.now() >= self._look_at:
            settings = await self._reader.read()
            if settings is not None:
                self._apply(settings.parsed.config)
            self._look_at = self._next_look()
        if self._clock.now() >= self._save_at:
            await self._state.save()
            self._save_at = self._clock.now() + SAVE

    def _next_look(self) -> float:
        if self._reader is None or self._reader.watch is None:
            return math.inf
        return self._clock.now() + self._reader.watch.pause
