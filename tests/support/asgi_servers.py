"""Real ASGI servers, run in this process: `async with served(serve, app) as port`, `serve` being one of `SERVERS`."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import hypercorn.asyncio
import hypercorn.config
import hypercorn.trio
import uvicorn

Serve = Callable[[Any, socket.socket, anyio.Event], Coroutine[Any, Any, None]]

PATIENCE: Final = 1
"""Seconds that servers wait at shutdown for what is still running."""


async def serve_uvicorn(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    """Serves with uvicorn until `stop`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="wsproto",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=PATIENCE,
    )
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        await stop.wait()
        server.should_exit = True


def hypercorn_config(listener: socket.socket) -> hypercorn.config.Config:
    """Listens on `listener`, whose descriptor it takes over."""
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = PATIENCE
    return config


async def serve_hypercorn_asyncio(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    """Serves with hypercorn's asyncio worker until `stop`."""
    await hypercorn.asyncio.serve(app, hypercorn_config(listener), shutdown_trigger=stop.wait)


async def serve_hypercorn_trio(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    """Serves with hypercorn's trio worker until `stop`."""
    await hypercorn.trio.serve(app, hypercorn_config(listener), shutdown_trigger=stop.wait)


SERVERS: Final[dict[str, tuple[Serve, str]]] = {
    "uvicorn": (serve_uvicorn, "asyncio"),
    "hypercorn-asyncio": (serve_hypercorn_asyncio, "asyncio"),
    "hypercorn-trio": (serve_hypercorn_trio, "trio"),
}
"""name -> server, the event loop that it needs."""


@asynccontextmanager
async def served(serve: Serve, app: Any, listener: socket.socket | None = None) -> AsyncIterator[int]:
    """Runs `app` in a server on a port of 127.0.0.1, or on `listener`, and gives its port; stops both properly."""
    with listener or socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio does this for sockets that it makes itself; connections inherit it from their listener.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, app, listener, stop)
            try:
                yield port
            finally:
                stop.set()
