"""The pool of an event loop: what goes into it, what comes out of it, and when connections are closed."""

from __future__ import annotations

import ssl
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import SocketStream

from agcore.protocol import UpstreamConnected, UpstreamData
from agcore_asgi.upstream import UpstreamPool
from tests.asgi.test_upstream import OK, request_to, run_leg
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request

EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"


@pytest.mark.parametrize("said", [OK + EVIL, OK + b"\r\n", OK.replace(b"200 OK", b"200 OK\r\nconnection: close")])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_connection_that_closes_or_says_too_much_is_dropped_at_check_in(said: bytes, backend: str) -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(said)
        assert await at_end(stream)
        dropped.set()

    async def main() -> None:
        async with raw_upstream(serve) as port:
            pool = UpstreamPool(idle=60)
            facts = await run_leg(pool, request_to(port))
            assert facts[2] == UpstreamData(1, b"ok")
            assert pool.kept == 0
            await dropped.wait()

    dropped = anyio.Event()
    anyio.run(main, backend=backend)


@pytest.mark.parametrize("unexpected", [EVIL, b""])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_connection_that_spoke_or_closed_while_idle_is_dropped_at_check_out(unexpected: bytes, backend: str) -> None:
    served = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal served
        served += 1
        await read_request(stream)
        await stream.send(OK)
        if served == 1:
            await speak.wait()
            await (stream.send(unexpected) if unexpected else stream.send_eof())
            spoken.set()
        await at_end(stream)

    async def main() -> None:
        async with raw_upstream(serve) as port:
            pool = UpstreamPool(idle=60)
            await run_leg(pool, request_to(port))
            assert pool.kept == 1
            speak.set()
            await spoken.wait()
            facts = await run_leg(pool, request_to(port))
            assert facts[0] == UpstreamConnected(1, reused=False)
            assert facts[2] == UpstreamData(1, b"ok")
            pool.close()
            assert pool.kept == 0

    speak, spoken = anyio.Event(), anyio.Event()
    anyio.run(main, backend=backend)
    assert served == 2


@on_both_loops
async def test_idle_connections_are_bounded_and_are_closed_in_time() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await answer.wait()
        await stream.send(OK)
        await at_end(stream)

    answer = anyio.Event()
    async with raw_upstream(serve) as port:
        pool = UpstreamPool(idle=60, max_idle=2)
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(run_leg, pool, request_to(port), number)
            await anyio.wait_all_tasks_blocked()
            answer.set()
        assert pool.kept == 2
        pool.idle = 0
        facts = await run_leg(pool, request_to(port))
        assert facts[0] == UpstreamConnected(1, reused=False)
        assert pool.kept == 1
        pool.close()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_record_that_came_in_the_packet_of_an_answer_is_seen_below_tls(backend: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    extra = [EVIL, b""]

    async def serve(stream: SocketStream) -> None:
        read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(read, written, server_side=True)
        asked = b""
        shaken = False
        while not asked.endswith(b"{}"):
            try:
                if not shaken:
                    tls.do_handshake()
                    shaken = True
                asked += tls.read(65536)
            except ssl.SSLWantReadError:
                if said := written.read():
                    await stream.send(said)
                read.write(await stream.receive())
        tls.write(OK)
        if more := extra.pop(0):
            tls.write(more)
        await stream.send(written.read())
        await at_end(stream)

    async def main() -> list[int]:
        kept = []
        async with raw_upstream(serve) as port:
            for _ in range(2):
                pool = UpstreamPool(idle=60)
                facts = await run_leg(pool, request_to(port, scheme="https", ca_file=str(tmp_path / "ca.pem")))
                assert facts[2] == UpstreamData(1, b"ok")
                kept.append(pool.kept)
                pool.close()
        return kept

    assert anyio.run(main, backend=backend) == [0, 1]
