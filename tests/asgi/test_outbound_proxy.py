"""Legs that go through an HTTP proxy."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from agcore.protocol.http import Origin, ProxyServer, UpstreamRequest
from agcore.protocol.inputs import Input, Sent, Stage, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamFailed
from agcore_asgi.upstream import UpstreamPool
from tests.asgi.test_upstream import failure, run_leg
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
SECRET = "Basic dXNlcjpwYXNzd29yZA=="


def request_by(proxy: int, port: int, *, scheme: str = "http", ca_file: str = "") -> UpstreamRequest:
    origin = Origin(scheme, "127.0.0.1", port, ca_file, ProxyServer("127.0.0.1", proxy, SECRET))
    return UpstreamRequest(origin, "POST", b"/v1/x", ((b"host", b"upstream"), (b"content-length", b"2")), b"{}")


def proxy_of(seen: list[bytes]) -> Callable[[SocketStream], Awaitable[None]]:
    """A proxy that opens tunnels."""

    async def serve(client: SocketStream) -> None:
        request = await read_request(client)
        seen.append(request)
        host, _, port = request.split()[1].decode().rpartition(":")
        async with await anyio.connect_tcp(host, int(port)) as upstream, anyio.create_task_group() as tasks:

            async def copy(source: ByteStream, target: ByteStream) -> None:
                try:
                    while True:
                        await target.send(await source.receive())
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    tasks.cancel_scope.cancel()

            await client.send(OPEN)
            tasks.start_soon(copy, client, upstream)
            tasks.start_soon(copy, upstream, client)

    return serve


@on_both_loops
async def test_a_plain_origin_is_reached_through_a_tunnel_that_is_kept() -> None:
    tunnels: list[bytes] = []
    seen: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        for _ in range(2):
            seen.append(await read_request(stream))
            await stream.send(OK)

    pool = UpstreamPool(idle=60)
    async with raw_upstream(serve) as port, raw_upstream(proxy_of(tunnels)) as proxy:
        for reused in (False, True):
            facts = await run_leg(pool, request_by(proxy, port))
            assert facts[0] == UpstreamConnected(1, reused)
            assert facts[-2:] == [UpstreamData(1, b"ok"), UpstreamEnd(1)]
        pool.close()
    place = b"127.0.0.1:%d" % port
    fields = b"host: %b\r\nproxy-authorization: %b\r\n\r\n" % (place, SECRET.encode())
    assert tunnels == [b"CONNECT %b HTTP/1.1\r\n%b" % (place, fields)]
    assert seen == [b"POST /v1/x HTTP/1.1\r\nhost: upstream\r\ncontent-length: 2\r\n\r\n{}"] * 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_https_origin_is_verified_through_the_tunnel(backend: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(OK)

    async def main(ca_file: str) -> list[Input]:
        pool = UpstreamPool(idle=60)
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp,
            raw_upstream(proxy_of([])) as proxy,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(TLSListener(tcp, context, standard_compatible=False).serve, handle)
            port = tcp.extra(SocketAttribute.local_port)
            facts = await run_leg(pool, request_by(proxy, port, scheme="https", ca_file=ca_file))
            pool.close()
            tasks.cancel_scope.cancel()
        return facts

    facts = anyio.run(main, str(tmp_path / "ca.pem"), backend=backend)
    assert facts[-2:] == [UpstreamData(1, b"ok"), UpstreamEnd(1)]
    assert failure(anyio.run(main, "", backend=backend)) == (Stage.TLS, Sent.NONE, False)


async def refused(answer: bytes) -> UpstreamFailed:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(answer)

    pool = UpstreamPool(idle=60)
    async with raw_upstream(serve) as proxy:
        facts = await run_leg(pool, request_by(proxy, 1))
        pool.close()
    assert failure(facts) == (Stage.CONNECT, Sent.NONE, False)
    (failed,) = facts
    assert isinstance(failed, UpstreamFailed)
    prefix = f"the proxy 127.0.0.1:{proxy} "
    assert failed.cause.startswith(prefix)
    assert "dXNlcjpwYXNzd29yZA" not in failed.cause
    return UpstreamFailed(1, failed.stage, failed.sent, reused=False, cause=failed.cause.removeprefix(prefix))


@on_both_loops
async def test_a_refusal_of_the_proxy_names_it_and_its_status() -> None:
    denied = b"HTTP/1.1 407 Say %b\r\ncontent-length: 5\r\n\r\nabcde" % SECRET.encode()
    assert (await refused(denied)).cause == "answered 407 to CONNECT 127.0.0.1:1, it wants other credentials"
    hints = b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n"
    assert (await refused(hints)).cause == "answered 502 to CONNECT 127.0.0.1:1"


@on_both_loops
async def test_a_proxy_that_does_not_speak_http_is_named() -> None:
    assert (await refused(b"SSH-2.0 " + SECRET.encode() + b"\r\n\r\n")).cause == "did not answer CONNECT in HTTP"
    assert (await refused(b"")).cause == "did not answer CONNECT in HTTP"


@on_both_loops
async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with raw_upstream(at_end) as proxy:
        pass
    facts = await run_leg(UpstreamPool(idle=60), request_by(proxy, 1))
    assert failure(facts) == (Stage.CONNECT, Sent.NONE, False)
    assert facts[-1].cause == f"cannot connect to the proxy 127.0.0.1:{proxy}: connection refused"


@on_both_loops
async def test_a_leg_that_is_aborted_while_its_tunnel_is_made_closes_the_connection() -> None:
    ended = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        asked.set()
        assert await at_end(stream)
        ended.set()

    asked = anyio.Event()
    async with raw_upstream(serve) as proxy:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run_leg, UpstreamPool(idle=60), request_by(proxy, 1))
                await asked.wait()
                scope.cancel()
        await ended.wait()
