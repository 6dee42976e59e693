"""MCP servers of the official SDK, in a thread: `with McpServer(key, stateless=False) as server: server.url`."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import defaultdict
from types import TracebackType
from typing import Any

import msgspec
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from tests.support.patience import PATIENCE

"""Seconds for anything; what takes longer is broken."""


class Seen(msgspec.Struct, frozen=True):
    """A request that came, and the status it was answered with."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int


class McpServer:
    """A server with a few tools, which takes requests with one key only.

    Args:
        key: the bearer token it wants.
        stateless: keep no sessions.
        older: speak the transport of the revision 2024-11-05, HTTP+SSE.
    """

    def __init__(self, key: str, *, stateless: bool = False, older: bool = False) -> None:
        self.seen: list[Seen] = []
        self.begun: dict[str, threading.Event] = defaultdict(threading.Event)
        """Set when the tool `wait` was called with a name."""
        self.listening = threading.Event()
        """Set when a client listens to what comes by itself (a GET that is answered with a stream)."""
        self.cancelled: dict[str, threading.Event] = defaultdict(threading.Event)
        """Set when that call was cancelled."""
        self._authorization = f"Bearer {key}"
        self._released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        tools = self._tools()
        self._app: Any = tools.sse_app() if older else tools.streamable_http_app(stateless_http=stateless)
        self._path = "/sse" if older else "/mcp"
        self._listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self._served,
            interface="asgi3",
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    @property
    def url(self) -> str:
        """Where MCP is spoken."""
        return f"{self.origin}{self._path}"

    @property
    def origin(self) -> str:
        """The same without a path."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> McpServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive()

    async def _served(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                query = scope["query_string"].decode()
                self.seen.append(Seen(scope["method"], scope["path"], query, headers, message["status"]))
            await send(message)
            if scope["method"] == "GET" and message.get("status") == 200:
                self.listening.set()

        if headers.get("authorization") == self._authorization:
            await self._app(scope, receive, sending)
            return
        await sending({"type": "http.response.start", "status": 401, "headers": self._challenges()})
        await send({"type": "http.response.body", "body": b"who are you?"})

    def _challenges(self) -> list[tuple[bytes, bytes]]:
        return []

    def _tools(self) -> MCPServer:
        server = MCPServer("tools for tests")

        @server.tool()
        async def echo(text: str) -> str:
            """Says the same."""
            return text

        @server.tool()
        async def count(to: int, context: Context) -> int:
            """Counts, and says how far it is."""
            for number in range(1, to + 1):
                await context.report_progress(number, to, f"at {number}")
            return to

        @server.tool()
        async def wait(name: str, context: Context) -> str:
            """Says that it begins, and waits for `release`."""
            await context.report_progress(0, 1, "waiting")
            self.begun[name].set()
            try:
                await self._released[name].wait()
            except asyncio.CancelledError:
                self.cancelled[name].set()
                raise
            return f"{name} was released"

        @server.tool()
        async def release(name: str) -> str:
            """Ends `wait`."""
            self._released[name].set()
            return "done"

        @server.tool()
        async def change(context: Context) -> str:
            """Tells who listens that there are other tools now, in the way of the client's revision."""
            if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
                await context.notify_tools_changed()
            else:
                await context.session.send_tool_list_changed()
            return "changed"

        return server
