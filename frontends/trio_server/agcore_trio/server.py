"""The server: listeners, connections, the gateway's own timers, signals, and the end.

Two nurseries: connections and accept loops live in the inner one, the servants of all (pool, hang-up watch, sink,
timers, the files of configuration and state) in the outer. When the listeners are closed and the last connection is
served, the inner one ends by itself, and that is the end of the server: draining needs no bookkeeping.

Beyond `limits.max_connections` a connection is accepted, told so with a 503, and closed: a client that hears why is
better off than one that waits in the kernel's queue.
"""

from __future__ import annotations

import errno
import os
import signal
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import trio

from agcore.protocol import (
    CloseIdle,
    Crashed,
    DrainRequested,
    Emit,
    Event,
    GatewayEffect,
    Halt,
    NotifyExchange,
    Peer,
    StopAccepting,
    Warned,
)
from agcore_host.http.engines import server_engine
from agcore_host.sockets import keep_alive
from agcore_host.state_file import StateFile
from agcore_trio.clock import Clock
from agcore_trio.connection import Connection, refuse
from agcore_trio.context import ServerContext
from agcore_trio.hangup import make_watch
from agcore_trio.reload import save_often
from agcore_trio.streams import close_now, transport_of
from agcore_trio.upstream import UpstreamPool

if TYPE_CHECKING:
    from agcore import Gateway
    from agcore.config import Config
    from agcore_host.certificate import Certificate
    from agcore_trio.reload import Reloader

BACKLOG: Final = 1024
"""Connections that may wait to be accepted; the kernel has a limit of its own."""

NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""Errors of accept that pass when connections close."""

ACCEPT_PAUSE: Final = 0.1
"""Seconds until the next try after one of them."""

MAX_REFUSALS: Final = 64
"""Connections beyond the limit that are told so at the same time; more are closed without a word."""

REFUSAL: Final = 1.0
"""Seconds for telling them."""


LAST_ROWS: Final = 1.0
"""Seconds for writing the last rows of the log, and before that for what else is to be closed and saved."""

TERMINAL: Final = "/dev/tty"
"""Whatever terminal controls the process; there is no such file when none does."""


class Sink(Protocol):
    """Takes events and gets rid of them."""

    def __call__(self, event: Event) -> None:
        """Takes an event, at once."""
        ...

    async def run(self) -> None:
        """Writes what was taken, until cancelled."""
        ...

    async def close(self) -> None:
        """Writes what is left; the last call."""
        ...


class Server:
    """A running gateway and its connections.

    Args:
        gateway: decides everything.
        sink: takes its Notes.
        clock: for all times; a new one when not given.
        pool: connections to upstreams; a new one when not given.
        certificate: what listeners speak is HTTPS, with this; plain HTTP without.
        reloader: has new configurations; without one, that of the gateway stays.
    """

    def __init__(
        self,
        gateway: Gateway,
        sink: Sink,
        *,
        clock: Clock | None = None,
        pool: UpstreamPool | None = None,
        certificate: Certificate | None = None,
        reloader: Reloader | None = None,
    ) -> None:
        self._gateway = gateway
        self._sink = sink
        self._clock = Clock() if clock is None else clock
        self._pool = UpstreamPool(idle=gateway.config.timeouts.pool_idle) if pool is None else pool
        self._certificate = certificate
        self._reloader = reloader
        in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True)
        self._state = StateFile(gateway, self._clock, sink, in_thread=in_thread)
        self._watch = make_watch()
        self._context = ServerContext(gateway, self._clock, self._pool, sink, self._watch, self._reschedule, self._tell)
        self._listeners: list[trio.SocketListener] = []
        self._connections: set[Connection] = set()
        self._refusals = 0
        self._nap = trio.CancelScope()
        self._scope = trio.CancelScope()

    async def run(
        self,
        listeners: list[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serves until drained, once; closes the listeners. A cancellation abandons what runs."""
        self._listeners = listeners
        self.perform(self._state.restore())
        try:
            async with trio.open_nursery() as servants:
                servants.start_soon(self._sink.run)
                servants.start_soon(save_often, self._state)
                if self._reloader is not None:
                    servants.start_soon(self._reloader.run, self.reconfigure)
                servants.start_soon(self._pool.sweep)
                servants.start_soon(self._keep_time)
                if self._watch is not None:
                    servants.start_soon(self._watch.run)
                with self._scope:
                    async with trio.open_nursery() as connections:
                        for listener in listeners:
                            connections.start_soon(self._accept, listener, connections)
                        task_status.started()
                servants.cancel_scope.cancel()
        finally:
            for listener in listeners:
                listener.socket.close()
            with trio.move_on_after(LAST_ROWS, shield=True):
                await self._pool.close()
                await self._state.save()
            with trio.move_on_after(LAST_ROWS, shield=True):
                await self._sink.close()
            if self._watch is not None:
                self._watch.close()

    def drain(self) -> None:
        """Begins to end: no new connections, running exchanges may finish. Asked once more, it ends at once."""
        self.perform(self._gateway.drain(now=self._clock.now()) or [Halt()])

    def reconfigure(self, config: Config) -> None:
        """Goes by another configuration from now on."""
        self.perform(self._gateway.reconfigure(config, now=self._clock.now()))
        self._pool.idle = self._gateway.config.timeouts.pool_idle

    def perform(self, effects: list[GatewayEffect]) -> None:
        """Carries out what the gateway asks for."""
        for effect in effects:
            match effect:
                case StopAccepting():
                    for listener in self._listeners:
                        listener.socket.close()
                case CloseIdle():
                    for connection in list(self._connections):
                        connection.close_if_idle()
                        connection.deliver(DrainRequested())
                case Halt():
                    self._scope.cancel()
                case Emit(event):
                    self._sink(event)
                case _:
                    assert_never(effect)
        self._reschedule()

    def _tell(self, effect: NotifyExchange) -> None:
        for connection in self._connections:
            if connection.serves(effect.exchange):
                return connection.deliver(effect.message)
        return None

    async def serve_stream(self, stream: trio.abc.Stream, peer: Peer) -> None:
        """Serves one connection and closes it. Its failure is noted, and hurts no other."""
        if len(self._connections) >= self._gateway.config.limits.max_connections:
            await self._turn_away(stream)
            return
        connection = Connection(self._context, stream, peer)
        self._connections.add(connection)
        try:
            await connection.run()
        except* Exception as errors:
            self._sink(Crashed("a connection crashed", _format(errors)))
        finally:
            self._connections.discard(connection)

    async def _accept(self, listener: trio.SocketListener, connections: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self._sink(Warned(f"cannot accept a connection: {error.strerror}"))
                await trio.sleep(ACCEPT_PAUSE)
                continue
            keep_alive(stream)
            connections.start_soon(self.serve_stream, self._secured(stream), peer_of(stream))

    def _secured(self, stream: trio.SocketStream) -> trio.abc.Stream:
        if self._certificate is None:
            return stream
        context = self._certificate.context(trio.current_time())
        return trio.SSLStream(stream, context, server_side=True, https_compatible=True)

    async def _turn_away(self, stream: trio.abc.Stream) -> None:
        limits = self._gateway.config.limits
        transport = transport_of(stream)
        try:
            if self._refusals < MAX_REFUSALS:
                self._refusals += 1
                engine = server_engine(max_header=limits.max_header, max_headers=limits.max_headers)
                reason = f"too many connections: limits.max_connections is {limits.max_connections}"
                try:
                    await refuse(self._context, engine, stream, 503, reason, wait=REFUSAL)
                finally:
                    self._refusals -= 1
        finally:
            await close_now(transport)

    def _reschedule(self) -> None:
        deadline = self._clock.to_monotonic(self._gateway.deadline)
        if deadline != self._nap.deadline:
            self._nap.deadline = deadline

    async def _keep_time(self) -> None:
        while True:
            self._nap = trio.CancelScope(deadline=self._clock.to_monotonic(self._gateway.deadline))
            with self._nap:
                await trio.sleep_forever()
            self.perform(self._gateway.handle_timeout(now=self._clock.now()))


async def serve(
    gateway: Gateway,
    *,
    host: str,
    port: int,
    sink: Sink,
    certificate: Certificate | None = None,
    reloader: Reloader | None = None,
    announce: Callable[[str], None] | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves a gateway over TCP until SIGTERM or SIGINT, then drains; a second signal ends it at once.

    With a reloader, SIGHUP has it read the configuration again, unless it says that the server's terminal is gone.

    Args:
        gateway: decides everything.
        host: the name or address to listen on.
        port: the port, or 0 for a free one.
        sink: takes the events; its `run` is run here.
        certificate: serves HTTPS with it; plain HTTP when not given.
        reloader: has new configurations; without one, that of the gateway stays.
        announce: called with the base URL when connections are accepted; by default `listening on URL` is printed.
        task_status: is given the base URL at that time.

    Raises:
        OSError: the address cannot be listened on.
    """
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    if port == 0:
        # Each family got a port of its own; one URL can name one.
        for extra in listeners[1:]:
            await extra.aclose()
        del listeners[1:]
    url = url_of(listeners[0], host, scheme="http" if certificate is None else "https")
    server = Server(gateway, sink, certificate=certificate, reloader=reloader)
    async with trio.open_nursery() as signals:
        await signals.start(_drain_on_signals, server)
        if reloader is not None and hasattr(signal, "SIGHUP"):
            await signals.start(_heed_hangups, server, reloader)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run, listeners)
            if announce is None:
                print(f"listening on {url}", flush=True)
            else:
                announce(url)
            task_status.started(url)
        signals.cancel_scope.cancel()


def url_of(listener: trio.SocketListener, host: str, *, scheme: str = "http") -> str:
    """The base URL of a listener on `host`; an IPv6 address stands in brackets."""
    port = listener.socket.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def peer_of(stream: trio.SocketStream) -> Peer:
    """Who is at the other end; nobody known if the connection is gone already."""
    try:
        return Peer(str(stream.socket.getpeername()[0]))
    except OSError:
        return Peer(None)


async def _drain_on_signals(server: Server, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            server.drain()


async def _heed_hangups(
    server: Server, reloader: Reloader, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    # Under nohup, it is ignored when the process starts.
    in_foreground = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if in_foreground and not _has_terminal():
                # The window was closed, not the configuration changed: nobody would find the server again.
                server.drain()
            else:
                reloader.ask()


def _has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _format(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
