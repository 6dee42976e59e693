"""The server over real sockets: many connections, hang-ups, limits, and the end."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing

from agcore.config.values import Config, Limits, Timeouts
from agcore.protocol.effects import AbortClient, Effect, Finish, SendData, SendEnd, SendHead
from agcore.protocol.inputs import ClientGone, DrainRequested, Input
from agcore_trio.server import Server, serve, url_of
from agcore_trio.upstream import UpstreamPool
from tests.support.patience import PATIENCE
from tests.trio_server.toys import (
    ListSink,
    Maker,
    RelayExchange,
    ToyExchange,
    ToyGateway,
    Upstreams,
    answer,
    post,
    read_answer,
    read_request,
)


class Running:
    """A server on loopback, and what it is made of."""

    def __init__(self, gateway: ToyGateway, upstreams: Upstreams) -> None:
        self.gateway = gateway
        self.upstreams = upstreams
        self.sink = ListSink()
        self.server = Server(gateway, self.sink, pool=UpstreamPool(idle=60, connect=upstreams))
        self.ended = trio.Event()
        self.address = ("", 0)

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)

    async def run(self, listeners: list[trio.SocketListener], *, task_status: trio.TaskStatus[None]) -> None:
        await self.server.run(listeners, task_status=task_status)
        self.ended.set()


@asynccontextmanager
async def running(
    make: Maker = ToyExchange,
    *,
    config: Config | None = None,
    wrap: Callable[[trio.SocketListener], trio.SocketListener] = lambda listener: listener,
) -> AsyncIterator[Running]:
    made = Running(ToyGateway(make, config), Upstreams())
    with trio.fail_after(PATIENCE):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        made.address = listeners[0].socket.getsockname()
        async with trio.open_nursery() as nursery:
            await nursery.start(made.run, [wrap(listener) for listener in listeners])
            yield made
            nursery.cancel_scope.cancel()


async def refused(address: tuple[str, int]) -> bool:
    try:
        await (await trio.open_tcp_stream(*address)).aclose()
    except OSError:
        return True
    return False


async def eof(stream: trio.abc.Stream) -> bool:
    try:
        return await stream.receive_some(1) == b""
    except trio.BrokenResourceError:
        return True


async def test_many_connections_are_served_at_once():
    async with running() as toy:
        streams = [await toy.connect() for _ in range(20)]
        for number, stream in enumerate(streams):
            await stream.send_all(post(b"%d" % number))
        for number, stream in enumerate(streams):
            assert (await read_answer(stream))[2] == b"%d" % number
            await stream.aclose()
    assert {peer.host for peer in toy.gateway.peers} == {"127.0.0.1"}


async def test_a_large_request_and_a_large_answer_pass_whole():
    body = bytes(range(256)) * 40_000
    async with running() as toy, await toy.connect() as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, post(body))
        received = bytearray()
        while not received.endswith(body[-1000:]) or len(received) < len(body):
            received += await client.receive_some(1_000_000)
    assert received.endswith(body)


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_a_client_that_hangs_up_aborts_its_upstream_at_once(how):
    async with running(RelayExchange) as toy:
        client = await toy.connect()
        await client.send_all(post(b"one"))
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
        if how == "half-close":
            await client.send_eof()
        else:
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            await client.aclose()
        assert await eof(upstream)
        await client.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert toy.gateway.exchanges[0].seen[-1] == ClientGone()
        assert toy.sink.marks == ["gone"]


async def test_a_client_that_hangs_up_in_a_stream_of_silence_is_noticed():
    class Silent(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [SendHead(200, ()), SendData(b"open")]

    async with running(Silent) as toy:
        client = await toy.connect()
        await client.send_all(post())
        await client.receive_some(1000)
        await client.aclose()
        while not toy.sink.marks:
            await trio.testing.wait_all_tasks_blocked()
        assert toy.sink.marks == ["gone"]


async def test_a_client_that_hangs_up_ends_a_long_upload_to_its_upstream():
    class Uploading(RelayExchange):
        def complete(self, now: float) -> list[Effect]:
            self.body = bytes(5_000_000)
            return super().complete(now)

    async with running(Uploading) as toy:
        toy.upstreams._pair = trio.testing.lockstep_stream_pair
        client = await toy.connect()
        await client.send_all(post())
        upstream = await toy.upstreams.accept()
        await upstream.receive_some(1000)
        await client.aclose()
        while not await eof(upstream):
            pass
        assert toy.gateway.exchanges[0].seen[-1] == ClientGone()


async def test_a_hang_up_between_requests_is_just_the_end():
    async with running() as toy:
        for _ in range(3):
            client = await toy.connect()
            await client.send_all(post(b"x"))
            await read_answer(client)
            await client.aclose()
    assert toy.sink.kinds == []
    assert len(toy.gateway.exchanges) == 3


async def test_pipelined_requests_of_a_socket_are_answered_in_order_while_the_hang_up_watch_runs():
    async with running(RelayExchange) as toy, await toy.connect() as client:
        await client.send_all(post(b"one") + post(b"two"))
        upstream = await toy.upstreams.accept()
        for body in (b"one", b"two"):
            assert await read_request(upstream) == body
            await upstream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" + body)
            assert (await read_answer(client))[2] == body


async def test_a_slow_client_does_not_lose_its_answer():
    class Flood(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [*answer(200, b"x" * 20_000_000), Finish()]

    async with running(Flood) as toy, await toy.connect() as client:
        await client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        received = 0
        while received < 20_000_000:
            received += len(await client.receive_some(1_000_000))


async def test_a_refused_upload_of_any_size_still_sees_its_answer():
    class Refusing(ToyExchange):
        def begin(self, now: float) -> list[Effect]:
            return [*answer(413, b"too large"), Finish()]

    async with running(Refusing) as toy, await toy.connect() as client:

        async def upload() -> None:
            with suppress(trio.BrokenResourceError):
                await client.send_all(post(bytes(50_000_000)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            assert (await read_answer(client))[::2] == (413, b"too large")
            nursery.cancel_scope.cancel()


async def test_connections_over_the_limit_are_told_so_and_closed():
    async with running(config=Config(limits=Limits(max_connections=2))) as toy:
        first, second = await toy.connect(), await toy.connect()
        for stream in (first, second):
            await stream.send_all(post())
            await read_answer(stream)
        third = await toy.connect()
        status, headers, body = await read_answer(third)
        assert (status, headers[b"connection"]) == (503, b"close")
        assert b"limits.max_connections is 2" in body
        assert await eof(third)
        await third.aclose()
        await first.send_all(post())
        await read_answer(first)
        await first.aclose()
        await trio.testing.wait_all_tasks_blocked()
        fourth = await toy.connect()
        await fourth.send_all(post())
        assert (await read_answer(fourth))[0] == 200
        await fourth.aclose()
        await second.aclose()


async def test_a_crash_in_one_connection_is_noted_and_leaves_the_others_alone():
    class Crashing(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            if self.body == b"bug":
                raise ValueError("a bug in a machine")
            return super().complete(now)

    async with running(Crashing) as toy:
        good, bad = await toy.connect(), await toy.connect()
        await good.send_all(post(b"one"))
        await read_answer(good)
        await bad.send_all(post(b"bug"))
        assert (await read_answer(bad))[0] == 500
        assert await eof(bad)
        await bad.aclose()
        await good.send_all(post(b"two"))
        assert (await read_answer(good))[2] == b"two"
        await good.aclose()
        while "error" not in toy.sink.kinds:
            await trio.testing.wait_all_tasks_blocked()
    (row,) = [row for row in toy.sink.rows if row.kind == "error"]
    assert "ValueError: a bug in a machine" in str(row.fields["traceback"])
    assert "in complete" in str(row.fields["traceback"])


class FullListener(trio.abc.Listener[trio.SocketStream]):
    """A listener whose first accept finds no free descriptor."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self.socket = listener.socket
        self._listener = listener
        self._full = True

    async def accept(self) -> trio.SocketStream:
        if self._full:
            self._full = False
            raise OSError(errno.EMFILE, "Too many open files")
        return await self._listener.accept()

    async def aclose(self) -> None:
        await self._listener.aclose()


async def test_running_out_of_descriptors_is_survived():
    async with running(wrap=FullListener) as toy, await toy.connect() as client:
        await client.send_all(post(b"x"))
        assert (await read_answer(client))[2] == b"x"
    assert toy.sink.kinds == ["warning"]
    assert toy.sink.rows[0].fields["message"] == "cannot accept a connection: Too many open files"


class Stream(ToyExchange):
    """An open-ended stream, which ends when it is asked to."""

    def complete(self, now: float) -> list[Effect]:
        return [SendHead(200, ()), SendData(b"open")]

    def handle(self, input: Input, now: float) -> list[Effect]:
        if isinstance(input, DrainRequested):
            return [SendData(b"bye"), SendEnd(), Finish()]
        return super().handle(input, now)


async def test_draining_ends_streams_closes_idle_connections_and_then_the_server():
    async with running(Stream) as toy:
        idle, busy = await toy.connect(), await toy.connect()
        await busy.send_all(post())
        while not toy.gateway.exchanges or not toy.gateway.exchanges[0].seen:
            await trio.testing.wait_all_tasks_blocked()
        toy.server.drain()
        assert await eof(idle)
        assert (await read_answer(busy))[2] == b"openbye"
        assert await eof(busy)
        assert await refused(toy.address)
        await busy.aclose()
        await idle.aclose()
        await toy.ended.wait()


async def test_a_request_that_runs_while_draining_is_answered_to_its_end():
    async with running(RelayExchange) as toy:
        client = await toy.connect()
        await client.send_all(post(b"x"))
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
        toy.server.drain()
        await trio.testing.wait_all_tasks_blocked()
        assert not toy.ended.is_set()
        await upstream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        status, headers, body = await read_answer(client)
        assert (status, headers[b"connection"], body) == (200, b"close", b"ok")
        await client.aclose()
        await toy.ended.wait()


async def test_a_second_request_to_end_ends_at_once():
    async with running(RelayExchange) as toy:
        client = await toy.connect()
        await client.send_all(post(b"x"))
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
        toy.server.drain()
        toy.server.drain()
        await toy.ended.wait()
        assert await eof(upstream)
        assert await eof(client)
        await client.aclose()
    assert toy.sink.marks == ["abandoned"]


async def test_draining_has_an_end():
    async with running(RelayExchange, config=Config(timeouts=Timeouts(drain=0.01))) as toy:
        client = await toy.connect()
        await client.send_all(post())
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
        toy.server.drain()
        await toy.ended.wait()
        assert await eof(upstream)
        await client.aclose()
    assert toy.sink.marks == ["abandoned"]


async def test_a_cancelled_server_abandons_what_runs():
    async with running(RelayExchange) as toy:
        client = await toy.connect()
        await client.send_all(post())
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
    assert toy.sink.marks == ["abandoned"]
    assert await eof(upstream)
    await client.aclose()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_serve_says_where_it_listens_and_ends_by_a_signal(which, capsys):
    gateway = ToyGateway()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                partial(serve, gateway, host="127.0.0.1", port=0, sink=ListSink())  # type: ignore[arg-type]
            )
            assert capsys.readouterr().out == f"listening on {url}\n"
            async with await trio.open_tcp_stream("127.0.0.1", int(url.rsplit(":", 1)[1])) as client:
                await client.send_all(post(b"x"))
                assert (await read_answer(client))[2] == b"x"
                signal.raise_signal(which)
                assert await eof(client)


async def test_an_ipv6_address_stands_in_brackets():
    try:
        listeners = await trio.open_tcp_listeners(0, host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    port = listeners[0].socket.getsockname()[1]
    assert url_of(listeners[0], "::1") == f"http://[::1]:{port}"
    await listeners[0].aclose()


async def test_an_address_in_use_is_an_error_before_anything_is_served():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    with pytest.raises(OSError, match="ddress already in use"):
        await serve(ToyGateway(), host="127.0.0.1", port=port, sink=ListSink())  # type: ignore[arg-type]
    await listeners[0].aclose()


async def test_an_aborted_answer_to_an_old_client_is_a_reset_as_nothing_else_could_tell():
    class Aborting(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [SendHead(200, ()), SendData(b"abc"), AbortClient(), Finish()]

    async with running(Aborting) as toy, await toy.connect() as client:
        await client.send_all(b"GET / HTTP/1.0\r\n\r\n")
        await client.receive_some(1000)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some(1000)
