"""Legs to public addresses only: what is refused, what is connected to, and what no pool sees."""

from __future__ import annotations

import ssl

import pytest
import trio
import trio.testing
import trustme

from agcore.protocol.http import Origin, ProxyServer
from agcore.protocol.inputs import (
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamInput,
)
from agcore_host.upstream.failures import Unreachable
from agcore_host.upstream.public_network import PATIENCE
from agcore_trio.network import Network
from agcore_trio.public_network import public_network
from agcore_trio.upstream import UpstreamPool
from tests.support.public_names import NOT_PUBLIC, PUBLIC, PUBLIC_TOO, Names
from tests.trio_server.test_upstream import OK, drive, request, serve_ok, upstream
from tests.trio_server.toys import read_request

NAMED = Origin("http", "images.test", 80)


class Wire:
    """A connector with a machine of this test behind each public address; keeps what it was asked for."""

    def __init__(self, *unreachable: str) -> None:
        self.asked: list[str] = []
        self._unreachable = unreachable
        self._network = Network()

    async def __call__(self, origin: Origin, address: str) -> trio.abc.Stream:
        self.asked.append(address)
        if address in self._unreachable:
            raise Unreachable(Stage.CONNECT, "no route to it")
        return await self._network(origin, "127.0.0.1")


def pool_of(names: Names, wire: Wire) -> UpstreamPool:
    return UpstreamPool(idle=60, connect_public=public_network(wire, resolve=names))


async def ask(pool: UpstreamPool, origin: Origin) -> list[UpstreamInput]:
    return await drive(pool.leg(1, request(origin=origin), public_only=True))


def answered(inputs: list[UpstreamInput]) -> bool:
    return inputs[0] == UpstreamConnected(1, reused=False) and inputs[-2:] == [UpstreamData(1, b"ok"), UpstreamEnd(1)]


@pytest.mark.parametrize("host", NOT_PUBLIC)
async def test_a_name_with_an_address_that_is_not_public_is_refused_before_anything_is_connected(host: str) -> None:
    wire = Wire()
    (failed,) = await ask(pool_of(Names(NOT_PUBLIC[host]), wire), Origin("http", host, 80))
    why = f"cannot connect to {host}:80: it is not a public address"
    assert failed == UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause=why)
    assert wire.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "::ffff:127.0.0.1"])
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async def never(stream: trio.SocketStream) -> None:
        raise AssertionError("it was connected to")

    async with upstream(never) as origin:
        (failed,) = await ask(UpstreamPool(idle=60), Origin("http", host, origin.port))
    assert isinstance(failed, UpstreamFailed)
    assert failed.cause.endswith(": it is not a public address")


@pytest.mark.parametrize("error", [trio.socket.gaierror(trio.socket.EAI_NONAME, "Name not known"), UnicodeError("bad")])
async def test_a_name_that_does_not_resolve_is_named(error: Exception) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise error

    pool = UpstreamPool(idle=60, connect_public=public_network(Wire(), resolve=resolve))
    (failed,) = await ask(pool, NAMED)
    assert isinstance(failed, UpstreamFailed)
    assert (failed.stage, failed.sent) == (Stage.CONNECT, Sent.NONE)
    why = "bad name" if isinstance(error, UnicodeError) else "name not known"
    assert failed.cause == f"cannot connect to images.test:80: {why}"


async def test_the_address_that_was_checked_is_connected_to_and_no_other_is_looked_up() -> None:
    async with upstream(serve_ok) as origin:
        names, wire = Names((PUBLIC,), ("127.0.0.1",)), Wire()
        pool = pool_of(names, wire)
        named = Origin("http", "rebinds.test", origin.port)
        assert answered(await ask(pool, named))
        assert (names.asked, wire.asked) == (1, [PUBLIC])
        # The next leg looks for itself, and sees the other answer.
        assert isinstance((await ask(pool, named))[0], UpstreamFailed)
        assert (names.asked, wire.asked) == (2, [PUBLIC])


async def test_no_pooled_connection_is_taken_and_none_is_left() -> None:
    ended, endings = trio.open_memory_channel[None](10)

    async def serve(stream: trio.SocketStream) -> None:
        await read_request(stream)
        await stream.send_all(OK)
        assert await stream.receive_some(1) == b"", "a second request came"
        await ended.send(None)

    async with upstream(serve) as origin:
        pool = pool_of(Names((PUBLIC,)), Wire())
        assert (await drive(pool.leg(1, request(origin=origin))))[-1] == UpstreamEnd(1)
        for _ in range(2):
            assert answered(await ask(pool, origin))
            await endings.receive()
        assert pool.kept == 1
        await pool.close()
        await endings.receive()


async def test_another_checked_address_is_tried_where_the_first_cannot_be_reached() -> None:
    async with upstream(serve_ok) as origin:
        wire = Wire(PUBLIC_TOO)
        assert answered(await ask(pool_of(Names((PUBLIC_TOO, PUBLIC)), wire), Origin("http", "two.test", origin.port)))
    assert wire.asked == [PUBLIC_TOO, PUBLIC]


async def test_when_no_address_can_be_reached_the_last_failure_is_told() -> None:
    wire = Wire(PUBLIC_TOO, PUBLIC)
    (failed,) = await ask(pool_of(Names((PUBLIC_TOO, PUBLIC)), wire), NAMED)
    assert failed == UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause="no route to it")
    assert wire.asked == [PUBLIC_TOO, PUBLIC]


async def test_an_address_that_says_nothing_costs_two_seconds_while_there_is_another(autojump_clock: object) -> None:
    times: list[float] = []

    async def connect(origin: Origin, address: str) -> trio.abc.Stream:
        times.append(trio.current_time())
        if len(times) < 3:
            await trio.sleep_forever()
        return trio.testing.memory_stream_pair()[0]

    began = trio.current_time()
    public = public_network(connect, resolve=Names((PUBLIC_TOO, PUBLIC, PUBLIC)))
    await (await public(NAMED)).aclose()
    assert times == [began, began + PATIENCE, began + 2 * PATIENCE]


def secured(tmp_path: object, name: str) -> tuple[ssl.SSLContext, str]:
    authority = trustme.CA()
    path = f"{tmp_path}/ca.pem"
    authority.cert_pem.write_to_path(path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context, path


async def test_a_certificate_is_verified_against_the_name(tmp_path: object) -> None:
    context, path = secured(tmp_path, "images.test")
    async with upstream(serve_ok, context) as origin:
        pool = pool_of(Names((PUBLIC,)), Wire())
        assert answered(await ask(pool, Origin("https", "images.test", origin.port, path)))


async def test_a_certificate_for_another_name_is_refused_and_no_other_address_tried(tmp_path: object) -> None:
    context, path = secured(tmp_path, "127.0.0.1")
    async with upstream(serve_ok, context) as origin:
        wire = Wire()
        pool = pool_of(Names((PUBLIC, PUBLIC_TOO)), wire)
        (failed,) = await ask(pool, Origin("https", "images.test", origin.port, path))
    assert isinstance(failed, UpstreamFailed)
    assert failed.stage is Stage.TLS
    assert "images.test" in failed.cause
    assert wire.asked == [PUBLIC]


@pytest.mark.parametrize(("address", "target"), [(PUBLIC, f"{PUBLIC}:80"), (PUBLIC_TOO, f"[{PUBLIC_TOO}]:80")])
async def test_a_proxy_is_asked_for_the_checked_address(address: str, target: str) -> None:
    heads: list[bytes] = []

    async def proxy(stream: trio.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some(1)
        heads.append(head)
        await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await serve_ok(stream)

    async with upstream(proxy) as server:
        origin = Origin("http", "images.test", 80, proxy=ProxyServer(server.host, server.port))
        pool = UpstreamPool(idle=60, connect_public=public_network(Network(), resolve=Names((address,))))
        assert answered(await ask(pool, origin))
    assert heads == [b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (target.encode(), target.encode())]


async def test_a_proxy_hears_nothing_of_a_name_that_is_not_public() -> None:
    async def never(stream: trio.SocketStream) -> None:
        raise AssertionError("it was connected to")

    async with upstream(never) as server:
        origin = Origin("http", "localhost", 80, proxy=ProxyServer(server.host, server.port))
        (failed,) = await ask(UpstreamPool(idle=60), origin)
    assert isinstance(failed, UpstreamFailed)
    assert failed.cause == "cannot connect to localhost:80: it is not a public address"
