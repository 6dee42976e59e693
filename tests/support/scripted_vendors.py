"""Vendors that misbehave by script, and a gateway before them on a real socket: `with running("trio") as world`.

All providers lead to one upstream, which knows a case by the name of its model. What it does with the requests for
that model in one dialect, in the order in which they come, is a list of acts; when those are used up it answers. So a
case that has a model of its own meets no cooldown of another one.

    duo-DIALECT         a provider with two keys
    solo-DIALECT        a provider with one key
    chain-DIALECT-...   models for which solo-DIALECT is asked first, then a vendor of another dialect (`OTHER`)
    down-DIALECT-...    likewise, but nobody listens where the first provider should be
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, Final, TypeAlias

import msgspec
import trio
from anyio.from_thread import start_blocking_portal
from msgspec import json

from agcore import Event, Gateway, Headers, LogRow, log_row
from agcore.config.values import ClientKey, Config, Endpoint, ModelRule, Provider, Proxy, Secret, Timeouts
from agcore.protocol.http import Origin
from agcore_asgi.app import Application
from agcore_host.clock import Clock
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, SECRET, SSE
from agcore_trio.server import Server
from tests.support.asgi_servers import SERVERS, Serve, served
from tests.support.patience import PATIENCE
from tests.support.upstreams import Answer, Recorded, Upstream
from tests.support.wire_client import Reply, WireClient

FIRST: Final = "sk-vendor-first-0123456789"
SECOND: Final = "sk-vendor-second-0123456789"
CLIENT: Final = "gw-client-0123456789abcdef"


def _events(*events: Mapping[str, object]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(each["type"]).encode(), json.encode(each)) for each in events)


_TEXT: Final = {"type": "output_text", "text": "hello", "annotations": []}
_ITEM: Final = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [_TEXT]}
_RESPONSE: Final = {"id": "resp_1", "object": "response", "created_at": 1, "model": "up", "error": None}
_DONE: Final = {**_RESPONSE, "status": "completed", "output": [_ITEM], "usage": {"input_tokens": 5, "output_tokens": 2}}
_PART: Final = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
WHOLE_RESPONSES: Final = msgspec.structs.replace(
    RESPONSES,
    answer=json.encode(_DONE),
    content=_events(
        {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEM, "content": []}},
        {"type": "response.content_part.added", **_PART, "part": {**_TEXT, "text": ""}},
        {"type": "response.output_text.delta", **_PART, "delta": "hello"},
    ),
    closing=_events(
        {"type": "response.output_text.done", **_PART, "text": "hello"},
        {"type": "response.content_part.done", **_PART, "part": _TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
    ),
    terminal=_events({"type": "response.completed", "response": _DONE}),
)
"""A vendor of Responses that leaves nothing out, so that it can be translated, and read by the SDK."""

OTHER: Final[Mapping[str, Dialogue]] = {
    "openai": ANTHROPIC,
    "openai_completions": GEMINI,
    "openai_responses": CHAT,
    "anthropic": WHOLE_RESPONSES,
    "gemini": CHAT,
}
"""A client's dialect -> the vendor that its chains end with."""

Act: TypeAlias = Callable[[Dialogue, bool], Answer]
"""What a vendor of a dialect does with a request, streamed or not."""


def answers(vendor: Dialogue, stream: bool) -> Answer:
    """As asked."""
    if not stream:
        return Answer(pieces=(vendor.answer,))
    return Answer(headers=SSE, pieces=(vendor.announcements, vendor.content, vendor.closing + vendor.terminal))


def limited(vendor: Dialogue, stream: bool) -> Answer:
    """429 for half a minute."""
    return Answer(status=429, headers=(*JSON, (b"retry-after", b"30")), pieces=(vendor.error_answer,))


def fails(vendor: Dialogue, stream: bool, *, wait: str = "") -> Answer:
    """500, with the wait that the vendor wishes."""
    named: Headers = ((b"retry-after", wait.encode()),) if wait else ()
    return Answer(status=500, headers=(*JSON, *named), pieces=(b'{"error": {"message": "out of order"}}',))


def hangs_up(vendor: Dialogue, stream: bool) -> Answer:
    """Takes the request and closes the connection."""
    raise ConnectionAbortedError


def says_nothing(vendor: Dialogue, stream: bool) -> Answer:
    """A 200 with an empty body."""
    return Answer(headers=SSE if stream else JSON, pieces=(b"",))


def errs_within_200(vendor: Dialogue, stream: bool) -> Answer:
    """A stream whose first event, after the announcements, is an error; or a 200 whose JSON is one."""
    if stream:
        return Answer(headers=SSE, pieces=(vendor.announcements, vendor.error))
    return Answer(pieces=(vendor.error_answer,))


def errs_in_json(vendor: Dialogue, stream: bool) -> Answer:
    """A 200 whose JSON is an error, also where a stream was asked for."""
    return Answer(pieces=(vendor.error_answer,))


def dies(vendor: Dialogue, stream: bool) -> Answer:
    """Closes the connection after content."""
    return Answer(headers=SSE, pieces=(vendor.announcements, vendor.content), cut=True)


class Gate:
    """Stops a vendor at a request: `Gate(act)` acts only when it is opened."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._opened = threading.Event()
        self._reached = threading.Event()

    def __call__(self, vendor: Dialogue, stream: bool) -> Answer:
        """The act."""
        self._reached.set()
        self._opened.wait(PATIENCE)
        return self._act(vendor, stream)

    def wait(self) -> None:
        """Waits until the vendor has the request."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Lets it go on."""
        self._opened.set()


class Log:
    """Keeps the log of a gateway, row by row."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self._news = threading.Condition()

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        row = log_row(event)
        assert row is not None
        with self._news:
            self.rows.append(row)
            self._news.notify_all()

    async def run(self) -> None:
        """Has nothing to write."""
        await trio.sleep_forever()

    async def close(self) -> None:
        """Has nothing to write."""

    def row(self, model: str) -> Mapping[str, Any]:
        """The access row of the last request for a model, waited for if it must be."""
        with self._news:
            assert self._news.wait_for(lambda: self._rows(model), PATIENCE), f"no row for {model}"
            return self._rows(model)[-1]

    def _rows(self, model: str) -> list[Mapping[str, Any]]:
        return [row.fields for row in self.rows if row.kind == "access" and row.fields.get("model") == model]


class World:
    """A gateway on a port, the vendors behind it, and what they are to do."""

    def __init__(self, gateway: Gateway, log: Log, upstream: Upstream, script: Script, port: int) -> None:
        self.gateway = gateway
        self.log = log
        self.upstream = upstream
        self.script = script
        self.port = port

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        dialogue: Dialogue,
        model: str,
        *,
        stream: bool,
        key: str = CLIENT,
        headers: Headers = (),
        on_body: Callable[[], None] = lambda: None,
    ) -> Reply:
        """One request over a connection of its own; `on_body` is called for each chunk of the answer."""
        with WireClient("127.0.0.1", self.port) as client:
            return client.ask(
                "POST",
                dialogue.target(model, stream=stream),
                headers=((b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + key.encode()), *JSON, *headers),
                body=dialogue.request(model, stream=stream),
                on_body=on_body,
            )

    def asked(self, model: str) -> list[str]:
        """The keys with which a model was asked for, in order."""
        return [key for name, key in self.script.served if name == model]


class Script:
    """What the upstream does, by model and dialect."""

    def __init__(self) -> None:
        self.acts: dict[tuple[str, str], list[Act]] = {}
        self.served: list[tuple[str, str]] = []
        """Model and key of each request, in order."""

    def __call__(self, request: Recorded) -> Answer:
        """Answers a request."""
        vendor, model = vendor_of(request)
        key = next(
            value.decode().removeprefix("Bearer ")
            for name, value in request.headers
            if name in (b"authorization", b"x-api-key", b"x-goog-api-key")
        )
        self.served.append((model, key))
        stream = b"streamGenerateContent" in request.target or b'"stream":true' in request.body.replace(b" ", b"")
        acts = self.acts.get((model, vendor.dialect))
        return (acts.pop(0) if acts else answers)(vendor, stream)


def vendor_of(request: Recorded) -> tuple[Dialogue, str]:
    """The dialect that a request to the upstream is written in, and its model."""
    path = request.target.decode().partition("?")[0]
    if found := re.search(r"/models/([^:]+):", path):
        return GEMINI, found[1]
    if form := re.search(rb'name="model"\r\n\r\n([^\r]+)', request.body):
        return CHAT, form[1].decode()
    vendors = {
        "/chat/completions": CHAT,
        "/completions": COMPLETIONS,
        "/responses": WHOLE_RESPONSES,
        "/messages": ANTHROPIC,
    }
    vendor = next(vendors[end] for end in vendors if path.endswith(end))
    return vendor, json.decode(request.body)["model"]


def config(port: int, closed: int, *, timeouts: Timeouts | None = None, more: tuple[Provider, ...] = ()) -> Config:
    """See the module's text; `closed` is a port where nobody listens."""

    def endpoint(dialogue: Dialogue, port: int) -> Mapping[str, Endpoint]:
        origin = Origin("http", "127.0.0.1", port)
        return {dialogue.dialect: Endpoint(dialogue.dialect, origin, dialogue.prefix, dialogue.auth)}

    first, second = Secret(FIRST), Secret(SECOND)
    providers, rules = [*more], []
    for each in DIALOGUES:
        providers.append(Provider(f"duo-{each.dialect}", endpoint(each, port), keys=(first, second), models=()))
        providers.append(Provider(f"solo-{each.dialect}", endpoint(each, port), keys=(first,), models=()))
        last = ((f"solo-{OTHER[each.dialect].dialect}", "*"),)
        rules.append(ModelRule(f"chain-{each.dialect}-*", (((f"solo-{each.dialect}", "*"),), last)))
        for number in range(3):  # being unreachable holds for a whole provider: each case has one of its own
            name = f"down-{each.dialect}-{number}"
            providers.append(Provider(name, endpoint(each, closed), keys=(first,), models=()))
            rules.append(ModelRule(name, (((name, "*"),), last)))
    keys = [ClientKey("plain", Secret(CLIENT))]
    for each in DIALOGUES:
        keys.append(ClientKey(f"rpm-{each.dialect}", Secret(client_key("rpm", each)), rpm=2))
        keys.append(ClientKey(f"one-{each.dialect}", Secret(client_key("one", each)), concurrency=1))
    return Config(
        proxy=Proxy(keys=tuple(keys)),
        timeouts=timeouts or Timeouts(),
        providers=tuple(providers),
        models=tuple(rules),
    )


def client_key(limit: str, dialogue: Dialogue) -> str:
    """A client key with a limit: `rpm` has two requests a minute, `one` one at a time."""
    return f"gw-{limit}-{dialogue.dialect}-0123456789"


FRONTENDS: Final = ("trio", *SERVERS)


@contextmanager
def running(
    frontend: str,
    *,
    timeouts: Timeouts | None = None,
    more: tuple[Provider, ...] = (),
    change: Callable[[Config], Config] = lambda setup: setup,
) -> Iterator[World]:
    """A gateway in one of `FRONTENDS`, in a thread of this process, by a changed configuration."""
    script, log = Script(), Log()
    with Upstream(script) as upstream, closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        setup = config(upstream.port, nobody.getsockname()[1], timeouts=timeouts, more=more)
        gateway = Gateway(change(setup), secret=SECRET, now=time.time())
        with listening(frontend, gateway, log) as port:
            yield World(gateway, log, upstream, script, port)


@contextmanager
def listening(
    frontend: str, gateway: Gateway, log: Log | None = None, listener: socket.socket | None = None
) -> Iterator[int]:
    """Serves a gateway with one of `FRONTENDS`, in a thread of this process; gives its port, that of `listener`."""
    serve, backend = SERVERS.get(frontend, (None, "trio"))
    log, listener = log or Log(), listener or socket.create_server(("127.0.0.1", 0))
    server = _trio(gateway, log, listener) if serve is None else _asgi(gateway, log, listener, serve)
    with start_blocking_portal(backend) as portal, portal.wrap_async_context_manager(server) as port:
        yield port


@asynccontextmanager
async def _trio(gateway: Gateway, log: Log, listener: socket.socket) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        port: int = listener.getsockname()[1]
        await nursery.start(Server(gateway, log).run, [trio.SocketListener(trio.socket.from_stdlib_socket(listener))])
        yield port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _asgi(gateway: Gateway, log: Log, listener: socket.socket, serve: Serve) -> AsyncIterator[int]:
    async with served(serve, Application(gateway, clock=Clock(), sink=log), listener) as port:
        yield port


def shown(reply: Reply) -> bytes:
    """Everything that a client could read of an answer."""
    return b"\n".join(b"%b: %b" % field for field in reply.headers) + b"\n\n" + reply.body
