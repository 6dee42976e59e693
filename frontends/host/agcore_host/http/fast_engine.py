"""The engines that connections use: what is plain is read and framed right here, h11 judges all the rest.

Nearly all messages on a gateway's connections are *plain* (`heads`): a complete head of HTTP/1.1 with the usual fields,
then a body with a length or in chunks. h11 takes several times as long as one pattern to come to the same conclusion.
So a plain message is read here, and whatever else begins (a head in two pieces, HTTP/1.0,
`expect`, an upload in chunks, an interim response, a body that only the end of the connection ends, nonsense) is given
to an engine on h11, as it came and before any of it was used. That engine keeps the connection until the message is
over. What is wrong with a head or a chunk is found wrong by h11, in its words.

A message that began plain may go on otherwise: a chunk with an extension, or an answer of ours that is framed in an
unusual way. Then the engine on h11 is told a head that stands for what was read, and takes over in the same state.

Both kinds say the same for the same bytes (docs/decisions/0017).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from typing import Final

import h11

from agcore.protocol import (
    Origin,
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
from agcore_host.http.base import JOINED_BODY, PIECE, REASONS, BadAnswer, Pending, ServerEvent
from agcore_host.http.h11_engine import H11ClientEngine, H11ServerEngine
from agcore_host.http.heads import FRAMING, field_lines, is_length, plain_request, plain_response, request_head

_BODYLESS: Final = (204, 304)
_match_size: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n").match
_STAND_IN: Final = UpstreamRequest(Origin("http", "_", 80), "GET", b"/", ((b"host", b"_"),))
_CHUNKED: Final = b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class _At(enum.Enum):
    """How far one side of a message is."""

    HEAD = enum.auto()
    BODY = enum.auto()
    CHUNK_END = enum.auto()
    """After the data of a chunk."""
    CHUNK_SIZE = enum.auto()
    DONE = enum.auto()
    CLOSED = enum.auto()
    """After the message, its sender has closed the connection."""
    BROKEN = enum.auto()


class FastServerEngine:
    """The server's side of one client connection.

    Args:
        max_header: bytes of a request head.
        max_headers: header fields of a request.

    Attributes:
        close: when true, the next head sent carries `connection: close`.
        date: the value of `date` in a head that has none; empty for none.
    """

    def __init__(self, *, max_header: int, max_headers: int) -> None:
        self.close = False
        self.date = b""
        self._max_header = max_header
        self._max_headers = max_headers
        self._other: H11ServerEngine | None = None
        """The engine on h11, while it has the connection; the fields below hold between two messages only, then."""
        self._begun = False
        self._unread = b""
        self._eof = False
        self._method = ""
        self._reading = _At.HEAD
        self._to_read = 0
        self._writing = _At.HEAD
        self._to_write: int | None = 0
        """Bytes of the answer's body; None if it goes out in chunks."""
        self._last = False
        """The answer said `connection: close`."""

    @property
    def head_begun(self) -> bool:
        """Some bytes of the next request are here."""
        return self._begun

    @property
    def expects_continue(self) -> bool:
        """The client waits for `100 Continue` before it sends the body."""
        return self._other is not None and self._other.expects_continue

    @property
    def request_complete(self) -> bool:
        """The request was read to its end."""
        if self._other is not None:
            return self._other.request_complete
        return self._reading is not _At.BODY and self._reading is not _At.BROKEN

    @property
    def unanswered(self) -> bool:
        """Nothing of an answer to the present request was sent."""
        return self._writing is _At.HEAD if self._other is None else self._other.unanswered

    @property
    def close_delimited(self) -> bool:
        """Only closing the connection ends the body of a response (HTTP/1.0), so that an early end must be a reset."""
        return self._other is not None and self._other.close_delimited

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the client; `b""` says that it closed its side."""
        if data:
            self._begun = True
        else:
            self._eof = True
        if self._other is not None:
            self._other.receive(data)
        else:
            self._unread = self._unread + data if self._unread else bytes(data)

    def next_event(self) -> ServerEvent:
        """Returns what the bytes so far say next, or why they say nothing."""
        if self._other is not None:
            return self._other.next_event()
        if self._reading is _At.HEAD:
            return self._head()
        if self._reading is _At.BODY:
            return self._body()
        if self._reading is _At.DONE:
            if self._unread and not self._last:
                return Pending.PAUSED
            if self._unread:
                self._reading = _At.BROKEN
                return RequestBroken("the body ended early" if self._eof else "Got data when expecting EOF")
            if not self._eof:
                return Pending.NEED_DATA
            self._reading = _At.CLOSED
        return Pending.CLOSED

    def send(self, effects: Iterable[SendHead | SendData | SendEnd]) -> bytes:
        """Turns the effects of one list into the bytes of one write."""
        effects = [*effects]
        parts: list[bytes] = []
        for index, effect in enumerate(effects):
            if self._other is None and type(effect) is SendHead:
                parts += self._write_head(effect)
            if self._other is not None:
                self._other.close, self._other.date = self.close, self.date
                parts.append(self._other.send(effects[index:]))
                break
            if type(effect) is SendData:
                parts += self._write_data(effect.data)
            elif type(effect) is SendEnd:
                parts.append(self._write_end())
        return b"".join(parts)

    def send_continue(self) -> bytes:
        """Returns the bytes of `100 Continue`."""
        return (self._other or self._hand_over()).send_continue()

    def start_next_cycle(self) -> bool:
        """Prepares for the next request; false when this connection can serve no other."""
        if self._other is not None:
            if not self._other.start_next_cycle():
                return False
            self._unread, self._other = self._other.unread, None
        elif self._last or self._reading is not _At.DONE or self._writing is not _At.DONE:
            return False
        self._begun = bool(self._unread)
        self._reading = self._writing = _At.HEAD
        return True

    def _head(self) -> ServerEvent:
        if not self._unread and not self._eof:
            return Pending.NEED_DATA
        head = plain_request(self._unread)
        # One field counts a byte more than it may have: what is near the limit is measured by `H11ServerEngine`.
        if head is None or len(head.headers) > self._max_headers or head.size + len(head.headers) > self._max_header:
            return self._hand_over().next_event()
        self._unread = self._unread[head.size :]
        self._method = head.method
        self._to_read = head.length
        self._reading = _At.BODY
        return RequestHead(head.method, head.target, head.headers)

    def _body(self) -> ServerEvent:
        if not self._to_read:
            self._reading = _At.DONE
            return RequestEnd()
        if self._unread:
            data, self._unread = self._unread[: self._to_read], self._unread[self._to_read :]
            self._to_read -= len(data)
            return RequestData(data)
        if not self._eof:
            return Pending.NEED_DATA
        self._reading = _At.BROKEN
        return RequestBroken("the body ended early")

    def _write_head(self, head: SendHead) -> tuple[bytes, ...]:
        """The lines of a head; none if it is not plain how it is to be framed, and h11 has taken over."""
        self._check(self._writing is _At.HEAD)
        framing = [field for field in head.headers if field[0] in FRAMING]
        length = framing[0][1] if len(framing) == 1 and framing[0][0] == b"content-length" else b""
        if self._reading is _At.HEAD or not 200 <= head.status <= 999 or (framing and not is_length(length)):
            self._hand_over()
            return ()
        others = [field for field in head.headers if field[0] not in FRAMING]
        if self.date and not any(name == b"date" for name, _ in others):
            others.append((b"date", self.date))
        lines = b"HTTP/1.1 %d %s\r\n" % (head.status, REASONS.get(head.status, b"")), field_lines(others)
        bodyless = self._method == "HEAD" or head.status in _BODYLESS
        self._writing = _At.BODY
        self._last = self.close
        closing = b"connection: close\r\n" if self.close else b""
        if length:
            self._to_write = 0 if bodyless else int(length)
            return *lines, b"content-length: %s\r\n%s\r\n" % (length, closing)
        self._to_write = 0 if bodyless else None
        return *lines, closing, b"\r\n" if head.status in _BODYLESS else b"Transfer-Encoding: chunked\r\n\r\n"

    def _write_data(self, data: bytes) -> tuple[bytes, ...]:
        self._check(self._writing is _At.BODY)
        if self._to_write is None:
            return (b"%x\r\n" % len(data), data, b"\r\n") if data else ()
        self._check(len(data) <= self._to_write)
        self._to_write -= len(data)
        return (data,)

    def _write_end(self) -> bytes:
        self._check(self._writing is _At.BODY and not self._to_write)
        self._writing = _At.DONE
        return _LAST_CHUNK if self._to_write is None else b""

    def _check(self, right: bool) -> None:
        if not right:
            self._writing = _At.BROKEN
            raise h11.LocalProtocolError("not what the head of the answer has said")

    def _hand_over(self) -> H11ServerEngine:
        """Gives the connection to an engine on h11, until the next request."""
        other = self._other = H11ServerEngine(max_header=self._max_header, max_headers=self._max_headers)
        if self._reading is not _At.HEAD:
            head = b"%s / HTTP/1.1\r\nhost: _\r\n" % self._method.encode()
            other.receive(head + (b"content-length: %d\r\n\r\n" % self._to_read if self._to_read else b"\r\n"))
            other.next_event()
        if self._reading in (_At.DONE, _At.CLOSED):
            other.next_event()
        if self._unread:
            other.receive(self._unread)
            self._unread = b""
        if self._eof:
            other.receive(b"")
        if self._reading in (_At.CLOSED, _At.BROKEN):
            other.next_event()
        return other


class FastClientEngine:
    """The client's side of one upstream connection."""

    def __init__(self) -> None:
        self._other: H11ClientEngine | None = None
        """The engine on h11, while it has the connection; the fields below mean nothing, then."""
        self._asked = False
        self._reading = _At.DONE
        self._to_read = 0
        self._chunked = False
        self._unread = b""
        self._start = 0
        """Where in `_unread` it goes on."""
        self._eof = False

    @property
    def reusable(self) -> bool:
        """The last answer is complete, the connection stays open, and nothing unread is left."""
        if self._other is not None:
            return self._other.reusable
        return self._asked and self._reading is _At.DONE and self._start == len(self._unread) and not self._eof

    def send_request(self, request: UpstreamRequest) -> list[bytes | memoryview]:
        """Turns a request into the pieces to write, one after another; a long body is sliced, not copied.

        Of a body that is `Streamed` or `Spooled`, the pieces are the head and what is here already; `send_data` and
        `end_request`, or `send_all`, give the rest. A reusable connection starts over.

        Raises:
            h11.LocalProtocolError: there is no such request.
        """
        if self.reusable:
            self._other, self._asked, self._reading = None, False, _At.DONE
            self._unread, self._start = b"", 0
        if self._other is None and self._asked:
            raise h11.LocalProtocolError("the last answer has left the connection of no more use")
        body = request.body
        framing = [field for field in request.headers if field[0] in FRAMING]
        if (
            self._other is not None
            or not isinstance(body, bytes)
            or request.method in ("HEAD", "CONNECT")
            or framing != ([(b"content-length", b"%d" % len(body))] if framing or body else [])
        ):
            self._other = self._other or H11ClientEngine()
            return self._other.send_request(request)
        head = request_head(request.method, request.target, request.headers)
        self._asked = True
        self._reading = _At.HEAD
        if len(body) <= JOINED_BODY:
            return [head + body]
        view = memoryview(body)
        return [head, *(view[start : start + PIECE] for start in range(0, len(view), PIECE))]

    def send_data(self, data: bytes) -> bytes:
        """The bytes for a further piece of the body, framed as the head has said; none for none.

        Raises:
            h11.LocalProtocolError: it is more than the head has said.
        """
        return self._uploading().send_data(data)

    def end_request(self) -> bytes:
        """The bytes that end the body, if there are any.

        Raises:
            h11.LocalProtocolError: it was less than the head has said.
        """
        return self._uploading().end_request()

    def send_all(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes for a body and its end, made as they are asked for."""
        return self._uploading().send_all(pieces)

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the upstream; `b""` says that it closed the connection."""
        if self._other is not None:
            self._other.receive(data)
            return
        self._eof = not data
        self._unread = self._unread[self._start :] + data if self._start < len(self._unread) else bytes(data)
        self._start = 0

    def next_input(self, leg: int) -> UpstreamHead | UpstreamData | UpstreamEnd | None:
        """Returns what the bytes so far say next about `leg`; None when they say nothing more.

        Interim responses are skipped; a 101 is an error, as nobody asked for one.

        Raises:
            BadAnswer: the bytes are not HTTP, or ended where they must not.
        """
        if self._other is not None:
            return self._other.next_input(leg)
        if self._reading is _At.HEAD:
            return self._head(leg)
        if self._reading is _At.CHUNK_END or self._reading is _At.CHUNK_SIZE:
            return self._chunk(leg)
        return self._body(leg) if self._reading is _At.BODY else None

    def _head(self, leg: int) -> UpstreamHead | UpstreamData | UpstreamEnd | None:
        if not self._unread and not self._eof:
            return None
        head = plain_response(self._unread)
        if head is None:
            return self._hand_over().next_input(leg)
        self._start = head.size
        self._chunked = head.length is None
        self._to_read = head.length or 0
        self._reading = _At.CHUNK_SIZE if self._chunked else _At.BODY
        return UpstreamHead(leg, head.status, head.headers)

    def _chunk(self, leg: int) -> UpstreamHead | UpstreamData | UpstreamEnd | None:
        data = self._unread
        if self._start == len(data) and not self._eof:
            return None
        if self._reading is _At.CHUNK_END:
            if not data.startswith(b"\r\n", self._start):
                return self._hand_over().next_input(leg)
            self._start += 2
            self._reading = _At.CHUNK_SIZE
            if self._start == len(data) and not self._eof:
                return None
        size = _match_size(data, self._start)
        if size is None:
            return self._hand_over().next_input(leg)
        self._to_read = int(size[1], 16)
        if self._to_read:
            self._start = size.end()
            self._reading = _At.BODY
            return self._body(leg)
        if not data.startswith(b"\r\n", size.end()):
            return self._hand_over().next_input(leg)
        self._start = size.end() + 2
        self._reading = _At.DONE
        return UpstreamEnd(leg)

    def _body(self, leg: int) -> UpstreamData | UpstreamEnd | None:
        if not self._to_read:
            self._reading = _At.DONE
            return UpstreamEnd(leg)
        data = self._unread[self._start : self._start + self._to_read]
        if not data:
            if self._eof:
                raise BadAnswer("closed the connection within its answer")
            return None
        self._start += len(data)
        self._to_read -= len(data)
        if self._chunked and not self._to_read:
            self._reading = _At.CHUNK_END
        return UpstreamData(leg, data)

    def _uploading(self) -> H11ClientEngine:
        """The engine on h11, which has every body that is not there at once."""
        if self._other is None:
            raise h11.LocalProtocolError("the request was complete with its head")
        return self._other

    def _hand_over(self) -> H11ClientEngine:
        """Gives the connection to an engine on h11, until the next request."""
        other = self._other = H11ClientEngine()
        other.send_request(_STAND_IN)
        if self._reading is not _At.HEAD:
            other.receive(_CHUNKED)
            other.next_input(0)
        if self._reading is _At.CHUNK_END:
            other.receive(b"1\r\n_")
            other.next_input(0)
        if self._start < len(self._unread):
            other.receive(self._unread[self._start :])
        if self._eof:
            other.receive(b"")
        self._unread, self._start = b"", 0
        return other
