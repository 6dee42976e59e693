"""The same exchange gives the same answer through the bare core and through both frontends.

The ASGI frontend runs in-process, mounted in Starlette, and in each of the servers of `asgi_servers`, where the answer
is what came over a socket. A case that needs a peer elsewhere is not sent over sockets.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import h11
import msgspec
import pytest
import trio
import trio.testing
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette
from starlette.routing import Mount

from agcore import Event, Gateway, Headers, Peer, RequestEnd
from agcore_asgi.app import Application
from agcore_host.clock import Clock as AsgiClock
from agcore_sim.story import Story, gateway
from agcore_trio.server import Server
from tests.differential.cases import CASES, PASSING, Case, config
from tests.differential.manners import MANNERS, MANNERS_PASSING
from tests.support.asgi_bridge import AsgiClient, Truncated
from tests.support.asgi_servers import SERVERS, Serve, served
from tests.support.patience import PATIENCE
from tests.support.relay_machine import RelayGateway
from tests.support.upstreams import Answer, Recorded, Upstream
from tests.support.wire_client import WireClient

FRAMING = frozenset({b"transfer-encoding", b"connection", b"date", b"server"})
"""What belongs to a connection and not to an answer."""


class Seen(msgspec.Struct, frozen=True):
    """An answer as its client saw it."""

    status: int
    headers: Headers
    body: bytes
    whole: bool


class Script:
    """An upstream whose next answer is set before each request."""

    def __init__(self) -> None:
        self.answer = Answer()

    def __call__(self, request: Recorded) -> Answer:
        return self.answer


class NullSink:
    """Takes events and keeps none."""

    def __call__(self, event: Event) -> None:
        pass

    async def run(self) -> None:
        await trio.sleep_forever()

    async def close(self) -> None:
        pass


SCRIPT = Script()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(SCRIPT) as upstream:
        yield upstream


def _seen(status: int, headers: Headers, body: bytes, *, whole: bool) -> Seen:
    # Durations are the one thing that differs between runs.
    body = re.sub(rb'"(latency_ms)":[0-9.]+', rb'"\1":0', body)
    fields = tuple(sorted(field for field in headers if field[0] not in FRAMING and field != (b"content-length", b"0")))
    fields = tuple(field for field in fields if b"latency_ms" not in body or field[0] != b"content-length")
    return Seen(status, fields, body, whole)


def through_the_core(case: Case, port: int) -> tuple[Seen, list[tuple[str, bytes, Headers, bytes]]]:
    story = Story(gateway(config(port, keyed=case.keyed)), peer=Peer(case.peer))
    story.open(case.method, case.target, headers=case.headers, body=case.body)
    if case.body is None and story.exchange.wants_request:
        story.tell(RequestEnd())
    if case.answer is not None:
        answer = case.answer
        headers = answer.headers
        if not answer.cut and len(answer.pieces) == 1:
            headers = (*headers, (b"content-length", b"%d" % len(answer.pieces[0])))
        story.upstream_answers(answer.status, answer.pieces, headers=headers, end=not answer.cut)
        if answer.cut:
            story.upstream_breaks()
    asked = [(each.method, each.target, each.headers, each.body) for each in story.requests.values()]
    return _seen(story.status, story.head.headers, story.body, whole=story.ended), asked


async def through_trio(case: Case, gateway: Gateway) -> Seen:
    server = Server(gateway, NullSink())
    client, ours = trio.testing.memory_stream_pair()
    http = h11.Connection(h11.CLIENT)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        nursery.start_soon(server.serve_stream, ours, Peer(case.peer))
        with trio.fail_after(PATIENCE):
            framing = () if case.body is None else ((b"content-length", b"%d" % len(case.body)),)
            fields = [(b"host", b"127.0.0.1:8045"), *case.headers, *framing]
            head = h11.Request(method=case.method, target=case.target, headers=fields)
            events = [head, *([h11.Data(data=case.body)] if case.body else []), h11.EndOfMessage()]
            await client.send_all(b"".join(http.send(event) or b"" for event in events))
            seen = await _read(client, http)
        await client.aclose()
        nursery.cancel_scope.cancel()
    return seen


async def _read(client: trio.abc.ReceiveStream, http: h11.Connection) -> Seen:
    status, headers, body = 0, [], b""
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            return _seen(status, tuple(headers), body, whole=False)
        if event is h11.NEED_DATA:
            http.receive_data(await client.receive_some())
        elif isinstance(event, h11.Response):
            status, headers = event.status_code, [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return _seen(status, tuple(headers), body, whole=True)


async def through_asgi(case: Case, gateway: Gateway) -> Seen:
    app = Application(gateway, clock=AsgiClock(), sink=NullSink())
    seen = await _ask(AsgiClient(app, client=(case.peer, 50000)), case)
    await app.aclose()
    return seen


async def through_a_mount(case: Case, gateway: Gateway) -> Seen:
    app = Application(gateway, clock=AsgiClock(), sink=NullSink())
    outer = Starlette(routes=[Mount("/llm", app)])
    below = msgspec.structs.replace(case, target=f"/llm{case.target}")
    seen = await _ask(AsgiClient(outer, client=(case.peer, 50000)), below)
    await app.aclose()
    return seen


async def _ask(client: AsgiClient, case: Case) -> Seen:
    body = () if case.body is None else (case.body,)
    data, whole = b"", True
    with trio.fail_after(PATIENCE):
        async with client.request(case.method, case.target, headers=case.headers, body=body) as response:
            try:
                async for piece in response:
                    data += piece
            except Truncated:
                whole = False
    return _seen(response.status, tuple(response.headers.items()), data, whole=whole)


class RunningServer:
    """A server in a thread, whose application is exchanged for each case."""

    def __init__(self, portal: BlockingPortal, serve: Serve) -> None:
        self._portal = portal
        self._serve = serve
        self._app: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        async with served(self._serve, self) as port:
            yield port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        await self._app(scope, receive, send)

    def ask(self, case: Case, gateway: Gateway, port: int) -> Seen:
        app = self._app = Application(gateway, clock=AsgiClock(), sink=NullSink())
        with WireClient("127.0.0.1", port) as client:
            headers = ((b"host", b"127.0.0.1:8045"), *case.headers)
            reply = client.ask(case.method, case.target, headers=headers, body=case.body)
        self._portal.call(app.aclose)
        return _seen(reply.status, reply.headers, reply.body, whole=reply.whole)


Ask = Callable[[Case, Gateway], Seen]


@contextmanager
def running(serve: Serve, backend: str) -> Iterator[Ask]:
    """Gives what asks this server."""
    with start_blocking_portal(backend) as portal:
        server = RunningServer(portal, serve)
        with portal.wrap_async_context_manager(server.running()) as port:
            yield lambda case, gateway: server.ask(case, gateway, port)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Ask]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(*server)) for name, server in SERVERS.items()}


@pytest.mark.parametrize("case", [*CASES, *MANNERS], ids=lambda case: case.name)
async def test_every_frontend_gives_the_same_answer(case: Case, upstream: Upstream, servers: dict[str, Ask]) -> None:
    core, asked = through_the_core(case, upstream.port)
    assert bool(asked) == (case.answer is not None)
    assert case.status in (None, core.status), core
    assert case.says in core.body
    assert any(name == b"x-agcore-request-id" for name, _ in core.headers)
    SCRIPT.answer = case.answer or Answer(status=599)

    def same(name: str, seen: Seen) -> None:
        assert seen == core, name
        assert [(each.method, each.target, each.headers, each.body) for each in upstream.requests] == asked, name
        upstream.requests.clear()

    upstream.requests.clear()
    for through in (through_trio, through_asgi, through_a_mount):
        same(through.__name__, await through(case, gateway(config(upstream.port, keyed=case.keyed))))
    if case.peer == "127.0.0.1":
        for name, ask in servers.items():
            same(name, await trio.to_thread.run_sync(ask, case, gateway(config(upstream.port, keyed=case.keyed))))


@pytest.mark.parametrize("case", [*PASSING, *MANNERS_PASSING], ids=lambda case: case.name)
async def test_every_frontend_passes_the_same_bytes(case: Case, upstream: Upstream, servers: dict[str, Ask]) -> None:
    assert case.answer is not None
    SCRIPT.answer = case.answer
    upstream.requests.clear()
    expected = await through_trio(case, gateway(config(upstream.port)))
    (asked,) = upstream.requests
    assert expected.whole != case.answer.cut
    assert (case.says or b"".join(case.answer.pieces)) == expected.body

    def same(name: str, seen: Seen) -> None:
        assert seen == expected, name
        assert upstream.requests == [asked], name
        upstream.requests.clear()

    upstream.requests.clear()
    for through in (through_asgi, through_a_mount):
        same(through.__name__, await through(case, gateway(config(upstream.port))))
    for name, ask in servers.items():
        same(name, await trio.to_thread.run_sync(ask, case, gateway(config(upstream.port))))


BROKEN = Case(
    "an answer that can only be broken off", "GET", "/", headers=(), answer=Answer(pieces=(b"abc", b"de"), cut=True)
)


async def test_an_answer_that_can_only_be_broken_off_is_visibly_broken_everywhere(
    upstream: Upstream, servers: dict[str, Ask]
) -> None:
    assert BROKEN.answer is not None
    SCRIPT.answer = msgspec.structs.replace(BROKEN.answer, headers=((b"transfer-encoding", b"chunked"),))
    expected = Seen(200, (), b"abcde", whole=False)
    for through in (through_trio, through_asgi, through_a_mount):
        assert await through(BROKEN, RelayGateway(upstream.port)) == expected, through.__name__
    for name, ask in servers.items():
        assert await trio.to_thread.run_sync(ask, BROKEN, RelayGateway(upstream.port)) == expected, name
