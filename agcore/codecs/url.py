"""Absolute http and https URLs, as they stand in configurations."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

import msgspec

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
PROXY_PORTS: Final[Mapping[str, int]] = {**DEFAULT_PORTS, "socks": 1080, "socks5": 1080, "socks5h": 1080}
"""The usual port of each scheme that a proxy may have."""


class Url(msgspec.Struct, frozen=True):
    """The parts of a URL."""

    text: str
    """As written."""
    scheme: str
    host: str
    """A name in lower case, or an IP literal without brackets."""
    port: int
    path: str
    """Without a trailing slash: `"/v1"`, `""`."""

    @property
    def shown(self) -> str:
        """The URL for a person: without a login or query, which may be secret, and without the usual port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PROXY_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def target(self) -> str:
        """Path and query to the letter, as a request line has them: `"/mcp/?tenant=a"`, `"/"`."""
        where, mark, query = self.text.partition("://")[2].partition("?")
        return f"/{where.partition('/')[2]}{mark}{query}"


def parse_url(text: str, *, query: bool = False, login: bool = False, proxy: bool = False) -> Url:
    """The parts of an http or https URL.

    Args:
        text: The URL.
        query: Whether a query is allowed. `Url.text` and `Url.target` keep the query.
        login: Whether a user name and password are allowed. Only `Url.text` keeps them.
        proxy: Whether the other schemes of proxies are allowed.

    Raises:
        ValueError: What is wrong with the URL, without a part of it: a URL may hold a secret.
    """
    # By hand: urllib.parse takes 3 ms to load, and forgives (it drops tabs and newlines, for one).
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise ValueError("a string without http:// or https://")
    ports = PROXY_PORTS if proxy else DEFAULT_PORTS
    if scheme not in ports:
        raise ValueError("a URL with another scheme")
    if not (rest.isascii() and rest.isprintable()) or " " in rest:
        raise ValueError("a URL with white space or characters outside ASCII")
    if "#" in rest:
        raise ValueError("a URL with a fragment")
    rest, asked, _ = rest.partition("?")
    if asked and not query:
        raise ValueError("a URL with a query")
    authority, slash, path = rest.partition("/")
    _, at_sign, address = authority.rpartition("@")
    if at_sign and not login:
        raise ValueError("a URL with a user name")
    host, port = _host_and_port(address)
    return Url(text, scheme, host, port or ports[scheme], (slash + path).rstrip("/"))


def _host_and_port(address: str) -> tuple[str, int | None]:
    if address.startswith("["):
        host, bracket, tail = address[1:].partition("]")
        if not bracket or ":" not in host or not is_host(host):
            raise ValueError("a URL whose address in brackets is not IPv6")
        colon, port = tail[:1], tail[1:]
        if tail and colon != ":":
            raise ValueError("a URL whose host is not one")
    else:
        host, colon, port = address.partition(":")
        if ":" in port:
            raise ValueError("a URL with an IPv6 address without brackets")
        if not host:
            raise ValueError("a URL without a host")
        if not is_host(host):
            raise ValueError("a URL whose host is not one")
    if not colon:
        return host.lower(), None
    if not (port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError("a URL whose port is not a number from 1 to 65535")
    return host.lower(), int(port)


def is_loopback(host: str) -> bool:
    """Whether a host (an IP literal without brackets, or a name) is this machine; of names, only `localhost` is."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def is_host(text: str) -> bool:
    """Whether `text` is a host name (letters, digits, `-`, `_`, dots) or an IP literal without brackets."""
    if ":" in text:
        try:
            return ip_address(text).version == 6
        except ValueError:
            return False
    return (
        text.isascii()
        and text.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
        and text.strip(".") != ""
    )
