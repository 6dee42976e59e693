"""A remote MCP server behind a proxy that touches no message (docs/wire/mcp.md#what-a-proxy-keeps).

Every method, status and transport header passes both ways; event streams pass as they come and may stay silent for as
long as they like. A client that leaves closes the transport and nothing else: it is never turned into a cancellation.
Nothing is repeated once a byte of it was sent, since a tool call may have happened. Where the upstream gives no answer,
the client gets a JSON-RPC error under the id that it waits for.

With `auth = "key"` the server sees the gateway's key, and its 401 and 403 are the gateway's trouble. With
`auth = "client"` it sees the client's own `authorization`, and they are the client's, with the way to its OAuth
metadata rewritten (`agcore.mcp.oauth_metadata`). A key of the gateway's clients never reaches it.

One event is rewritten: `endpoint`, by which a server of the older transport, HTTP+SSE, says where it takes messages
(`agcore.mcp.http_sse_endpoint`). Which transport a server speaks is seen from that event and needs no setting.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from agcore.codecs import header_fields as header_tables
from agcore.codecs import json_text, sse
from agcore.config.values import McpServer, Provider
from agcore.dialects import jsonrpc_errors as jsonrpc_error
from agcore.ingress.routes import metadata_url
from agcore.machines.call_events import CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp import http_sse_endpoint as message_endpoint
from agcore.mcp import transport
from agcore.mcp.oauth_metadata import with_metadata
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import NO_RETRY, Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Report
from agcore.routing.candidates import Candidate
from agcore.upstream.errors import CREDENTIAL, OWN_CREDENTIAL
from agcore.upstream.request import UpstreamPlan


class McpProxy(BaseOperation):
    """One HTTP exchange of an MCP transport."""

    json_body: ClassVar[bool] = False
    metered: ClassVar[bool] = True

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._message = b""
        self._head_came = False
        self._streams = False
        self._frames: sse.Decoder | None = None
        self._announced: bytes | None = None
        """Where at the server a message of the older transport goes."""

    def begin(self, *, now: float) -> None:
        """Find the server."""
        fault = _unavailable(self._name, self.services.mcp.get(self._name))
        if fault is not None:
            self.client.fail(fault, now=now)

    def run(self, body: bytes, *, now: float) -> None:
        """Pass the message on."""
        self._message = body
        self._ask(now)

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of the call to the server."""
        if isinstance(event, Data):
            self._relay(event.data, now)
        elif isinstance(event, NeedPlan):
            call.proceed(self._plan(event.candidate), now=now)
        elif isinstance(event, Head):
            self._receive_head(call, event, now)
        elif isinstance(event, End):
            # The rest of a frame that is not complete is of no use to anybody.
            self.client.end(now=now)
        elif isinstance(event, Failed):
            self.client.fail(event.fault, now=now)

    def _receive_head(self, call: UpstreamCall, head: Head, now: float) -> None:
        """Pass the answer's head on, whatever its status; our own key's troubles are not the client's."""
        status, headers = head.status, head.headers
        if status in CREDENTIAL and self._server.auth == "key":
            message = f"the MCP server {self._name!r} refused the gateway's key {call.key.label} ({status})"
            refused = Fault(status=424, message=message, code=OWN_CREDENTIAL, headers=NO_RETRY)
            return self.client.fail(refused, now=now)
        if 300 <= status < 400:
            message = f"the MCP server {self._name!r} sent a redirect, which is not followed ({status})"
            return self.client.fail(Fault(status=502, message=message), now=now)
        self._head_came = True
        self._streams = header_tables.media_type(headers) == b"text/event-stream"
        fields = header_tables.passing(headers, transport.DOWN)
        if self._server.auth == "client":
            fields += self._challenges(headers)
        if self._streams:
            request = self.request.head
            coded = header_tables.first(headers, b"content-encoding") is not None
            if (
                request.method == "GET"
                and header_tables.first(request.headers, b"mcp-session-id") is None
                and not coded
            ):
                # Perhaps of the older transport, which knows no session ids.
                self._frames = sse.Decoder()
            fields = tuple(field for field in fields if field[0] != b"cache-control")
            fields += ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))
        return self.client.open_answer(status, fields, now=now)

    def _relay(self, data: bytes, now: float) -> None:
        """Pass a piece on, by whole frames where there may be an `endpoint` event."""
        if self._frames is None:
            return self.client.pass_on(data)
        try:
            passed = b"".join([self._relayed(frame) for frame in self._frames.feed(data)])
        except ValueError as error:
            message = f"the stream of the MCP server {self._name!r} is broken off: {error}"
            return self.client.fail(Fault(status=502, message=message), now=now)
        return self.client.pass_on(passed)

    def drain(self, *, now: float) -> None:
        """A stream that the client listens on would never end by itself; its client opens another one elsewhere."""
        if not self._listens:
            return
        if not self._head_came:
            message = "the gateway is shutting down"
            self.client.fail(Fault(status=503, message=message, retry_after=1), now=now)
        elif self._streams:
            self.client.end(now=now)

    def error_body(self, fault: Fault) -> bytes:
        """A JSON-RPC error under the request's own id, where it has one."""
        return jsonrpc_error.render_error(fault, self.request.id, message_id=_id_of(self._message))

    def report(self) -> Report:
        """Returns the name of the server."""
        return Report(mcp=self._name)

    @property
    def _name(self) -> str:
        return self.request.match.name

    @property
    def _server(self) -> McpServer:
        return self.services.mcp[self._name]

    @property
    def _listens(self) -> bool:
        """True where the answer is a stream without an end: a GET, or what replaced GET in the revision 2026-07-28."""
        head = self.request.head
        return head.method == "GET" or header_tables.first(head.headers, b"mcp-method") == b"subscriptions/listen"

    def _challenges(self, headers: Headers) -> Headers:
        public_url = self.services.config.proxy.public_url
        found = tuple(field for field in headers if field[0] == b"www-authenticate")
        if not public_url:
            return found
        url = metadata_url(public_url, self._name)
        return tuple((name, with_metadata(value, url)) for name, value in found)

    def _relayed(self, frame: sse.Frame) -> bytes:
        if frame.event != "endpoint" or frame.data is None:
            return frame.raw
        public_url, digest = self.services.config.proxy.public_url, self.services.outside
        reference = message_endpoint.reference(frame.data, self._server, public_url=public_url, digest=digest)
        return sse.encode(reference, event="endpoint")

    def _credential(self) -> Headers:
        """The client's own `authorization`, unless it is meant for the gateway."""
        value = header_tables.first(self.request.head.headers, b"authorization")
        if self._server.auth != "client" or value is None or self.services.guard.knows(value):
            return ()
        return ((b"authorization", value),)

    def _plan(self, candidate: Candidate) -> UpstreamPlan:
        """The client's request, with the one credential exchanged for the other."""
        query = b"" if self._announced is not None else self.request.target.raw_query
        prefix = candidate.endpoint.prefix
        joint = b"&" if b"?" in prefix else b"?"
        headers = self._credential() + header_tables.passing(self.request.head.headers, transport.UP)
        return UpstreamPlan(
            target=prefix + joint + query if query else prefix,
            method=self.request.head.method,
            headers=((b"accept-encoding", b"identity"), *headers),
            body=self._message,
            raw_status=True,
            no_read_timeout=True,
            repeatable=False,
        )

    def _ask(self, now: float) -> None:
        server = self._server
        assert server.endpoint is not None
        endpoint = server.endpoint
        if self._announced is not None:
            endpoint = msgspec.structs.replace(endpoint, prefix=self._announced)
        provider = Provider(name=self._name, endpoints={}, keys=(server.key,) if server.key is not None else ())
        self.calls.start((Candidate(provider, endpoint, ""),), to=self, now=now, single_attempt=True)
        self.client.stop_first_content_timer()


class McpMessages(McpProxy):
    """A message for a server of the older transport, at the endpoint that it announced."""

    def begin(self, *, now: float) -> None:
        """Find the server, and what of it the URL stands for."""
        super().begin(now=now)
        if self.client.finished:
            return
        token = self.request.target.first("to") or ""
        self._announced = message_endpoint.upstream_target(token, self._server, digest=self.services.outside)
        if self._announced is None:
            message = f"not a URL that the MCP server {self._name!r} announced here: open its event stream anew"
            self.client.fail(Fault(status=404, message=message), now=now)


def _unavailable(name: str, server: McpServer | None) -> Fault | None:
    if server is None:
        message = f"no MCP server is called {name!r}: add [mcp.{name}] with a url to the configuration"
        return Fault(status=404, message=message)
    if server.endpoint is None:
        return Fault(status=400, message=f"the MCP server {name!r} is built in: it is at /mcp/{name}/mcp only")
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
