"""Machines that reach for what a client names, for tests of a driver: a public origin, or a file of this machine."""

from __future__ import annotations

from collections.abc import Callable

from agcore.protocol.effects import AbortUpstream, Effect, OpenUpstream, ReadFile, SendData, SendEnd, SendHead
from agcore.protocol.http import Origin, Peer, RequestHead
from agcore.protocol.inputs import FileRead, FileRefused, Input, RequestEnd, UpstreamFailed
from tests.support.relay_machine import RelayExchange, RelayGateway


class ReachExchange(RelayExchange):
    """Answers with what came of its reach: 200 and the bytes, or 403 and the reason, as it was reported."""

    def __init__(self, gateway: ReachGateway, head: RequestHead) -> None:
        super().__init__(gateway.origin, head, lambda fact: gateway.told(fact))
        self._gateway = gateway

    def receive(self, fact: Input, *, now: float) -> list[Effect]:
        self.write_deadline = now + 60
        match fact:
            case FileRead(_, answer):
                status = 200
            case FileRefused(_, reason=text) | UpstreamFailed(cause=text):
                status, answer = 403, text.encode()
            case _:
                effects = super().receive(fact, now=now)
                return self._gateway.reach(self._request()) if isinstance(fact, RequestEnd) else effects
        self.inputs.append(fact)
        self._told(fact)
        if self._started:
            return []
        head = SendHead(status, ((b"content-length", b"%d" % len(answer)),))
        return self._finish(AbortUpstream(1), head, SendData(answer), SendEnd())


class ReachGateway(RelayGateway):
    """Opens exchanges that reach by `reach`."""

    def __init__(self, reach: Callable[..., list[Effect]], *, origin: Origin | None = None) -> None:
        super().__init__()
        self.reach = reach
        self.origin = origin or self.origin

    def open(self, head: RequestHead, peer: Peer, *, now: float) -> tuple[RelayExchange, list[Effect]]:
        exchange = ReachExchange(self, head)
        self.exchanges.append(exchange)
        self.prepare(exchange)
        return exchange, []


def reads(path: str, *, roots: tuple[str, ...], max_bytes: int = 100) -> ReachGateway:
    """A gateway whose exchanges read one file."""
    return ReachGateway(lambda request: [ReadFile(1, path, roots, max_bytes)])


def fetches(host: str, port: int, *, public_only: bool = True) -> ReachGateway:
    """A gateway whose exchanges ask one origin."""
    origin = Origin("http", host, port)
    return ReachGateway(lambda request: [OpenUpstream(1, request, public_only)], origin=origin)
