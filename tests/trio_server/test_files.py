"""An exchange that waits for a file: its client may leave, its deadline may come, a leg may run beside it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from agcore.protocol.effects import OpenUpstream, ReadFile
from agcore.protocol.http import Origin, Peer
from agcore.protocol.inputs import ClientGone, FileRead, FileRefused, Input, UpstreamHead
from agcore_trio import driver
from agcore_trio.clock import Clock
from agcore_trio.server import Server
from tests.support.patience import PATIENCE
from tests.support.reach_machine import ReachGateway, reads
from tests.support.relay_machine import RelayExchange
from tests.trio_server.toys import EPOCH, ListSink, read_answer

REQUEST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"


class SlowDisk:
    """A disk that answers when it is told to. Its threads begin `reads`."""

    def __init__(self) -> None:
        self.reads = threading.Semaphore(0)
        self.answer = threading.Event()
        self.ended = threading.Semaphore(0)

    def read_file(self, effect: ReadFile) -> FileRead:
        self.reads.release()
        self.answer.wait()
        self.ended.release()
        return FileRead(effect.id, b"late")

    async def asked(self) -> None:
        await trio.to_thread.run_sync(self.reads.acquire)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr(driver, "read_file", disk.read_file)
    yield disk
    disk.answer.set()
    assert disk.ended.acquire(timeout=PATIENCE)


@asynccontextmanager
async def serving(gateway: ReachGateway, *, sockets: bool = True) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    """A client of a running server: over a socket, which a watch looks after, or in memory."""
    server = Server(gateway, ListSink(), clock=Clock(wall=lambda: EPOCH))  # type: ignore[arg-type]
    with trio.fail_after(PATIENCE):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run, listeners)
            client: trio.abc.HalfCloseableStream
            if sockets:
                client = await trio.open_tcp_stream(*listeners[0].socket.getsockname())
            else:
                client, ours = trio.testing.memory_stream_pair()
                nursery.start_soon(server.serve_stream, ours, Peer("127.0.0.1"))
            async with client:
                await client.send_all(REQUEST)
                yield client
            nursery.cancel_scope.cancel()


def listened(gateway: ReachGateway, kind: type[Input]) -> trio.Event:
    """Set when an exchange is told something of this kind."""
    event = trio.Event()
    gateway.told = lambda fact: event.set() if isinstance(fact, kind) else None
    return event


@pytest.mark.parametrize("sockets", [True, False], ids=["socket", "memory"])
async def test_a_client_that_leaves_while_its_file_is_read_ends_the_exchange(disk: SlowDisk, sockets: bool) -> None:
    gateway = reads("/x", roots=("/",))
    gone = listened(gateway, ClientGone)
    async with serving(gateway, sockets=sockets) as client:
        await disk.asked()
        await client.aclose()
        await gone.wait()
        (exchange,) = gateway.exchanges
        assert exchange.finished
        assert not any(isinstance(fact, FileRead) for fact in exchange.inputs)


async def test_a_deadline_comes_while_a_file_is_read(disk: SlowDisk, autojump_clock: object) -> None:
    gateway = reads("/x", roots=("/",))

    def limit(exchange: RelayExchange) -> None:
        exchange.deadline = EPOCH + 5

    gateway.prepare = limit
    async with serving(gateway, sockets=False) as client:
        assert (await read_answer(client))[0] == 504
        assert trio.current_time() == pytest.approx(5, abs=0.1)


async def test_a_cancelled_server_does_not_wait_for_the_disk(disk: SlowDisk) -> None:
    gateway = reads("/x", roots=("/",))
    async with serving(gateway):
        await disk.asked()
    assert gateway.exchanges[0].abandoned


async def test_the_next_exchange_of_a_connection_reads_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    async with serving(reads(str(tmp_path / "a"), roots=(str(tmp_path),))) as client:
        for _ in range(3):
            status, _, body = await read_answer(client)
            assert (status, body) == (200, b"hello")
            await client.send_all(REQUEST)


async def test_a_leg_answers_while_a_file_is_read(disk: SlowDisk) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        await trio.sleep_forever()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    origin = Origin("http", *listeners[0].socket.getsockname())
    gateway = ReachGateway(lambda request: [ReadFile(1, "/x", ("/",), 9), OpenUpstream(1, request)], origin=origin)
    headed, read = listened(gateway, UpstreamHead), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        async with serving(gateway):
            await disk.asked()
            await headed.wait()
            gateway.told = lambda fact: read.set() if isinstance(fact, FileRead) else None
            disk.answer.set()
            await read.wait()
        nursery.cancel_scope.cancel()
    assert not any(isinstance(fact, FileRefused) for fact in gateway.exchanges[0].inputs)
