"""A client of few lines on a blocking socket: it sends any bytes as they are, and says how an answer ended."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType

import msgspec

from agcore import Headers
from tests.support.patience import PATIENCE


class Reply(msgspec.Struct, frozen=True):
    """An answer as it was read."""

    status: int
    headers: Headers
    """Names in lower case."""
    body: bytes
    whole: bool
    """Its body ended as its framing says."""


class WireClient:
    """Asks over one connection for as long as the server keeps it, then over the next."""

    def __init__(self, host: str, port: int) -> None:
        self.connections = 0
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._data = b""

    def __enter__(self) -> WireClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._close()

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Headers,
        body: bytes | None = None,
        on_body: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Sends a request with these headers, and a `content-length` where there is a body; reads its answer.

        `on_body` is called for each chunk of a chunked body, as it comes.
        """
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        length: Headers = () if body is None else ((b"content-length", b"%d" % len(body)),)
        fields = b"".join(b"%b: %b\r\n" % field for field in (*headers, *length))
        self._socket.sendall(f"{method} {target} HTTP/1.1\r\n".encode() + fields + b"\r\n" + (body or b""))
        start, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
        status = int(start.split()[1])
        found = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines))
        fields_by_name = dict(found)
        data, whole = self._body(fields_by_name, empty=method == "HEAD" or status == 204, on_body=on_body)
        if not whole or fields_by_name.get(b"connection", b"").lower() == b"close":
            self._close()
        return Reply(status, found, data, whole)

    def _body(self, fields: dict[bytes, bytes], *, empty: bool, on_body: Callable[[], None]) -> tuple[bytes, bool]:
        body = b""
        try:
            if empty:
                return b"", True
            if fields.get(b"transfer-encoding") != b"chunked":
                # Neither frontend ends a body by closing.
                left = int(fields[b"content-length"])
                while left > len(self._data):
                    self._more()
                body, self._data = self._data[:left], self._data[left:]
                return body, True
            while size := int(self._until(b"\r\n"), 16):
                while len(self._data) < size + 2:
                    self._more()
                body, self._data = body + self._data[:size], self._data[size + 2 :]
                on_body()
            self._until(b"\r\n")
        except ConnectionError:
            return body or self._data, False
        return body, True

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            self._more()
        found, _, self._data = self._data.partition(end)
        return found

    def _more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionAbortedError("the server closed the connection")
        self._data += data

    def _close(self) -> None:
        self._data = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
