"""The ASGI application: scopes in, one `Gateway` behind them.

`create_app` makes an application from a configuration, or from the file of one, which it reads again when that changes;
`app` is one that looks for its configuration when its first scope arrives. Both speak ASGI 3, under asyncio and under
trio, behind any server or mounted in another application.

Each http scope is one exchange. The lifespan scope is optional: connection pools are made on first use, one for each
event loop. Where a server runs it, shutdown drains: running exchanges may finish within the time that the gateway
gives them, then the pools are closed. A websocket scope is refused.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Final

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from agcore import Gateway
from agcore.config import Config, startup_problems, startup_warnings, summarize_config
from agcore.protocol import CloseIdle, Emit, Event, GatewayEffect, Halt, NotifyExchange, StopAccepting, Warned
from agcore_asgi.connection import Connection, Receive, Scope, Send, address_of
from agcore_asgi.driver import Driver
from agcore_asgi.reload import Upkeep
from agcore_asgi.sinks import LogSink, Sink, show_on_stderr
from agcore_asgi.upstream import UpstreamPool
from agcore_host import settings
from agcore_host.clock import Clock
from agcore_host.reload import ConfigReader
from agcore_host.run_files import RunFile
from agcore_host.state_file import StateFile
from agcore_host.watch import Watch

HALT_SECONDS: Final = 5.0
"""How long halted exchanges may take to close their connections."""

UPGRADE_REFUSED: Final = (
    b'{"error":{"message":"WebSocket is not served here; POST to this path instead",'
    b'"type":"invalid_request_error","param":null,"code":"upgrade_required"}}'
)

NO_PROVIDER: Final = (
    b'{"type":"error","error":{"message":"no provider is configured; write [[providers]] into the file that '
    b"AGCORE_CONFIG names, or set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or ZAI_API_KEY in the server's "
    b'environment and restart it","type":"api_error","param":null,"code":"no_provider"}}'
)
"""An error that OpenAI's and Anthropic's clients both understand."""


def create_app(config: Config | str | os.PathLike[str], *, sink: Sink | None = None) -> Application:
    """Makes an ASGI 3 application that answers by `config`.

    Args:
        config: a whole configuration, or the path of a file with one. The file is read again when it or a file that
            it names a secret by has changed; a `Config` stays until `Application.reload`.
        sink: takes the events of the core; the default hands them to `logging`.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it holds no configuration, or one that must not be served, such as an auth mode that needs a
            key and has none.
    """
    sink = LogSink() if sink is None else sink
    if isinstance(config, Config):
        return _made(config, sink)
    try:
        return _followed(settings.Source(os.fspath(config), os.environ), sink)
    except settings.SettingsError as error:
        raise error.__cause__ or error from None


def _followed(source: settings.Source, sink: Sink) -> Application:
    """An application that goes by a configuration's file, and tells commands where it runs.

    Raises:
        SettingsError: the configuration cannot be used.
        ValueError: it must not be served.
    """
    _warn(sink, source.found.remarks)
    run_file = RunFile(os.environ, source.found)
    if source.path is None:
        return _made(source.load().parsed.config, sink, run_file=run_file)
    watch = Watch(source.path, source.companions, are_due=source.commands.are_due)
    loaded = source.load()
    sink = _heard(sink, source.commands.hear)
    reader = ConfigReader(source.load, watch=watch, sink=sink, in_thread=anyio.to_thread.run_sync)
    _warn(sink, loaded.parsed.warnings)
    return _made(loaded.parsed.config, sink, reader=reader, run_file=run_file)


def _heard(sink: Sink, hear: Callable[[Event], None]) -> Sink:
    """The sink, and somebody else who is told of each event."""

    def both(event: Event) -> None:
        hear(event)
        sink(event)

    return both


def _made(
    config: Config, sink: Sink, *, reader: ConfigReader | None = None, run_file: RunFile | None = None
) -> Application:
    if problems := startup_problems(config):
        raise ValueError("\n".join(problems))
    clock = Clock()
    _warn(sink, (*startup_warnings(config, now=clock.now()), *settings.unusable_ca_files(config)))
    gateway = Gateway(config, secret=secrets.token_bytes(32), now=clock.now())
    return Application(gateway, clock=clock, sink=sink, reader=reader, run_file=run_file)


class Application:
    """An ASGI 3 application around one `Gateway`.

    Args:
        gateway: what answers.
        clock: the time that the core is told.
        sink: takes the events.
        reader: of the file that the configuration comes from; None where it stays what it is.
        run_file: tells commands where the server is; None for one that is no gateway by itself.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        clock: Clock,
        sink: Sink,
        reader: ConfigReader | None = None,
        run_file: RunFile | None = None,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._sink = sink
        self._running: set[Driver] = set()
        self._ended: anyio.Event | None = None
        self._pools: RunVar[UpstreamPool] = RunVar(f"agcore pool {id(self)}")
        self._state = StateFile(gateway, clock, sink, in_thread=anyio.to_thread.run_sync)
        self._run_file = run_file
        self._unannounced = run_file is not None
        self._upkeep = Upkeep(self._state, reader, apply=self.reload, clock=clock)
        self._perform(self._state.restore())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one scope.

        Raises:
            ValueError: for a type of scope that is none of http, websocket and lifespan.
            ResponseAborted: to make the server break off a response that cannot be ended properly.
        """
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "websocket":
                await refuse_websocket(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case other:
                raise ValueError(f"agcore serves no scope of type {other!r}")

    @property
    def config(self) -> Config:
        """What it goes by."""
        return self._gateway.config

    @property
    def configured(self) -> bool:
        """Whether there is anything that could answer: a provider or an MCP server."""
        return bool(self.config.providers or self.config.mcp)

    def reload(self, config: Config) -> bool:
        """Goes by another configuration from now on; requests under way end by the one that they began with.

        To be called in the event loop. All settings but those of the listener, which is the server's, take effect. An
        event says what has changed, or why nothing has.

        Returns:
            Whether `config` is in force; one that cannot be used, or must not be served, leaves the old one there.
        """
        if problems := startup_problems(config):
            _warn(self._sink, (f"the configuration stays what it was: {problem}" for problem in problems))
            return False
        _warn(self._sink, startup_warnings(config, now=self._clock.now()))
        self._perform(self._gateway.reconfigure(config, now=self._clock.now(), fixed=()))
        return self._gateway.config is config

    async def aclose(self) -> None:
        """Drains: running exchanges finish or are ended, upstream connections of this event loop are closed.

        The lifespan does this at shutdown; call it where no server runs a lifespan.
        """
        gateway, clock = self._gateway, self._clock
        self._perform(gateway.drain(now=clock.now()))
        timeouts = gateway.config.timeouts
        with anyio.move_on_after(timeouts.drain_grace + timeouts.drain):
            while self._running:
                deadline = gateway.deadline
                with anyio.move_on_after(None if deadline is None else deadline - clock.now()):
                    await self._news()
                self._perform(gateway.handle_timeout(now=clock.now()))
        self._perform([Halt()])
        with anyio.move_on_after(HALT_SECONDS):
            while self._running:
                await self._news()
        self._pool_here().close()
        await self._state.save()
        if self._run_file is not None:
            self._run_file.remove()

    async def announce(self, scope: Scope) -> None:
        """Writes the run file, once: only a request shows where the server listens."""
        if self._run_file is None or not self._unannounced or (address := address_of(scope)) is None:
            return
        self._unannounced = False
        failure = await anyio.to_thread.run_sync(self._run_file.write, address)
        _warn(self._sink, [failure] if failure else [])

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._unannounced:
            await self.announce(scope)
        await self._upkeep.in_passing()
        now = self._clock.now()
        if (deadline := self._gateway.deadline) is not None and now >= deadline:
            self._perform(self._gateway.handle_timeout(now=now))
        connection = Connection(scope, receive, send)
        exchange, effects = self._gateway.open(connection.head, connection.peer, now=now)
        driver = Driver(exchange, connection, self._pool_here(), clock=self._clock, sink=self._sink, tell=self._tell)
        self._running.add(driver)
        try:
            await driver.run(effects)
        finally:
            self._running.discard(driver)
            if self._ended is not None:
                self._ended.set()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._upkeep.run)
            await receive()
            tasks.cancel_scope.cancel()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    def _perform(self, effects: list[GatewayEffect]) -> None:
        for effect in effects:
            match effect:
                case Emit(event):
                    self._sink(event)
                case CloseIdle():
                    for driver in self._running:
                        driver.drain()
                case Halt():
                    for driver in self._running:
                        driver.halt()
                case StopAccepting():
                    pass  # The listeners are the server's, which has closed them before it ends the lifespan.

    def _tell(self, effect: NotifyExchange) -> None:
        for driver in self._running:
            if driver.exchange_id == effect.exchange:
                driver.hear(effect.message)

    async def _news(self) -> None:
        self._ended = anyio.Event()
        await self._ended.wait()

    def _pool_here(self) -> UpstreamPool:
        idle = self._gateway.config.timeouts.pool_idle
        pool = self._pools.get(None)
        if pool is None:
            pool = UpstreamPool(idle=idle)
            self._pools.set(pool)
        pool.idle = idle
        return pool


class EnvironmentApp:
    """The ready-made `agcore_asgi.app`: an `Application` by the configuration that `settings` finds.

    Nothing is read before the first scope. A configuration that cannot be read fails the lifespan's startup, with the
    reason; a server without lifespan sees the exception at each request. Where there is neither a provider nor an MCP
    server, what would need one is answered with how to configure it (the demo provider belongs to `agcore serve`).
    """

    def __init__(self) -> None:
        self._application: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one scope as `Application` does.

        Raises:
            ValueError: where the configuration cannot be read, is none, or must not be served.
        """
        try:
            application = self._ready()
        except ValueError as error:
            if scope["type"] != "lifespan":
                raise
            details = error.details if isinstance(error, settings.SettingsError) else ()
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "\n".join((str(error), *details))})
            return
        if scope["type"] == "http" and scope["method"] == "POST" and not application.configured:
            await application.announce(scope)
            await _answer(send, "http.response", 503, NO_PROVIDER)
        else:
            await application(scope, receive, send)

    def _ready(self) -> Application:
        if self._application is None:
            show_on_stderr()
            source = settings.Source(None, os.environ)
            self._application = _followed(source, LogSink())
            origin = "the environment (no configuration file)" if source.path is None else source.path
            logging.getLogger("agcore").info("%s: %s", origin, summarize_config(self._application.config))
        return self._application


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuses a handshake: 426 where the server can send an answer of ours, else closed before it is accepted.

    426 is what makes clients that prefer WebSocket fall back to HTTP at once.
    """
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        # RFC 9110 wants `upgrade` beside a 426; in HTTP/2 that header is an error.
        upgrade = [(b"upgrade", b"websocket")] if scope.get("http_version", "1.1").startswith("1") else []
        await _answer(send, "websocket.http.response", 426, UPGRADE_REFUSED, headers=upgrade)
    else:
        await send({"type": "websocket.close"})


async def _answer(
    send: Send, prefix: str, status: int, body: bytes, *, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": f"{prefix}.start", "status": status, "headers": fields})
    await send({"type": f"{prefix}.body", "body": body})


def _warn(sink: Sink, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        sink(Warned(sentence))
