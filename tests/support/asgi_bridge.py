"""Runs an ASGI application in-process, one message at a time.

`httpx.ASGITransport` collects the whole response before it returns; here every `send` of the application waits until the
test has taken its message. So streaming shows, a test that stops reading is a slow client, and `disconnect` may come at
any point.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import anyio

Fields = Sequence[tuple[bytes, bytes]]


class Truncated(Exception):
    """The application broke the response off; a server would close the connection."""


class AsgiResponse(AsyncIterator[bytes]):
    """What the application answers, as far as it was taken."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.error: BaseException | None = None
        """What the application raised."""
        pieces = list(body) or [b""]
        self._request = [
            {"type": "http.request", "body": piece, "more_body": index < len(pieces)}
            for index, piece in enumerate(pieces, 1)
        ]
        self.finished = anyio.Event()
        """The application has returned."""
        self._gone = anyio.Event()
        self._scope = anyio.CancelScope()
        self._complete = False
        self._to_client, self._messages = anyio.create_memory_object_stream[dict[str, Any]](0)

    def disconnect(self) -> None:
        """The client goes away."""
        self._gone.set()
        self._messages.close()

    async def start(self) -> None:
        """Waits for the head; `Truncated` if none comes."""
        message = await self._take()
        assert message["type"] == "http.response.start"
        self.status = message["status"]
        self.headers = dict(message["headers"])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._complete:
            message = await self._take()
            assert message["type"] == "http.response.body"
            self._complete = not message.get("more_body", False)
            piece: bytes = message["body"]
            if piece:
                return piece
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([piece async for piece in self])

    async def run(self, app: Any, scope: dict[str, Any]) -> None:
        """Runs the application to its end."""
        try:
            with self._scope:
                await app(scope, self._receive, self._send)
        except Exception as error:
            self.error = error
        finally:
            self._to_client.close()
            self.finished.set()

    def cancel(self) -> None:
        """The server gives the application up, as at the end of its patience at shutdown."""
        self._scope.cancel()

    def close(self) -> None:
        """Frees what is left."""
        self._to_client.close()
        self._messages.close()

    async def _take(self) -> dict[str, Any]:
        try:
            return await self._messages.receive()
        except anyio.EndOfStream:
            raise Truncated from self.error

    async def _receive(self) -> dict[str, Any]:
        # As uvicorn does it: once there is nothing more to come, this returns at once, whenever it is called.
        if self._request and not self._gone.is_set():
            return self._request.pop(0)
        if not self._gone.is_set():
            await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._to_client.send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._gone.set()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise OSError("the client is gone") from None


class AsgiClient:
    """A client of one application."""

    def __init__(self, app: Any, *, client: tuple[str, int] | None = ("127.0.0.1", 50000), root_path: str = "") -> None:
        self._app = app
        self._client = client
        self._root_path = root_path

    @asynccontextmanager
    async def connect(
        self, method: str, target: str, *, headers: Fields = (), body: Iterable[bytes] = ()
    ) -> AsyncIterator[AsgiResponse]:
        """Sends a request and does not wait for the answer's head; leaving disconnects and waits for the application."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": self._root_path,
            "headers": [(b"host", b"localhost"), *headers],
            "client": self._client,
            "server": ("127.0.0.1", 80),
        }
        response = AsgiResponse(body)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(response.run, self._app, scope)
                yield response
                response.disconnect()
        finally:
            response.close()

    @asynccontextmanager
    async def request(
        self, method: str, target: str, *, headers: Fields = (), body: Iterable[bytes] = ()
    ) -> AsyncIterator[AsgiResponse]:
        """Sends a request and waits for the answer's head."""
        async with self.connect(method, target, headers=headers, body=body) as response:
            await response.start()
            yield response


class Lifespan:
    """Runs an application's lifespan: started on entry, stopped on exit unless the start has failed."""

    def __init__(self, app: Any) -> None:
        self.started: dict[str, Any] = {}
        self.stopped: dict[str, Any] = {}
        self._app = app
        self._to_app, self._from_server = anyio.create_memory_object_stream[dict[str, Any]](1)
        self._to_server, self._from_app = anyio.create_memory_object_stream[dict[str, Any]](1)

    async def __aenter__(self) -> Lifespan:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._app, {"type": "lifespan"}, self._from_server.receive, self._to_server.send)
        self.started = await self._say("lifespan.startup")
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self.started["type"] == "lifespan.startup.complete":
            self.stopped = await self._say("lifespan.shutdown")
        await self._tasks.__aexit__(*error)
        for stream in (self._to_app, self._from_server, self._to_server, self._from_app):
            stream.close()

    async def _say(self, event: str) -> dict[str, Any]:
        await self._to_app.send({"type": event})
        return await self._from_app.receive()
