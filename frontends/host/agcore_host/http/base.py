"""What an HTTP engine is: the seam between HTTP bytes and the machines' inputs and effects; no IO.

A `ServerEngine` faces a client: bytes in, `RequestHead`, `RequestData`, ... out; effects in, bytes out. A
`ClientEngine` faces an upstream: an `UpstreamRequest` in, bytes out; bytes in, `UpstreamHead`, `UpstreamData`,
`UpstreamEnd` out. Each lives as long as its connection and serves one request after another. `engines` has those that
there are; whatever drives one, over whichever event loop, knows these two Protocols only.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeAlias

import msgspec

from agcore.protocol import (
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    UpstreamData,
    UpstreamEnd,
    UpstreamHead,
    UpstreamRequest,
)

MAX_RESPONSE_HEAD: Final = 64 * 1024
"""Bytes of an upstream's response head. Some vendors send long policy headers; nginx stops at 32 KiB by default."""

JOINED_BODY: Final = 64 * 1024
"""Bodies up to this many bytes leave in one write with their head: copying them is cheaper than a second write."""

PIECE: Final = 256 * 1024
"""Bytes of one write of a longer body."""

REASONS: Final = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    421: b"Misdirected Request",
    422: b"Unprocessable Content",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
"""Reason phrases, for people who read traffic; statuses without one are sent without one (RFC 9112, section 4)."""


class Pending(enum.Enum):
    """Why there is no event."""

    NEED_DATA = enum.auto()
    """More bytes are needed."""
    PAUSED = enum.auto()
    """Bytes of the next request are waiting until this one is answered."""
    CLOSED = enum.auto()
    """The client closed the connection; no further request will come."""


class BadHead(msgspec.Struct, frozen=True):
    """What came is not a request that can be served: answer `status` and close."""

    status: int
    reason: str


ServerEvent: TypeAlias = RequestHead | RequestData | RequestEnd | RequestBroken | BadHead | Pending


class BadAnswer(Exception):
    """An upstream's bytes are not HTTP, or end where they must not. The text goes on after the name of the upstream."""


class ServerEngine(Protocol):
    """The server's side of one client connection."""

    close: bool
    """When true, the next head sent carries `connection: close`."""
    date: bytes
    """The value of `date` in a head that has none; empty for none."""

    @property
    def head_begun(self) -> bool:
        """Some bytes of the next request are here."""
        ...

    @property
    def expects_continue(self) -> bool:
        """The client waits for `100 Continue` before it sends the body."""
        ...

    @property
    def request_complete(self) -> bool:
        """The request was read to its end."""
        ...

    @property
    def unanswered(self) -> bool:
        """Nothing of an answer to the present request was sent."""
        ...

    @property
    def close_delimited(self) -> bool:
        """Only closing the connection ends the body of a response (HTTP/1.0), so that an early end must be a reset."""
        ...

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the client; `b""` says that it closed its side."""
        ...

    def next_event(self) -> ServerEvent:
        """Returns what the bytes so far say next, or why they say nothing."""
        ...

    def send(self, effects: Iterable[SendHead | SendData | SendEnd]) -> bytes:
        """Turns the effects of one list into the bytes of one write.

        Raises:
            h11.LocalProtocolError: the effects are no answer.
        """
        ...

    def send_continue(self) -> bytes:
        """Returns the bytes of `100 Continue`."""
        ...

    def start_next_cycle(self) -> bool:
        """Prepares for the next request; false when this connection can serve no other."""
        ...


class ClientEngine(Protocol):
    """The client's side of one upstream connection."""

    @property
    def reusable(self) -> bool:
        """The last answer is complete, the connection stays open, and nothing unread is left."""
        ...

    def send_request(self, request: UpstreamRequest) -> list[bytes | memoryview]:
        """Turns a request into the pieces to write, one after another; a long body is sliced, not copied.

        Of a body that is `Streamed` or `Spooled`, the pieces are the head and what is here already; `send_data` and
        `end_request`, or `send_all`, give the rest. A reusable connection starts over.

        Raises:
            h11.LocalProtocolError: there is no such request.
        """
        ...

    def send_data(self, data: bytes) -> bytes:
        """The bytes for a further piece of the body, framed as the head has said; none for none.

        Raises:
            h11.LocalProtocolError: it is more than the head has said.
        """
        ...

    def end_request(self) -> bytes:
        """The bytes that end the body, if there are any.

        Raises:
            h11.LocalProtocolError: it was less than the head has said.
        """
        ...

    def send_all(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes for a body and its end, made as they are asked for."""
        ...

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the upstream; `b""` says that it closed the connection."""
        ...

    def next_input(self, leg: int) -> UpstreamHead | UpstreamData | UpstreamEnd | None:
        """Returns what the bytes so far say next about `leg`; None when they say nothing more.

        Interim responses are skipped; a 101 is an error, as nobody asked for one.

        Raises:
            BadAnswer: the bytes are not HTTP, or ended where they must not.
        """
        ...
