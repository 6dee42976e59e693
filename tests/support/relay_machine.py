"""A machine with the core's interface that only relays, for tests of a driver.

It opens one leg when the request is complete, passes the answer on piece by piece, and keeps what it was told. Where a
test is about the driver, a machine this small makes every input and every effect visible.
"""

from __future__ import annotations

from collections.abc import Callable

from agcore.config.values import Config
from agcore.protocol.effects import (
    AbortClient,
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
from agcore.protocol.events import Warned
from agcore.protocol.http import Origin, Peer, RequestHead, UpstreamRequest
from agcore.protocol.inputs import (
    ClientGone,
    DrainRequested,
    Input,
    RequestData,
    RequestEnd,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)


class RelayExchange:
    """Relays one request to `origin`. Its answer to a timeout is a 504, or a broken response once that was started."""

    def __init__(self, origin: Origin, head: RequestHead, told: Callable[[Input], None]) -> None:
        self.inputs: list[Input] = []
        self.deadline: float | None = None
        self.write_deadline: float | None = None
        self.wants_request = True
        self.open_ended = False
        """Ends at once when the server drains."""
        self.finished = False
        self.abandoned = False
        self._origin = origin
        self._head = head
        self._told = told
        self._body = b""
        self._started = False
        self._reading = False

    def wants(self, leg: int) -> bool:
        return self._reading and leg == 1

    def receive(self, fact: Input, *, now: float) -> list[Effect]:
        assert not self.finished
        self.inputs.append(fact)
        self._told(fact)
        match fact:
            case RequestData(data):
                self._body += data
            case RequestEnd():
                self.wants_request = False
                self._reading = True
                return [OpenUpstream(1, self._request())]
            case UpstreamHead():
                self._started = True
                return [SendHead(fact.status, fact.headers)]
            case UpstreamData():
                return [SendData(fact.data)]
            case UpstreamEnd():
                return self._finish(SendEnd())
            case UpstreamFailed():
                return self._finish(AbortClient()) if self._started else self._refuse(502)
            case DrainRequested() if not self.open_ended:
                return []
            case ClientGone() | DrainRequested():
                return self._finish(AbortUpstream(1))
        return []

    def handle_timeout(self, *, now: float) -> list[Effect]:
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        return self._finish(AbortUpstream(1), AbortClient()) if self._started else self._refuse(504)

    def abandon(self, *, now: float) -> list[Effect]:
        if self.finished:
            return []
        self.abandoned = True
        return self._finish(AbortUpstream(1))

    def _request(self) -> UpstreamRequest:
        host = f"{self._origin.host}:{self._origin.port}".encode()
        headers = ((b"host", host), (b"content-length", b"%d" % len(self._body)))
        return UpstreamRequest(self._origin, self._head.method, self._head.target, headers, self._body)

    def _refuse(self, status: int) -> list[Effect]:
        return self._finish(AbortUpstream(1), SendHead(status, ((b"content-length", b"0"),)), SendEnd())

    def _finish(self, *effects: Effect) -> list[Effect]:
        self.finished = True
        return [*effects, Emit(Warned(self._head.target.decode())), Finish()]


class RelayGateway:
    """Opens `RelayExchange`s to one port of this machine, and keeps them.

    `prepare` sees each exchange before its first input; `told` sees each input.
    """

    def __init__(self, port: int = 1, *, config: Config | None = None) -> None:
        self.config = Config() if config is None else config
        self.draining = False
        self.deadline: float | None = None
        self.origin = Origin("http", "127.0.0.1", port)
        self.exchanges: list[RelayExchange] = []
        self.peers: list[Peer] = []
        self.targets: list[bytes] = []
        self.prepare: Callable[[RelayExchange], None] = lambda exchange: None
        self.told: Callable[[Input], None] = lambda fact: None

    def open(self, head: RequestHead, peer: Peer, *, now: float) -> tuple[RelayExchange, list[Effect]]:
        exchange = RelayExchange(self.origin, head, lambda fact: self.told(fact))
        self.peers.append(peer)
        self.targets.append(head.target)
        self.exchanges.append(exchange)
        self.prepare(exchange)
        return exchange, []

    def drain(self, *, now: float) -> list[GatewayEffect]:
        self.draining = True
        self.deadline = now + self.config.timeouts.drain
        return [StopAccepting(), CloseIdle()]

    def handle_timeout(self, *, now: float) -> list[GatewayEffect]:
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        return [Halt()]
