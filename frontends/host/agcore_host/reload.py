"""Reads a running server's configuration again: when its files have changed (see `watch`), or when somebody asks.

What cannot be used is said once, each problem in a line of its own, and changes nothing: the configuration in force
stays until the files change again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from agcore.protocol import Event, Warned
from agcore_host.settings import Settings, SettingsError
from agcore_host.watch import Watch

InThread: TypeAlias = Callable[[Callable[[bool], Settings | None], bool], Awaitable[Settings | None]]
"""Awaits a call, with its argument, in a worker thread."""


class ConfigReader:
    """A configuration that is read again and again.

    Args:
        load: reads it; blocks, and raises SettingsError where it cannot be read or must not be served.
        watch: looks after its files; None where there are none.
        sink: told of what is wrong with it, and of what may not be meant.
        in_thread: where files are looked at.
    """

    def __init__(
        self, load: Callable[[], Settings], *, watch: Watch | None, sink: Callable[[Event], None], in_thread: InThread
    ) -> None:
        self.watch = watch
        self._load = load
        self._sink = sink
        self._in_thread = in_thread

    async def read(self, *, asked: bool = False) -> Settings | None:
        """Reads it if it has changed.

        Args:
            asked: read it in any case.

        Returns:
            A configuration that may be served; None where nothing has changed, or what has cannot be used.
        """
        try:
            settings = await self._in_thread(self._read, asked)
        except SettingsError as error:
            for problem in error.details or (str(error),):
                self.warn(f"the configuration stays what it was: {problem}")
            return None
        for sentence in () if settings is None else settings.parsed.warnings:
            self.warn(sentence)
        return settings

    def warn(self, message: str) -> None:
        """Notes a warning."""
        self._sink(Warned(message))

    def _read(self, asked: bool) -> Settings | None:
        if asked and self.watch is not None:
            self.watch.mark()
        return self._load() if asked or (self.watch is not None and self.watch.look()) else None
