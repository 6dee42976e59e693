"""The pool and its legs, over streams in memory, real sockets, and TLS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from agcore.protocol.http import Origin, ProxyServer, UpstreamRequest
from agcore.protocol.inputs import (
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
)
from agcore_host.upstream.leg import Step
from agcore_trio.upstream import Leg, UpstreamPool
from tests.support.patience import PATIENCE
from tests.trio_server.toys import ORIGIN, Upstreams, read_request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig"
LONG = 30_000_000


def request(body: bytes = b"hi", origin: Origin = ORIGIN) -> UpstreamRequest:
    return UpstreamRequest(origin, "POST", b"/", ((b"host", b"x"), (b"content-length", b"%d" % len(body))), body)


async def drive(leg: Leg) -> list[UpstreamInput]:
    """Does what a driver does with a leg alone, to its end."""
    inputs: list[UpstreamInput] = leg.open_now() or await leg.open()
    while leg.step is not Step.OVER:
        if leg.step is Step.SEND:
            leg.send_now()
            inputs += await leg.send() if leg.step is Step.SEND else []
        else:
            inputs += await leg.read()
    return inputs


def failure(inputs: list[UpstreamInput]) -> UpstreamFailed:
    assert isinstance(inputs[-1], UpstreamFailed)
    return inputs[-1]


Handler = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def upstream(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Origin]:
    """A server on loopback; yields its origin."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    async def serve(stream: trio.SocketStream) -> None:
        if context is not None:
            stream = trio.SSLStream(stream, context, server_side=True)  # type: ignore[assignment]
        try:
            await handler(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, listeners)
            yield Origin("https" if context else "http", "127.0.0.1", port)
            nursery.cancel_scope.cancel()


async def serve_ok(stream: trio.SocketStream) -> None:
    while True:
        await read_request(stream)
        await stream.send_all(OK)


async def test_a_leg_connects_sends_and_reads_and_its_connection_is_kept():
    async with upstream(serve_ok) as origin:
        pool = UpstreamPool(idle=60)
        for reused in (False, True, True):
            assert await drive(pool.leg(1, request(origin=origin))) == [
                UpstreamConnected(1, reused=reused),
                UpstreamHead(1, 200, ((b"content-length", b"2"),)),
                UpstreamData(1, b"ok"),
                UpstreamEnd(1),
            ]
            assert pool.kept == 1
        await pool.close()


async def test_origins_do_not_share_connections(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    for number, origin in enumerate((ORIGIN, Origin("http", "other.test", 80), Origin("http", "upstream.test", 81))):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive, pool.leg(1, request(origin=origin)))
            stream = await upstreams.accept()
            await read_request(stream)
            await stream.send_all(OK)
        assert upstreams.made == number + 1
    assert pool.kept == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    ],
)
async def test_a_connection_that_closes_or_says_too_much_is_dropped_at_check_in(raw, autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive, pool.leg(1, request()))
        stream = await upstreams.accept()
        await read_request(stream)
        await stream.send_all(raw)
    assert pool.kept == 0
    assert await stream.receive_some(1) == b""


@pytest.mark.parametrize("unexpected", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b""])
async def test_a_connection_that_spoke_or_closed_while_idle_is_dropped_at_check_out(unexpected):
    speak = trio.Event()
    spoken = trio.Event()
    served = 0

    async def handler(stream: trio.SocketStream) -> None:
        nonlocal served
        served += 1
        await read_request(stream)
        await stream.send_all(OK)
        if served == 1:
            await speak.wait()
            await (stream.send_all(unexpected) if unexpected else stream.send_eof())
            spoken.set()
        await trio.sleep_forever()

    async with upstream(handler) as origin:
        pool = UpstreamPool(idle=60)
        await drive(pool.leg(1, request(origin=origin)))
        assert pool.kept == 1
        speak.set()
        await spoken.wait()
        inputs = await drive(pool.leg(2, request(origin=origin)))
        assert inputs[0] == UpstreamConnected(2, reused=False)
        assert inputs[2] == UpstreamData(2, b"ok")
        await pool.close()
    assert served == 2


async def test_idle_connections_are_closed_in_time_and_never_used_after_it(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive, pool.leg(1, request()))
            stream = await upstreams.accept()
            await read_request(stream)
            await stream.send_all(OK)
        await trio.sleep(61)
    assert upstreams.made == 2
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.sweep)
        await trio.sleep(16)
        assert pool.kept == 0
        nursery.cancel_scope.cancel()
    assert await stream.receive_some(1) == b""


async def test_a_closed_pool_has_closed_what_was_idle(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive, pool.leg(1, request()))
        stream = await upstreams.accept()
        await read_request(stream)
        await stream.send_all(OK)
    await pool.close()
    assert pool.kept == 0
    assert await stream.receive_some(1) == b""


async def test_idle_connections_are_bounded_for_each_origin(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams, max_idle=2)
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(drive, pool.leg(number, request()))
        streams = [await upstreams.accept() for _ in range(4)]
        for stream in streams:
            await read_request(stream)
        for stream in streams:
            await stream.send_all(OK)
    assert pool.kept == 2


async def test_a_reused_connection_that_dies_before_its_answer_is_reported_as_reused(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    results: list[UpstreamInput] = []

    async def leg(number: int) -> None:
        results[:] = await drive(pool.leg(number, request()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leg, 1)
        stream = await upstreams.accept()
        await read_request(stream)
        await stream.send_all(OK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leg, 2)
        await read_request(stream)
        await stream.aclose()
    failed = failure(results)
    assert (failed.stage, failed.sent, failed.reused) == (Stage.HEAD, Sent.ALL, True)
    assert failed.cause == "upstream.test:80 closed the connection before its answer"


async def test_a_new_connection_that_breaks_within_the_answer_is_reported_as_such(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    results: list[UpstreamInput] = []

    async def leg() -> None:
        results.extend(await drive(pool.leg(1, request())))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leg)
        stream = await upstreams.accept()
        await read_request(stream)
        await stream.send_all(OK[:-1])
        await stream.aclose()
    failed = failure(results)
    assert (failed.stage, failed.sent, failed.reused) == (Stage.BODY, Sent.ALL, False)
    assert pool.kept == 0


async def test_a_refused_connection_names_the_host():
    async with upstream(serve_ok) as origin:
        pass
    failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=origin))))
    assert (failed.stage, failed.sent, failed.reused) == (Stage.CONNECT, Sent.NONE, False)
    assert failed.cause == f"cannot connect to 127.0.0.1:{origin.port}: connection refused"


async def test_a_name_that_does_not_resolve_is_named(monkeypatch):
    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
            raise trio.socket.gaierror(trio.socket.EAI_NONAME, "Name or service not known")

        async def getnameinfo(self, sockaddr, flags):
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Resolver())
    failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=Origin("http", "no.such.test", 80)))))
    assert failed.cause == "cannot connect to no.such.test:80: name or service not known"


async def test_an_early_413_is_heard_while_a_long_body_is_uploaded_to_one_who_closes():
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(TOO_LARGE)

    async with upstream(handler) as origin:
        pool = UpstreamPool(idle=60)
        inputs = await drive(pool.leg(1, request(bytes(LONG), origin)))
        assert inputs[1:3] == [UpstreamHead(1, 413, ((b"content-length", b"3"),)), UpstreamData(1, b"big")]
        assert pool.kept == 0


async def test_an_early_413_is_heard_from_one_who_neither_reads_nor_closes():
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(TOO_LARGE)
        await trio.sleep_forever()

    async with upstream(handler) as origin:
        pool = UpstreamPool(idle=60)
        inputs = await drive(pool.leg(1, request(bytes(LONG), origin)))
        assert inputs[1:] == [
            UpstreamHead(1, 413, ((b"content-length", b"3"),)),
            UpstreamData(1, b"big"),
            UpstreamEnd(1),
        ]
        assert pool.kept == 0


async def test_an_interim_answer_does_not_stop_an_upload():
    got = 0

    async def handler(stream: trio.SocketStream) -> None:
        nonlocal got
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        got = len(await read_request(stream))
        await stream.send_all(OK)

    async with upstream(handler) as origin:
        pool = UpstreamPool(idle=60)
        inputs = await drive(pool.leg(1, request(bytes(LONG), origin)))
        await pool.close()
    assert got == LONG
    assert inputs[-1] == UpstreamEnd(1)


async def test_an_upload_to_one_who_closes_without_a_word_fails_in_the_send():
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)

    async with upstream(handler) as origin:
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(bytes(LONG), origin))))
    assert (failed.stage, failed.sent, failed.reused) == (Stage.SEND, Sent.PART, False)


async def test_a_cut_send_is_a_failure_in_the_send(autojump_clock):
    pool = UpstreamPool(idle=60, connect=Upstreams(trio.testing.lockstep_stream_pair))
    leg = pool.leg(1, request())
    await leg.open()
    with trio.move_on_after(3):
        await leg.send()
    (failed,) = await leg.cut()
    assert isinstance(failed, UpstreamFailed)
    assert (failed.stage, failed.sent) == (Stage.SEND, Sent.PART)
    assert failed.cause == "upstream.test:80 did not take the request in time"


async def test_an_aborted_leg_closes_at_once_and_says_nothing_more(autojump_clock):
    upstreams = Upstreams()
    pool = UpstreamPool(idle=60, connect=upstreams)
    leg = pool.leg(1, request())
    results: list[UpstreamInput] = []

    async def run() -> None:
        results.extend(await drive(leg))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        stream = await upstreams.accept()
        await read_request(stream)
        await leg.abort()
    assert results == [UpstreamConnected(1, reused=False)]
    assert await stream.receive_some(1) == b""


async def test_a_leg_that_is_aborted_while_it_connects_leaves_nothing_behind(autojump_clock):
    ours, theirs = trio.testing.memory_stream_pair()
    connected = trio.Event()

    async def connect(origin: Origin) -> trio.abc.Stream:
        await connected.wait()
        return ours

    pool = UpstreamPool(idle=60, connect=connect)
    leg = pool.leg(1, request())
    results: list[UpstreamInput] = []

    async def run() -> None:
        results.extend(await drive(leg))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        await leg.abort()
        connected.set()
    assert results == []
    assert await theirs.receive_some(1) == b""


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, str(path)


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def with_ca(origin: Origin, ca_file: str) -> Origin:
    return Origin(origin.scheme, origin.host, origin.port, ca_file)


async def test_tls_is_verified_and_its_connections_are_kept(authority):
    ca, path = authority
    async with upstream(serve_ok, server_context(ca, "127.0.0.1")) as origin:
        pool = UpstreamPool(idle=60)
        for reused in (False, True):
            inputs = await drive(pool.leg(1, request(origin=with_ca(origin, path))))
            assert inputs[0] == UpstreamConnected(1, reused=reused)
            assert inputs[-1] == UpstreamEnd(1)
        assert pool.kept == 1
        await pool.close()


async def test_a_certificate_for_another_name_is_refused(authority):
    ca, path = authority
    async with upstream(serve_ok, server_context(ca, "other.test")) as origin:
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=with_ca(origin, path)))))
    assert (failed.stage, failed.sent) == (Stage.TLS, Sent.NONE)
    assert failed.cause.startswith("TLS certificate of 127.0.0.1 not accepted: ")


async def test_a_certificate_of_an_unknown_authority_is_refused(authority):
    ca, _ = authority
    async with upstream(serve_ok, server_context(ca, "127.0.0.1")) as origin:
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=origin))))
    assert failed.cause.startswith("TLS certificate of 127.0.0.1 not accepted: ")


async def test_tls_with_one_who_does_not_speak_it_fails_in_the_handshake():
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with upstream(handler) as origin:
        secure = Origin("https", origin.host, origin.port)
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=secure))))
    assert (failed.stage, failed.sent) == (Stage.TLS, Sent.NONE)
    assert failed.cause == f"TLS handshake with 127.0.0.1:{origin.port} failed: wrong version number"


async def test_an_early_413_is_heard_over_tls(authority):
    ca, path = authority

    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(TOO_LARGE)
        await trio.sleep_forever()

    async with upstream(handler, server_context(ca, "127.0.0.1")) as origin:
        inputs = await drive(UpstreamPool(idle=60).leg(1, request(bytes(LONG), with_ca(origin, path))))
    assert inputs[1:3] == [UpstreamHead(1, 413, ((b"content-length", b"3"),)), UpstreamData(1, b"big")]


async def test_a_ca_file_that_cannot_be_read_is_named():
    async with upstream(serve_ok) as origin:
        secure = Origin("https", origin.host, origin.port, "missing.pem")
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=secure))))
    assert failed.cause == "cannot use the CA file missing.pem: no such file or directory"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (b"", [UpstreamFailed(1, Stage.SEND, Sent.PART, False, "upstream.test:80 closed the connection")]),
        (TOO_LARGE, [UpstreamHead(1, 413, ((b"content-length", b"3"),)), UpstreamData(1, b"big"), UpstreamEnd(1)]),
    ],
)
async def test_what_an_upstream_said_before_it_broke_a_short_request_off_is_heard(words, expected, autojump_clock):
    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(origin: Origin) -> trio.abc.Stream:
        return ours

    pool = UpstreamPool(idle=60, connect=connect)
    leg = pool.leg(1, request())
    await leg.open()
    if words:
        await theirs.send_all(words)
    await theirs.aclose()
    assert await leg.send() == expected
    assert leg.step is Step.OVER
    assert pool.kept == 0


async def test_a_request_that_a_full_socket_takes_in_parts_arrives_whole():
    got = b""

    async def handler(stream: trio.SocketStream) -> None:
        nonlocal got
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 2048)
        got = await read_request(stream)
        await stream.send_all(OK)

    body = bytes(range(256)) * 200

    async def connect(origin: Origin) -> trio.abc.Stream:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 2048)
        return stream

    async with upstream(handler) as origin:
        pool = UpstreamPool(idle=60, connect=connect)
        leg = pool.leg(1, request(body, origin))
        await leg.open()
        leg.send_now()
        assert leg.step is Step.SEND
        inputs = await leg.send()
        while leg.step is not Step.OVER:
            inputs += await leg.read()
        await pool.close()
    assert got == body
    assert inputs[-1] == UpstreamEnd(1)


class Proxy:
    """An HTTP proxy on loopback that connects wherever it is asked to; `heads` are the requests it got."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._answer = answer

    async def __call__(self, stream: trio.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some(1)
        self.heads.append(head)
        await stream.send_all(self._answer)
        if not self._answer.startswith(b"HTTP/1.1 2"):
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as other, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, other, stream, nursery.cancel_scope)
            await self._copy(stream, other, nursery.cancel_scope)

    @staticmethod
    async def _copy(source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope) -> None:
        async for data in source:
            await target.send_all(data)
        scope.cancel()


def by(origin: Origin, proxy: Origin, *, ca_file: str = "", authorization: str = "") -> Origin:
    server = ProxyServer(proxy.host, proxy.port, authorization)
    return Origin(origin.scheme, origin.host, origin.port, ca_file, server)


async def test_a_proxy_is_asked_for_a_tunnel_also_for_plain_http_and_its_connections_are_kept():
    proxy = Proxy()
    async with upstream(serve_ok) as origin, upstream(proxy) as server:
        pool = UpstreamPool(idle=60)
        for reused in (False, True):
            inputs = await drive(pool.leg(1, request(origin=by(origin, server))))
            assert inputs[0] == UpstreamConnected(1, reused=reused)
            assert inputs[-1] == UpstreamEnd(1)
        # Without the proxy, it is another connection.
        assert (await drive(pool.leg(1, request(origin=origin))))[0] == UpstreamConnected(1, reused=False)
        await pool.close()
    where = f"{origin.host}:{origin.port}".encode()
    assert proxy.heads == [b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (where, where)]


async def test_tls_is_spoken_with_the_upstream_inside_the_tunnel(authority):
    ca, path = authority
    proxy = Proxy()
    async with upstream(serve_ok, server_context(ca, "127.0.0.1")) as origin, upstream(proxy) as server:
        pool = UpstreamPool(idle=60)
        through = by(origin, server, ca_file=path, authorization="Basic dTpw")
        assert (await drive(pool.leg(1, request(origin=through))))[-1] == UpstreamEnd(1)
        await pool.close()
    assert b"proxy-authorization: Basic dTpw\r\n" in proxy.heads[0]


async def test_a_certificate_that_is_refused_behind_a_proxy_names_the_upstream(authority):
    ca, path = authority
    async with upstream(serve_ok, server_context(ca, "other.test")) as origin, upstream(Proxy()) as server:
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=by(origin, server, ca_file=path)))))
    assert failed.stage is Stage.TLS
    assert failed.cause.startswith("TLS certificate of 127.0.0.1 not accepted: ")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
            "answered 407 to CONNECT {}, it wants other credentials",
        ),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\n\r\nsorry", "answered 403 to CONNECT {}"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "answered 502 to CONNECT {}"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer CONNECT in HTTP"),
        (b"", "did not answer CONNECT in HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n", "said more than its answer to CONNECT {}"),
    ],
)
async def test_a_proxy_that_does_not_connect_is_named_and_no_secret_is(answer, what):
    async with upstream(Proxy(answer)) as server:
        origin = by(Origin("https", "api.test", 443), server, authorization="Basic s3cret")
        failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=origin))))
    assert (failed.stage, failed.sent, failed.reused) == (Stage.CONNECT, Sent.NONE, False)
    assert failed.cause == f"the proxy 127.0.0.1:{server.port} {what.format('api.test:443')}"


async def test_a_proxy_that_cannot_be_reached_is_named():
    async with upstream(serve_ok) as server:
        pass
    origin = by(Origin("https", "api.test", 443), server)
    failed = failure(await drive(UpstreamPool(idle=60).leg(1, request(origin=origin))))
    assert failed.stage is Stage.CONNECT
    assert failed.cause == f"cannot connect to the proxy 127.0.0.1:{server.port}: connection refused"


async def test_a_tunnel_that_is_given_up_leaves_no_connection_behind():
    asked, closed = trio.Event(), trio.Event()

    async def silent(stream: trio.SocketStream) -> None:
        while await stream.receive_some(1000):
            asked.set()
        closed.set()

    async with upstream(silent) as server, trio.open_nursery() as nursery:
        nursery.start_soon(UpstreamPool(idle=60).leg(1, request(origin=by(ORIGIN, server))).open)
        await asked.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await closed.wait()
