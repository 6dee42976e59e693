"""The story runner: a whole exchange as a list of what happened when, and the effects that came of it.

A story needs no sockets, no clock and no tasks:

    story = Story(gateway)
    story.open("POST", "/v1/messages", body=b"{...}")
    story.upstream_answers(200, b"{...}")
    print(story.text())

Times are seconds since the story began. `text` is what golden files hold.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agcore import (
    AbortClient,
    AbortUpstream,
    Body,
    Config,
    Effect,
    Emit,
    Exchange,
    Finish,
    Gateway,
    Headers,
    Input,
    LogRow,
    OpenUpstream,
    Peer,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamRequest,
    log_row,
)
from agcore.config import Retry

EPOCH = 1_790_000_000.0
SECRET = bytes(range(32))
LOCAL = Peer("127.0.0.1")
JSON: Headers = ((b"content-type", b"application/json"),)
SSE: Headers = ((b"content-type", b"text/event-stream"),)


def rows(effects: Iterable[Effect]) -> list[LogRow]:
    """The rows of the log that effects bring."""
    events = (effect.event for effect in effects if isinstance(effect, Emit))
    return [row for event in events if (row := log_row(event)) is not None]


def gateway(config: Config, *, attempts: int = 1) -> Gateway:
    """A gateway whose ids are the same in every run. What a story is about seldom is that something is tried again."""
    config = msgspec.structs.replace(config, retry=Retry(attempts=attempts))
    return Gateway(config, secret=SECRET, now=EPOCH)


class Story:
    """One exchange, told step by step. Every step returns the effects it made and adds them to `effects`."""

    def __init__(self, gateway: Gateway, *, peer: Peer = LOCAL) -> None:
        self.gateway = gateway
        self.peer = peer
        self.now = EPOCH
        self.effects: list[Effect] = []
        self.requests: dict[int, UpstreamRequest] = {}
        self.exchange: Exchange
        self._told: list[tuple[float, str | Input | Effect]] = []

    def open(
        self,
        method: str,
        target: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        host: bytes = b"127.0.0.1:8045",
    ) -> list[Effect]:
        """The request's head, and its body too where one is given (in one piece)."""
        fields = ((b"host", host), *headers)
        if body is not None and not any(name == b"content-type" for name, _ in headers):
            fields += JSON
        head = RequestHead(method=method, target=target.encode(), headers=fields)
        self._note(f"{method} {target}")
        self.exchange, effects = self.gateway.open(head, self.peer, now=self.now)
        self._take(effects)
        if body is not None and self.exchange.wants_request:
            effects = [*effects, *self.tell(RequestData(body))] if body else effects
            if not self.finished:  # a body may be refused before its end
                effects = [*effects, *self.tell(RequestEnd())]
        return effects

    def tell(self, input: Input) -> list[Effect]:
        """One input, now."""
        self._note(input)
        return self._take(self.exchange.receive(input, now=self.now))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass; timers fire at their own times."""
        end, effects = self.now + seconds, []
        while (at := self.exchange.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self._note("(timeout)")
            effects += self._take(self.exchange.handle_timeout(now=self.now))
        self.now = end
        return effects

    def run(self, steps: Iterable[tuple[float, Input | None]]) -> list[Effect]:
        """Steps as (time, input), None for mere waiting; all their effects."""
        effects: list[Effect] = []
        for at, step in steps:
            effects += self.wait(EPOCH + at - self.now)
            if step is not None:
                effects += self.tell(step)
        return effects

    def upstream_answers(
        self,
        status: int,
        body: bytes | Iterable[bytes] = b"",
        *,
        headers: Headers = JSON,
        leg: int | None = None,
        end: bool = True,
    ) -> list[Effect]:
        """A whole answer on a leg (the newest one unless named): connected, head, body, end."""
        leg = max(self.requests) if leg is None else leg
        effects = self.tell(UpstreamConnected(leg, reused=False))
        effects += self.tell(UpstreamHead(leg, status, headers))
        for piece in (body,) if isinstance(body, bytes) else body:
            if piece and self.exchange.wants(leg):
                effects += self.tell(UpstreamData(leg, piece))
        if end and self.exchange.wants(leg):
            effects += self.tell(UpstreamEnd(leg))
        return effects

    def upstream_breaks(self, *, leg: int | None = None, stage: Stage = Stage.BODY) -> list[Effect]:
        """The connection of a leg (the newest one unless named) closes where it must not."""
        leg = max(self.requests) if leg is None else leg
        return self.tell(UpstreamFailed(leg, stage, Sent.ALL, reused=False, cause="the connection closed early"))

    def abandon(self) -> list[Effect]:
        """The driver gives up."""
        self._note("(abandoned)")
        return self._take(self.exchange.abandon(now=self.now))

    @property
    def head(self) -> SendHead:
        """The response's head."""
        (head,) = (effect for effect in self.effects if isinstance(effect, SendHead))
        return head

    @property
    def status(self) -> int:
        """The response's status."""
        return self.head.status

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The response's header fields."""
        return dict(self.head.headers)

    @property
    def body(self) -> bytes:
        """All of the response's body so far."""
        return b"".join(effect.data for effect in self.effects if isinstance(effect, SendData))

    @property
    def row(self) -> dict[str, object]:
        """The access row."""
        (row,) = (row.fields for row in rows(self.effects) if row.kind == "access")
        return row

    @property
    def finished(self) -> bool:
        """Whether `Finish` came."""
        return bool(self.effects) and isinstance(self.effects[-1], Finish)

    @property
    def ended(self) -> bool:
        """Whether the response was ended properly."""
        return any(isinstance(effect, SendEnd) for effect in self.effects)

    def text(self) -> str:
        """The story for people: what happened (`>`) and what was commanded (`<`), with times."""
        return "".join(f"{at - EPOCH:7.3f} {_line(thing)}\n" for at, thing in self._told)

    def _take(self, effects: list[Effect]) -> list[Effect]:
        for effect in effects:
            if isinstance(effect, OpenUpstream):
                self.requests[effect.leg] = effect.request
            self._note(effect)
        self.effects += effects
        return effects

    def _note(self, thing: str | Input | Effect) -> None:
        self._told.append((self.now, thing))


def _line(thing: str | Input | Effect) -> str:
    if isinstance(thing, str):
        return f"> {thing}"
    return f"<   {_show(thing)}" if isinstance(thing, Effect) else f"> {_show(thing)}"


def _show(thing: Input | Effect) -> str:
    name = type(thing).__name__
    match thing:
        case SendHead(status, headers) | UpstreamHead(status=status, headers=headers):
            return f"{name} {status}" + "".join(f"\n            {_text(n)}: {_text(v)}" for n, v in headers)
        case SendData(data) | RequestData(data) | UpstreamData(data=data):
            return f"{name} {_text(data)}"
        case OpenUpstream(leg, request, public_only):
            fields = "".join(f"\n            {_text(n)}: {_text(v)}" for n, v in request.headers)
            origin = request.origin
            where = f"{origin.scheme}://{origin.host}:{origin.port}{' (if public)' if public_only else ''}"
            asked = f"{request.method} {_text(request.target)} at {where}"
            return f"{name} {leg}: {asked}{fields}\n            {_body(request.body)}"
        case Emit(event) if (row := log_row(event)) is not None:
            return f"{name} {row.kind} " + " ".join(f"{key}={value!r}" for key, value in row.fields.items())
        case AbortUpstream(leg):
            return f"{name} {leg}"
        case AbortClient() | Finish() | SendEnd():
            return name
    return repr(thing)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n")


def _body(body: Body) -> str:
    return _text(body) if isinstance(body, bytes) else repr(body)
