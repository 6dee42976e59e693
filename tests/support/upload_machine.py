"""Machines that relay large requests, for tests of a driver: one passes them by, the other puts them aside first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agcore.protocol.effects import (
    AbortUpstream,
    DropSpool,
    Effect,
    EndUpstream,
    OpenUpstream,
    ReadSpool,
    SendData,
    SendEnd,
    SendHead,
    SendUpstream,
    Spool,
)
from agcore.protocol.http import Headers, Origin, Patch, Peer, RequestHead, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import (
    FileRead,
    FileRefused,
    Input,
    RequestData,
    RequestEnd,
    SpoolFailed,
    UpstreamConnected,
    UpstreamFailed,
    UpstreamHead,
)
from tests.support.relay_machine import RelayExchange, RelayGateway


class UploadExchange(RelayExchange):
    """Opens its leg with the first piece of the request and passes the others by.

    It is strict, as the core is: a piece that it does not want is an error.
    """

    def __init__(self, origin: Origin, head: RequestHead, told: Callable[[Input], None]) -> None:
        super().__init__(origin, head, told)
        self._reading = True
        self._open = False

    def receive(self, fact: Input, *, now: float) -> list[Effect]:
        assert self.wants_request or not isinstance(fact, RequestData | RequestEnd), fact
        match fact:
            case UpstreamConnected():
                self.wants_request = True
            case RequestData(data) if not self._open:
                self._open, self.wants_request = True, False
                self._note(fact)
                return [OpenUpstream(1, self._upload(Streamed(data)))]
            case RequestData(data):
                self._note(fact)
                return [SendUpstream(1, data)]
            case RequestEnd():
                self.wants_request = False
                self._note(fact)
                return [EndUpstream(1)]
        return super().receive(fact, now=now)

    def _note(self, fact: Input) -> None:
        self.inputs.append(fact)
        self._told(fact)

    def _upload(self, body: Streamed | Spooled, size: int | None = None) -> UpstreamRequest:
        sizes = [value for name, value in self._head.headers if name == b"content-length"]
        if size is not None:
            sizes = [b"%d" % size]
        framing = (b"content-length", sizes[0]) if sizes else (b"transfer-encoding", b"chunked")
        headers: Headers = ((b"host", b"upstream"), framing)
        return UpstreamRequest(self._origin, self._head.method, self._head.target, headers, body)


class SpoolExchange(UploadExchange):
    """Puts the request aside and sends it, patched, until something else than a 503 comes back. Keeps no piece of it."""

    patches: tuple[Patch, ...] = ()

    def __init__(self, origin: Origin, head: RequestHead, told: Callable[[Input], None]) -> None:
        super().__init__(origin, head, told)
        self._size = 0
        self._leg = 0

    def wants(self, leg: int) -> bool:
        return leg == self._leg

    def receive(self, fact: Input, *, now: float) -> list[Effect]:
        match fact:
            case RequestData(data):
                self._size += len(data)
                return [Spool(1, data)]
            case RequestEnd():
                self.wants_request = False
                self._note(fact)
                return self._attempt()
            case UpstreamHead(status=503):
                self._note(fact)
                return [AbortUpstream(self._leg), *self._attempt()]
            case SpoolFailed():
                self._note(fact)
                return self._refuse(507)
            case UpstreamFailed():
                return super().receive(fact, now=now)
        return RelayExchange.receive(self, fact, now=now)

    def _attempt(self) -> list[Effect]:
        self._leg += 1
        size = self._size + sum(len(patch.data) - patch.length for patch in self.patches)
        return [OpenUpstream(self._leg, self._upload(Spooled(1, self.patches), size))]

    def _finish(self, *effects: Effect) -> list[Effect]:
        return super()._finish(*effects, AbortUpstream(self._leg), DropSpool(1))


class ReadBackExchange(SpoolExchange):
    """Puts the request aside and answers with it; with a 507 where it is lost."""

    def receive(self, fact: Input, *, now: float) -> list[Effect]:
        match fact:
            case FileRead(3, data):
                self._note(fact)
                head = SendHead(200, ((b"content-length", b"%d" % len(data)),))
                return self._finish(head, SendData(data), SendEnd())
            case FileRefused(3):
                self._note(fact)
                return self._refuse(507)
        return super().receive(fact, now=now)

    def _attempt(self) -> list[Effect]:
        return [ReadSpool(3, 1)]


class UploadGateway(RelayGateway):
    """Opens exchanges of one of these kinds."""

    def __init__(self, port: int = 1, *, kind: type[UploadExchange] = UploadExchange, **rest: Any) -> None:
        super().__init__(port, **rest)
        self._kind = kind

    def open(self, head: RequestHead, peer: Peer, *, now: float) -> tuple[RelayExchange, list[Effect]]:
        exchange = self._kind(self.origin, head, lambda fact: self.told(fact))
        self.exchanges.append(exchange)
        self.prepare(exchange)
        return exchange, []
