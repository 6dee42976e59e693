"""The file in which what is known of keys outlives the process, where `pool.state_file` names one.

It is read once and replaced as a whole, so that a reader never finds half of it; of several worker processes the last
one to save has the word. What it holds can be done without: no failure here is more than a warning.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from agcore.protocol import Emit, Event, GatewayEffect, Warned
from agcore_host.private_files import write
from agcore_host.settings import reason

if TYPE_CHECKING:
    from agcore import Gateway
    from agcore_host.clock import Clock

InThread: TypeAlias = Callable[[Callable[[str, bytes], None], str, bytes], Awaitable[None]]
"""Awaits a call, with its two arguments, in a worker thread."""

SAVE: Final = 5.0
"""Seconds between two looks for something to save."""


class StateFile:
    """Saves a gateway's state.

    Args:
        gateway: whose state, and whose configuration names the file.
        clock: tells the time.
        sink: told of a file that cannot be read or written; of the latter once, until it can be written again.
        in_thread: where the file is written.
    """

    def __init__(self, gateway: Gateway, clock: Clock, sink: Callable[[Event], None], *, in_thread: InThread) -> None:
        self._gateway = gateway
        self._clock = clock
        self._sink = sink
        self._in_thread = in_thread
        self._unwritten: bytes | None = None
        self._failing = False

    def restore(self) -> list[GatewayEffect]:
        """Reads the file, if there is one, into the gateway."""
        path = self._gateway.config.pool.state_file
        if not path:
            return []
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            return [Emit(Warned(f"cannot read the state file {path}: {reason(error)}"))]
        return self._gateway.restore(data, now=self._clock.now())

    async def save(self) -> None:
        """Saves the state if it has changed."""
        path = self._gateway.config.pool.state_file
        if not path:
            return
        self._unwritten = self._gateway.unsaved_state(now=self._clock.now()) or self._unwritten
        if self._unwritten is None:
            return
        try:
            await self._in_thread(write, path, self._unwritten)
        except OSError as error:
            if not self._failing:
                self._sink(Warned(f"cannot write the state file {path}: {reason(error)}"))
            self._failing = True
        else:
            self._unwritten, self._failing = None, False
