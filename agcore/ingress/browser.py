"""Rules for web pages: the hosts and origins that they may come by (CORS, DNS rebinding, cross-site requests).

A browser sends requests for any page that it shows. A page of another site may be let in by `proxy.cors_origins`, and
then reads answers; every other one is turned away where a request shows no key, and under `/mcp` always.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from agcore.codecs.header_fields import first, firsts
from agcore.config.values import Proxy
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers

EXPOSED: Final = (
    b"x-request-id, request-id, retry-after, x-agcore-request-id, x-agcore-provider, x-agcore-model, "
    b"x-agcore-attempts, x-agcore-losses, mcp-session-id, mcp-protocol-version, www-authenticate"
)
"""Headers of answers that a page may read."""

_ASKED: Final = frozenset({b"host", b"origin", b"sec-fetch-site"})
"""Fields that tell the origin of a page's request."""


class BrowserRules:
    """The rules of one configuration."""

    def __init__(self, proxy: Proxy) -> None:
        self._hosts = frozenset(host.lower() for host in proxy.allowed_hosts)
        self._any_scheme = tuple(
            origin.removesuffix("*").encode() for origin in proxy.cors_origins if origin.endswith("://*")
        )
        self._origins = frozenset(origin.encode() for origin in proxy.cors_origins)

    def cors_headers(self, headers: Headers) -> Headers:
        """Returns the fields that let the page that sent a request read the answer; none for a page that may not."""
        origin = first(headers, b"origin")
        if origin is None or not self._allows(origin):
            return ()
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        )

    def fault(self, headers: Headers, *, mcp: bool) -> Fault | None:
        """Returns why a request with this head is not served, taking it for a web page's; None for one that may go on.

        Args:
            headers: Of the request.
            mcp: It is for a route under `/mcp`.
        """
        fields = firsts(headers, _ASKED)
        host = fields.get(b"host", b"")
        if not self._host_allowed(host):
            served = "served here" if mcp else "served without a key"
            return Fault(
                status=421 if mcp else 403,
                message=f"this host name is not {served}; add it to `proxy.allowed_hosts` if it is yours",
                code="host_not_allowed",
            )
        origin = fields.get(b"origin")
        foreign = origin is None or not self._allows(origin)
        if origin is not None and foreign and _authority(origin) != host.lower():
            return Fault(
                status=403,
                message="requests from this web origin are not allowed; add it to `proxy.cors_origins` if it is yours",
                code="origin_not_allowed",
            )
        if foreign and fields.get(b"sec-fetch-site") == b"cross-site":
            return Fault(status=403, message="cross-site requests are not allowed", code="origin_not_allowed")
        return None

    def _allows(self, origin: bytes) -> bool:
        """Returns True where `cors_origins` lets pages of this origin read answers."""
        return origin in self._origins or (bool(self._any_scheme) and origin.lower().startswith(self._any_scheme))

    def _host_allowed(self, value: bytes) -> bool:
        try:
            name = value.decode("ascii").lower()
        except UnicodeDecodeError:
            return False
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        else:
            name = name.partition(":")[0]
        return name == "localhost" or name in self._hosts or _is_ip(name)


def _authority(origin: bytes) -> bytes:
    return origin.partition(b"://")[2].lower()


@lru_cache(maxsize=256)
def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
