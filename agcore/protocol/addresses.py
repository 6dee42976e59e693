"""Public internet addresses: those to connect to on behalf of somebody who must not reach this machine's own networks.

The tables follow the IANA Special-Purpose Address Registries (RFC 6890) and are written out here, because what Python's
`is_global` says differs between its patch releases and includes multicast. Of IPv6 only the space that is allocated to
global unicast counts (2000::/3, RFC 4291 section 2.4). That excludes loopback, link-local, site-local, unique local and
multicast addresses, and all forms outside of it that hold an IPv4 address: mapped (`::ffff:0:0/96`), compatible
(`::/96`), translated (`::ffff:0:0:0/96`). NAT64's well-known prefix (RFC 6052) is judged by the IPv4 address within,
because a network without IPv4 reaches every IPv4 server that way. Teredo and 6to4, which hold one too, are refused
altogether: both are retired, and no server is reached by them any more.

What cannot be known from an address alone: that a network translates or routes public addresses to machines of its own.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

SPECIAL_IPV4: Final = (
    IPv4Network("0.0.0.0/8"),  # this network
    IPv4Network("10.0.0.0/8"),  # private
    IPv4Network("100.64.0.0/10"),  # shared, behind a carrier's NAT
    IPv4Network("127.0.0.0/8"),  # loopback
    IPv4Network("168.63.129.16/32"),  # assigned as public, but every machine in Azure reaches its host by it
    IPv4Network("169.254.0.0/16"),  # link-local, with the metadata services of most clouds
    IPv4Network("172.16.0.0/12"),  # private
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    IPv4Network("192.0.2.0/24"),  # documentation
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, retired
    IPv4Network("192.168.0.0/16"),  # private
    IPv4Network("198.18.0.0/15"),  # benchmarks
    IPv4Network("198.51.100.0/24"),  # documentation
    IPv4Network("203.0.113.0/24"),  # documentation
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, and broadcast
)

GLOBAL_IPV6: Final = IPv6Network("2000::/3")

SPECIAL_IPV6: Final = (
    IPv6Network("2001::/23"),  # IETF protocol assignments: Teredo, benchmarks, ORCHID
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)

NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Returns True where `address` is that of a machine on the public internet.

    Args:
        address: as text, without brackets. One with a zone (`fe80::1%eth0`), and anything else that is not an address,
            such as a name or `127.1`, is not public.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in SPECIAL_IPV4)
    if address.scope_id is not None:
        return False
    if address in NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in GLOBAL_IPV6 and not any(address in network for network in SPECIAL_IPV6)
