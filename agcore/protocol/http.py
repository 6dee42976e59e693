"""HTTP as the core and its frontends speak of it: heads, peers, origins, and the forms of a request's body.

Header names are lower-case bytes; values are bytes as they came, without surrounding white space.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields in wire order, names in lower case."""


class RequestHead(msgspec.Struct, frozen=True):
    """The start of a client's request."""

    method: str
    """Upper case, as sent: `"GET"`."""
    target: bytes
    """Path and query exactly as they stood in the request line, percent-encoding untouched."""
    headers: Headers


class Peer(msgspec.Struct, frozen=True):
    """The other end of the client's connection."""

    host: str | None
    """The address as text (`"127.0.0.1"`, `"::1"`), or None where the transport knows none: never loopback."""


class ProxyServer(msgspec.Struct, frozen=True):
    """An outbound proxy: one that takes CONNECT (RFC 9110 section 9.3.6), or a SOCKS 5 one (RFC 1928)."""

    host: str
    port: int
    authorization: str = ""
    """The value of `proxy-authorization`, a secret; empty where none is needed. SOCKS takes the same login."""
    scheme: str = "http"
    """What is spoken with the proxy itself: `"http"`, `"https"` or `"socks5"`."""
    more_cas: str = ""
    """A PEM file of CAs to verify an `https` proxy by, beside the usual roots."""

    def __repr__(self) -> str:
        scheme = "" if self.scheme == "http" else f", scheme={self.scheme!r}"
        return f"ProxyServer({self.host!r}, {self.port}{scheme})"


class Origin(msgspec.Struct, frozen=True):
    """A place to connect to, and the way there: two requests with equal origins may share a connection."""

    scheme: str
    """`"http"` or `"https"`."""
    host: str
    """A name or an IP literal, without brackets."""
    port: int
    ca_file: str = ""
    """A PEM file to verify the server by, instead of the usual roots; empty for those."""
    proxy: ProxyServer | None = None
    """The proxy to go through; None to connect directly."""
    more_cas: str = ""
    """A PEM file of CAs to verify the server by, beside the usual roots; empty for those alone, or for `ca_file`."""


class Streamed(msgspec.Struct, frozen=True, tag=True):
    """A request body that is still arriving: `first` now, the rest by `SendUpstream` until `EndUpstream`."""

    first: bytes


class Patch(msgspec.Struct, frozen=True):
    """A replacement inside a body: `length` bytes at `offset` become `data`."""

    offset: int
    length: int
    data: bytes


class Spooled(msgspec.Struct, frozen=True, tag=True):
    """A request body that was put aside by `Spool`, with replacements to be made on the way out."""

    id: int
    patches: tuple[Patch, ...] = ()
    """In order of offset, not overlapping."""


Body: TypeAlias = bytes | Streamed | Spooled


class UpstreamRequest(msgspec.Struct, frozen=True):
    """A complete request to an upstream. Drivers add nothing to it: the same bytes leave on any frontend."""

    origin: Origin
    method: str
    target: bytes
    """Path and query as they go on the wire."""
    headers: Headers
    """All of them, `host` first; `content-length`, or `transfer-encoding: chunked`, where there is a body."""
    body: Body = b""
