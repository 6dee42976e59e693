"""The driver of one exchange: performs what its machine asks for, and tells it what happened.

`Driver.run` is the loop of docs/write-a-frontend.md: perform all effects; stop after `Finish`; see what the machine is
interested in; wait for one read; feed what it brought. As nothing is read before everything is written, a slow client
slows its upstream down, and no queue is needed. The same holds for uploads: a leg that has something to write is waited
for before the client is read again.

All waiting happens in one cancel scope, the connection's. Its deadline is the machine's `deadline` in a read and its
`write_deadline` in a write. When the scope fires, for a deadline, a hang-up or a message in the inbox, `run` is left by
cancellation; the connection calls `interrupted`, enters a new scope and calls `run` again, which goes on where it was.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import trio

from agcore.protocol import (
    AbortClient,
    AbortUpstream,
    AskState,
    ClientGone,
    DropSpool,
    Effect,
    Emit,
    EndUpstream,
    FileRead,
    FileRefused,
    Finish,
    Input,
    NotifyExchange,
    OpenUpstream,
    ReadFile,
    ReadSpool,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendData,
    SendEnd,
    SendHead,
    SendUpstream,
    Spool,
    UpstreamInput,
    Written,
)
from agcore_host.files import read_file
from agcore_host.http.base import Pending
from agcore_host.shared_state import without_backend
from agcore_host.spool import CANNOT_READ, Spools
from agcore_host.upstream.leg import Step
from agcore_trio.streams import write_now
from agcore_trio.upstream import Leg

if TYPE_CHECKING:
    from agcore import Exchange
    from agcore_host.http.base import ServerEngine
    from agcore_trio.context import ServerContext
    from agcore_trio.readers import Readers

LONG_WRITE: Final = 0.01
"""Seconds from which the machine is told of a write (see `Written`)."""

ABANDON: Final = 1.0
"""Seconds for the last effects of an exchange that is given up."""

CLIENT: Final = "client"
"""The client among the sources of `Readers`; legs go by their numbers, files by their effects."""


class ClientPort(Protocol):
    """The client of an exchange, as its driver sees it: bytes one way and the other, and what wakes a wait."""

    scope: trio.CancelScope
    """In which the owner waits; its deadline is the driver's to set."""
    hung: bool
    """The client has hung up."""
    watched: bool
    """Somebody notices if it does, so that nothing need be read for that."""

    @property
    def stream(self) -> trio.abc.Stream:
        """Its bytes."""
        ...

    @property
    def engine(self) -> ServerEngine:
        """What they mean."""
        ...

    @property
    def inbox(self) -> deque[Input]:
        """Messages for the exchange."""
        ...

    @property
    def may_read_ahead(self) -> bool:
        """What the client sent beyond this request is still little enough to read on, just to notice its end."""
        ...

    async def pull(self) -> list[Input]:
        """Waits for bytes, once, and hands them to the engine."""
        ...


class Driver:
    """Drives one exchange of a client to its end.

    Args:
        client: whose request it is.
        context: what all connections share.
        exchange: fresh from `Gateway.open`.
        effects: what came with it.
        readers: where second and further reads are done.

    Attributes:
        finished: the machine said `Finish`.
        aborted: the machine wants the response broken off.
        client_lost: nothing can be sent to the client any more.
        reading: it waits in a read, which a message may interrupt.
    """

    def __init__(
        self,
        client: ClientPort,
        context: ServerContext,
        exchange: Exchange,
        effects: list[Effect],
        readers: Readers,
    ) -> None:
        self.finished = False
        self.aborted = False
        self.client_lost = False
        self.reading = False
        self._client = client
        self._context = context
        self._exchange = exchange
        self._readers = readers
        self._clock = context.clock
        self._effects = effects
        self._unsent = b""
        self._writing = False
        self._sending: Leg | None = None
        self._legs: dict[int, Leg] = {}
        self._spools = Spools()
        self._writes: set[int] = set()
        """Those of the legs at work in `readers` that write."""

    @property
    def exchange_id(self) -> str:
        """By what other exchanges know this one."""
        return self._exchange.request.id

    async def run(self) -> None:
        """Drives until `Finish`; when it is cancelled, call `interrupted` and then `run` again."""
        while True:
            await self._perform()
            if self.finished:
                break
            self._feed(await self._next())
        self._spools.close()
        for leg in list(self._legs):
            await self._abort(leg)
        if self._readers.busy:
            await self._readers.stop()

    async def interrupted(self) -> None:
        """Finds out what the scope fired for, and tells the machine."""
        self.reading = False
        if self._writing:
            self._writing = False
            self._unsent = b""
            self._lose_client()
        elif self._sending is not None:
            leg, self._sending = self._sending, None
            if self._client.hung:
                self._lose_client()
            self._feed(self._dropped(leg, await leg.cut()))
        elif not self.finished:
            self._effects += self._exchange.handle_timeout(now=self._clock.now())

    async def abandon(self) -> None:
        """Gives the exchange up, wherever it is: the last thing to be called, also after a cancellation or a crash."""
        with trio.move_on_after(ABANDON, shield=True):
            try:
                if not self.finished:
                    self._unsent = b""
                    self._effects = self._exchange.abandon(now=self._clock.now())
                    await self._perform()
            finally:
                self._spools.close()
                for leg in list(self._legs):
                    await self._abort(leg)
                await self._readers.stop()

    async def _perform(self) -> None:
        while self._effects or self._unsent:
            effects, self._effects = self._effects, []
            sends: list[SendHead | SendData | SendEnd] = []
            failures: list[Input] = []
            for effect in effects:
                match effect:
                    case SendData() | SendHead() | SendEnd():
                        sends.append(effect)
                    case OpenUpstream(leg, request, public_only):
                        spool = self._spools.find(request.body)
                        pool = self._context.pool
                        self._legs[leg] = pool.leg(leg, request, spool, public_only=public_only)
                    case AbortUpstream(leg):
                        await self._abort(leg)
                    case SendUpstream(leg, data):
                        if leg in self._legs:
                            self._legs[leg].feed(data)
                    case EndUpstream(leg):
                        if leg in self._legs:
                            self._legs[leg].end()
                    case Spool(number, data):
                        failures += self._spools.append(number, data)
                    case DropSpool(number):
                        self._spools.drop(number)
                    case ReadSpool():
                        self._readers.start(effect, partial(self._read_spool, effect))
                    case ReadFile():
                        self._readers.start(effect, partial(self._read_file, effect))
                    case AskState():
                        failures.append(without_backend(effect))
                    case NotifyExchange():
                        self._context.tell(effect)
                    case Emit(event):
                        self._context.sink(event)
                    case AbortClient():
                        self.aborted = True
                    case Finish():
                        self.finished = True
                    case _:
                        assert_never(effect)
            if failures:
                self._feed(failures)
            if sends:
                engine = self._client.engine
                engine.close = self._context.gateway.draining
                engine.date = self._clock.date()
                self._unsent += engine.send(sends)
            if self._unsent:
                await self._write()

    async def _write(self) -> None:
        written = write_now(self._client.stream, self._unsent)
        self._unsent = self._unsent[written:]
        if not self._unsent:
            return
        if self._client.hung and not self.finished:
            self._unsent = b""
            self._lose_client()
            return
        await self._not_cancelled()
        began = self._clock.now()
        self._limit_write(self._client.scope, began)
        self._writing = True
        try:
            await self._client.stream.send_all(self._unsent)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose_client()
        self._writing = False
        self._unsent = b""
        if not self.finished and self._clock.now() - began >= LONG_WRITE:
            self._feed([Written(None)])

    async def _next(self) -> list[Input]:
        """Waits for one read of what the machine is interested in."""
        client, exchange = self._client, self._exchange
        while True:
            if client.inbox:
                return [client.inbox.popleft()]
            # Backpressure from upstreams to the client: while a request is not written, no more of it is read.
            asked = exchange.wants_request and not self._unwritten()
            if asked:
                event = client.engine.next_event()
                if isinstance(event, (RequestData, RequestEnd, RequestBroken)):
                    return [event]
                if event is not Pending.NEED_DATA:
                    return [ClientGone()]
                if client.engine.expects_continue:
                    self._unsent = client.engine.send_continue()
                    return []
            elif client.hung and not self.client_lost:
                self._lose_client()
                return []
            inputs = self._without_waiting()
            if inputs:
                return inputs
            unwritten = self._unwritten()
            if exchange.wants_request and not asked and not unwritten:
                continue
            for leg in unwritten:
                # The answer of an upload may be being read; a write that waits listens by itself.
                if self._reads_answer(leg):
                    inputs += await self._readers.recall(leg.number)
            if inputs:
                return inputs
            legs = [leg for leg in self._legs.values() if leg.step is not Step.READ or exchange.wants(leg.number)]
            inputs = await self._read(legs, asked)
            if inputs:
                return inputs

    def _unwritten(self) -> list[Leg]:
        return [leg for leg in self._legs.values() if leg.step is Step.SEND]

    def _reads_answer(self, leg: Leg) -> bool:
        return self._readers.reads(leg.number) and leg.uploading and leg.number not in self._writes

    def _without_waiting(self) -> list[Input]:
        """What legs can do at once: most take a pooled connection, and most requests fit into a socket's buffer."""
        inputs: list[Input] = []
        for leg in self._legs.values():
            if leg.step is not Step.READ and (not self._readers.reads(leg.number) or self._reads_answer(leg)):
                if leg.step is Step.OPEN:
                    inputs += leg.open_now()
                else:
                    leg.send_now()
        return inputs

    async def _read(self, legs: list[Leg], asked: bool) -> list[Input]:
        client, readers = self._client, self._readers
        # Connecting is left to a reader, because what wakes the owner must not make it start over.
        alone = len(legs) + asked == 1 and (asked or (client.watched and legs[0].step is not Step.OPEN))
        if alone and not readers.busy:
            if not asked and legs[0].step is Step.SEND:
                return await self._send_alone(legs[0])
            self._wait_until(self._exchange.deadline)
            inputs = await (client.pull() if asked else self._listen(legs[0]))
        else:
            for leg in legs:
                if not readers.reads(leg.number):
                    (self._writes.add if leg.step is Step.SEND else self._writes.discard)(leg.number)
                    readers.start(leg.number, partial(self._advance, leg, leg.step))
            if asked or (not client.watched and client.may_read_ahead):
                readers.start(CLIENT, client.pull)
            self._wait_until(self._exchange.deadline)
            inputs = await readers.next()
        self.reading = False
        return inputs

    async def _advance(self, leg: Leg, step: Step) -> list[Input]:
        """One step of a leg, in a reader's task; the owner's scope has the deadline for reads."""
        if step is not Step.SEND:
            return await self._listen(leg)
        with trio.CancelScope() as scope:
            return await self._send(leg, scope)
        return self._dropped(leg, await leg.cut())

    async def _read_spool(self, effect: ReadSpool) -> list[Input]:
        """Reads a file back; other tasks have their turns between its pieces."""
        pieces = []
        try:
            for piece in self._spools.pieces(effect.spool):
                pieces.append(piece)
                await trio.lowlevel.checkpoint()
        except OSError:
            return [FileRefused(effect.id, CANNOT_READ)]
        return [FileRead(effect.id, b"".join(pieces))]

    async def _read_file(self, effect: ReadFile) -> list[Input]:
        # A thread cannot be cancelled. One that waits for a disk that is gone is left to itself.
        return [await trio.to_thread.run_sync(read_file, effect, abandon_on_cancel=True)]

    async def _listen(self, leg: Leg) -> list[Input]:
        return self._dropped(leg, await (leg.open() if leg.step is Step.OPEN else leg.read()))

    async def _send_alone(self, leg: Leg) -> list[Input]:
        await self._not_cancelled()
        self._sending = leg
        inputs = await self._send(leg, self._client.scope)
        self._sending = None
        return inputs

    async def _send(self, leg: Leg, scope: trio.CancelScope) -> list[Input]:
        began = self._clock.now()
        self._limit_write(scope, began)
        inputs = self._dropped(leg, await leg.send())
        if leg.step is not Step.OVER and self._clock.now() - began >= LONG_WRITE:
            inputs.insert(0, Written(leg.number))
        return inputs

    def _dropped(self, leg: Leg, inputs: list[UpstreamInput]) -> list[Input]:
        """Forgets a leg that is over; passes its inputs on."""
        if leg.step is Step.OVER:
            self._legs.pop(leg.number, None)
        return [*inputs]

    async def _abort(self, number: int) -> None:
        leg = self._legs.pop(number, None)
        if leg is not None:
            await leg.abort()
        self._readers.cancel(number)

    def _feed(self, inputs: list[Input]) -> None:
        now = self._clock.now()
        for item in inputs:
            if self._exchange.finished:
                return
            self._effects += self._exchange.receive(item, now=now)

    def _lose_client(self) -> None:
        if not self.client_lost:
            self.client_lost = True
            self._feed([ClientGone()])

    def _wait_until(self, deadline: float | None) -> None:
        self._client.scope.deadline = self._clock.to_monotonic(deadline)
        self.reading = True

    def _limit_write(self, scope: trio.CancelScope, now: float) -> None:
        deadline = self._exchange.write_deadline
        if deadline is None:
            deadline = now + self._context.gateway.config.timeouts.write
        scope.deadline = self._clock.to_monotonic(deadline)

    async def _not_cancelled(self) -> None:
        """Leaves `run` before a write if the scope has fired meanwhile: what cut a read must not cut a write."""
        if self._client.scope.cancel_called:
            await trio.lowlevel.checkpoint()
