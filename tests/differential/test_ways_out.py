"""The ways to an upstream, on every frontend: SOCKS, TLS to a proxy, a company's CA, and sockets that are kept alive."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import pytest
import trio
import trustme

from agcore import Gateway, load_config
from agcore.protocol import (
    Input,
    Origin,
    ProxyServer,
    Stage,
    UpstreamConnected,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamRequest,
)
from agcore_asgi.upstream import UpstreamPool as AsgiPool
from agcore_host.settings import refusals
from agcore_host.sockets import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL
from agcore_host.upstream.tls import CA_VARIABLES
from agcore_httpx.upstream import Leg as HttpxLeg
from agcore_httpx.upstream import Transports
from agcore_trio.server import Server
from agcore_trio.upstream import UpstreamPool as TrioPool
from tests.asgi.test_upstream import run_leg
from tests.inprocess.test_legs import LIBRARIES
from tests.trio_server.test_upstream import drive

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def request_to(origin: Origin) -> UpstreamRequest:
    return UpstreamRequest(origin, "POST", b"/v1", ((b"host", b"x"), (b"content-length", b"2")), b"{}")


def over_trio(origin: Origin, times: int = 1) -> list[Input]:
    async def main() -> list[Input]:
        pool = TrioPool(idle=60)
        inputs: list[Input] = []
        for _ in range(times):
            inputs = await drive(pool.leg(1, request_to(origin)))
        await pool.close()
        return inputs

    return trio.run(main)


def over_asgi(origin: Origin, times: int = 1) -> list[Input]:
    async def main() -> list[Input]:
        pool = AsgiPool(idle=60)
        inputs: list[Input] = []
        for _ in range(times):
            inputs = await run_leg(pool, request_to(origin))
        pool.close()
        return inputs

    return anyio.run(main)


def over_httpx(origin: Origin, times: int = 1) -> list[Input]:
    pytest.importorskip("socksio")

    async def always() -> None:
        return None

    async def main() -> list[Input]:
        transports = Transports(LIBRARIES["httpx"], idle=60)
        inputs: list[Input] = []
        for _ in range(times):
            inputs.clear()
            leg = HttpxLeg(
                1,
                request_to(origin),
                report=inputs.append,
                wanted=always,
                drained=lambda: None,
                spool=None,
                public_only=False,
            )
            await leg.run(transports)
        await transports.aclose()
        return inputs

    return anyio.run(main)


Ask = Callable[..., list[Input]]
FRONTENDS: Final = pytest.mark.parametrize("ask", [over_trio, over_asgi, over_httpx])
OWN: Final = pytest.mark.parametrize("ask", [over_trio, over_asgi])


@contextmanager
def listening(serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server in threads, one for each connection, over TLS with a context."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def handle(made: socket.socket) -> None:
            with suppress(OSError), closing(made):
                if context is None:
                    serve(made)
                else:
                    with closing(context.wrap_socket(made, server_side=True)) as secure:
                        serve(secure)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    made, _ = listener.accept()
                    made.settimeout(20)
                    threading.Thread(target=handle, args=(made,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def answer(made: socket.socket) -> None:
    """Answers requests of one connection."""
    while True:
        data = b""
        while not data.endswith(b"{}"):
            piece = made.recv(4096)
            if not piece:
                return
            data += piece
        made.sendall(OK)


def relay(made: socket.socket, host: str, port: int) -> None:
    """Carries bytes both ways, in one thread: what speaks TLS must not be read and written at the same time."""
    with closing(socket.create_connection((host, port))) as upstream, selectors.DefaultSelector() as selector:
        selector.register(made, selectors.EVENT_READ, upstream)
        selector.register(upstream, selectors.EVENT_READ, made)
        while True:
            for key, _ in selector.select():
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                data = source.recv(65536)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    data += source.recv(65536)
                if not data:
                    return
                target.sendall(data)


def socks(asked: list[bytes]) -> Callable[[socket.socket], None]:
    """A SOCKS 5 proxy that wants the login u:p."""

    def serve(made: socket.socket) -> None:
        methods = made.recv(2)
        methods += made.recv(methods[1])
        made.sendall(b"\x05\x02")
        login = made.recv(64)
        asked.append(login)
        made.sendall(b"\x01\x00")
        head = made.recv(4)
        if head[3] == 3:
            host = made.recv(made.recv(1)[0])
        else:
            host = socket.inet_ntoa(made.recv(4)).encode()
        port = int.from_bytes(made.recv(2))
        asked.append(host)
        made.sendall(b"\x05\x00\x00\x01" + bytes(6))
        relay(made, "127.0.0.1", port)

    return serve


def connects(asked: list[bytes]) -> Callable[[socket.socket], None]:
    """A proxy that takes CONNECT."""

    def serve(made: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += made.recv(1)
        asked.append(head)
        made.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        relay(made, "127.0.0.1", int(head.split()[1].rpartition(b":")[2]))

    return serve


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """A company's CA, and the file that it is in."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def context_of(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1", "api.test").configure_cert(context)
    return context


@FRONTENDS
def test_an_upstream_is_reached_through_socks_which_resolves_its_name(
    ask: Ask, authority: tuple[trustme.CA, str]
) -> None:
    ca, path = authority
    asked: list[bytes] = []
    with listening(answer, context_of(ca)) as port, listening(socks(asked)) as proxy:
        server = ProxyServer("127.0.0.1", proxy, "Basic dTpw", "socks5")
        inputs = ask(Origin("https", "api.test", port, path, server), times=2)
    assert (inputs[0], inputs[-1]) == (UpstreamConnected(1, reused=True), UpstreamEnd(1))
    assert asked == [b"\x01\x01u\x01p", b"api.test"]  # once: the way is kept


@FRONTENDS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_upstream_is_reached_through_a_proxy_that_speaks_tls(
    ask: Ask, scheme: str, authority: tuple[trustme.CA, str]
) -> None:
    if (ask, scheme) == (over_httpx, "http"):
        pytest.skip("httpx asks a proxy for plain origins without a tunnel")
    ca, path = authority
    asked: list[bytes] = []
    inside = context_of(ca) if scheme == "https" else None
    with listening(answer, inside) as port, listening(connects(asked), context_of(ca)) as proxy:
        server = ProxyServer("127.0.0.1", proxy, "Basic dTpw", "https", path)
        inputs = ask(Origin(scheme, "127.0.0.1", port, proxy=server, more_cas=path), times=2)
    assert any(isinstance(each, UpstreamHead) and each.status == 200 for each in inputs), inputs
    assert inputs[-1] == UpstreamEnd(1)
    assert asked[0].startswith(b"CONNECT 127.0.0.1:%d " % port)
    assert b"proxy-authorization: Basic dTpw\r\n" in asked[0].lower().replace(b"basic dtpw", b"Basic dTpw")


@FRONTENDS
def test_tls_to_a_proxy_is_verified(ask: Ask, authority: tuple[trustme.CA, str]) -> None:
    ca, _ = authority
    with listening(connects([]), context_of(ca)) as proxy:
        server = ProxyServer("127.0.0.1", proxy, scheme="https")
        (failed,) = ask(Origin("http", "127.0.0.1", 9, proxy=server))
    assert isinstance(failed, UpstreamFailed)
    assert failed.stage is not Stage.HEAD


@FRONTENDS
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", *CA_VARIABLES])
def test_a_companys_ca_is_taken_from_the_environment(
    ask: Ask, variable: str, authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, path = authority
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    with listening(answer, context_of(ca)) as port:
        (failed,) = ask(Origin("https", "127.0.0.1", port))
        assert isinstance(failed, UpstreamFailed)
        assert failed.stage is Stage.TLS
        assert "ca_file" in failed.cause
        monkeypatch.setenv(variable, path)
        assert ask(Origin("https", "127.0.0.1", port))[-1] == UpstreamEnd(1)


@OWN
def test_a_companys_ca_is_taken_from_a_directory(
    ask: Ask, authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, path = authority
    # By the hash of its subject, as `openssl rehash` names it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with listening(answer, context_of(ca)) as port:
        assert isinstance(ask(Origin("https", "127.0.0.1", port))[-1], UpstreamFailed)  # nothing is there
        assert ask(Origin("https", "127.0.0.1", port, more_cas=path))[-1] == UpstreamEnd(1)


@FRONTENDS
def test_a_general_ca_file_counts_beside_the_usual_ones_and_a_providers_own_alone(
    ask: Ask, authority: tuple[trustme.CA, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, path = authority
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", path)
    with listening(answer, context_of(ca)) as port:
        assert ask(Origin("https", "127.0.0.1", port, more_cas=str(other)))[-1] == UpstreamEnd(1)
        (failed,) = ask(Origin("https", "127.0.0.1", port, str(other)))
        assert isinstance(failed, UpstreamFailed)


def test_a_ca_file_that_cannot_be_used_is_found_at_the_start(authority: tuple[trustme.CA, str], tmp_path: Path) -> None:
    _, path = authority
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    entry = '[[providers]]\npreset = "openai"\nkeys = ["sk-0123456789abcdef"]\n'
    assert refusals(load_config(f'[proxy]\nca_file = "{path}"\n{entry}ca_file = "{path}"\n')) == ()
    (missing,) = refusals(load_config(f'[proxy]\nca_file = "/nowhere/ca.pem"\n{entry}'))
    assert missing == "proxy.ca_file: cannot use /nowhere/ca.pem: no such file or directory"
    (unusable,) = refusals(load_config(f'{entry}ca_file = "{empty}"\n'))
    assert unusable.startswith(f"ca_file of the provider openai: cannot use {empty}: ")


def kept_alive(made: socket.socket) -> tuple[int, ...]:
    """How a socket asks whether its peer is still there."""
    times = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    asks = made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return (asks, *(made.getsockopt(socket.IPPROTO_TCP, each) for each in times))


LINUX: Final = pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="the system has no such options")
EXPECTED: Final = (1, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)


@LINUX
@FRONTENDS
def test_connections_to_upstreams_are_kept_alive(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[int, ...]] = []
    plain = socket.socket.close

    def close(made: socket.socket) -> None:
        with suppress(OSError):
            if made.family == socket.AF_INET and made.getpeername()[1] == port:
                found.append(kept_alive(made))
        plain(made)

    with listening(answer) as port:
        monkeypatch.setattr(socket.socket, "close", close)
        assert ask(Origin("http", "127.0.0.1", port))[-1] == UpstreamEnd(1)
    assert found[:1] == [EXPECTED]


@LINUX
async def test_connections_of_clients_are_kept_alive_by_the_trio_server() -> None:
    gateway = Gateway(load_config(""), secret=bytes(32), now=0)
    server = Server(gateway, lambda _: None)
    seen: list[tuple[int, ...]] = []
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve(stream: trio.SocketStream, _: object) -> None:
        seen.append(kept_alive(stream.socket))  # type: ignore[arg-type]
        await stream.aclose()

    server.serve_stream = serve  # type: ignore[method-assign, assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server._accept, listener, nursery)
        async with await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1]) as client:
            await client.receive_some()
        nursery.cancel_scope.cancel()
    await listener.aclose()
    assert seen == [EXPECTED]
