"""Legs against an upstream whose bytes are scripted: what goes out on the wire, and what is reported of each end."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import SocketStream
from anyio.streams.tls import TLSListener

from agcore.protocol.http import Headers, Origin, UpstreamRequest
from agcore.protocol.inputs import (
    Input,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore_asgi.inbox import Inbox
from agcore_asgi.upstream import Leg, UpstreamPool
from agcore_host.clock import Clock
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Serve = Callable[[SocketStream], Awaitable[None]]


def request_to(
    port: int,
    *,
    method: str = "POST",
    target: bytes = b"/v1/x",
    headers: Headers | None = None,
    body: bytes = b"{}",
    scheme: str = "http",
    ca_file: str = "",
) -> UpstreamRequest:
    if headers is None:
        headers = ((b"host", b"upstream"), (b"content-length", b"%d" % len(body)))
    return UpstreamRequest(Origin(scheme, "127.0.0.1", port, ca_file), method, target, headers, body)


async def run_leg(pool: UpstreamPool, request: UpstreamRequest, number: int = 1) -> list[Input]:
    """Runs one leg with an owner who always wants more; returns what it reported, but for writes that took long."""
    inbox = Inbox()
    leg = Leg(number, request, inbox=inbox, clock=Clock())
    facts: list[Input] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leg.run, pool)
        while not (facts and isinstance(facts[-1], UpstreamEnd | UpstreamFailed)):
            leg.gate.open()
            await inbox.wait()
            while inbox:
                facts.append(inbox.take())
    return [fact for fact in facts if not isinstance(fact, Written)]  # how long they take is the machine's affair


async def ask(serve: Serve, *, times: int = 1, **changes: object) -> list[Input]:
    """What the last of `times` legs reports of an upstream."""
    pool = UpstreamPool(idle=60)
    async with raw_upstream(serve) as port:
        for _ in range(times):
            facts = await run_leg(pool, request_to(port, **changes))  # type: ignore[arg-type]
        pool.close()
    return facts


def failure(facts: list[Input]) -> tuple[Stage, Sent, bool]:
    assert isinstance(facts[-1], UpstreamFailed)
    assert "\n" not in facts[-1].cause
    return facts[-1].stage, facts[-1].sent, facts[-1].reused


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("body", [b"", b'{"a":1}'])
def test_the_wire_carries_the_request_and_nothing_else(method: str, body: bytes) -> None:
    seen: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        seen.append(await read_request(stream))
        await stream.send(OK)

    length = ((b"content-length", b"%d" % len(body)),) if body else ()
    headers = ((b"host", b"upstream:81"), (b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"\xff3"), *length)
    expected = b"%b /a%%2fb//c?q=%%zz&q HTTP/1.1\r\n" % method.encode()
    expected += b"".join(b"%b: %b\r\n" % field for field in headers) + b"\r\n" + body

    async def main() -> None:
        await ask(serve, method=method, target=b"/a%2fb//c?q=%zz&q", headers=headers, body=body)

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
    assert seen == [expected, expected]


@on_both_loops
async def test_an_answer_is_reported_in_order() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await stream.send(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n")
        await stream.send(b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")

    assert await ask(serve) == [
        UpstreamConnected(1, reused=False),
        UpstreamHead(
            1,
            429,
            (
                (b"retry-after", b"3"),
                (b"set-cookie", b"a"),
                (b"set-cookie", b"b"),
                (b"content-encoding", b"gzip"),
                (b"content-length", b"4"),
            ),
        ),
        UpstreamData(1, b"nope"),
        UpstreamEnd(1),
    ]


@on_both_loops
async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    seen: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        for _ in range(2):
            seen.append(await read_request(stream))
            await stream.send(b"HTTP/1.1 307 Away\r\nlocation: /other\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n")

    facts = await ask(serve, times=2)
    assert isinstance(facts[1], UpstreamHead)
    assert facts[1].status == 307
    assert seen[0] == seen[1]


@on_both_loops
async def test_a_second_request_reuses_the_connection_and_says_so() -> None:
    connections = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await read_request(stream)
            await stream.send(OK)

    facts = await ask(serve, times=2)
    assert facts[0] == UpstreamConnected(1, reused=True)
    assert connections == 1


@on_both_loops
async def test_a_refused_connection_fails_at_connect_with_nothing_sent() -> None:
    async with raw_upstream(at_end) as port:
        pass
    facts = await run_leg(UpstreamPool(idle=60), request_to(port))
    assert failure(facts) == (Stage.CONNECT, Sent.NONE, False)
    assert facts[-1].cause.startswith(f"cannot connect to 127.0.0.1:{port}: ")
    assert len(facts) == 1


@on_both_loops
async def test_a_name_that_does_not_exist_fails_at_connect() -> None:
    request = UpstreamRequest(Origin("http", "a" * 70 + ".invalid", 80), "GET", b"/", ((b"host", b"x"),))
    assert failure(await run_leg(UpstreamPool(idle=60), request)) == (Stage.CONNECT, Sent.NONE, False)


@on_both_loops
async def test_a_close_before_any_answer_fails_at_the_head_with_all_sent() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)

    assert failure(await ask(serve)) == (Stage.HEAD, Sent.ALL, False)


@on_both_loops
async def test_a_pooled_connection_that_closes_on_the_next_request_is_told_apart() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(OK)
        await read_request(stream)

    facts = await ask(serve, times=2)
    assert facts[0] == UpstreamConnected(1, reused=True)
    assert failure(facts) == (Stage.HEAD, Sent.ALL, True)


@on_both_loops
async def test_a_close_in_the_middle_of_the_request_fails_at_send_with_a_part_sent() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive(1)

    assert failure(await ask(serve, body=bytes(32 * 1024 * 1024))) == (Stage.SEND, Sent.PART, False)


@on_both_loops
async def test_an_answer_in_the_middle_of_the_request_is_still_read() -> None:
    async def serve(stream: SocketStream) -> None:
        await stream.receive(1)
        await stream.send(b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await stream.send_eof()
        while True:
            await stream.receive()

    facts = await ask(serve, body=bytes(8 * 1024 * 1024))
    assert isinstance(facts[-2], UpstreamHead)
    assert facts[-2].status == 413
    assert facts[-1] == UpstreamEnd(1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nnot hex\r\n",
    ],
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_that_breaks_off_fails_in_the_body(answer: bytes, backend: str) -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(answer)

    async def main() -> list[Input]:
        return await ask(serve)

    facts = anyio.run(main, backend=backend)
    assert facts[2] == UpstreamData(1, b"half")
    assert failure(facts) == (Stage.BODY, Sent.ALL, False)


@on_both_loops
async def test_an_answer_that_is_not_http_fails_at_the_head() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    facts = await ask(serve)
    assert failure(facts) == (Stage.HEAD, Sent.ALL, False)
    assert facts[-1].cause.endswith(": illegal status line")


@on_both_loops
async def test_a_body_that_ends_with_the_connection_is_complete() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall")

    assert (await ask(serve))[-2:] == [UpstreamData(1, b"all"), UpstreamEnd(1)]


@on_both_loops
async def test_a_header_that_cannot_be_sent_fails_unsent_and_is_not_quoted() -> None:
    facts = await ask(at_end, headers=((b"host", b"h"), (b"x-api-key", b"sk-secret\nvalue")), body=b"")
    assert failure(facts) == (Stage.SEND, Sent.NONE, False)
    assert "secret" not in facts[-1].cause


@on_both_loops
async def test_an_aborted_leg_closes_its_connection_while_it_waits_at_its_gate() -> None:
    for pieces in range(3):
        wanted, more = anyio.create_memory_object_stream[None](3)
        ended = anyio.Event()

        async def serve(stream: SocketStream) -> None:
            await read_request(stream)
            await stream.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            async for _ in more:  # noqa: B023 - it serves one connection, in this very round
                await stream.send(b"1\r\nx\r\n")
            assert await at_end(stream)
            ended.set()  # noqa: B023

        pool, inbox, facts = UpstreamPool(idle=60), Inbox(), list[Input]()
        async with more, raw_upstream(serve) as port, anyio.create_task_group() as tasks:
            leg = Leg(1, request_to(port), inbox=inbox, clock=Clock())
            tasks.start_soon(leg.run, pool)

            async def heard(count: int) -> None:
                while len(facts) < count:  # noqa: B023
                    await inbox.wait()  # noqa: B023
                    # How long a write took is the machine's affair.
                    news = [inbox.take() for _ in iter(inbox.__bool__, False)]  # noqa: B023
                    facts.extend(fact for fact in news if not isinstance(fact, Written))  # noqa: B023

            await heard(2)
            for piece in range(pieces):
                leg.gate.open()
                await wanted.send(None)
                await heard(3 + piece)
            await wanted.send(None)
            wanted.close()
            leg.abort()
            await ended.wait()
            pool.close()
        assert [type(fact) for fact in facts] == [UpstreamConnected, UpstreamHead] + [UpstreamData] * pieces
        assert not inbox


async def tls_answers(authority: trustme.CA, tmp_path: Path, ca_file: str) -> list[Input]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def handle(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(OK)

    pool = UpstreamPool(idle=60)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp, anyio.create_task_group() as tasks:
        tasks.start_soon(TLSListener(tcp, context, standard_compatible=False).serve, handle)
        port = tcp.extra(anyio.abc.SocketAttribute.local_port)
        facts = await run_leg(pool, request_to(port, scheme="https", ca_file=ca_file))
        pool.close()
        tasks.cancel_scope.cancel()
    return facts


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_server_is_verified_by_the_file_of_its_origin(tmp_path: Path, backend: str) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    facts = anyio.run(tls_answers, authority, tmp_path, str(ca_file), backend=backend)
    assert facts[-2:] == [UpstreamData(1, b"ok"), UpstreamEnd(1)]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_server_that_nobody_vouches_for_fails_at_tls_with_nothing_sent(tmp_path: Path, backend: str) -> None:
    facts = anyio.run(tls_answers, trustme.CA(), tmp_path, "", backend=backend)
    assert failure(facts) == (Stage.TLS, Sent.NONE, False)


@on_both_loops
async def test_a_file_of_roots_that_cannot_be_read_is_named() -> None:
    facts = await run_leg(UpstreamPool(idle=60), request_to(1, scheme="https", ca_file="/nowhere/ca.pem"))
    assert failure(facts) == (Stage.TLS, Sent.NONE, False)
    assert "/nowhere/ca.pem" in facts[-1].cause
