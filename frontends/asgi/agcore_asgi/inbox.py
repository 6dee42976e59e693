"""How the reader tasks of an exchange reach its owner: one inbox, and a gate before every reader.

Only the owner of an exchange talks to the machine. A reader (the client's, or a leg's) puts what it has read into the
inbox and then waits at its gate; the owner takes the inputs one by one, carries out what each brings about, and opens
gates only when the inbox is empty. So a reader is never ahead of its owner, and the inbox holds what one turn of each
reader can produce: that is the backpressure.
"""

from __future__ import annotations

from collections import deque

import anyio

from agcore.protocol import Input, UpstreamInput, Written


class Inbox:
    """Inputs on their way to the owner, in the order in which they happened."""

    def __init__(self) -> None:
        self._inputs: deque[Input] = deque()
        self._arrival = anyio.Event()

    def __bool__(self) -> bool:
        return bool(self._inputs)

    def put(self, fact: Input) -> None:
        """Adds an input and wakes the owner."""
        self._inputs.append(fact)
        self._arrival.set()

    def take(self) -> Input:
        """The oldest input; the inbox must not be empty."""
        return self._inputs.popleft()

    def forget(self, leg: int) -> None:
        """Drops what an aborted leg has reported: nothing more is to be heard of it."""
        kept = [fact for fact in self._inputs if not (isinstance(fact, UpstreamInput | Written) and fact.leg == leg)]
        self._inputs = deque(kept)

    def wake(self) -> None:
        """Wakes the owner without an input."""
        self._arrival.set()

    async def wait(self) -> None:
        """Returns when there is something to take, or somebody new at a gate."""
        if not self._inputs:
            self._arrival = anyio.Event()
            await self._arrival.wait()


class Gate:
    """Holds one reader back until its owner asks for more.

    Args:
        inbox: the owner's, who is woken to look whether it wants what this reader can get.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._opened: anyio.Event | None = None

    def open(self) -> None:
        """Lets the reader through once, if it stands at the gate now: a permit given early would be a read ahead."""
        if self._opened is not None:
            self._opened.set()

    async def wait(self) -> None:
        """Stands at the gate until it is opened."""
        self._opened = anyio.Event()
        self._inbox.wake()
        try:
            await self._opened.wait()
        finally:
            self._opened = None
