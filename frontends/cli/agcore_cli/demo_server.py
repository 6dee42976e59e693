"""The demo provider on a loopback socket: what `agcore.demo` answers, at the pace it asks for."""

from __future__ import annotations

from typing import Final

import trio

from agcore import DemoAnswer, demo_answer
from agcore.protocol import RequestBroken, RequestData, RequestHead, SendData, SendEnd, SendHead
from agcore_host.http.base import BadHead, Pending, ServerEngine
from agcore_host.http.engines import server_engine
from agcore_trio.server import url_of
from agcore_trio.streams import RECEIVE, close_now

HOST: Final = "127.0.0.1"


async def serve_demo(*, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
    """Serves the demo provider on a free port of the loopback interface until cancelled.

    `task_status` is given its base URL, `http://127.0.0.1:PORT`.
    """
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    task_status.started(url_of(listeners[0], HOST))
    async with trio.open_nursery() as nursery:
        await trio.serve_listeners(serve_client, listeners, handler_nursery=nursery)


async def serve_client(stream: trio.abc.Stream) -> None:
    """Answers the requests of one connection, which the gateway made, and closes it."""
    engine = server_engine(max_header=64 * 1024, max_headers=200)
    try:
        while True:
            request = await _read(stream, engine)
            if request is None:
                return
            head, body = request
            said = demo_answer(head.method, head.target, head.headers, body)
            await _write(stream, engine, said, with_body=head.method != "HEAD")
            if not engine.start_next_cycle():
                return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        # The gateway dropped the leg.
        return
    finally:
        await close_now(stream)


async def _read(stream: trio.abc.Stream, engine: ServerEngine) -> tuple[RequestHead, bytes] | None:
    head: RequestHead | None = None
    body: list[bytes] = []
    while True:
        event = engine.next_event()
        if event is Pending.NEED_DATA:
            if engine.expects_continue:
                await stream.send_all(engine.send_continue())
            engine.receive(await stream.receive_some(RECEIVE))
        elif isinstance(event, RequestHead):
            head = event
        elif isinstance(event, RequestData):
            body.append(event.data)
        elif isinstance(event, (BadHead, RequestBroken, Pending)):
            return None
        else:
            assert head is not None
            return head, b"".join(body)


async def _write(stream: trio.abc.Stream, engine: ServerEngine, said: DemoAnswer, *, with_body: bool) -> None:
    sends: list[SendHead | SendData | SendEnd] = [SendHead(said.status, said.headers)]
    for chunk in said.chunks if with_body else ():
        if chunk.delay:
            if sends:
                await stream.send_all(engine.send(sends))
            await trio.sleep(chunk.delay)
            sends = []
        sends.append(SendData(chunk.data))
    await stream.send_all(engine.send([*sends, SendEnd()]))
