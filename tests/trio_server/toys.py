"""Toy machines with the contract of `agcore.Gateway` and `agcore.Exchange`, and helpers to talk to a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import h11
import trio
import trio.testing

from agcore import LogRow, log_row
from agcore.config.values import Config
from agcore.protocol.effects import (
    AbortUpstream,
    CloseIdle,
    Effect,
    Emit,
    Finish,
    GatewayEffect,
    Halt,
    OpenUpstream,
    SendData,
    SendEnd,
    SendHead,
    StopAccepting,
)
from agcore.protocol.events import Event, Warned
from agcore.protocol.http import Origin, Peer, RequestHead, UpstreamRequest
from agcore.protocol.inputs import (
    ClientGone,
    Input,
    RequestBroken,
    RequestData,
    RequestEnd,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore_trio.clock import Clock
from agcore_trio.connection import Connection
from agcore_trio.context import ServerContext
from agcore_trio.upstream import UpstreamPool

EPOCH = 1_800_000_000.0
ORIGIN = Origin("http", "upstream.test", 80)


class ToyExchange:
    """Reads the whole request and answers with its body. Subclasses change `handle`; `seen` is what it was told."""

    def __init__(self, head: RequestHead, config: Config) -> None:
        self.head = head
        self.config = config
        self.seen: list[Input] = []
        self.body = b""
        self.finished = False
        self.wants_request = True
        self.paused = False
        self.deadline: float | None = None
        self.write_deadline: float | None = None

    def wants(self, leg: int) -> bool:
        return not self.paused

    def begin(self, now: float) -> list[Effect]:
        return []

    def receive(self, input: Input, *, now: float) -> list[Effect]:
        self.seen.append(input)
        self.write_deadline = now + self.config.timeouts.write
        return self._seal(self.handle(input, now))

    def handle_timeout(self, *, now: float) -> list[Effect]:
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        return self._seal(self.late(now))

    def abandon(self, *, now: float) -> list[Effect]:
        return [] if self.finished else self._seal([mark("abandoned"), Finish()])

    def late(self, now: float) -> list[Effect]:
        return [*answer(504, b"late"), Finish()]

    def handle(self, input: Input, now: float) -> list[Effect]:
        match input:
            case RequestData(data):
                self.body += data
            case RequestEnd():
                self.wants_request = False
                return self.complete(now)
            case RequestBroken(reason):
                return [*answer(400, reason.encode()), Finish()]
            case ClientGone():
                return [mark("gone"), Finish()]
        return []

    def complete(self, now: float) -> list[Effect]:
        return [*answer(200, self.body), Finish()]

    def _seal(self, effects: list[Effect]) -> list[Effect]:
        if any(isinstance(effect, Finish) for effect in effects):
            self.finished = True
            self.wants_request = False
            self.deadline = None
        return effects


class RelayExchange(ToyExchange):
    """Asks one upstream the same, and relays what it says, with its own framing."""

    def complete(self, now: float) -> list[Effect]:
        return [OpenUpstream(1, self.upstream_request())]

    def upstream_request(self) -> UpstreamRequest:
        length = (b"content-length", b"%d" % len(self.body))
        return UpstreamRequest(ORIGIN, "POST", self.head.target, ((b"host", b"upstream.test"), length), self.body)

    def handle(self, input: Input, now: float) -> list[Effect]:
        match input:
            case UpstreamData(_, data):
                return [SendData(data)]
            case UpstreamHead(_, status, headers):
                kept = tuple(pair for pair in headers if pair[0] in (b"content-length", b"content-type"))
                return [SendHead(status, kept)]
            case UpstreamEnd():
                return [SendEnd(), mark("access"), Finish()]
            case UpstreamFailed(_, stage, sent, reused, cause):
                failed = mark(f"failed in {stage} of {sent}, {reused=}: {cause}")
                return [failed, *answer(502, cause.encode()), Finish()]
            case ClientGone():
                return [AbortUpstream(1), mark("gone"), Finish()]
        return super().handle(input, now)


def mark(what: str) -> Emit:
    """Leaves a mark in the sink."""
    return Emit(Warned(what))


def answer(status: int, body: bytes) -> list[Effect]:
    return [SendHead(status, ((b"content-length", b"%d" % len(body)),)), SendData(body), SendEnd()]


Maker = Callable[[RequestHead, Config], ToyExchange]


class ToyGateway:
    """Opens toy exchanges, which it remembers."""

    def __init__(self, make: Maker = ToyExchange, config: Config | None = None) -> None:
        self.config = config or Config()
        self.draining = False
        self.deadline: float | None = None
        self.exchanges: list[ToyExchange] = []
        self.peers: list[Peer] = []
        self._make = make

    def open(self, head: RequestHead, peer: Peer, *, now: float) -> tuple[ToyExchange, list[Effect]]:
        exchange = self._make(head, self.config)
        self.exchanges.append(exchange)
        self.peers.append(peer)
        return exchange, exchange._seal(exchange.begin(now))

    def refuse(self, status: int, reason: str, *, now: float) -> list[Effect]:
        return [*answer(status, reason.encode()), mark("refused"), Finish()]

    def drain(self, *, now: float) -> list[GatewayEffect]:
        if self.draining:
            return []
        self.draining = True
        self.deadline = now + self.config.timeouts.drain
        return [StopAccepting(), CloseIdle()]

    def handle_timeout(self, *, now: float) -> list[GatewayEffect]:
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        return [Halt()]


class ListSink:
    """Keeps the log, row by row."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []

    def __call__(self, event: Event) -> None:
        row = log_row(event)
        assert row is not None
        self.rows.append(row)

    async def run(self) -> None:
        await trio.sleep_forever()

    async def close(self) -> None:
        pass

    @property
    def kinds(self) -> list[str]:
        return [row.kind for row in self.rows]

    @property
    def marks(self) -> list[object]:
        """What toys left as a mark."""
        return [row.fields.get("message") for row in self.rows]


class Bench:
    """One connection over a stream in memory, served by toys."""

    def __init__(
        self,
        gateway: ToyGateway,
        client: trio.abc.Stream,
        server: trio.abc.Stream,
        connect: Callable[[Origin], object] | None = None,
    ) -> None:
        self.gateway = gateway
        self.client = client
        self.sink = ListSink()
        self.pool = UpstreamPool(idle=gateway.config.timeouts.pool_idle, connect=connect)
        clock = Clock(wall=lambda: EPOCH)
        self.context = ServerContext(gateway, clock, self.pool, self.sink)
        self.connection = Connection(self.context, server, Peer("127.0.0.1"))

    async def ask(self, data: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Sends bytes and reads one answer."""
        await self.client.send_all(data)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """Reads one answer, byte by byte so that nothing of the next is taken."""
        return await read_answer(self.client)


async def read_answer(stream: trio.abc.Stream, method: bytes = b"POST") -> tuple[int, dict[bytes, bytes], bytes]:
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    http.send(h11.EndOfMessage())
    status, headers, body = 0, {}, b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some(1))
        elif isinstance(event, h11.Response):
            status, headers = event.status_code, dict(event.headers)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, headers, body


def post(body: bytes = b"", target: bytes = b"/", extra: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n%s\r\n%s" % (target, len(body), extra, body)


@asynccontextmanager
async def bench(
    make: Maker = ToyExchange,
    *,
    config: Config | None = None,
    pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = trio.testing.memory_stream_pair,
    connect: Callable[[Origin], object] | None = None,
) -> AsyncIterator[Bench]:
    client, server = pair()
    made = Bench(ToyGateway(make, config), client, server, connect)
    # With an autojump clock a test that would hang fails at once.
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.connection.run)
            yield made
            nursery.cancel_scope.cancel()


class Upstreams:
    """A connect function whose other ends the test holds: `await accept()` gives the next one."""

    def __init__(self, pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = trio.testing.memory_stream_pair):
        self._pair = pair
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](10)
        self.made = 0

    async def __call__(self, origin: Origin) -> trio.abc.Stream:
        ours, theirs = self._pair()
        self.made += 1
        await self._send.send(theirs)
        return ours

    async def accept(self) -> trio.abc.Stream:
        return await self._receive.receive()


async def read_request(stream: trio.abc.Stream) -> bytes:
    """Reads one whole request with a content-length; returns its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some(1)
    length = int(data.split(b"content-length: ")[1].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += await stream.receive_some(length - len(body))
    return body


__all__ = [name for name in dir() if not name.startswith("_")] + ["UpstreamInput"]
