"""The client's side of one exchange, in terms of ASGI: a scope and its two callables on one side, inputs and effects on
the other.

`head` and `peer` are read from the scope. `read` turns `http.request` and `http.disconnect` into inputs. `render` turns
the effects of one list into at most one `http.response.start` and one `http.response.body`, and `write` sends them.

ASGI has no message for breaking a response off. Where that is needed (`broken`) the application raises
`ResponseAborted`, and the server closes the connection without the end that the framing promised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import anyio

from agcore.protocol import (
    ClientGone,
    Effect,
    Headers,
    Input,
    Peer,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendEnd,
    SendHead,
)

Scope: TypeAlias = Mapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""What may stand in a path beside the unreserved characters (RFC 3986, section 3.3)."""


class ResponseAborted(Exception):
    """Raised out of the application to make the server break a response off that cannot be finished."""


class Connection:
    """One http scope.

    Args:
        scope: the ASGI connection scope, of type `http`.
        receive: gives the next message of the client.
        send: takes a message for the client.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.head = RequestHead(scope["method"].upper(), target_of(scope), headers_of(scope["headers"]))
        self.peer = peer_of(scope)
        self._receive = receive
        self._send = send
        self._writing: anyio.CancelScope | None = None
        self._request_complete = False
        self._disconnected = False
        self._started = False
        self._ending = False
        self._ended = False
        self._gone = False

    @property
    def request_complete(self) -> bool:
        """All of the request was read: `read` only waits for the client to go away."""
        return self._request_complete

    @property
    def disconnected(self) -> bool:
        """The server has said its last word: from now on `read` may return at once, and with nothing, for ever."""
        return self._disconnected

    @property
    def broken(self) -> bool:
        """A response was started and not ended, and the server does not know yet that it never will be."""
        return self._started and not self._ended and not self._gone

    async def read(self) -> list[Input]:
        """Waits for the next message of the client.

        Returns:
            what it means: usually one input; two for the last piece of a body; none for a message without meaning.
        """
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._disconnected = True
            # Servers also say this once a response is complete, some while the last message is still being sent.
            if self._ending or self._gone:
                return []
            self._gone = True
            if self._writing is not None:
                self._writing.cancel()
            return [ClientGone()]
        if self._request_complete:
            return []
        inputs: list[Input] = []
        if body := message.get("body", b""):
            inputs.append(RequestData(body))
        if not message.get("more_body", False):
            self._request_complete = True
            inputs.append(RequestEnd())
        return inputs

    async def write(self, messages: Sequence[Message], *, seconds: float | None) -> bool:
        """Sends what `render` made.

        Args:
            messages: at least one.
            seconds: how long this may take; None for ever.

        Returns:
            False when the client is gone, or the write was cut short and nothing can follow it.
        """
        if self._gone:
            return False
        self._started = True
        self._ending = not messages[-1]["more_body"]
        with anyio.CancelScope() as self._writing:
            if seconds is not None:
                self._writing.deadline = anyio.current_time() + max(seconds, 0)
            try:
                for message in messages:
                    await self._send(message)
            except OSError:
                self._gone = True
        cut = self._writing.cancelled_caught
        self._writing = None
        if cut or self._gone:
            return False
        self._ended = self._ending
        return True


def render(effects: Iterable[Effect]) -> list[Message]:
    """What one list of effects says to the client: none, one or two messages. Other effects are passed over."""
    messages: list[Message] = []
    pieces: list[bytes] = []
    ended = False
    for effect in effects:
        if isinstance(effect, SendData):
            pieces.append(effect.data)
        elif isinstance(effect, SendHead):
            messages.append({"type": "http.response.start", "status": effect.status, "headers": list(effect.headers)})
        elif isinstance(effect, SendEnd):
            ended = True
    # A server may hold the head back until the first body message, hence an empty one after a head that comes alone.
    if messages or pieces or ended:
        messages.append({"type": "http.response.body", "body": b"".join(pieces), "more_body": not ended})
    return messages


def target_of(scope: Scope) -> bytes:
    """The request target below the mount point: path and query in the bytes of the request line.

    Where a server gives no `raw_path`, the decoded path is encoded again. `root_path` is removed only where the path
    begins with all of its segments: some servers count it into the path, others do not.
    """
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"], safe=PATH_SAFE).encode() if raw is None else raw.partition(b"?")[0]
    segments = path.split(b"/")
    root = scope.get("root_path", "").rstrip("/").encode().split(b"/")
    if root != [b""] and [unquote_to_bytes(segment) for segment in segments[: len(root)]] == root:
        path = b"/" + b"/".join(segments[len(root) :])
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


def headers_of(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The header fields of a scope with names in lower case, HTTP/2's `:authority` as `host` where there is none."""
    headers = [(bytes(name).lower(), bytes(value)) for name, value in fields]
    plain = tuple((name, value) for name, value in headers if not name.startswith(b":"))
    if any(name == b"host" for name, _ in plain):
        return plain
    return tuple((b"host", value) for name, value in headers if name == b":authority") + plain


def address_of(scope: Scope) -> str | None:
    """The base URL of the application at its server; None where a request does not show it (a Unix socket, a proxy)."""
    server = scope.get("server")
    # A server that believes a proxy takes the scheme from it.
    if not server or server[1] is None or any(name.startswith(b"x-forwarded-") for name, _ in scope["headers"]):
        return None
    host = f"[{server[0]}]" if ":" in server[0] else server[0]
    return f"{scope.get('scheme', 'http')}://{host}:{server[1]}{scope.get('root_path', '')}"


def peer_of(scope: Scope) -> Peer:
    """Who the server says is at the other end; None where it does not know (a Unix socket)."""
    client = scope.get("client")
    return Peer(client[0] or None if client else None)
