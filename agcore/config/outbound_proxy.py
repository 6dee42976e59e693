"""Outbound proxies: the one of each origin, as the configuration and the environment have it.

A provider's own `proxy_url` goes before `[proxy] proxy_url`, which goes before the environment: `https_proxy` or
`HTTPS_PROXY` for https origins and `http_proxy` for http ones, then `all_proxy` or `ALL_PROXY` for both. `HTTP_PROXY`
in upper case is not read, because a web server that runs this as CGI would let its clients set it. `no_proxy` or
`NO_PROXY` exempts hosts from `[proxy] proxy_url` and from the environment's proxies, and not from a provider's own.
This machine is never reached through a proxy.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import msgspec

from agcore.codecs.url import Url, is_loopback, parse_url
from agcore.config.reading import Reading
from agcore.protocol.http import Origin, ProxyServer

_ANY: Final = ("all_proxy", "ALL_PROXY")
_VARIABLES: Final = {"https": ("https_proxy", "HTTPS_PROXY", *_ANY), "http": ("http_proxy", *_ANY)}
_ALLOWED: Final = "an http://, https://, socks5:// or socks5h:// URL"
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


class Outbound:
    """Finds the proxy of each origin.

    Args:
        environ: The environment's variables.
        reading: Takes the problems of the proxies' URLs.
        url: `[proxy] proxy_url`.
        ca_file: `[proxy] ca_file`.
    """

    def __init__(self, environ: Mapping[str, str], reading: Reading, *, url: Url | None, ca_file: str = "") -> None:
        self._ca_file = ca_file
        self._reading = reading
        self._environ = environ
        self._exempt = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
        self._known: dict[str, ProxyServer | None] = {}
        """By the place that they are written in."""
        self._general = self._server(url, "proxy.proxy_url") if url else None

    def route(self, origin: Origin, *, url: Url | None = None, path: str = "") -> Origin:
        """The origin with the proxy that leads to it, if one does, and with the CAs that all origins are verified by.

        Args:
            origin: Without a proxy.
            url: Of a proxy that is meant for just this origin.
            path: Where `url` stands.
        """
        if url is not None:
            proxy = self._server(url, path)
            what = f"not used for {origin.host}, which is this machine"
            if is_loopback(origin.host) and f"{path}: {what}" not in self._reading.warnings:
                self._reading.warn(path, what)
        elif is_loopback(origin.host) or any(exempts(entry, origin) for entry in self._exempt):
            proxy = None
        else:
            proxy = self._general or self._of_environment(origin.scheme)
        if self._ca_file and origin.scheme == "https" and not origin.ca_file:
            origin = msgspec.structs.replace(origin, more_cas=self._ca_file)
        return origin if proxy is None or is_loopback(origin.host) else msgspec.structs.replace(origin, proxy=proxy)

    def _of_environment(self, scheme: str) -> ProxyServer | None:
        name = next((name for name in _VARIABLES[scheme] if self._environ.get(name, "").strip()), None)
        if name is None:
            return None
        text, path = self._environ[name].strip(), f"{name} (environment)"
        if path not in self._known:
            try:
                url = parse_url(text if "://" in text else f"http://{text}", login=True, proxy=True)
            except ValueError as error:
                self._reading.problem(path, str(error), allowed=_ALLOWED)
                self._known[path] = None
            else:
                self._server(url, path)
        return self._known[path]

    def _server(self, url: Url, path: str) -> ProxyServer | None:
        if path not in self._known:
            self._known[path] = None
            if url.path:
                self._reading.problem(path, "a URL with a path", allowed=_ALLOWED)
            else:
                scheme = "socks5" if url.scheme.startswith("socks") else url.scheme
                more_cas = self._ca_file if scheme == "https" else ""
                self._known[path] = ProxyServer(url.host, url.port, authorization(url), scheme, more_cas)
        return self._known[path]


def authorization(url: Url) -> str:
    """The value of `proxy-authorization` for the login of a URL (RFC 7617); empty without one."""
    login, mark, _ = url.text.partition("://")[2].partition("/")[0].rpartition("@")
    if not mark:
        return ""
    name, _, password = login.partition(":")
    pair = b":".join(_ESCAPE.sub(_unescape, part.encode("ascii")) for part in (name, password))
    return "Basic " + binascii.b2a_base64(pair, newline=False).decode("ascii")


def exempts(entry: str, origin: Origin) -> bool:
    """Whether an entry of NO_PROXY covers an origin.

    An entry is `*`, a domain (which covers all names below it, with or without a dot in front), an IP address or a
    network of them such as `10.0.0.0/8`; all but networks may have a port.
    """
    entry = entry.strip().lower()
    if "/" in entry:
        return _in_network(entry, origin.host)
    host, port = _without_port(entry)
    if port and port != str(origin.port):
        return False
    if host == "*":
        return True
    domain = host.removeprefix("*").removeprefix(".").rstrip(".")
    if not domain:
        return False
    name = origin.host.rstrip(".")
    if name == domain or _address(name) == _address(domain) is not None:
        return True
    return _address(name) is None and name.endswith(f".{domain}")


def _without_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (host, port)


def _in_network(entry: str, host: str) -> bool:
    address = _address(host)
    try:
        return address is not None and address in ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)])
