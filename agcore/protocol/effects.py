"""Effects, the commands of the machines: imperatives, carried out by a driver in the order given.

`Exchange.receive` and its siblings return a list of these. A driver performs the whole list before it reads anything
again (that is the backpressure), and writes all bytes of one list to the client at once.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from agcore.protocol.events import Event
from agcore.protocol.http import Headers, UpstreamRequest
from agcore.protocol.inputs import Notified
from agcore.protocol.state import Question


class SendHead(msgspec.Struct, frozen=True, tag=True):
    """Start the response.

    Without `content-length` among the headers the body is framed by the driver (chunked, or as its server does it).
    The answer to a HEAD request and a 204 have no `SendData`.
    """

    status: int
    headers: Headers


class SendData(msgspec.Struct, frozen=True, tag=True):
    """Send a piece of the response's body."""

    data: bytes


class SendEnd(msgspec.Struct, frozen=True, tag=True):
    """End the response's body properly."""


class AbortClient(msgspec.Struct, frozen=True, tag=True):
    """Break the response off, visibly: close the connection without the end that its framing promised."""


class OpenUpstream(msgspec.Struct, frozen=True, tag=True):
    """Connect (or take a pooled connection), send `request`, and report what comes back under the number `leg`."""

    leg: int
    request: UpstreamRequest
    public_only: bool = False
    """The origin was chosen by somebody who must not reach this machine's own networks.

    The driver resolves the name itself, once. Unless every address found is public (`agcore.is_public`), the leg
    fails with stage `connect` and nothing sent. Else it connects to one of those very addresses, never to what a second
    look-up says, and still verifies a certificate against the name. It neither takes a pooled connection nor leaves
    one. Where the origin has a proxy, the proxy is asked for the checked address instead of the name, which it would
    resolve for itself; the proxy's own address is not checked, because the configuration names it.
    """


class SendUpstream(msgspec.Struct, frozen=True, tag=True):
    """Send a further piece of a `Streamed` body."""

    leg: int
    data: bytes


class EndUpstream(msgspec.Struct, frozen=True, tag=True):
    """The `Streamed` body is complete."""

    leg: int


class AbortUpstream(msgspec.Struct, frozen=True, tag=True):
    """Drop this leg now, in whatever state it is; its connection is not used again. Nothing more is reported of it."""

    leg: int


class Spool(msgspec.Struct, frozen=True, tag=True):
    """Append `data` to a temporary file of this exchange, making it on first use. It holds what memory should not."""

    id: int
    data: bytes


class DropSpool(msgspec.Struct, frozen=True, tag=True):
    """Remove that temporary file. Commanded for every one that was made, before `Finish`."""

    id: int


class ReadSpool(msgspec.Struct, frozen=True, tag=True):
    """Read back, as a whole, what `Spool` put aside under `spool`; `FileRead` or `FileRefused` reports under `id`."""

    id: int
    spool: int


class ReadFile(msgspec.Struct, frozen=True, tag=True):
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


class AskState(msgspec.Struct, frozen=True, tag=True):
    """Ask whoever holds the state that gateways share; `StateReplied` reports the reply, which has the query's `id`.

    A driver without such a backend replies `StateUnavailable`, and so does one whose backend is away. An exchange whose
    gateway holds its state itself never commands this.
    """

    query: Question


class NotifyExchange(msgspec.Struct, frozen=True, tag=True):
    """Pass `message` to another exchange: the one whose `request.id` is `exchange`, if it still runs.

    It becomes an input of that exchange, and wakes its owner out of a read; what is being written is written first.
    """

    exchange: str
    message: Notified


class Emit(msgspec.Struct, frozen=True, tag=True):
    """Record `event`, or pass it to whoever folds events into logs, metrics and traces."""

    event: Event


class Finish(msgspec.Struct, frozen=True, tag=True):
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
    | AskState
    | NotifyExchange
    | Emit
    | Finish
)


class StopAccepting(msgspec.Struct, frozen=True, tag=True):
    """Close the listeners: from now on no new connection is taken."""


class CloseIdle(msgspec.Struct, frozen=True, tag=True):
    """Close client connections that are between two requests, and pass `DrainRequested` to every running exchange."""


class Halt(msgspec.Struct, frozen=True, tag=True):
    """The drain time is over: abandon every running exchange and stop."""


GatewayEffect: TypeAlias = StopAccepting | CloseIdle | Halt | Emit
