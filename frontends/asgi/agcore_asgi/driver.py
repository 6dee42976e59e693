"""Drives one exchange: the loop between the machine on one side, the client and the upstream legs on the other.

The task that serves the request is the owner, the only one that calls the `Exchange`. It hands over one input, carries
out the whole list of effects that comes back, and only then looks at the next; when nothing is left it opens the gates
of those readers that the machine is interested in and waits for news or for the machine's deadline. The readers, one
for the client and one for each leg, are child tasks that end with the exchange (see `inbox`).

Pieces of a request that pass by to an upstream are handed over one at a time, each when the upstream's socket has taken
the one before; meanwhile one more is read and held, because that is how a client's leaving shows under ASGI.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agcore import Exchange
from agcore.protocol import (
    AbortUpstream,
    AskState,
    ClientGone,
    DrainRequested,
    DropSpool,
    Effect,
    Emit,
    EndUpstream,
    Input,
    Notified,
    NotifyExchange,
    OpenUpstream,
    ReadFile,
    ReadSpool,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendUpstream,
    Spool,
    Written,
)
from agcore_asgi.connection import Connection, ResponseAborted, render
from agcore_asgi.inbox import Gate, Inbox
from agcore_asgi.sinks import Sink
from agcore_asgi.upstream import SLOW_WRITE, Leg, UpstreamPool
from agcore_host.clock import Clock
from agcore_host.files import read_file
from agcore_host.shared_state import without_backend
from agcore_host.spool import Spools


class Driver:
    """The owner of one exchange.

    Args:
        exchange: the machine, fresh from `Gateway.open`.
        connection: the client.
        pool: where legs take their connections from.
        clock: the time that the machine is told.
        sink: takes the events.
        tell: passes a message on to the driver whose exchange it is for.
    """

    def __init__(
        self,
        exchange: Exchange,
        connection: Connection,
        pool: UpstreamPool,
        *,
        clock: Clock,
        sink: Sink,
        tell: Callable[[NotifyExchange], None] = lambda _: None,
    ) -> None:
        self._exchange = exchange
        self._connection = connection
        self._pool = pool
        self._clock = clock
        self._sink = sink
        self._tell = tell
        self._inbox = Inbox()
        self._client_gate = Gate(self._inbox)
        self._held: deque[Input] = deque()
        self._legs: dict[int, Leg] = {}
        self._spools = Spools()
        self._tasks: TaskGroup | None = None

    async def run(self, effects: list[Effect]) -> None:
        """Runs the exchange to its end.

        Args:
            effects: what `Gateway.open` returned beside the exchange.

        Raises:
            ResponseAborted: where a response was started and cannot be ended properly.
        """
        try:
            async with anyio.create_task_group() as self._tasks:
                await self._perform(effects)
                if not self._exchange.finished:
                    self._tasks.start_soon(self._read_client)
                    await self._turn()
                self._tasks.cancel_scope.cancel()
        finally:
            self._command(self._exchange.abandon(now=self._clock.now()))
            if self._spools:
                with anyio.CancelScope(shield=True):
                    # The file system may take a while to give the room of a large file back.
                    await anyio.to_thread.run_sync(self._spools.close)
        if self._connection.broken:
            raise ResponseAborted

    @property
    def exchange_id(self) -> str:
        """By what other exchanges know this one."""
        return self._exchange.request.id

    def hear(self, message: Notified) -> None:
        """Passes on what another exchange says."""
        self._inbox.put(message)

    def drain(self) -> None:
        """Tells the exchange that the server is shutting down."""
        self._inbox.put(DrainRequested())

    def halt(self) -> None:
        """Ends the exchange now, whatever it is doing."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _turn(self) -> None:
        exchange, inbox = self._exchange, self._inbox
        while not exchange.finished:
            now, deadline = self._clock.now(), exchange.deadline
            if inbox:
                fact = inbox.take()
                if isinstance(fact, RequestData | RequestEnd | RequestBroken):
                    self._held.append(fact)
                else:
                    await self._perform(exchange.receive(fact, now=now))
            elif self._held and self._may_pass():
                await self._perform(exchange.receive(self._held.popleft(), now=now))
            elif deadline is not None and now >= deadline:
                await self._perform(exchange.handle_timeout(now=now))
            else:
                self._open_gates()
                with anyio.move_on_after(None if deadline is None else deadline - now):
                    await inbox.wait()

    def _may_pass(self) -> bool:
        return self._exchange.wants_request and all(leg.taken for leg in self._legs.values())

    def _open_gates(self) -> None:
        # With a leg, an upload is passing by.
        if not self._held and (self._exchange.wants_request or self._legs):
            self._client_gate.open()
        for number, leg in self._legs.items():
            if self._exchange.wants(number):
                leg.gate.open()

    async def _read_client(self) -> None:
        connection = self._connection
        while not connection.disconnected:
            if not connection.request_complete:
                await self._client_gate.wait()
            for fact in await connection.read():
                self._inbox.put(fact)

    async def _perform(self, effects: list[Effect]) -> None:
        while effects:
            outcomes = await self._put_aside(effects)
            self._command(effects)
            outcomes += await self._write(effects)
            for effect in effects:
                if isinstance(effect, DropSpool):
                    await anyio.to_thread.run_sync(self._spools.drop, effect.id)
            effects = []
            for fact in outcomes:
                if not self._exchange.finished:
                    effects += self._exchange.receive(fact, now=self._clock.now())

    def _command(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Emit(event):
                    self._sink(event)
                case AskState():
                    self._inbox.put(without_backend(effect))
                case NotifyExchange():
                    self._tell(effect)
                case OpenUpstream():
                    self._open(effect)
                case SendUpstream(number, data):
                    self._legs[number].feed(data)
                case EndUpstream(number):
                    self._legs[number].end()
                case ReadSpool():
                    assert self._tasks is not None
                    self._tasks.start_soon(self._read_spool, effect)
                case ReadFile():
                    assert self._tasks is not None
                    self._tasks.start_soon(self._read_file, effect)
                case AbortUpstream():
                    if (leg := self._legs.pop(effect.leg, None)) is not None:
                        leg.abort()
                case _:
                    pass  # What goes to the client is written together, by `_write`; `Finish` shows in `finished`.

    def _open(self, effect: OpenUpstream) -> None:
        assert self._tasks is not None
        limit = self._exchange.write_deadline
        leg = Leg(
            effect.leg,
            effect.request,
            inbox=self._inbox,
            clock=self._clock,
            spool=self._spools.find(effect.request.body),
            write_limit=None if limit is None else max(limit - self._clock.now(), 0),
            public_only=effect.public_only,
        )
        self._legs[effect.leg] = leg
        self._tasks.start_soon(leg.run, self._pool)

    async def _read_file(self, effect: ReadFile) -> None:
        # A thread cannot be cancelled. One that waits for a disk that is gone is left to itself.
        self._inbox.put(await anyio.to_thread.run_sync(read_file, effect, abandon_on_cancel=True))

    async def _read_spool(self, effect: ReadSpool) -> None:
        self._inbox.put(await anyio.to_thread.run_sync(self._spools.read, effect))

    async def _put_aside(self, effects: list[Effect]) -> list[Input]:
        failures: list[Input] = []
        for effect in effects:
            if isinstance(effect, Spool):
                failures += await anyio.to_thread.run_sync(self._spools.append, effect.id, effect.data)
        return failures

    async def _write(self, effects: list[Effect]) -> list[Input]:
        messages = render(effects)
        if not messages:
            return []
        started = self._clock.now()
        limit = self._exchange.write_deadline
        if not await self._connection.write(messages, seconds=None if limit is None else limit - started):
            return [ClientGone()]
        return [Written(None)] if self._clock.now() - started >= SLOW_WRITE else []
