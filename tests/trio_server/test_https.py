"""HTTPS on the listeners: handshakes, hang-ups, and certificates that are replaced while the server runs."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from agcore import LogRow
from agcore.config.values import Config, Limits, Timeouts
from agcore.protocol.events import Event, Warned
from agcore.protocol.inputs import ClientGone
from agcore_host.certificate import LOOK, Certificate, CertificateError
from agcore_trio.server import Server
from agcore_trio.upstream import UpstreamPool
from tests.support.patience import PATIENCE
from tests.trio_server.toys import (
    ListSink,
    Maker,
    RelayExchange,
    ToyExchange,
    ToyGateway,
    Upstreams,
    post,
    read_answer,
    read_request,
)


class Pair:
    """A certificate for 127.0.0.1 in files."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"
        self.changes = 0
        self.renew()

    def renew(self, *, key: bool = True) -> str:
        """Writes a new pair, or only its certificate; returns the serial number that clients see."""
        made = self.authority.issue_cert("127.0.0.1")
        made.cert_chain_pems[0].write_to_path(self.cert)
        if key:
            made.private_key_pem.write_to_path(self.key)
        self.changes += 1
        for file in (self.cert, self.key):
            # File systems differ in how fine their times are.
            os.utime(file, (self.changes, self.changes))
        loaded = ssl._ssl._test_decode_cert(str(self.cert))  # type: ignore[attr-defined]
        return str(loaded["serialNumber"])

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


class Running:
    """A server for HTTPS on loopback."""

    def __init__(self, pair: Pair, gateway: ToyGateway) -> None:
        self.pair = pair
        self.gateway = gateway
        self.upstreams = Upstreams()
        self.sink = ListSink()
        certificate = Certificate(str(pair.cert), str(pair.key), self.sink)
        pool = UpstreamPool(idle=60, connect=self.upstreams)
        self.server = Server(gateway, self.sink, pool=pool, certificate=certificate)
        self.address = ("", 0)

    async def connect(self, context: ssl.SSLContext | None = None) -> trio.SSLStream[trio.SocketStream]:
        plain = await self.connect_plainly()
        trusted = context or self.pair.client_context()
        stream = trio.SSLStream(plain, trusted, server_hostname="127.0.0.1", https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)
            raise
        return stream

    async def connect_plainly(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)


@asynccontextmanager
async def running(pair: Pair, make: Maker = ToyExchange, *, config: Config | None = None) -> AsyncIterator[Running]:
    made = Running(pair, ToyGateway(make, config))
    with trio.fail_after(PATIENCE):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        made.address = listeners[0].socket.getsockname()
        async with trio.open_nursery() as nursery:
            await nursery.start(made.server.run, listeners)
            yield made
            nursery.cancel_scope.cancel()


async def test_requests_over_tls_are_served_one_after_another(pair):
    async with running(pair) as toy, await toy.connect() as client:
        for body in (b"one", b"two" * 10_000):
            await client.send_all(post(body))
            assert (await read_answer(client))[::2] == (200, body)
        assert client.selected_alpn_protocol() is None
    assert [peer.host for peer in toy.gateway.peers] == ["127.0.0.1"] * 2


async def test_http_1_is_agreed_upon(pair):
    context = pair.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with running(pair) as toy, await toy.connect(context) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


async def test_versions_before_tls_1_2_are_not_spoken(pair, recwarn):
    context = pair.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    recwarn.clear()
    async with running(pair) as toy:
        with pytest.raises(trio.BrokenResourceError):
            await toy.connect(context)
        while not toy.sink.rows:
            await trio.testing.wait_all_tasks_blocked()
    assert toy.sink.rows[0].fields["message"] == "TLS handshake with 127.0.0.1 failed: unsupported protocol"


async def test_a_client_that_hangs_up_over_tls_aborts_the_upstream(pair):
    async with running(pair, RelayExchange) as toy:
        client = await toy.connect()
        await client.send_all(post(b"x"))
        upstream = await toy.upstreams.accept()
        await read_request(upstream)
        await client.aclose()
        assert await upstream.receive_some(10) == b""
    assert toy.gateway.exchanges[0].seen[-1] == ClientGone()


async def test_plain_http_on_the_port_for_https_fails_by_itself(pair):
    async with running(pair) as toy, await toy.connect() as other:
        async with await toy.connect_plainly() as client:
            await client.send_all(post(b"x"))
            while await client.receive_some(1000):
                pass
        await other.send_all(post(b"still here"))
        assert (await read_answer(other))[2] == b"still here"
    assert toy.sink.rows == [LogRow("warning", {"message": "TLS handshake with 127.0.0.1 failed: http request"})]


async def test_a_client_that_connects_and_leaves_is_not_worth_a_word(pair):
    async with running(pair) as toy:
        await (await toy.connect_plainly()).aclose()
        async with await toy.connect() as client:
            await client.send_all(post(b"x"))
            assert (await read_answer(client))[2] == b"x"
    assert toy.sink.rows == []


async def test_a_handshake_that_does_not_come_in_time_is_given_up(pair):
    config = Config(timeouts=Timeouts(header=0.02, keepalive=1000))
    async with running(pair, config=config) as toy, await toy.connect_plainly() as client:
        assert await client.receive_some(10) == b""


async def test_draining_does_not_wait_for_a_handshake(pair):
    async with running(pair) as toy, await toy.connect_plainly() as client:
        await trio.testing.wait_all_tasks_blocked()
        toy.server.drain()
        assert await client.receive_some(10) == b""


async def test_a_connection_beyond_the_limit_hears_why_over_tls(pair):
    async with running(pair, config=Config(limits=Limits(max_connections=1))) as toy, await toy.connect() as first:
        await first.send_all(post(b"x"))
        await read_answer(first)
        async with await toy.connect() as second:
            assert (await read_answer(second))[0] == 503
            assert await second.receive_some(10) == b""


async def test_a_connection_that_is_closed_after_its_answer_is_closed_cleanly(pair):
    async with running(pair) as toy:
        toy.gateway.draining = True
        plain = await toy.connect_plainly()
        # Without https_compatible, an end without a goodbye is an error.
        async with trio.SSLStream(plain, pair.client_context(), server_hostname="127.0.0.1") as client:
            await client.send_all(post(b"x"))
            assert (await read_answer(client))[1][b"connection"] == b"close"
            assert await client.receive_some(10) == b""


def serial(context: ssl.SSLContext, trusted: ssl.SSLContext) -> str:
    """The serial number that a server with `context` shows."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusted.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_a_certificate_is_loaded_again_when_its_files_change_but_not_at_each_look(pair):
    first = pair.renew()
    events: list[Event] = []
    certificate = Certificate(str(pair.cert), str(pair.key), events.append)
    trusted = pair.client_context()
    assert serial(certificate.context(100), trusted) == first
    second = pair.renew()
    assert serial(certificate.context(100 + LOOK / 2), trusted) == first
    context = certificate.context(100 + LOOK)
    assert serial(context, trusted) == second
    assert certificate.context(100 + 3 * LOOK) is context
    assert events == []


def test_a_pair_that_is_broken_leaves_the_old_one_in_force_and_is_said_once(pair):
    first = pair.renew()
    events: list[Event] = []
    certificate = Certificate(str(pair.cert), str(pair.key), events.append)
    pair.renew(key=False)
    for now in (10, 20, 30):
        assert serial(certificate.context(now), pair.client_context()) == first
    (event,) = events
    assert isinstance(event, Warned)
    assert event.message.startswith("the certificate stays what it was: proxy.tls_cert: ")
    pair.cert.unlink()
    assert serial(certificate.context(40), pair.client_context()) == first
    assert len(events) == 2
    last = pair.renew()
    assert serial(certificate.context(50), pair.client_context()) == last


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda pair: pair.cert.unlink(), "proxy.tls_cert: cannot read {cert}: no such file or directory"),
        (lambda pair: pair.key.unlink(), "proxy.tls_key: cannot read {key}: no such file or directory"),
        (
            lambda pair: pair.renew(key=False),
            "proxy.tls_cert: {cert} and {key} are no certificate and its key: key values mismatch",
        ),
        (
            lambda pair: pair.key.write_text("nonsense"),
            "proxy.tls_cert: {cert} and {key} are no certificate and its key: not pem, or a key with a password",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(pair, damage, message):
    damage(pair)
    with pytest.raises(CertificateError) as raised:
        Certificate(str(pair.cert), str(pair.key))
    assert str(raised.value) == message.format(cert=pair.cert, key=pair.key)
