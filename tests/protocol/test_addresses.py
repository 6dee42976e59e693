"""Which addresses are public, at the edges of every table and against what Python itself says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.protocol.addresses import GLOBAL_IPV6, NAT64, SPECIAL_IPV4, SPECIAL_IPV6, is_public

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "64:ff9b::808:808",
    "64:ff9b::8.8.8.8",
)

NOT_PUBLIC = {
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "loopback": "127.0.0.1",
    "loopback elsewhere": "127.255.255.254",
    "private of class A": "10.1.2.3",
    "private of class B": "172.31.255.255",
    "private of class C": "192.168.0.1",
    "behind a carrier's NAT": "100.64.0.1",
    "Alibaba's metadata": "100.100.100.200",
    "link-local, the metadata of most clouds": "169.254.169.254",
    "Oracle's metadata": "192.0.0.192",
    "Azure's host": "168.63.129.16",
    "documentation": "198.51.100.7",
    "benchmarks": "198.19.255.255",
    "relays of 6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "multicast at its end": "239.255.255.255",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unspecified of IPv6": "::",
    "loopback of IPv6": "::1",
    "loopback of IPv6 written out": "0:0:0:0:0:0:0:1",
    "IPv4-compatible": "::8.8.8.8",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped loopback in hexadecimal": "::ffff:7f00:1",
    "IPv4-mapped public": "::ffff:8.8.8.8",
    "IPv4-translated": "::ffff:0:8.8.8.8",
    "NAT64 to loopback": "64:ff9b::127.0.0.1",
    "NAT64 to a private address": "64:ff9b::10.0.0.1",
    "NAT64 to metadata": "64:ff9b::a9fe:a9fe",
    "NAT64 of a local prefix": "64:ff9b:1::808:808",
    "6to4 of loopback": "2002:7f00:1::1",
    "6to4 of a private address": "2002:c0a8:1::1",
    "6to4 of a public address": "2002:808:808::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "documentation of IPv6": "2001:db8::1",
    "newer documentation of IPv6": "3fff::1",
    "unique local": "fd00:ec2::254",
    "link-local of IPv6": "fe80::1",
    "link-local with a zone": "fe80::1%eth0",
    "global with a zone": "2606:4700:4700::1111%eth0",
    "site-local": "fec0::1",
    "multicast of IPv6": "ff0e::1",
    "discard-only": "100::1",
    "segment routing": "5f00::1",
    "not allocated": "4000::1",
    "nothing": "",
    "a name": "localhost",
    "a public name": "example.com",
    "brackets": "[2606:4700:4700::1111]",
    "a port": "8.8.8.8:80",
    "a short form": "127.1",
    "one number": "2130706433",
    "octal": "0177.0.0.1",
    "hexadecimal": "0x7f.0.0.1",
    "white space": " 8.8.8.8",
    "a prefix": "8.8.8.8/32",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_machines_on_the_internet_have_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC)
def test_everything_else_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("network", [*SPECIAL_IPV4, *SPECIAL_IPV6], ids=str)
def test_a_special_network_is_refused_to_its_edges_and_no_further(network: IPv4Network | IPv6Network) -> None:
    first, last = int(network[0]), int(network[-1])
    make = type(network[0])
    assert not is_public(str(make(first)))
    assert not is_public(str(make(last)))
    beyond = (make(number) for number in (first - 1, last + 1) if 0 <= number < 2 ** make(0).max_prefixlen)
    for neighbour in beyond:
        others = [other for other in (*SPECIAL_IPV4, *SPECIAL_IPV6) if neighbour in other]
        assert is_public(str(neighbour)) == (not others and (neighbour.version == 4 or neighbour in GLOBAL_IPV6))


def test_of_ipv6_only_global_unicast_counts() -> None:
    assert not is_public("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    assert is_public("2000::")
    assert is_public("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    assert not is_public("4000::")


@given(st.ip_addresses(v=4))
def test_nat64_is_as_public_as_what_is_in_it(address: IPv4Address) -> None:
    assert is_public(str(NAT64[int(address)])) == is_public(str(address))


@given(st.ip_addresses() | st.ip_addresses(v=6, network="2000::/3") | st.ip_addresses(v=6, network="2000::/14"))
def test_what_is_public_is_so_for_python_too(address: IPv4Address | IPv6Address) -> None:
    if is_public(str(address)) and address not in NAT64:
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved
        assert not address.is_private


@given(st.ip_addresses(v=4))
def test_what_python_calls_not_global_is_not_public_in_any_spelling(address: IPv4Address) -> None:
    embedding = (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}", str(sixtofour(address)))
    assert [is_public(spelling) for spelling in embedding if not address.is_global] in ([], [False] * 4)
    assert not is_public(embedding[0])
    assert not is_public(embedding[3])


def sixtofour(address: IPv4Address) -> IPv6Address:
    found = ip_address((0x2002 << 112) | (int(address) << 80) | 1)
    assert isinstance(found, IPv6Address)
    assert found in IPv6Network("2002::/16")
    return found


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(text: str) -> None:
    assert is_public(text) in (True, False)
