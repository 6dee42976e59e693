"""The second URL of MCP's HTTP+SSE transport, of the revision 2024-11-05 (docs/wire/mcp.md#httpsse).

A server of that revision begins its stream with an `endpoint` event that names the URL to post messages to. The client
gets a URL of the gateway's instead. Nothing is kept for it: the URL itself says what the server named, under a keyed
hash. So a client can have messages sent only to what this server announced through this gateway, and only while the
process lives that has the key and the server keeps its configured URL.

The query of the configured URL, which may hold a credential, is never part of it; it is added again on the way up.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final
from urllib.parse import urljoin

from agcore.codecs.url import parse_url
from agcore.config.values import McpServer
from agcore.protocol.state import Digest

_TAG: Final = 16
"""Bytes of the hash."""


def reference(data: bytes, server: McpServer, *, public_url: str, digest: Digest) -> bytes:
    """Returns the reference that a client gets in place of an `endpoint` event's `data`.

    It is a reference without a host (RFC 3986 section 4.2), below the path of `public_url`.

    Raises:
        ValueError: says what is wrong with `data`: it is no URL, or one of another origin.
    """
    assert server.endpoint is not None
    url = parse_url(urljoin(server.url, data.decode("ascii")), query=True)
    origin = server.endpoint.origin
    if (url.scheme, url.host, url.port) != (origin.scheme, origin.host, origin.port):
        raise ValueError(f"a URL at {url.host}:{url.port}, which is another origin")
    path, _, query = url.target.encode("ascii").partition(b"?")
    own = _own_query(server).split(b"&")
    announced = _joined(path, *(piece for piece in query.split(b"&") if piece not in own))
    prefix = parse_url(public_url).path if public_url else ""
    token = (_tag(announced, server, digest) + announced).hex()
    return f"{prefix}/mcp/{server.name}/messages?to={token}".encode("ascii")


def upstream_target(token: str, server: McpServer, *, digest: Digest) -> bytes | None:
    """The target at the server that the `to` of a reference stands for; None if `server` never announced it here."""
    try:
        sealed = bytes.fromhex(token)
    except ValueError:
        return None
    tag, announced = sealed[:_TAG], sealed[_TAG:]
    if not compare_digest(tag, _tag(announced, server, digest)):
        return None
    path, _, query = announced.partition(b"?")
    return _joined(path, _own_query(server), query)


def _own_query(server: McpServer) -> bytes:
    assert server.endpoint is not None
    return server.endpoint.prefix.partition(b"?")[2]


def _joined(path: bytes, *query: bytes) -> bytes:
    pieces = b"&".join(filter(None, query))
    return path + b"?" + pieces if pieces else path


def _tag(announced: bytes, server: McpServer, digest: Digest) -> bytes:
    bound = f"mcp endpoint\0{server.name}\0{server.url}\0".encode()
    return digest.digest(bound + announced)[:_TAG]
