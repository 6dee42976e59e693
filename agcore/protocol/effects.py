"""What the machines command: imperatives, carried out by a driver in the order given.

`Exchange.receive` and its siblings return a list of these. A driver performs the whole list before it reads anything
again (that is the backpressure), and writes all bytes of one list to the client at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from agcore.protocol.inputs import Headers, Notified


class SendHead(msgspec.Struct, frozen=True):
    """Start the response.

    Without `content-length` among the headers the body is framed by the driver (chunked, or as its server does it).
    The answer to a HEAD request and a 204 have no `SendData`.
    """

    status: int
    headers: Headers


class SendData(msgspec.Struct, frozen=True):
    """Send a piece of the response's body."""

    data: bytes


class SendEnd(msgspec.Struct, frozen=True):
    """End the response's body properly."""


class AbortClient(msgspec.Struct, frozen=True):
    """Break the response off, visibly: close the connection without the end that its framing promised."""


class ProxyServer(msgspec.Struct, frozen=True):
    """An outbound HTTP proxy."""

    host: str
    port: int
    authorization: str = ""
    """The value of `proxy-authorization`, a secret; empty where none is needed."""

    def __repr__(self) -> str:
        return f"ProxyServer({self.host!r}, {self.port})"


class Origin(msgspec.Struct, frozen=True):
    """Where and how to connect: two requests with equal origins may share a connection."""

    scheme: str
    """`"http"` or `"https"`."""
    host: str
    """A name or an IP literal, without brackets."""
    port: int
    ca_file: str = ""
    """A PEM file to verify the server by, instead of the usual roots; empty for those."""
    proxy: ProxyServer | None = None
    """An HTTP proxy to go through by CONNECT (RFC 9110 section 9.3.6); None to connect directly."""


class Streamed(msgspec.Struct, frozen=True):
    """A request body that is still arriving: `first` now, the rest by `SendUpstream` until `EndUpstream`."""

    first: bytes


class Patch(msgspec.Struct, frozen=True):
    """A replacement inside a body: `length` bytes at `offset` become `data`."""

    offset: int
    length: int
    data: bytes


class Spooled(msgspec.Struct, frozen=True):
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


class OpenUpstream(msgspec.Struct, frozen=True):
    """Connect (or take a pooled connection), send `request`, and report what comes back under the number `leg`."""

    leg: int
    request: UpstreamRequest
    public_only: bool = False
    """The origin was chosen by somebody who must not reach this machine's own networks.

    The driver resolves the name itself, once. Unless every address found is public (`addresses.is_public`), the leg
    fails with stage `connect` and nothing sent. Else it connects to one of those very addresses, never to what a second
    look-up says, and still verifies a certificate against the name. It neither takes a pooled connection nor leaves
    one. Where the origin has a proxy, the proxy is asked for the checked address instead of the name, which it would
    resolve for itself; the proxy's own address is not checked, because the configuration names it.
    """


class SendUpstream(msgspec.Struct, frozen=True):
    """Send a further piece of a `Streamed` body."""

    leg: int
    data: bytes


class EndUpstream(msgspec.Struct, frozen=True):
    """The `Streamed` body is complete."""

    leg: int


class AbortUpstream(msgspec.Struct, frozen=True):
    """Drop this leg now, in whatever state it is; its connection is not used again. Nothing more is reported of it."""

    leg: int


class Spool(msgspec.Struct, frozen=True):
    """Append `data` to a temporary file of this exchange, making it on first use. It holds what memory should not."""

    id: int
    data: bytes


class DropSpool(msgspec.Struct, frozen=True):
    """Remove that temporary file. Commanded for every one that was made, before `Finish`."""

    id: int


class ReadSpool(msgspec.Struct, frozen=True):
    """Read back, as a whole, what `Spool` put aside under `spool`; `FileRead` or `FileRefused` reports under `id`."""

    id: int
    spool: int


class ReadFile(msgspec.Struct, frozen=True):
    """Read a whole file of this machine; `FileRead` or `FileRefused` reports under the number `id`.

    It is read only if it is a regular file below one of the roots by the real path of what was opened, so that no
    symbolic link leads out. Reading must not block other exchanges, and is given up when this one ends.
    """

    id: int
    path: str
    """Absolute; another one is refused."""
    roots: tuple[str, ...]
    """The directories (or single files) that may be read, as absolute paths; symbolic links in them are followed."""
    max_bytes: int
    """The largest size that is read."""


class NotifyExchange(msgspec.Struct, frozen=True):
    """Pass `message` to another exchange: the one whose `request.id` is `exchange`, if it still runs.

    It becomes an input of that exchange, and wakes its owner out of a read; what is being written is written first.
    """

    exchange: str
    message: Notified


class Note(msgspec.Struct, frozen=True):
    """Something worth recording: an access-log row, a warning. Data for a sink to render; never holds a secret."""

    kind: str
    fields: Mapping[str, object]


class Finish(msgspec.Struct, frozen=True):
    """The exchange is over: the last effect of every exchange, exactly once."""


Effect: TypeAlias = (
    SendHead
    | SendData
    | SendEnd
    | AbortClient
    | OpenUpstream
    | SendUpstream
    | EndUpstream
    | AbortUpstream
    | Spool
    | DropSpool
    | ReadSpool
    | ReadFile
    | NotifyExchange
    | Note
    | Finish
)


class StopAccepting(msgspec.Struct, frozen=True):
    """Close the listeners: from now on no new connection is taken."""


class CloseIdle(msgspec.Struct, frozen=True):
    """Close client connections that are between two requests, and pass `DrainRequested` to every running exchange."""


class Halt(msgspec.Struct, frozen=True):
    """The drain time is over: abandon every running exchange and stop."""


GatewayEffect: TypeAlias = StopAccepting | CloseIdle | Halt | Note
