"""The engines on h11, which parses and keeps the state of both sides.

Our limits come on top, and we write the heads (docs/decisions/0009). They are the reference for what bytes mean:
`fast_engine` asks them about everything that is not plain (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import h11

from agcore.protocol import (
    Headers,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
    Streamed,
    UpstreamData,
    UpstreamEnd,
    UpstreamHead,
    UpstreamRequest,
)
from agcore_host.http.base import (
    JOINED_BODY,
    MAX_RESPONSE_HEAD,
    PIECE,
    REASONS,
    BadAnswer,
    BadHead,
    Pending,
    ServerEvent,
)
from agcore_host.http.heads import FRAMING, field_lines, request_head

_END: Final = h11.EndOfMessage()
_CLOSE: Final = (b"connection", b"close")


class H11ServerEngine:
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
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=max_header)
        self._received = 0
        self._eof = False

    @property
    def head_begun(self) -> bool:
        """Some bytes of the next request are here."""
        return self._received > 0

    @property
    def expects_continue(self) -> bool:
        """The client waits for `100 Continue` before it sends the body."""
        return self._http.they_are_waiting_for_100_continue

    @property
    def request_complete(self) -> bool:
        """The request was read to its end."""
        return self._http.their_state is not h11.SEND_BODY and self._http.their_state is not h11.ERROR

    @property
    def unanswered(self) -> bool:
        """Nothing of an answer to the present request was sent."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def close_delimited(self) -> bool:
        """Only closing the connection ends the body of a response (HTTP/1.0), so that an early end must be a reset."""
        return self._http.their_http_version == b"1.0"

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the client; `b""` says that it closed its side."""
        if data:
            self._received += len(data)
        else:
            self._eof = True
        self._http.receive_data(bytes(data))

    def next_event(self) -> ServerEvent:
        """Returns what the bytes so far say next, or why they say nothing."""
        in_head = self._http.their_state is h11.IDLE
        if self._http.their_state is h11.ERROR:
            return Pending.CLOSED
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            if not in_head:
                return RequestBroken("the body ended early" if self._eof else str(error))
            if self._eof:
                return Pending.CLOSED
            if error.error_status_hint == 431:
                return BadHead(431, f"the request head is longer than {self._max_header} bytes")
            return BadHead(error.error_status_hint, str(error))
        if type(event) is h11.Data:
            return RequestData(bytes(event.data))
        if type(event) is h11.EndOfMessage:
            return RequestEnd()
        if type(event) is h11.Request:
            return self._head(event)
        if event is h11.NEED_DATA:
            return Pending.NEED_DATA
        return Pending.PAUSED if event is h11.PAUSED else Pending.CLOSED

    def send(self, effects: Iterable[SendHead | SendData | SendEnd]) -> bytes:
        """Turns the effects of one list into the bytes of one write."""
        parts: list[bytes] = []
        for effect in effects:
            if type(effect) is SendData:
                parts += self._http.send_with_data_passthrough(h11.Data(data=effect.data)) or ()
            elif type(effect) is SendEnd:
                parts += self._http.send_with_data_passthrough(_END) or ()
            else:
                assert type(effect) is SendHead
                parts.append(self._write_head(effect))
        return b"".join(parts)

    def send_continue(self) -> bytes:
        """Returns the bytes of `100 Continue`."""
        return self._http.send(h11.InformationalResponse(status_code=100, headers=[]))

    @property
    def unread(self) -> bytes:
        """Bytes of what follows the present request."""
        return self._http.trailing_data[0]

    def start_next_cycle(self) -> bool:
        """Prepares for the next request; false when this connection can serve no other."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        if self._received:
            self._received = len(self._http.trailing_data[0])
        return True

    def _head(self, request: h11.Request) -> ServerEvent:
        headers = tuple([(name.lower(), value) for name, value in request.headers.raw_items()])
        if len(headers) > self._max_headers:
            return BadHead(431, f"the request has more than {self._max_headers} header fields")
        # h11 measures incomplete heads only; one that arrived whole is measured here, if it can be too long.
        if self._received > self._max_header:
            size = len(request.method) + len(request.target) + 12
            size += sum(len(name) + len(value) + 4 for name, value in headers)
            if size > self._max_header:
                return BadHead(431, f"the request head is longer than {self._max_header} bytes")
        names = {name for name, _ in headers}
        if b"transfer-encoding" in names and b"content-length" in names:
            return BadHead(400, "a request may not have both content-length and transfer-encoding")
        return RequestHead(request.method.decode("ascii"), request.target, headers)

    def _write_head(self, head: SendHead) -> bytes:
        """The head: h11 is told what decides about the framing, and we put the other fields into what it says."""
        framing = [field for field in head.headers if field[0] in FRAMING]
        others = [field for field in head.headers if field[0] not in FRAMING]
        # A client that was never told to continue may send its body or not: what follows could not be told apart.
        if self.close or self.expects_continue:
            framing.append(_CLOSE)
        if self.date and not any(name == b"date" for name, _ in others):
            others.append((b"date", self.date))
        lines = field_lines(others)
        start, _, rest = self._http.send(_response(head.status, tuple(framing))).partition(b"\r\n")
        return b"%s\r\n%s%s" % (start, lines, rest)


class H11ClientEngine:
    """The client's side of one upstream connection."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_RESPONSE_HEAD)
        self._eof = False

    @property
    def reusable(self) -> bool:
        """The last answer is complete, the connection stays open, and nothing unread is left."""
        http = self._http
        return http.our_state is h11.DONE and http.their_state is h11.DONE and http.trailing_data == (b"", False)

    def send_request(self, request: UpstreamRequest) -> list[bytes | memoryview]:
        """Turns a request into the pieces to write, one after another; a long body is sliced, not copied.

        Of a body that is `Streamed` or `Spooled`, the pieces are the head and what is here already; `send_data` and
        `end_request`, or `send_all`, give the rest. A reusable connection starts over.

        Raises:
            h11.LocalProtocolError: there is no such request.
        """
        http = self._http
        if http.our_state is h11.DONE:
            http.start_next_cycle()
        head = request_head(request.method, request.target, request.headers)
        http.send(_request(request.method, tuple([field for field in request.headers if field[0] in FRAMING])))
        body = request.body
        if not isinstance(body, bytes):
            return [head + self.send_data(body.first)] if isinstance(body, Streamed) else [head]
        data = http.send_with_data_passthrough(h11.Data(data=body)) if body else None
        ending = http.send_with_data_passthrough(_END)
        if len(body) <= JOINED_BODY:
            return [b"".join([head, *(data or ()), *(ending or ())])]
        return [head, *self._sliced(data or ()), *(ending or ())]

    def send_data(self, data: bytes) -> bytes:
        """The bytes for a further piece of the body, framed as the head has said; none for none.

        Raises:
            h11.LocalProtocolError: it is more than the head has said.
        """
        return self._http.send(h11.Data(data=data)) or b""

    def end_request(self) -> bytes:
        """The bytes that end the body, if there are any.

        Raises:
            h11.LocalProtocolError: it was less than the head has said.
        """
        return self._http.send(_END) or b""

    def send_all(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes for a body and its end, made as they are asked for."""
        for piece in pieces:
            yield self.send_data(piece)
        ending = self.end_request()
        if ending:
            yield ending

    def receive(self, data: bytes | bytearray) -> None:
        """Takes bytes from the upstream; `b""` says that it closed the connection."""
        self._eof = not data
        self._http.receive_data(bytes(data))

    def next_input(self, leg: int) -> UpstreamHead | UpstreamData | UpstreamEnd | None:
        """Returns what the bytes so far say next about `leg`; None when they say nothing more.

        Interim responses are skipped; a 101 is an error, as nobody asked for one.

        Raises:
            BadAnswer: the bytes are not HTTP, or ended where they must not.
        """
        while True:
            in_body = self._http.their_state is h11.SEND_BODY
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if self._eof:
                    raise BadAnswer(f"closed the connection {'within' if in_body else 'before'} its answer") from None
                # h11 quotes the bytes that it could not parse: what an upstream says is for the client only.
                raise BadAnswer(f"sent what is not HTTP: {str(error).partition(': bytearray(')[0]}") from None
            if type(event) is h11.Data:
                return UpstreamData(leg, bytes(event.data))
            if type(event) is h11.Response:
                headers = tuple([(name.lower(), value) for name, value in event.headers.raw_items()])
                return UpstreamHead(leg, event.status_code, headers)
            if type(event) is h11.EndOfMessage:
                return UpstreamEnd(leg)
            if type(event) is h11.InformationalResponse:
                continue
            return None

    @staticmethod
    def _sliced(pieces: Iterable[bytes]) -> Iterator[memoryview]:
        for piece in pieces:
            view = memoryview(piece)
            yield from (view[start : start + PIECE] for start in range(0, len(view), PIECE))


# The events that h11 is told are immutable, and few: those without fields that differ each time.


@lru_cache(maxsize=1024)
def _response(status: int, framing: Headers) -> h11.Response:
    return h11.Response(status_code=status, headers=[*framing], reason=REASONS.get(status, b""))


@lru_cache(maxsize=1024)
def _request(method: str, framing: Headers) -> h11.Request:
    return h11.Request(method=method, target="/", headers=[(b"host", b"_"), *framing])
