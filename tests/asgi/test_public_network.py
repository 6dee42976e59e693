"""Legs to public addresses only: what is refused, what is connected to, and what no pool sees."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

from agcore.protocol.http import Origin, ProxyServer, UpstreamRequest
from agcore.protocol.inputs import Input, Sent, Stage, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamFailed
from agcore_asgi.inbox import Inbox
from agcore_asgi.network import Network, Stream
from agcore_asgi.public_network import public_network
from agcore_asgi.upstream import Leg, UpstreamPool
from agcore_host.clock import Clock
from agcore_host.upstream.failures import Unreachable
from agcore_host.upstream.public_network import PATIENCE, Resolve
from tests.asgi.test_upstream import OK, run_leg
from tests.support.backends import on_both_loops
from tests.support.public_names import NOT_PUBLIC, PUBLIC, PUBLIC_TOO, Names
from tests.support.raw_upstream import at_end, raw_upstream, read_request

NAMED = Origin("http", "images.test", 80)
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Wire:
    """A network with a machine of this test behind each public address; keeps what it was asked for."""

    def __init__(self, *unreachable: str, silent: int = 0) -> None:
        self.asked: list[str] = []
        self.times: list[float] = []
        self._unreachable = unreachable
        self._silent = silent
        self._network = Network()

    async def __call__(self, origin: Origin, address: str) -> Stream:
        self.asked.append(address)
        self.times.append(anyio.current_time())
        if address in self._unreachable:
            raise Unreachable(Stage.CONNECT, f"cannot connect to {origin.host}:{origin.port}: no route to it")
        if len(self.asked) <= self._silent:
            await anyio.sleep_forever()
        return await self._network(origin, "127.0.0.1")


def pool_of(resolve: Resolve, wire: Wire) -> UpstreamPool:
    return UpstreamPool(idle=60, connect_public=public_network(wire, resolve=resolve))


def request_to(origin: Origin) -> UpstreamRequest:
    return UpstreamRequest(origin, "GET", b"/picture.png", ((b"host", b"images.test"),))


async def ask(pool: UpstreamPool, origin: Origin) -> list[Input]:
    """What a leg to public addresses reports, its connection closed afterwards."""
    inbox, facts = Inbox(), list[Input]()
    leg = Leg(1, request_to(origin), inbox=inbox, clock=Clock(), public_only=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leg.run, pool)
        while not (facts and isinstance(facts[-1], UpstreamEnd | UpstreamFailed)):
            leg.gate.open()
            await inbox.wait()
            while inbox:
                facts.append(inbox.take())
    return facts


def answered(facts: list[Input]) -> bool:
    return facts[0] == UpstreamConnected(1, reused=False) and facts[-2:] == [UpstreamData(1, b"ok"), UpstreamEnd(1)]


async def serve_ok(stream: SocketStream) -> None:
    await read_request(stream)
    await stream.send(OK)


async def never(stream: SocketStream) -> None:
    raise AssertionError("it was connected to")


@BACKENDS
@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_a_name_with_an_address_that_is_not_public_is_refused_before_anything_is_connected(
    host: str, backend: str
) -> None:
    wire = Wire()

    async def main() -> None:
        (failed,) = await ask(pool_of(Names(NOT_PUBLIC[host]), wire), Origin("http", host, 80))
        why = f"cannot connect to {host}:80: it is not a public address"
        assert failed == UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause=why)

    anyio.run(main, backend=backend)
    assert wire.asked == []


@BACKENDS
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "::ffff:127.0.0.1"])
def test_this_machine_is_refused_however_it_is_written(host: str, backend: str) -> None:
    async def main() -> UpstreamFailed:
        async with raw_upstream(never) as port:
            (failed,) = await ask(UpstreamPool(idle=60), Origin("http", host, port))
        assert isinstance(failed, UpstreamFailed)
        return failed

    assert anyio.run(main, backend=backend).cause.endswith(": it is not a public address")


@pytest.mark.parametrize(
    ("error", "why"),
    [(socket.gaierror(socket.EAI_NONAME, "not known"), "not known"), (UnicodeError("bad"), "bad name")],
)
@BACKENDS
def test_a_name_that_does_not_resolve_is_named(error: Exception, why: str, backend: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise error

    async def main() -> None:
        (failed,) = await ask(pool_of(resolve, Wire()), NAMED)
        assert isinstance(failed, UpstreamFailed)
        assert (failed.stage, failed.sent, failed.reused) == (Stage.CONNECT, Sent.NONE, False)
        assert failed.cause.startswith("cannot connect to images.test:80: ")
        assert failed.cause.endswith(why)

    anyio.run(main, backend=backend)


@on_both_loops
async def test_the_address_that_was_checked_is_connected_to_and_no_other_is_looked_up() -> None:
    async with raw_upstream(serve_ok) as port:
        names, wire = Names((PUBLIC,), ("127.0.0.1",)), Wire()
        pool, named = pool_of(names, wire), Origin("http", "rebinds.test", port)
        assert answered(await ask(pool, named))
        assert (names.asked, wire.asked) == (1, [PUBLIC])
        # The next leg looks for itself, and sees the other answer.
        assert isinstance((await ask(pool, named))[0], UpstreamFailed)
        assert (names.asked, wire.asked) == (2, [PUBLIC])
        pool.close()


@on_both_loops
async def test_no_pooled_connection_is_taken_and_none_is_left() -> None:
    ended, endings = anyio.create_memory_object_stream[None](10)

    async def serve(stream: SocketStream) -> None:
        await serve_ok(stream)
        assert await at_end(stream), "a second request came"
        await ended.send(None)

    with ended, endings:
        async with raw_upstream(serve) as port:
            pool, origin = pool_of(Names((PUBLIC,)), Wire()), Origin("http", "127.0.0.1", port)
            assert (await run_leg(pool, request_to(origin)))[-1] == UpstreamEnd(1)
            for _ in range(2):
                assert answered(await ask(pool, origin))
                await endings.receive()
            assert endings.statistics().current_buffer_used == 0, "the ordinary connection was closed too"
            pool.close()
            await endings.receive()


@on_both_loops
async def test_another_checked_address_is_tried_where_the_first_cannot_be_reached() -> None:
    async with raw_upstream(serve_ok) as port:
        wire = Wire(PUBLIC_TOO)
        pool = pool_of(Names((PUBLIC_TOO, PUBLIC)), wire)
        assert answered(await ask(pool, Origin("http", "two.test", port)))
        pool.close()
    assert wire.asked == [PUBLIC_TOO, PUBLIC]


@on_both_loops
async def test_when_no_address_can_be_reached_the_last_failure_is_told() -> None:
    wire = Wire(PUBLIC_TOO, PUBLIC)
    (failed,) = await ask(pool_of(Names((PUBLIC_TOO, PUBLIC)), wire), NAMED)
    why = "cannot connect to images.test:80: no route to it"
    assert failed == UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause=why)
    assert wire.asked == [PUBLIC_TOO, PUBLIC]


async def test_an_address_that_says_nothing_costs_two_seconds_while_there_is_another(autojump_clock: object) -> None:
    wire = Wire(PUBLIC, silent=2)
    (failed,) = await ask(pool_of(Names((PUBLIC_TOO, PUBLIC_TOO, PUBLIC)), wire), NAMED)
    assert isinstance(failed, UpstreamFailed)
    began = wire.times[0]
    assert wire.times == [began, began + PATIENCE, began + 2 * PATIENCE]


@BACKENDS
@pytest.mark.parametrize("name", ["images.test", "127.0.0.1"])
def test_a_certificate_is_verified_against_the_name(name: str, backend: str, tmp_path: Path) -> None:
    authority, path = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    wire = Wire()

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(OK)

    async def main() -> list[Input]:
        pool = pool_of(Names((PUBLIC, PUBLIC_TOO)), wire)
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(TLSListener(tcp, context, standard_compatible=False).serve, handle)
            facts = await ask(pool, Origin("https", "images.test", tcp.extra(SocketAttribute.local_port), str(path)))
            pool.close()
            tasks.cancel_scope.cancel()
        return facts

    facts = anyio.run(main, backend=backend)
    if name == "images.test":
        assert answered(facts)
    else:
        assert isinstance(facts[0], UpstreamFailed)
        assert (facts[0].stage, facts[0].sent) == (Stage.TLS, Sent.NONE)
    assert wire.asked == [PUBLIC]


@BACKENDS
@pytest.mark.parametrize(("address", "target"), [(PUBLIC, f"{PUBLIC}:80"), (PUBLIC_TOO, f"[{PUBLIC_TOO}]:80")])
def test_a_proxy_is_asked_for_the_checked_address(address: str, target: str, backend: str) -> None:
    heads: list[bytes] = []

    async def proxy(stream: SocketStream) -> None:
        heads.append(await read_request(stream))
        await stream.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await serve_ok(stream)

    async def main() -> None:
        async with raw_upstream(proxy) as port:
            pool = UpstreamPool(idle=60, connect_public=public_network(Network(), resolve=Names((address,))))
            assert answered(await ask(pool, Origin("http", "images.test", 80, proxy=ProxyServer("127.0.0.1", port))))
            pool.close()

    anyio.run(main, backend=backend)
    assert heads == [b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (target.encode(), target.encode())]


@on_both_loops
async def test_a_proxy_hears_nothing_of_a_name_that_is_not_public() -> None:
    async with raw_upstream(never) as port:
        origin = Origin("http", "localhost", 80, proxy=ProxyServer("127.0.0.1", port))
        (failed,) = await ask(UpstreamPool(idle=60), origin)
    assert isinstance(failed, UpstreamFailed)
    assert failed.cause == "cannot connect to localhost:80: it is not a public address"
