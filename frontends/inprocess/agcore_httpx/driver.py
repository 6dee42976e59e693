"""Drives one exchange: a client's request in this very process on one side, the upstream legs on the other.

One task owns the exchange and is the only one that talks to it. It carries out a whole list of effects, waits until the
client has taken what was for it, and only then looks at the next piece of news. The legs, and the reader of a request's
body, are child tasks; each waits before it reads on until the machine wants more of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import anyio
import anyio.to_thread

from agcore import Exchange, Gateway
from agcore.protocol import (
    AbortClient,
    AbortUpstream,
    AskState,
    ClientGone,
    DropSpool,
    Effect,
    Emit,
    EndUpstream,
    Event,
    Headers,
    Input,
    Notified,
    NotifyExchange,
    OpenUpstream,
    Peer,
    ReadFile,
    ReadSpool,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    SendUpstream,
    Spool,
    Written,
)
from agcore_host.clock import Clock
from agcore_host.files import read_file
from agcore_host.shared_state import without_backend
from agcore_host.spool import Spools
from agcore_httpx.upstream import Leg, Transports

LOCAL: Final = Peer("127.0.0.1")
"""Who asks is this machine."""

SLOW_WRITE: Final = 0.01
"""Seconds from which on the client's taking is worth an input."""


class Answer:
    """What the client is told: filled by the driver, emptied by the client, in the same event loop."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.left = False
        """The client wants no more."""
        self._data: deque[bytes] = deque()
        self._ended = False
        self._broken = False
        self._filled = anyio.Event()
        self._emptied = anyio.Event()

    @property
    def begun(self) -> bool:
        """The head is here."""
        return self.status > 0

    @property
    def complete(self) -> bool:
        """It has come to its proper end."""
        return self._ended

    async def wait_begun(self) -> bool:
        """Waits for the head; False where none will come."""
        while not (self.begun or self._broken):
            await self._wait_filled()
        return self.begun

    async def take(self) -> bytes | None:
        """Waits for the next piece; empty at the proper end, None where it is broken off."""
        while not (self._data or self._ended or self._broken):
            await self._wait_filled()
        if self._data:
            data = b"".join(self._data)
            self._data.clear()
            self._emptied.set()
            return data
        return b"" if self._ended else None

    def leave(self) -> None:
        """The client wants no more."""
        self.left = True
        self._emptied.set()

    def fill(self, effect: SendHead | SendData | SendEnd) -> None:
        """Takes what the machine sends."""
        match effect:
            case SendHead(status, headers):
                self.status, self.headers = status, headers
            case SendData(data):
                if data:
                    self._data.append(data)
            case SendEnd():
                self._ended = True
        self._filled.set()

    def break_off(self) -> None:
        """Nothing more will come."""
        self._broken = not self._ended
        self._filled.set()

    async def wait_emptied(self) -> None:
        """Waits until the client has taken everything, or has left."""
        while self._data and not self.left:
            self._emptied = anyio.Event()
            await self._emptied.wait()

    async def _wait_filled(self) -> None:
        self._filled = anyio.Event()
        await self._filled.wait()


class Driver:
    """The owner of one exchange.

    Args:
        gateway: opens it.
        clock: the time that the core is told.
        head: the request's head.
        body: the request's body, piece by piece; may raise.
        transports: what legs go out by.
        emit: takes events.
        notify: passes a message on to the driver whose exchange it is for.

    Attributes:
        answer: what the client is told.
        ended: set when nothing is left to do.
    """

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        head: RequestHead,
        body: AsyncIterator[bytes],
        transports: Transports,
        *,
        emit: Callable[[Event], None],
        notify: Callable[[NotifyExchange], None],
    ) -> None:
        self.answer = Answer()
        self.ended = anyio.Event()
        self._clock = clock
        self._body = body
        self._transports = transports
        self._emit = emit
        self._notify = notify
        self._news: deque[Input] = deque()
        self._arrived = anyio.Event()
        self._gates: dict[int | None, anyio.Event] = {}
        """What waits to read on: legs by their numbers, the request's body by None."""
        self._legs: dict[int, Leg] = {}
        self._spools = Spools()
        self._scope = anyio.CancelScope()
        self._exchange: Exchange
        self._exchange, self._effects = gateway.open(head, LOCAL, now=clock.now())

    @property
    def exchange_id(self) -> str:
        """By what other exchanges know this one."""
        return self._exchange.request.id

    def hear(self, message: Notified) -> None:
        """Passes on what another exchange says."""
        self._put(message)

    def leave(self) -> None:
        """The client wants no more: its upstreams are asked no further."""
        self.answer.leave()
        self._put(ClientGone())

    def halt(self) -> None:
        """Ends the exchange now, whatever it is doing."""
        self._scope.cancel()

    async def run(self) -> None:
        """Runs the exchange to its end."""
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._read_body)
                    await self._turn(tasks)
                    tasks.cancel_scope.cancel()
        finally:
            for effect in self._exchange.abandon(now=self._clock.now()):
                if isinstance(effect, Emit):
                    self._emit(effect.event)
            self._spools.close()
            self.answer.break_off()
            self.ended.set()

    async def _turn(self, tasks: anyio.abc.TaskGroup) -> None:
        exchange = self._exchange
        while True:
            while self._effects:
                effects, self._effects = self._effects, []
                await self._perform(effects, tasks)
            if exchange.finished:
                return
            now, deadline = self._clock.now(), exchange.deadline
            if self._news:
                self._effects = exchange.receive(self._news.popleft(), now=now)
            elif deadline is not None and now >= deadline:
                self._effects = exchange.handle_timeout(now=now)
            else:
                self._open_gates()
                self._arrived = anyio.Event()
                with anyio.move_on_after(None if deadline is None else deadline - now):
                    await self._arrived.wait()

    async def _perform(self, effects: list[Effect], tasks: anyio.abc.TaskGroup) -> None:
        sends = False
        for effect in effects:
            match effect:
                case SendHead() | SendData() | SendEnd():
                    self.answer.fill(effect)
                    sends = True
                case OpenUpstream(number, request, public_only):
                    leg = self._legs[number] = Leg(
                        number,
                        request,
                        report=self._put,
                        wanted=partial(self._stand, number),
                        drained=self._wake,
                        spool=self._spools.find(request.body),
                        public_only=public_only,
                    )
                    tasks.start_soon(leg.run, self._transports)
                case SendUpstream(number, data):
                    self._legs[number].feed(data)
                case EndUpstream(number):
                    self._legs[number].end()
                case AbortUpstream(number):
                    if (aborted := self._legs.pop(number, None)) is not None:
                        aborted.abort()
                case Spool(number, data):
                    self._news.extend(self._spools.append(number, data))
                case ReadSpool():
                    self._put(self._spools.read(effect))
                case DropSpool(number):
                    self._spools.drop(number)
                case ReadFile():
                    tasks.start_soon(self._read_file, effect)
                case AskState():
                    self._put(without_backend(effect))
                case NotifyExchange():
                    self._notify(effect)
                case Emit(event):
                    self._emit(event)
                case AbortClient():
                    self.answer.break_off()
                case _:
                    pass  # `Finish` shows in `finished`.
        if sends:
            began = self._clock.now()
            await self.answer.wait_emptied()
            if self._clock.now() - began >= SLOW_WRITE:
                self._put(Written(None))

    def _put(self, fact: Input) -> None:
        self._news.append(fact)
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()

    def _open_gates(self) -> None:
        for key, gate in [*self._gates.items()]:
            if key is None:
                wants = self._exchange.wants_request and all(leg.taken for leg in self._legs.values())
            else:
                wants = self._exchange.wants(key)
            if wants:
                del self._gates[key]
                gate.set()

    async def _stand(self, key: int | None) -> None:
        gate = self._gates[key] = anyio.Event()
        self._wake()
        await gate.wait()

    async def _read_body(self) -> None:
        await self._stand(None)
        try:
            async for piece in self._body:
                if piece:
                    self._put(RequestData(piece))
                    await self._stand(None)
        except Exception as error:
            self._put(RequestBroken(f"the request's body could not be read: {type(error).__name__}"))
        else:
            self._put(RequestEnd())

    async def _read_file(self, effect: ReadFile) -> None:
        self._put(await anyio.to_thread.run_sync(read_file, effect, abandon_on_cancel=True))
