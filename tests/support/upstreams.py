"""Upstreams for tests that cross real sockets: a thread that speaks HTTP/1.1 and answers from a function.

Blocking sockets in threads serve any event loop, or none, on the other side. Requests are recorded as they came.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType

import h11
import msgspec

from agcore import Headers
from agcore.demo import provider as demo


class Answer(msgspec.Struct, frozen=True):
    """What an upstream sends."""

    status: int = 200
    headers: Headers = ((b"content-type", b"application/json"),)
    pieces: tuple[bytes, ...] | Iterator[bytes] = (b"{}",)
    """Each piece leaves in a write of its own."""
    cut: bool = False
    """Close the connection after the last piece, without the end of the body."""


class Recorded(msgspec.Struct, frozen=True):
    """What an upstream received."""

    method: str
    target: bytes
    headers: Headers
    body: bytes

    @property
    def fields(self) -> dict[bytes, bytes]:
        """Header fields by name."""
        return dict(self.headers)


class Upstream:
    """A server on a loopback port; `with Upstream(answer) as upstream: upstream.url`."""

    def __init__(self, answer: Callable[[Recorded], Answer]) -> None:
        self.requests: list[Recorded] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def __enter__(self) -> Upstream:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closing = True
        # A blocked accept() does not notice that its socket was closed; a connection wakes it.
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._listener.close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                connection.close()
                return
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        http = h11.Connection(h11.SERVER)
        try:
            while self._serve_one(connection, http):
                http.start_next_cycle()
        except h11.RemoteProtocolError:  # no HTTP, as of a client that begins TLS
            with suppress(OSError):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        except (OSError, h11.ProtocolError):
            pass  # the gateway hung up, as some tests want it to
        finally:
            self._connections.discard(connection)
            connection.close()

    def _serve_one(self, connection: socket.socket, http: h11.Connection) -> bool:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(connection.recv(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert head is not None
        headers = tuple((bytes(name), bytes(value)) for name, value in head.headers)
        recorded = Recorded(head.method.decode(), bytes(head.target), headers, bytes(body))
        self.requests.append(recorded)
        answer = self._answer(recorded)
        fields = list(answer.headers)
        if not answer.cut and isinstance(answer.pieces, tuple) and len(answer.pieces) == 1:
            fields.append((b"content-length", b"%d" % len(answer.pieces[0])))
        response = h11.Response(status_code=answer.status, headers=fields, reason=b"X")
        connection.sendall(http.send(response) or b"")
        for piece in answer.pieces:
            connection.sendall(http.send(h11.Data(data=piece)) or b"")
        if answer.cut:
            return False
        connection.sendall(http.send(h11.EndOfMessage()) or b"")
        return http.our_state is h11.DONE and http.their_state is h11.DONE


def demo_answer(request: Recorded) -> Answer:
    """The demo provider's answer, without its pauses."""
    answer = demo.demo_answer(request.method, request.target, request.headers, request.body)
    headers = tuple((name, value) for name, value in answer.headers if name != b"content-length")
    return Answer(status=answer.status, headers=headers, pieces=tuple(chunk.data for chunk in answer.chunks))
