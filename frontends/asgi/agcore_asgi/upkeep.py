"""Looks after an application's two files: its configuration is read again when it has changed, its state is saved.

A task does this where the server runs a lifespan. Where nobody does (an application that is mounted in another one has
none), requests do it on their way in, when its time has come.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from agcore.config.parser import ConfigError, Parsed
from agcore.config.values import Config
from agcore.protocol.effects import Note
from agcore_asgi.clock import Clock
from agcore_asgi.sinks import Sink
from agcore_asgi.state_file import StateFile
from agcore_asgi.watch import Watch

SAVE: Final = 5.0
"""Seconds between two looks for something to save."""


class ConfigFile:
    """A configuration's file, read again when it has changed.

    Args:
        path: the file.
        load: reads it; raises OSError or ValueError where that cannot be done.
    """

    def __init__(self, path: Path, load: Callable[[Path], Parsed]) -> None:
        self.watch = Watch(path)
        self._path = path
        self._load = load

    def load(self) -> Parsed:
        """Reads it."""
        return self._load(self._path)

    def load_if_changed(self) -> Parsed | None:
        """Reads it if it has changed, raising as `load` does; None where it has not."""
        return self.load() if self.watch.look() else None


class Upkeep:
    """Does what there is to do, at most as often as it is due.

    Args:
        state: saved every `SAVE` seconds, if it has changed.
        source: the configuration's file; None where there is none.
        apply: takes each new configuration.
        clock: tells the time.
        sink: told of what is wrong with a configuration: each problem by itself, once for each change.
    """

    def __init__(
        self,
        state: StateFile,
        source: ConfigFile | None,
        *,
        apply: Callable[[Config], object],
        clock: Clock,
        sink: Sink,
    ) -> None:
        self._state = state
        self._source = source
        self._apply = apply
        self._clock = clock
        self._sink = sink
        self._look_at = clock.now() + source.watch.pause if source else math.inf
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
        if self._source is not None and self._clock.now() >= self._look_at:
            await self._reload(self._source)
            self._look_at = self._clock.now() + self._source.watch.pause
        if self._clock.now() >= self._save_at:
            await self._state.save()
            self._save_at = self._clock.now() + SAVE

    async def _reload(self, source: ConfigFile) -> None:
        try:
            parsed = await anyio.to_thread.run_sync(source.load_if_changed)
        except (OSError, ValueError) as error:
            for problem in error.problems if isinstance(error, ConfigError) else (error,):
                self._warn(f"the configuration stays what it was: {problem}")
            return
        if parsed is not None:
            for sentence in parsed.warnings:
                self._warn(sentence)
            self._apply(parsed.config)

    def _warn(self, message: str) -> None:
        self._sink(Note("warning", {"message": message}))
