"""An upstream on a loopback socket whose every byte, and every missing byte, is the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketAttribute, SocketStream


@asynccontextmanager
async def raw_upstream(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """Listens while the block runs and calls `serve` for each connection; gives the port."""

    async def handle(stream: SocketStream) -> None:
        async with stream:
            # The other side may well leave before it has heard everything.
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await serve(stream)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def read_request(stream: SocketStream) -> bytes:
    """One request, as it came: its head, and a body by `content-length`."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


async def at_end(stream: SocketStream) -> bool:
    """Waits until the other side closes or resets the connection; False if it sends something instead."""
    try:
        await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return True
    return False
