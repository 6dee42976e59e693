"""A remote MCP server behind the gateway's key: a reverse proxy that touches no body (wire.md F4).

Every method, status and transport header passes both ways; event streams pass as they come and may stay silent for as
long as they like. A client that leaves closes the transport and nothing else: it is never turned into a cancellation.
Nothing is repeated once a byte of it was sent, since a tool call may have happened. Where the upstream gives no answer,
the client gets a JSON-RPC error under the id that it waits for.
"""

from __future__ import annotations

from typing import ClassVar

from agcore import headers as header_tables
from agcore import json_text
from agcore.call import Call, Plan
from agcore.config import McpServer, Provider
from agcore.dialects import jsonrpc_error
from agcore.fault import Fault
from agcore.inputs import Headers
from agcore.operations.base import Operation


class McpProxy(Operation):
    """One HTTP exchange of an MCP transport."""

    json_body: ClassVar[bool] = False

    _message = b""
    _head_came = False
    _streams = False

    def begin(self, *, now: float) -> None:
        """Find the server."""
        fault = _unavailable(self._name, self.services.mcp.get(self._name))
        if fault is not None:
            self.exchange.fail(fault, now=now)

    def run(self, body: bytes, *, now: float) -> None:
        """Pass the message on."""
        self._message = body
        self._ask(body, now)

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """Pass the answer's head on, whatever its status; our own key's troubles are not the client's."""
        if status in (401, 403) or 300 <= status < 400:
            what = "refused the gateway's key" if status >= 400 else "sent a redirect, which is not followed"
            message = f"the MCP server {self._name!r} {what} ({status})"
            return self.exchange.fail(Fault(status=502, message=message), now=now)
        self._head_came = True
        self._streams = header_tables.media_type(headers) == b"text/event-stream"
        fields = header_tables.passing(headers, header_tables.MCP_DOWN)
        if self._streams:
            fields = tuple(field for field in fields if field[0] != b"cache-control")
            fields += ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))
        return self.exchange.open_answer(status, fields, now=now)

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """Pass a piece on."""
        self.exchange.pass_on(data)

    def call_end(self, call: Call, *, now: float) -> None:
        """The answer is complete."""
        self.exchange.end(now=now)

    def drain(self, *, now: float) -> None:
        """A stream that the client listens on would never end by itself; its client opens another one elsewhere."""
        if not self._listens:
            return
        if not self._head_came:
            message = "the gateway is shutting down"
            self.exchange.fail(Fault(status=503, message=message, retry_after=1), now=now)
        elif self._streams:
            self.exchange.end(now=now)

    def error_body(self, fault: Fault) -> bytes:
        """A JSON-RPC error under the request's own id, where it has one."""
        return jsonrpc_error.render_error(fault, self.request.id, message_id=_id_of(self._message))

    def row(self) -> dict[str, object]:
        """Which server."""
        return {"mcp": self._name}

    @property
    def _name(self) -> str:
        assert self.request.match is not None
        return self.request.match.name

    @property
    def _listens(self) -> bool:
        """Whether the answer is a stream without an end: a GET, or what took its place in the revision 2026-07-28."""
        head = self.request.head
        return head.method == "GET" or header_tables.first(head.headers, b"mcp-method") == b"subscriptions/listen"

    def _ask(self, body: bytes, now: float) -> None:
        server = self.services.mcp[self._name]
        assert server.endpoint is not None
        endpoint = server.endpoint
        query = self.request.target.raw_query
        joint = b"&" if b"?" in endpoint.prefix else b"?"
        headers = header_tables.passing(self.request.head.headers, header_tables.MCP_UP)
        provider = Provider(name=self._name, endpoints={}, keys=(server.key,) if server.key is not None else ())
        plan = Plan(
            provider=provider,
            endpoint=endpoint,
            method=self.request.head.method,
            target=endpoint.prefix + joint + query if query else endpoint.prefix,
            headers=((b"accept-encoding", b"identity"), *headers),
            body=body,
            passes_all=True,
            patient=True,
            repeatable=False,
        )
        self.exchange.call(plan, owner=self, now=now)
        self.exchange.moving()


def _unavailable(name: str, server: McpServer | None) -> Fault | None:
    if server is None:
        message = f"no MCP server is called {name!r}: add [mcp.{name}] with a url to the configuration"
        return Fault(status=404, message=message)
    if server.endpoint is None:
        return Fault(status=400, message=f"the built-in MCP server {server.builtin!r} is not available yet")
    if server.auth != "key":
        return Fault(status=400, message='auth = "client" is not available yet for MCP servers')
    return None


def _id_of(message: bytes) -> object:
    """The id of a JSON-RPC request; None for a batch, a notification, a response, or what is no message.

    A response's id is one of the server's requests, and may be equal to that of a request of the client's.
    """
    try:
        value = json_text.decode(message)
    except ValueError:
        return None
    found = value.get("id") if isinstance(value, dict) and "method" in value else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
