"""The auth matrix, sent over sockets: what the core decides is what a client of either frontend gets.

Every case whose peer is this machine is sent, to a trio server and to uvicorn, over connections that are kept: from
127.0.0.1, from ::1, and from 127.0.0.1 to a socket for both families, where it shows as ::ffff:127.0.0.1.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Final

import pytest
import trio
from anyio.from_thread import start_blocking_portal

from agcore import Gateway
from agcore_asgi.app import Application
from agcore_host.clock import Clock
from agcore_sim.story import gateway
from agcore_trio.clock import Clock as TrioClock
from agcore_trio.server import Server
from tests.differential.test_differential import NullSink
from tests.support.asgi_servers import serve_uvicorn, served
from tests.support.auth_matrix import ADMITTED, BROWSER_CASES, CONFIGS, CREDENTIAL_CASES, GOOD, NOW, Case, matrix
from tests.support.wire_client import WireClient

PEERS: Final[Mapping[str, tuple[str, str]]] = {
    "127.0.0.1": ("127.0.0.1", "127.0.0.1"),
    "::1": ("::1", "::1"),
    "::ffff:127.0.0.1": ("::", "127.0.0.1"),
}
"""The peer that a server sees -> where it listens and where the client connects to."""

BEGUN: Final = time.time()

REFUSALS: Final = (401, 403, 421)


def wall() -> float:
    """A clock that runs from `NOW` on, whatever the date is: keys expire."""
    return NOW + time.time() - BEGUN


def listeners() -> dict[str, socket.socket]:
    """A listening socket for each kind of peer that this machine can have."""
    found: dict[str, socket.socket] = {}
    for peer, (host, _) in PEERS.items():
        if ":" not in host:
            found[peer] = socket.create_server((host, 0))
        elif socket.has_ipv6:
            try:
                found[peer] = socket.create_server((host, 0), family=socket.AF_INET6, dualstack_ipv6=host == "::")
            except OSError:
                continue  # no IPv6 here
    return found


@asynccontextmanager
async def trio_frontend(gateway: Gateway) -> AsyncIterator[dict[str, int]]:
    """Serves with the trio frontend; gives the port for each kind of peer."""
    sockets = listeners()
    ports = {peer: listener.getsockname()[1] for peer, listener in sockets.items()}
    streams = [trio.SocketListener(trio.socket.from_stdlib_socket(listener)) for listener in sockets.values()]
    async with trio.open_nursery() as nursery:
        await nursery.start(Server(gateway, NullSink(), clock=TrioClock(wall=wall)).run, streams)
        yield ports
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def uvicorn_frontend(gateway: Gateway) -> AsyncIterator[dict[str, int]]:
    """Serves with uvicorn; gives the port for each kind of peer."""
    app = Application(gateway, clock=Clock(wall), sink=NullSink())
    async with AsyncExitStack() as stack:
        yield {
            peer: await stack.enter_async_context(served(serve_uvicorn, app, listener))
            for peer, listener in listeners().items()
        }


FRONTENDS: Final = {"trio": (trio_frontend, "trio"), "uvicorn": (uvicorn_frontend, "asyncio")}
Client = Callable[[Case], WireClient | None]


@pytest.fixture(scope="module", params=FRONTENDS)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Gives the client for a case: its connection is to a server with the case's configuration, from its peer."""
    frontend, backend = FRONTENDS[request.param]
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal(backend))
        clients: dict[tuple[str, str], WireClient] = {}
        for name, config in CONFIGS.items():
            running = portal.wrap_async_context_manager(frontend(gateway(config)))
            for peer, port in stack.enter_context(running).items():
                clients[name, peer] = stack.enter_context(WireClient(PEERS[peer][1], port))
        yield lambda case: clients.get((case.config, case.peer or ""))


def check(case: Case, client: WireClient) -> None:
    """Sends `case`, and compares as far as a client can tell."""
    host = () if case.host is None else ((b"host", case.host),)
    body = case.body if case.method == "POST" else None
    reply = client.ask(case.method, case.target, headers=(*host, *case.headers), body=body)
    assert reply.whole, case
    if case.host is None and reply.status == 400:
        return  # HTTP/1.1 without a host is no HTTP; an engine may say so before the core is asked.
    if case.expected == ADMITTED:
        assert reply.status not in REFUSALS, case
        return
    assert reply.status == case.expected, case
    assert dict(reply.headers).get(b"www-authenticate") == (b"Bearer" if case.expected == 401 else None), case
    if case.method == "HEAD":
        assert reply.body == b"", case
    else:
        assert json.loads(reply.body), case
        assert GOOD.encode() not in reply.body, case


def test_every_route_admits_whom_its_mode_says(client: Client) -> None:
    sent = 0
    for case in matrix():
        if (connection := client(case)) is not None:
            check(case, connection)
            sent += 1
    assert sent > 5000


@pytest.mark.parametrize("case", [*CREDENTIAL_CASES, *BROWSER_CASES], ids=lambda case: case.id)
def test_odd_credentials_and_browsers(case: Case, client: Client) -> None:
    connection = client(case)
    assert connection is not None
    check(case, connection)
