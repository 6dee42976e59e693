"""A way through a SOCKS 5 proxy, byte by byte (RFC 1928, RFC 1929)."""

from __future__ import annotations

import pytest

from agcore.protocol import Origin, ProxyServer, Stage
from agcore_host.upstream.failures import Unreachable
from agcore_host.upstream.socks import SocksTunnel
from agcore_host.upstream.tunnel import Tunnel, tunnel_for

PROXY = ProxyServer("socks.example", 1080, scheme="socks5")
LOGIN = ProxyServer("socks.example", 1080, "Basic dTpwOnc=", "socks5")
OPEN = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def origin(host: str = "api.example") -> Origin:
    return Origin("https", host, 443)


def test_a_name_is_given_to_the_proxy_to_resolve() -> None:
    tunnel = tunnel_for(origin(), PROXY)
    assert (tunnel.outgoing(), tunnel.outgoing()) == (b"\x05\x01\x00", b"")
    assert not tunnel.receive(b"\x05\x00")
    assert tunnel.outgoing() == b"\x05\x01\x00\x03\x0bapi.example\x01\xbb"
    assert tunnel.receive(OPEN)
    assert isinstance(tunnel_for(origin(), ProxyServer("p", 1)), Tunnel)


@pytest.mark.parametrize(
    ("host", "address", "told"),
    [
        ("192.0.2.7", "", b"\x01\xc0\x00\x02\x07"),
        ("2001:db8::1", "", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("api.example", "192.0.2.7", b"\x01\xc0\x00\x02\x07"),
    ],
)
def test_addresses_go_as_addresses(host: str, address: str, told: bytes) -> None:
    tunnel = SocksTunnel(origin(host), PROXY, address)
    tunnel.receive(b"\x05\x00")
    assert tunnel.outgoing() == b"\x05\x01\x00" + told + b"\x01\xbb"


@pytest.mark.parametrize("end", [OPEN, b"\x05\x00\x00\x04" + bytes(18), b"\x05\x00\x00\x03\x04host\x00\x00"])
def test_answers_may_come_in_any_pieces_and_with_any_kind_of_address(end: bytes) -> None:
    tunnel = SocksTunnel(origin(), LOGIN)
    assert tunnel.outgoing() == b"\x05\x02\x00\x02"
    *most, last = b"\x05\x02\x01\x00" + end
    said = [tunnel.receive(bytes([byte])) for byte in most]
    assert not any(said)
    assert tunnel.receive(bytes([last]))


def test_a_login_is_shown_where_it_is_wanted() -> None:
    tunnel = SocksTunnel(origin(), LOGIN)
    tunnel.outgoing()
    tunnel.receive(b"\x05\x02")
    assert tunnel.outgoing() == b"\x01\x01u\x03p:w"
    tunnel.receive(b"\x01\x00")
    assert tunnel.outgoing().startswith(b"\x05\x01\x00\x03")


@pytest.mark.parametrize(
    ("proxy", "said", "words"),
    [
        (PROXY, [b""], "closed the connection before it had opened a way"),
        (PROXY, [b"HTTP/1.1 400"], "does not speak SOCKS 5"),
        (PROXY, [b"\x05\xff"], "wants other credentials"),
        (PROXY, [b"\x05\x02"], "wants other credentials"),
        (LOGIN, [b"\x05\x02", b"\x01\x01"], "wants other credentials"),
        (PROXY, [b"\x05\x00", b"\x05\x05\x00\x01"], "did not connect to api.example:443: connection refused"),
        (PROXY, [b"\x05\x00", b"\x05\x63\x00\x01"], "did not connect to api.example:443: code 99"),
        (PROXY, [b"\x05\x00", OPEN + b"x"], "said more than its answer"),
    ],
)
def test_a_refusal_says_why_without_a_secret(proxy: ProxyServer, said: list[bytes], words: str) -> None:
    tunnel = SocksTunnel(origin(), proxy)
    *most, last = said
    for data in most:
        assert not tunnel.receive(data)
    with pytest.raises(Unreachable) as raised:
        tunnel.receive(last)
    assert (raised.value.stage, raised.value.cause) == (Stage.CONNECT, f"the proxy socks.example:1080 {words}")


def test_a_connection_that_breaks_names_the_proxy() -> None:
    broken = SocksTunnel(origin(), PROXY).broken(ConnectionResetError(104, "reset"))
    assert broken.cause.startswith("the proxy socks.example:1080 closed the connection")
