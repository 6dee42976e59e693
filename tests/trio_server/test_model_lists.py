"""Model lists over sockets: what providers list themselves, those who are down or silent notwithstanding."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import trio
import trio.testing

from agcore import Config, Gateway, Peer
from agcore.config.values import Endpoint, Provider, Secret
from agcore.operations.models import PATIENCE
from agcore.protocol.http import Origin
from agcore_trio.server import Server
from agcore_trio.upstream import UpstreamPool
from tests.support.upstreams import Answer, Recorded, Upstream
from tests.trio_server.toys import EPOCH, ListSink, read_answer

LISTS = {
    "openai": {"object": "list", "data": [{"id": "llama", "object": "model"}]},
    "anthropic": {"data": [{"type": "model", "id": "sonnet"}], "has_more": False},
    "gemini": {"models": [{"name": "models/flash", "supportedGenerationMethods": ["generateContent"]}]},
}


def answering(dialect: str) -> Upstream:
    body = json.dumps(LISTS[dialect]).encode()

    def answer(request: Recorded) -> Answer:
        assert request.method == "GET"
        return Answer(pieces=(body,))

    return Upstream(answer)


def provider(name: str, dialect: str, port: int) -> Provider:
    endpoint = Endpoint(dialect, Origin("http", "127.0.0.1", port), b"", "bearer")
    return Provider(name, {dialect: endpoint}, keys=(Secret(f"sk-{name}"),))


@pytest.fixture
def upstreams() -> Iterator[dict[str, Upstream]]:
    with ExitStack() as stack:
        yield {dialect: stack.enter_context(answering(dialect)) for dialect in LISTS}


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


async def listed(stream: trio.abc.Stream) -> list[str]:
    await stream.send_all(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n")
    status, _, body = await read_answer(stream, b"GET")
    assert status == 200
    return [entry["id"] for entry in json.loads(body)["data"]]


async def test_a_list_is_there_in_time_with_all_that_answered(
    nursery: trio.Nursery,
    mock_clock: trio.testing.MockClock,
    upstreams: dict[str, Upstream],
    silent: socket.socket,
    closed_port: int,
) -> None:
    providers = (
        *(provider(dialect, dialect, upstream.port) for dialect, upstream in upstreams.items()),
        provider("silent", "openai", silent.getsockname()[1]),
        provider("down", "anthropic", closed_port),
    )
    gateway = Gateway(Config(providers=providers), secret=bytes(32), now=EPOCH)
    pool = UpstreamPool(idle=60)
    server = Server(gateway, ListSink(), pool=pool)
    await nursery.start(server.run, await trio.open_tcp_listeners(0, host="127.0.0.1"))
    client, ours = trio.testing.memory_stream_pair()
    nursery.start_soon(server.serve_stream, ours, Peer("127.0.0.1"))
    names: list[str] = []

    async def ask() -> None:
        names.extend(await listed(client))

    nursery.start_soon(ask)
    while pool.kept < len(upstreams):  # the clock stands still meanwhile
        await trio.testing.wait_all_tasks_blocked()
    assert names == []
    mock_clock.jump(PATIENCE + 0.001)
    while not names:
        await trio.testing.wait_all_tasks_blocked()
    # A bare "*" leads to the first provider; what others have is reached by their names.
    assert names == ["llama", "anthropic/sonnet", "gemini/flash"]
    assert await listed(client) == names  # at once: the clock stands still
    assert [len(upstream.requests) for upstream in upstreams.values()] == [1, 1, 1]
    nursery.cancel_scope.cancel()
