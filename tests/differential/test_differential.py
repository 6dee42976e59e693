"""The same exchange through the bare core, the trio frontend and the ASGI frontend gives the same answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import h11
import msgspec
import pytest
import trio
import trio.testing

from agcore import Headers, Note, Peer
from agcore_asgi.app import Application
from agcore_asgi.clock import Clock as AsgiClock
from agcore_trio.server import Server
from tests.differential.cases import CASES, Case, config
from tests.support.asgi_bridge import AsgiClient, Truncated
from tests.support.story import Story, gateway
from tests.support.upstreams import Answer, Recorded, Upstream

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
    """Takes Notes and keeps none."""

    def __call__(self, note: Note) -> None:
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
    story = Story(gateway(config(port)), peer=Peer(case.peer))
    story.open(case.method, case.target, headers=case.headers, body=case.body)
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


async def through_trio(case: Case, port: int) -> Seen:
    server = Server(gateway(config(port)), NullSink())
    client, ours = trio.testing.memory_stream_pair()
    http = h11.Connection(h11.CLIENT)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        nursery.start_soon(server.serve_stream, ours, Peer(case.peer))
        with trio.fail_after(10):
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


async def through_asgi(case: Case, port: int) -> Seen:
    app = Application(gateway(config(port)), clock=AsgiClock(), sink=NullSink())
    body = () if case.body is None else (case.body,)
    client = AsgiClient(app, client=(case.peer, 50000))
    with trio.fail_after(10):
        async with client.request(case.method, case.target, headers=case.headers, body=body) as response:
            try:
                data, whole = await response.read(), True
            except Truncated:
                data, whole = b"", False
    await app.aclose()
    return _seen(response.status, tuple(response.headers.items()), data, whole=whole)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_frontend_gives_the_same_answer(case: Case, upstream: Upstream) -> None:
    core, asked = through_the_core(case, upstream.port)
    assert bool(asked) == (case.answer is not None)
    SCRIPT.answer = case.answer or Answer(status=599)
    for through in (through_trio, through_asgi):
        upstream.requests.clear()
        assert await through(case, upstream.port) == core
        sent = [(each.method, each.target, each.headers, each.body) for each in upstream.requests]
        assert sent == asked
