"""Upstreams that are the gateway itself: what is sent to them comes back."""

from __future__ import annotations

from collections.abc import Iterator

from agcore.codecs.url import is_loopback, parse_url
from agcore.config.values import Config, Endpoint, Proxy
from agcore.protocol.http import Origin

_EVERYWHERE = frozenset({"0.0.0.0", "::"})


def upstreams_here(config: Config) -> Iterator[str]:
    """Yields a sentence for each provider and MCP server whose URL is the gateway's own address."""
    for provider in config.providers:
        if any(is_own(config.proxy, endpoint.origin) for endpoint in provider.endpoints.values()):
            yield f"providers: the base_url of {provider.name} is this gateway itself, so that its requests come back"
    for server in config.mcp:
        endpoint: Endpoint | None = server.endpoint
        if endpoint is not None and is_own(config.proxy, endpoint.origin):
            yield f"mcp.{server.name}: its url is this gateway itself, so that its requests come back"


def is_own(proxy: Proxy, origin: Origin) -> bool:
    """Returns True where an origin is an address of the gateway: one that it listens on, or its public URL."""
    if proxy.public_url:
        public = parse_url(proxy.public_url)
        if (public.host, public.port) == (origin.host, origin.port):
            return True
    if origin.port != proxy.port:
        return False
    here = is_loopback(origin.host) or origin.host in _EVERYWHERE
    return origin.host == proxy.host or (here and (is_loopback(proxy.host) or proxy.host in _EVERYWHERE))
