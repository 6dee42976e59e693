"""The gateway in this process, and the exchanges that run in it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import anyio

from agcore import Gateway
from agcore.config import Config, load_config, startup_problems
from agcore.protocol import Crashed, Emit, Event, Headers, NotifyExchange, RequestHead
from agcore_host.clock import Clock
from agcore_httpx.driver import Driver
from agcore_httpx.library import Library
from agcore_httpx.upstream import Transports

T = TypeVar("T")

HOST: Final = (b"host", b"localhost")
"""Who asks is this process, whatever host its URL names: no page of the web could have rebound a name to it."""


class InProcess:
    """A gateway and its running exchanges, for one event loop.

    Args:
        config: what `agcore.load_config` returns, or a dict that it takes.
        library: what upstreams are asked by.
        on_event: takes the core's events, in the event loop; must not block.

    Raises:
        ValueError: the configuration is none, or must not be served.
    """

    def __init__(
        self, config: Config | Mapping[str, Any], library: Library, on_event: Callable[[Event], None] | None
    ) -> None:
        config = config if isinstance(config, Config) else load_config(config)
        if problems := startup_problems(config):
            raise ValueError("\n".join(problems))
        self._clock = Clock()
        self._gateway = Gateway(config, secret=secrets.token_bytes(32), now=self._clock.now())
        self._transports = Transports(library, idle=config.timeouts.pool_idle)
        self._on_event = on_event
        self._drivers: set[Driver] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes]) -> Driver:
        """Opens an exchange, which runs in the background from then on."""
        now = self._clock.now()
        if (deadline := self._gateway.deadline) is not None and now >= deadline:
            for effect in self._gateway.handle_timeout(now=now):
                if isinstance(effect, Emit):
                    self._emit(effect.event)
        fields = (HOST, *((name.lower(), value) for name, value in headers if name.lower() != b"host"))
        head = RequestHead(method, target, fields)
        driver = Driver(self._gateway, self._clock, head, body, self._transports, emit=self._emit, notify=self._notify)
        self._drivers.add(driver)
        self._spawn(driver)
        return driver

    async def aclose(self) -> None:
        """Ends what runs, and closes all connections."""
        for driver in [*self._drivers]:
            driver.halt()
        for driver in [*self._drivers]:
            await driver.ended.wait()
        await self._transports.aclose()

    def _spawn(self, driver: Driver) -> None:
        # A transport has no place where a task group of its own could stand: a client need not be entered, or closed.
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio.lowlevel.spawn_system_task(self._run, driver)
        else:
            task = loop.create_task(self._run(driver))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, driver: Driver) -> None:
        try:
            await driver.run()
        except Exception as error:
            import traceback

            lines = "".join(traceback.format_exception(error))
            self._emit(Crashed("an exchange crashed", lines))
        finally:
            self._drivers.discard(driver)

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _notify(self, effect: NotifyExchange) -> None:
        for driver in self._drivers:
            if driver.exchange_id == effect.exchange:
                driver.hear(effect.message)


class LoopThread:
    """An event loop in a thread of its own, for clients that have none; it does not keep the process alive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agcore", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits `work` in the thread's event loop. An interruption cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends the loop and the thread."""
        self.call(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def within(seconds: float | None, work: Callable[[], Awaitable[T]]) -> T:
    """Awaits `work()`.

    Raises:
        TimeoutError: it took longer.
    """
    with anyio.fail_after(seconds):
        return await work()
