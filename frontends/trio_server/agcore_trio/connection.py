"""One client connection, from accept to close: heads in, exchanges driven, one after another, by one task.

With TLS, a handshake comes first, for which there is as much time as for a head.

A connection waits for a head (for `timeouts.keepalive` while nothing of it has come, for `timeouts.header` after its
first byte), opens an exchange for it, drives that to its end, and starts over if both sides can. Pipelined requests
wait in the engine and are answered in order. When it closes after an answer it lingers: it ends its side and waits a
little for the client to end the other, because closing a socket that holds unread bytes resets it and can take the
answer along.
"""

from __future__ import annotations

import math
import ssl
from collections import deque
from contextlib import suppress
from typing import Final

import trio

from agcore.protocol import (
    Emit,
    Input,
    Peer,
    RequestData,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    Warned,
)
from agcore_host.http.base import BadHead, Pending, ServerEngine
from agcore_host.http.engines import server_engine
from agcore_host.upstream.failures import reason
from agcore_trio.context import ServerContext
from agcore_trio.driver import Driver
from agcore_trio.readers import Readers
from agcore_trio.streams import (
    LINGER,
    await_upstream_end,
    close_now,
    descriptor_of,
    receive,
    reset_on_close,
    transport_of,
)

MAX_DISCARD: Final = 64 * 1024
"""Bytes of an unwanted request body that are read, within `LINGER` seconds, to keep a connection."""

MAX_INBOX: Final = 8
"""Messages of the server that wait for a connection's owner; further ones are dropped, as they would say the same."""


class Connection:
    """One client connection.

    Args:
        context: what all connections share.
        stream: the connection's bytes; closed by `run`.
        peer: who is at its other end.

    Attributes:
        scope: the cancel scope in which the owner waits.
        hung: the client has hung up.
        inbox: messages for the running exchange.
        watched: the hang-up watch looks after the socket.
    """

    def __init__(self, context: ServerContext, stream: trio.abc.Stream, peer: Peer) -> None:
        limits = context.gateway.config.limits
        self.context = context
        self.stream = stream
        self.engine = server_engine(max_header=limits.max_header, max_headers=limits.max_headers)
        self.scope = trio.CancelScope()
        self.inbox: deque[Input] = deque()
        self.hung = False
        self.watched = False
        self._peer = peer
        self._driver: Driver | None = None
        self._head_begun = False
        self._head_deadline = 0.0
        self._read_ahead = 0
        self._over = False
        self._ready = not isinstance(stream, trio.SSLStream)

    async def run(self) -> None:
        """Serves the connection until it is closed; an exchange that is still running then is abandoned."""
        transport, descriptor = transport_of(self.stream), descriptor_of(self.stream)
        watch = self.context.watch if descriptor is not None else None
        try:
            if watch is not None and descriptor is not None:
                watch.add(descriptor, self)
                self.watched = True
            async with trio.open_nursery() as nursery:
                readers = Readers(nursery)
                try:
                    await self._serve(readers)
                except Exception:
                    await self._give_up()
                    if self.engine.unanswered and not self.hung:
                        await self._refuse(500, "the gateway failed; its log says how")
                    raise
                finally:
                    await self._give_up()
        finally:
            if watch is not None and descriptor is not None and self.watched:
                watch.remove(descriptor)
            await close_now(transport)

    def hung_up(self) -> None:
        """Takes note that the client hung up; while an exchange runs, its owner is woken."""
        self.hung = True
        if self._driver is not None:
            self.scope.cancel()

    def deliver(self, message: Input) -> None:
        """Passes a message to the running exchange, whose owner is woken if it reads; without one, nothing happens."""
        if self._driver is not None and len(self.inbox) < MAX_INBOX:
            self.inbox.append(message)
            if self._driver.reading:
                self.scope.cancel()

    def serves(self, exchange: str) -> bool:
        """Whether the exchange of that id is the one that runs here."""
        return self._driver is not None and self._driver.exchange_id == exchange

    def close_if_idle(self) -> None:
        """Closes the connection if it is between two requests and nothing of the next has come."""
        if self._driver is None and not self._head_begun:
            self._over = True
            self.scope.cancel()

    @property
    def may_read_ahead(self) -> bool:
        """What the client sent beyond this request is still little enough to read on, just to notice its end."""
        return not self.hung and self.engine.request_complete and self._read_ahead < MAX_DISCARD

    async def pull(self) -> list[Input]:
        """Waits for bytes of the client, once, and hands them to the engine."""
        try:
            data = await receive(self.stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if self.engine.request_complete:
            self._read_ahead += len(data)
        self.engine.receive(data)
        self.hung = self.hung or not data
        return []

    async def _give_up(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            await driver.abandon()

    async def _serve(self, readers: Readers) -> None:
        self._expect_head()
        while not self._over:
            with trio.CancelScope() as self.scope:
                if not self._ready:
                    await self._shake_hands()
                while not self._over:
                    if self._driver is None:
                        self._driver = await self._next_exchange(readers)
                    if self._driver is not None:
                        await self._driver.run()
                        await self._finish(self._driver)
            if self.scope.cancelled_caught:
                await self._interrupted()

    async def _interrupted(self) -> None:
        if self._driver is not None:
            await self._driver.interrupted()
        elif self._over or trio.current_time() < self._head_deadline:
            # Closing already, or the scope fired for an exchange that ended at the same moment.
            return
        elif self._head_begun:
            timeout = self.context.gateway.config.timeouts.header
            await self._refuse(408, f"the request head did not come within {timeout:g} s")
        else:
            self._over = True

    async def _shake_hands(self) -> None:
        """The handshake of TLS. It is tried once: a cancellation is the end of the connection, as is a failure."""
        self._ready = True
        self._head_deadline = trio.current_time() + self.context.gateway.config.timeouts.header
        self.scope.deadline = self._head_deadline
        assert isinstance(self.stream, trio.SSLStream)
        try:
            await self.stream.do_handshake()
        except trio.BrokenResourceError as error:
            self._over = True
            # Who looks whether somebody listens connects and leaves.
            if not isinstance(error.__cause__, (ssl.SSLEOFError, ConnectionError)):
                message = f"TLS handshake with {self._peer.host} failed: {reason(error)}"
                self.context.sink(Warned(message))
        self._expect_head()

    def _expect_head(self) -> None:
        self._head_begun = False
        self._head_deadline = trio.current_time() + self.context.gateway.config.timeouts.keepalive

    async def _next_exchange(self, readers: Readers) -> Driver | None:
        """Reads a head and opens an exchange; returns None when there is none and the connection is over."""
        context = self.context
        while (event := self.engine.next_event()) is Pending.NEED_DATA:
            if self.engine.head_begun and not self._head_begun:
                self._head_begun = True
                self._head_deadline = trio.current_time() + context.gateway.config.timeouts.header
            self.scope.deadline = self._head_deadline
            await self.pull()
        if isinstance(event, RequestHead):
            self._head_begun = True
            self._read_ahead = 0
            exchange, effects = context.gateway.open(event, self._peer, now=context.clock.now())
            return Driver(self, context, exchange, effects, readers)
        if isinstance(event, BadHead):
            await self._refuse(event.status, event.reason)
        self._over = True
        return None

    async def _refuse(self, status: int, reason: str) -> None:
        self._over = True
        wait = self.context.gateway.config.timeouts.write
        await refuse(self.context, self.engine, self.stream, status, reason, wait=wait)

    async def _finish(self, driver: Driver) -> None:
        self._driver = None
        self.inbox.clear()
        self.context.on_finish()
        if driver.client_lost:
            self._over = True
            return
        if driver.aborted:
            self._over = True
            if self.engine.close_delimited:
                reset_on_close(self.stream)
            return
        if not self.engine.request_complete:
            self.scope.deadline = math.inf
            await self._discard()
        if self.context.gateway.draining or not self.engine.start_next_cycle():
            self._over = True
            self.scope.deadline = math.inf
            await await_upstream_end(self.stream)
        else:
            self._expect_head()

    async def _discard(self) -> None:
        """Reads what is left of a request body that nobody wanted, if it is short."""
        discarded = 0
        with trio.move_on_after(LINGER):
            while discarded <= MAX_DISCARD:
                event = self.engine.next_event()
                if isinstance(event, RequestData):
                    discarded += len(event.data)
                elif event is Pending.NEED_DATA and not self.engine.expects_continue and not self.hung:
                    await self.pull()
                else:
                    return


async def refuse(
    context: ServerContext,
    engine: ServerEngine,
    stream: trio.abc.Stream,
    status: int,
    reason: str,
    *,
    wait: float,
) -> None:
    """Answers what cannot become an exchange, and lingers; the stream is left to be closed.

    Args:
        context: what all connections share.
        engine: the connection's engine, which has sent no part of an answer.
        stream: the connection's bytes.
        status: of the answer.
        reason: for people.
        wait: seconds for writing it.
    """
    engine.close = True
    effects = context.gateway.refuse(status, reason, now=context.clock.now())
    for effect in effects:
        if isinstance(effect, Emit):
            context.sink(effect.event)
    answer = engine.send([effect for effect in effects if isinstance(effect, (SendHead, SendData, SendEnd))])
    with trio.move_on_after(wait), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(answer)
        await await_upstream_end(stream)
