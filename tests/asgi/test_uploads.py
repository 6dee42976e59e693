"""Requests that pass by to an upstream while they arrive, and requests that are put aside in a file."""

from __future__ import annotations

import gc
import hashlib
import os
import resource
import ssl
import stat
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from agcore.protocol.http import Origin, Patch
from agcore.protocol.inputs import (
    ClientGone,
    RequestData,
    SpoolFailed,
    Stage,
    UpstreamConnected,
    UpstreamFailed,
    Written,
)
from agcore_asgi.app import Application
from agcore_host.clock import Clock
from agcore_host.spool import Spool
from tests.support.asgi_bridge import AsgiClient
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.upload_machine import ReadBackExchange, SpoolExchange, UploadGateway

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Large\r\ncontent-length: 4\r\n\r\nmuch"
LENGTH = b"content-length"
PIECE = bytes(64 * 1024)


class Upload:
    """A client that sends its request piece by piece, as the test lets it."""

    def __init__(self, gateway: UploadGateway, *headers: tuple[bytes, bytes], clock: Clock) -> None:
        self.app = Application(gateway, clock=clock, sink=lambda event: None)  # type: ignore[arg-type]
        self.reads = 0
        """How often the application has asked for more."""
        self.status = 0
        self.body = b""
        self.ended = anyio.Event()
        self.error: Exception | None = None
        self._scope = {"type": "http", "method": "POST", "path": "/up", "raw_path": b"/up", "headers": list(headers)}
        self._to_app, self._messages = anyio.create_memory_object_stream[dict[str, Any]](1000)

    def send(self, data: bytes, *, more: bool = True) -> None:
        self._to_app.send_nowait({"type": "http.request", "body": data, "more_body": more})

    def leave(self) -> None:
        self._to_app.send_nowait({"type": "http.disconnect"})

    async def run(self) -> None:
        try:
            await self.app(self._scope, self._receive, self._take)
        except Exception as error:
            self.error = error
        self._to_app.close()
        self._messages.close()
        await self.app.aclose()
        self.ended.set()

    async def _receive(self) -> Any:
        self.reads += 1
        return await self._messages.receive()

    async def _take(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


@asynccontextmanager
async def uploading(
    gateway: UploadGateway, *headers: tuple[bytes, bytes], clock: Clock | None = None
) -> AsyncIterator[Upload]:
    upload = Upload(gateway, *headers, clock=clock or Clock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(upload.run)
        yield upload
        await upload.ended.wait()


@on_both_loops
async def test_pieces_pass_by_as_they_come_framed_by_their_length() -> None:
    seen: list[bytes] = []
    received = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        data = b""
        while b"one" not in data:
            data += await stream.receive()
        received.set()
        while b"three" not in data:
            data += await stream.receive()
        seen.append(data)
        await stream.send(OK)

    async with raw_upstream(serve) as port, uploading(UploadGateway(port), (LENGTH, b"11")) as upload:
        upload.send(b"one")
        await received.wait()
        upload.send(b"two")
        upload.send(b"three", more=False)
    assert (upload.status, upload.body) == (200, b"ok")
    assert seen == [b"POST /up HTTP/1.1\r\nhost: upstream\r\ncontent-length: 11\r\n\r\nonetwothree"]


@on_both_loops
async def test_a_body_of_unknown_length_passes_in_chunks() -> None:
    seen: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += await stream.receive()
        seen.append(data)
        await stream.send(OK)

    async with raw_upstream(serve) as port, uploading(UploadGateway(port)) as upload:
        upload.send(b"one")
        upload.send(b"")
        upload.send(b"two")
        upload.send(b"", more=False)
    assert upload.status == 200
    head = b"POST /up HTTP/1.1\r\nhost: upstream\r\ntransfer-encoding: chunked\r\n\r\n"
    assert seen == [head + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"]


@on_both_loops
async def test_an_upstream_that_does_not_read_stops_the_reading_of_the_client() -> None:
    go = anyio.Event()
    size = 500 * len(PIECE)

    async def serve(stream: SocketStream) -> None:
        data = await stream.receive()
        await go.wait()
        left = size - len(data.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(await stream.receive())
        await stream.send(OK)

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        async with uploading(gateway, (LENGTH, b"%d" % size)) as upload:
            for _ in range(499):
                upload.send(PIECE)
            upload.send(PIECE, more=False)
            reads = 0
            while reads != upload.reads or not reads:
                reads = upload.reads
                for _ in range(50):
                    await anyio.wait_all_tasks_blocked()
            assert reads < 250
            passed = sum(isinstance(fact, RequestData) for fact in gateway.exchanges[0].inputs)
            assert reads - passed <= 1
            go.set()
    assert upload.status == 200


@on_both_loops
async def test_every_slow_write_of_a_piece_is_reported() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(OK)

    ticks = iter(range(10**6))
    clock = Clock(lambda: 0.0, monotonic=lambda: float(next(ticks)))
    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        async with uploading(gateway, (LENGTH, b"9"), clock=clock) as upload:
            for _ in range(2):
                upload.send(b"abc")
            upload.send(b"abc", more=False)
    facts = [fact for fact in gateway.exchanges[0].inputs if isinstance(fact, RequestData | Written)]
    pieces = [index for index, fact in enumerate(facts) if isinstance(fact, RequestData)]
    assert [facts[index + 1] for index in pieces] == [Written(1)] * 3


@on_both_loops
async def test_a_client_that_leaves_while_it_uploads_ends_the_leg() -> None:
    received, ended = anyio.Event(), anyio.Event()

    async def serve(stream: SocketStream) -> None:
        data = b""
        while b"one" not in data:
            data += await stream.receive()
        received.set()
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        async with uploading(gateway, (LENGTH, b"11")) as upload:
            upload.send(b"one")
            await received.wait()
            upload.leave()
            await ended.wait()
    assert gateway.exchanges[0].inputs[-1] == ClientGone()


@on_both_loops
async def test_a_client_that_leaves_while_its_upstream_does_not_read_is_noticed() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive(1)
        await anyio.sleep_forever()

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        async with uploading(gateway) as upload:
            upload.send(bytes(32 * 1024 * 1024))
            await anyio.wait_all_tasks_blocked()
            upload.leave()
    assert gateway.exchanges[0].inputs[-1] == ClientGone()


@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_refusal_is_heard_while_the_client_has_more_to_send(backend: str, interim: bytes) -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive()
        for byte in interim:
            await stream.send(bytes([byte]))
        await stream.send(TOO_LARGE)
        await at_end(stream)

    async def main() -> None:
        async with raw_upstream(serve) as port, uploading(UploadGateway(port), (LENGTH, b"1000")) as upload:
            upload.send(b"one")
        assert (upload.status, upload.body) == (413, b"much")

    anyio.run(main, backend=backend)


@on_both_loops
async def test_a_refusal_is_heard_in_a_write_that_the_upstream_does_not_take() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive(1)
        await stream.send(TOO_LARGE)
        await anyio.sleep_forever()

    async with raw_upstream(serve) as port, uploading(UploadGateway(port)) as upload:
        upload.send(bytes(32 * 1024 * 1024))
    assert (upload.status, upload.body) == (413, b"much")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_refusal_is_heard_over_tls(backend: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def handle(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive(1)
            await stream.send(TOO_LARGE)
            await anyio.sleep_forever()

    async def main() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp, anyio.create_task_group() as tasks:
            tasks.start_soon(TLSListener(tcp, context, standard_compatible=False).serve, handle)
            gateway = UploadGateway()
            port = tcp.extra(SocketAttribute.local_port)
            gateway.origin = Origin("https", "127.0.0.1", port, str(tmp_path / "ca.pem"))
            async with uploading(gateway) as upload:
                upload.send(bytes(32 * 1024 * 1024))
            tasks.cancel_scope.cancel()
        assert (upload.status, upload.body) == (413, b"much")

    anyio.run(main, backend=backend)


@on_both_loops
async def test_a_success_that_comes_early_is_kept_until_all_was_sent() -> None:
    requests: list[bytes] = []
    answered = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        data = await stream.receive()
        await stream.send(OK)
        answered.set()
        while b"last" not in data:
            data += await stream.receive()
        requests.append(data)

    async with raw_upstream(serve) as port, uploading(UploadGateway(port), (LENGTH, b"9")) as upload:
        upload.send(b"first")
        await answered.wait()
        await anyio.wait_all_tasks_blocked()
        upload.send(b"last", more=False)
    assert (upload.status, upload.body) == (200, b"ok")
    assert requests[0].endswith(b"\r\n\r\nfirstlast")


@on_both_loops
async def test_a_connection_that_refused_an_upload_is_not_used_again() -> None:
    connections = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal connections
        connections += 1
        await stream.receive()
        await stream.send(TOO_LARGE)
        await at_end(stream)

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        app = Application(gateway, clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
        for _ in range(2):
            pieces, statuses = [b"one"], []

            async def receive() -> Any:
                if not pieces:  # noqa: B023 - it is called in this very round
                    await anyio.sleep_forever()
                return {"type": "http.request", "body": pieces.pop(), "more_body": True}  # noqa: B023

            async def send(message: Any) -> None:
                statuses.append(message.get("status"))  # noqa: B023

            await app({"type": "http", "method": "POST", "path": "/up", "headers": []}, receive, send)
            assert statuses[0] == 413
        await app.aclose()
    assert connections == 2
    reused = [fact.reused for each in gateway.exchanges for fact in each.inputs if isinstance(fact, UpstreamConnected)]
    assert reused == [False, False]


@on_both_loops
async def test_an_upstream_that_closes_in_the_middle_of_an_upload_is_a_failure_at_send() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive()

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        async with uploading(gateway, (LENGTH, b"11")) as upload:
            upload.send(b"one")
    assert upload.status == 502
    failed = gateway.exchanges[0].inputs[-1]
    assert isinstance(failed, UpstreamFailed)
    assert failed.stage is Stage.SEND


@on_both_loops
async def test_a_write_to_the_upstream_past_its_deadline_is_cut_short() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive(1)
        await anyio.sleep_forever()

    def prepare(exchange: Any) -> None:
        exchange.write_deadline = Clock().now() + 0.2

    async with raw_upstream(serve) as port:
        gateway = UploadGateway(port)
        gateway.prepare = prepare
        async with uploading(gateway) as upload:
            upload.send(bytes(32 * 1024 * 1024))
    failed = gateway.exchanges[0].inputs[-1]
    assert isinstance(failed, UpstreamFailed)
    assert failed.stage is Stage.SEND
    assert failed.cause.endswith(" did not take the request in time")
    assert upload.status == 502


# Bodies that are put aside.


def large(size: int) -> Iterator[bytes]:
    """Pieces that differ from each other, `size` bytes in all."""
    for at in range(0, size, len(PIECE)):
        yield hashlib.sha256(str(at).encode()).digest() * (len(PIECE) // 32)


def unnamed_files() -> int:
    """How many files without a name this process has open."""
    count = 0
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the directory itself is closed by now
            status = os.fstat(int(name))
            count += stat.S_ISREG(status.st_mode) and not status.st_nlink
    return count


def spooling(port: int, *patches: Patch) -> UploadGateway:
    class Patched(SpoolExchange):
        pass

    Patched.patches = patches
    return UploadGateway(port, kind=Patched)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_50_megabytes_are_put_aside_and_arrive_patched_without_being_in_memory(backend: str) -> None:
    size = 50 * 1024 * 1024
    patches = (Patch(0, 3, b"begin"), Patch(1_000_000, 0, b"inserted"), Patch(30_000_001, 5_000_000, b""))
    patches = (*patches, Patch(size - 4, 4, b"the end"))
    expected, original = hashlib.sha256(), b"".join(large(size))
    at = 0
    for patch in patches:
        expected.update(original[at : patch.offset] + patch.data)
        at = patch.offset + patch.length
    del original
    seen = hashlib.sha256()

    async def serve(stream: SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, data = data.partition(b"\r\n\r\n")
        left = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while left:
            data = data or await stream.receive()
            seen.update(data)
            left -= len(data)
            data = b""
        await stream.send(OK)

    async def main() -> int:
        async with raw_upstream(serve) as port:
            app = Application(spooling(port, *patches), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
            pieces = large(size)
            sent = 0

            async def receive() -> Any:
                nonlocal sent
                piece = next(pieces, b"")
                sent += len(piece)
                if not piece:
                    await anyio.sleep_forever()
                return {"type": "http.request", "body": piece, "more_body": sent < size}

            statuses = []

            async def send(message: Any) -> None:
                statuses.append(message.get("status"))

            gc.collect()
            tracemalloc.start(1)
            try:
                await app({"type": "http", "method": "POST", "path": "/up", "headers": []}, receive, send)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            await app.aclose()
            assert statuses[0] == 200
            return peak

    assert anyio.run(main, backend=backend) < 10 * 1024 * 1024
    assert seen.digest() == expected.digest()


@on_both_loops
async def test_what_was_put_aside_can_be_sent_again_and_is_gone_at_the_end() -> None:
    seen: list[bytes] = []
    before = unnamed_files()

    async def serve(stream: SocketStream) -> None:
        while True:
            seen.append(await read_request(stream))
            assert unnamed_files() == before + 1
            await stream.send(OK if len(seen) == 2 else b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")

    async with raw_upstream(serve) as port:
        app = Application(spooling(port, Patch(1, 1, b"__")), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
        async with AsgiClient(app).request("POST", "/", body=[b"abc", b"def"]) as response:
            assert (response.status, await response.read()) == (200, b"ok")
        assert unnamed_files() == before
        await app.aclose()
    assert len(seen) == 2
    assert all(request.endswith(b"content-length: 7\r\n\r\na__cdef") for request in seen)


@on_both_loops
async def test_what_was_put_aside_is_read_back_and_gone_at_the_end() -> None:
    before = unnamed_files()
    app = Application(UploadGateway(1, kind=ReadBackExchange), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
    async with AsgiClient(app).request("POST", "/", body=[PIECE] * 20) as response:
        assert (response.status, await response.read()) == (200, PIECE * 20)
    assert unnamed_files() == before
    await app.aclose()


@on_both_loops
async def test_what_was_put_aside_and_is_gone_cannot_be_read_back() -> None:
    class ShortSpool(Spool):
        def append(self, data: bytes) -> None:
            super().append(data)
            self._file.truncate(1)

    app = Application(UploadGateway(1, kind=ReadBackExchange), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agcore_host.spool.Spool", ShortSpool)
        async with AsgiClient(app).request("POST", "/", body=[b"abc"]) as response:
            assert response.status == 507
    await app.aclose()


@on_both_loops
async def test_an_exchange_that_is_given_up_leaves_no_file() -> None:
    before = unnamed_files()
    asked = anyio.Event()
    messages = [{"type": "http.request", "body": b"abc", "more_body": True}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        asked.set()
        return await anyio.sleep_forever()

    async def send(message: Any) -> None:
        raise AssertionError(message)

    app = Application(spooling(1), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, {"type": "http", "method": "POST", "path": "/up", "headers": []}, receive, send)
        await asked.wait()
        assert unnamed_files() == before + 1
        tasks.cancel_scope.cancel()
    assert unnamed_files() == before
    await app.aclose()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond a megabyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_file_that_cannot_be_written_is_an_input_and_gone(backend: str) -> None:
    async def main() -> None:
        before = unnamed_files()
        gateway = spooling(1)
        app = Application(gateway, clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
        async with AsgiClient(app).request("POST", "/", body=[PIECE] * 17) as response:
            assert response.status == 507
        await app.aclose()
        failed = gateway.exchanges[0].inputs[-1]
        assert isinstance(failed, SpoolFailed)
        assert "too large" in failed.cause
        assert unnamed_files() == before

    anyio.run(main, backend=backend)
