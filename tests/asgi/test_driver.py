"""One exchange driven over the ASGI bridge and a raw upstream, with a machine that relays."""

from __future__ import annotations

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.abc import SocketStream

from agcore.protocol.events import Event, Warned
from agcore.protocol.inputs import ClientGone, Input, RequestData, RequestEnd, UpstreamData, UpstreamFailed, Written
from agcore_asgi.app import Application
from agcore_asgi.connection import ResponseAborted
from agcore_host.clock import Clock
from tests.support.asgi_bridge import AsgiClient, Truncated
from tests.support.backends import on_both_loops
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.relay_machine import RelayExchange, RelayGateway

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def application(gateway: RelayGateway, events: list[Event] | None = None) -> Application:
    return Application(gateway, clock=Clock(), sink=(lambda event: None) if events is None else events.append)  # type: ignore[arg-type]


@on_both_loops
async def test_the_request_goes_up_and_the_answer_comes_down() -> None:
    requests: list[bytes] = []
    events: list[Event] = []

    async def serve(stream: SocketStream) -> None:
        requests.append(await read_request(stream))
        await stream.send(b"HTTP/1.1 201 Created\r\nX-Name: Value\r\nContent-Length: 4\r\n\r\nbody")

    async with raw_upstream(serve) as port:
        app = application(RelayGateway(port), events)
        async with AsgiClient(app).request("POST", "/a%2Fb?q=1", body=[b"one ", b"two"]) as response:
            assert (response.status, response.headers[b"x-name"]) == (201, b"Value")
            assert await response.read() == b"body"
        await app.aclose()
    assert requests == [b"POST /a%%2Fb?q=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: 7\r\n\r\none two" % port]
    assert events == [Warned("/a%2Fb?q=1")]


@on_both_loops
async def test_a_stream_passes_piece_by_piece() -> None:
    taken = anyio.create_memory_object_stream[None](1)

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD)
        for piece in (b"one", b"two", b"three"):
            await stream.send(chunk(piece))
            await taken[1].receive()
        await stream.send(END)

    with taken[0], taken[1]:
        async with raw_upstream(serve) as port:
            app = application(RelayGateway(port))
            pieces = []
            async with AsgiClient(app).request("GET", "/") as response:
                async for piece in response:
                    pieces.append(piece)
                    taken[0].send_nowait(None)
            await app.aclose()
    assert pieces == [b"one", b"two", b"three"]


@on_both_loops
async def test_a_client_that_leaves_before_the_head_ends_the_upstream_leg() -> None:
    asked, ended = anyio.Event(), anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        asked.set()
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        app = application(gateway)
        async with AsgiClient(app).connect("POST", "/") as response:
            await asked.wait()
            response.disconnect()
            await ended.wait()
        await app.aclose()
    assert response.error is None
    assert gateway.exchanges[0].inputs[-1] == ClientGone()


@on_both_loops
async def test_a_client_that_leaves_in_mid_stream_ends_the_upstream_leg() -> None:
    ended = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD + chunk(b"one"))
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        app = application(RelayGateway(port))
        async with AsgiClient(app).request("POST", "/") as response:
            async for _ in response:
                break
            response.disconnect()
            await ended.wait()
        await app.aclose()
    assert response.error is None


@on_both_loops
async def test_a_client_that_leaves_while_it_is_written_to_ends_the_upstream_leg() -> None:
    ended = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD + chunk(b"one"))
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        app = application(RelayGateway(port))
        async with AsgiClient(app).request("POST", "/") as response:
            await wait_all_tasks_blocked()
            response.disconnect()
            await ended.wait()
        await app.aclose()
    assert response.error is None


@on_both_loops
async def test_a_slow_client_slows_the_upstream() -> None:
    piece, count = bytes(64 * 1024), 512
    sent_all = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD)
        for _ in range(count):
            await stream.send(chunk(piece))
        await stream.send(END)
        sent_all.set()

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        app = application(gateway)
        async with AsgiClient(app).request("GET", "/") as response:
            await wait_all_tasks_blocked()
            inputs = gateway.exchanges[0].inputs
            assert sum(isinstance(fact, UpstreamData) for fact in inputs) <= 1
            assert not sent_all.is_set()
            assert sum([len(data) async for data in response]) == count * len(piece)
        await app.aclose()


@on_both_loops
async def test_the_request_is_read_only_while_the_machine_wants_it() -> None:
    gateway = RelayGateway()

    def told(fact: Input) -> None:
        gateway.exchanges[0].wants_request = False

    gateway.told = told
    app = application(gateway)
    async with AsgiClient(app).connect("POST", "/", body=[b"one", b"two"]) as response:
        await wait_all_tasks_blocked()
        assert gateway.exchanges[0].inputs == [RequestData(b"one")]
        response.cancel()
    await app.aclose()
    assert RequestEnd() not in gateway.exchanges[0].inputs


@on_both_loops
async def test_the_machine_hears_of_its_deadline() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        assert await at_end(stream)

    def prepare(exchange: RelayExchange) -> None:
        exchange.deadline = Clock().now() + 0.05

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        gateway.prepare = prepare
        app = application(gateway)
        async with AsgiClient(app).request("GET", "/") as response:
            assert response.status == 504
            assert await response.read() == b""
        await app.aclose()


@on_both_loops
async def test_an_upstream_that_breaks_off_breaks_the_response_off() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD + chunk(b"one"))

    async with raw_upstream(serve) as port:
        app = application(RelayGateway(port))
        async with AsgiClient(app).request("GET", "/") as response:
            with pytest.raises(Truncated):
                await response.read()
        await app.aclose()
    assert isinstance(response.error, ResponseAborted)


@on_both_loops
async def test_a_write_past_its_deadline_is_cut_short_and_the_client_counts_as_gone() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(HEAD + chunk(b"one"))
        assert await at_end(stream)

    def prepare(exchange: RelayExchange) -> None:
        exchange.write_deadline = Clock().now() + 0.05

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        gateway.prepare = prepare
        app = application(gateway)
        async with AsgiClient(app).connect("GET", "/") as response:
            await response.finished.wait()
        await app.aclose()
    assert isinstance(response.error, ResponseAborted)
    assert gateway.exchanges[0].inputs[-1] == ClientGone()


@on_both_loops
async def test_a_slow_write_is_reported() -> None:
    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        ticks = iter(range(10**6))
        clock = Clock(lambda: 0.0, monotonic=lambda: float(next(ticks)))
        app = Application(gateway, clock=clock, sink=lambda event: None)  # type: ignore[arg-type]
        async with AsgiClient(app).request("GET", "/") as response:
            await response.read()
        await app.aclose()
    assert [fact.leg for fact in gateway.exchanges[0].inputs if isinstance(fact, Written)] == [1, None]


@on_both_loops
async def test_an_exchange_whose_task_is_cancelled_is_abandoned() -> None:
    asked, ended = anyio.Event(), anyio.Event()
    events: list[Event] = []

    async def serve(stream: SocketStream) -> None:
        await read_request(stream)
        asked.set()
        assert await at_end(stream)
        ended.set()

    async with raw_upstream(serve) as port:
        gateway = RelayGateway(port)
        app = application(gateway, events)
        async with AsgiClient(app).connect("GET", "/") as response:
            await asked.wait()
            response.cancel()
            await ended.wait()
        await app.aclose()
    assert gateway.exchanges[0].abandoned
    assert len(events) == 1


@on_both_loops
async def test_an_upstream_that_cannot_be_reached_is_an_input() -> None:
    async with raw_upstream(at_end) as port:
        pass
    gateway = RelayGateway(port)
    app = application(gateway)
    async with AsgiClient(app).request("GET", "/") as response:
        assert response.status == 502
    await app.aclose()
    assert isinstance(gateway.exchanges[0].inputs[-1], UpstreamFailed)
