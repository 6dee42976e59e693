"""An exchange that waits for a file: its client may leave, its deadline may come, a leg may run beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest
from anyio.abc import SocketStream

from agcore.protocol.effects import OpenUpstream, ReadFile
from agcore.protocol.http import Origin
from agcore.protocol.inputs import ClientGone, FileRead, Input, RequestEnd, UpstreamConnected
from agcore_asgi import driver
from agcore_asgi.app import Application
from agcore_host.clock import Clock
from tests.support.asgi_bridge import AsgiClient
from tests.support.patience import PATIENCE
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.reach_machine import ReachGateway, reads
from tests.support.relay_machine import RelayExchange

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class SlowDisk:
    """A disk that answers when it is told to."""

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
        await anyio.to_thread.run_sync(self.reads.acquire)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr(driver, "read_file", disk.read_file)
    yield disk
    disk.answer.set()
    assert disk.ended.acquire(timeout=PATIENCE)


def application(gateway: ReachGateway, clock: Clock | None = None) -> Application:
    return Application(gateway, clock=clock or Clock(), sink=lambda event: None)  # type: ignore[arg-type]


def listened(gateway: ReachGateway, kind: type[Input]) -> anyio.Event:
    """Set when an exchange is told something of this kind."""
    event = anyio.Event()
    gateway.told = lambda fact: event.set() if isinstance(fact, kind) else None
    return event


@BACKENDS
def test_a_client_that_leaves_while_its_file_is_read_ends_the_exchange(disk: SlowDisk, backend: str) -> None:
    gateway = reads("/x", roots=("/",))

    async def main() -> None:
        gone = listened(gateway, ClientGone)
        with anyio.fail_after(PATIENCE):
            async with AsgiClient(application(gateway)).connect("POST", "/") as response:
                await disk.asked()
                response.disconnect()
                await gone.wait()
                await response.finished.wait()
        assert response.error is None
        disk.answer.set()

    anyio.run(main, backend=backend)
    (exchange,) = gateway.exchanges
    assert exchange.finished
    assert not any(isinstance(fact, FileRead) for fact in exchange.inputs)


@BACKENDS
def test_a_deadline_comes_while_a_file_is_read(disk: SlowDisk, backend: str) -> None:
    gateway, clock = reads("/x", roots=("/",)), Clock()

    def limit(exchange: RelayExchange) -> None:
        exchange.deadline = clock.now() + 0.05

    gateway.prepare = limit

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            async with AsgiClient(application(gateway, clock)).request("POST", "/") as response:
                assert response.status == 504
        disk.answer.set()

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_cancelled_exchange_does_not_wait_for_the_disk(disk: SlowDisk, backend: str) -> None:
    gateway = reads("/x", roots=("/",))

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await disk.asked()
                tasks.cancel_scope.cancel()
        disk.answer.set()

    async def ask() -> None:
        async with AsgiClient(application(gateway)).connect("POST", "/") as response:
            await response.finished.wait()

    anyio.run(main, backend=backend)
    assert gateway.exchanges[0].abandoned


@BACKENDS
def test_a_leg_goes_on_while_a_file_is_read(disk: SlowDisk, backend: str) -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        assert await at_end(stream)

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            async with raw_upstream(serve) as port:
                origin = Origin("http", "127.0.0.1", port)
                gateway = ReachGateway(
                    lambda request: [ReadFile(1, "/x", ("/",), 9), OpenUpstream(1, request)], origin=origin
                )
                connected = listened(gateway, UpstreamConnected)
                async with AsgiClient(application(gateway)).connect("POST", "/") as response:
                    await disk.asked()
                    await connected.wait()
                    disk.answer.set()
                    await response.start()
                    assert (response.status, await response.read()) == (200, b"late")
        kinds = [type(fact) for fact in gateway.exchanges[0].inputs]
        assert kinds == [RequestEnd, UpstreamConnected, FileRead]

    anyio.run(main, backend=backend)
