"""The built-in MCP server, over Streamable HTTP: what comes in which request, and in what form answers leave.

A POST brings messages. Notifications and responses get a 202; requests get their answers as JSON, or as an event stream
where the client takes nothing else, where progress is told, or where an answer takes longer than `timeouts.open_after`
and keepalives must hold the connection. A GET opens a stream on which nothing but keepalives ever comes, since nothing
here changes by itself, and a DELETE ends a session. In the stateless revision there are POSTs only.

A call runs in the exchange of its POST. Its cancellation comes by another one, which finds in the session whose it is,
and tells it. A cancelled call gets no answer: its stream just ends. A client that hangs up ends its calls, too, since
nobody could get their answers any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from agcore.codecs import json_text, sse
from agcore.codecs.header_fields import first, media_type
from agcore.codecs.url import is_loopback
from agcore.conversation.usage import total
from agcore.machines.outside import Outside
from agcore.mcp import jsonrpc, transport
from agcore.mcp.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, Error, Message, Notification, Request
from agcore.mcp.operations.vision_call import Outcome, VisionCall
from agcore.mcp.revisions import OLDEST, REVISIONS, Revision, negotiated
from agcore.mcp.server import Listen, Reply, Server, ToolCall, refused
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Notified
from agcore.protocol.legality import State
from agcore.protocol.report import Report, Usage
from agcore.state.mcp_sessions import Id, Owner

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

MAX_BATCH: Final = 16
"""Messages of a batch; each may be a call of a model."""

_CANCEL: Final = "cancel"
"""Kind of `Notified`: the request of that id was given up."""
_END: Final = "end"
"""Kind of `Notified`: the session is over."""

_STREAM_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_KEEPALIVE: Final = b": ping\r\n\r\n"
_STATUS: Final[Mapping[int, int]] = {jsonrpc.METHOD_NOT_FOUND: 404, jsonrpc.INTERNAL_ERROR: 200}
"""JSON-RPC error -> HTTP status in the stateless revision, else 400 (docs/wire/mcp.md#errors-and-statuses)."""


class McpServer(BaseOperation):
    """One HTTP exchange with the built-in server."""

    json_body: ClassVar[bool] = False
    metered: ClassVar[bool] = True

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._config = self.services.mcp[self.request.match.name]
        self._accepts = transport.accepts(self.request.head.headers)
        self._error: Error | None = None
        """What the client is told, where `client.fail` has to tell it."""
        self._unsupported: Error | None = None
        """What the head says is not spoken here; told under the id that the body has."""
        self._revision: Revision = OLDEST
        self._session: str | None = None
        self._listen: Listen | None = None
        self._batch = False
        self._replies: list[Reply] = []
        self._running: list[VisionCall] = []
        self._told = 0
        self._tools: list[str] = []
        self._usages: list[Usage] = []
        self._provenance: Headers = ()

    def begin(self, *, now: float) -> None:
        """Refuse what the head alone makes impossible."""
        headers, method = self.request.head.headers, self.request.head.method
        found = transport.revision(headers)
        stateless = isinstance(found, Error) or (found is not None and found.stateless)
        allow = ("POST",) if stateless else ("GET", "POST", "DELETE")
        if method not in allow:
            listed = ", ".join(allow)
            message = f"{method} is not taken here, only {listed}"
            return self._refuse(405, Error(INVALID_REQUEST, message), now, headers=((b"allow", listed.encode()),))
        if isinstance(found, Error):
            self._unsupported = found
        else:
            self._revision = found or OLDEST
        if method == "POST" and media_type(headers) != b"application/json":
            return self._refuse(415, Error(INVALID_REQUEST, "the content type must be application/json"), now)
        if method == "GET" and not self._accepts.events:
            return self._refuse(406, Error(INVALID_REQUEST, "a GET is answered with text/event-stream only"), now)
        if not (self._accepts.json or self._accepts.events):
            message = "answers are application/json or text/event-stream, and `accept` must name both"
            return self._refuse(406, Error(INVALID_REQUEST, message), now)
        return None

    def run(self, body: bytes, *, now: float) -> None:
        """The request is complete."""
        method = self.request.head.method
        if method == "POST":
            message = jsonrpc.read(body)
            if self._unsupported is not None:
                id = message.id if isinstance(message, Request) else None
                return self._refuse(400, msgspec.structs.replace(self._unsupported, id=id), now)
            if self._revision.stateless:
                return self._run_stateless(message, now)
            return self._run_in_session(message, now)
        if not self._find_session(now):
            return None
        assert self._session is not None
        if method == "GET":
            self._outside.join_session(self._session, self.request.id)
            return self._open_stream(b": listening\r\n\r\n", now)
        for exchange in self._outside.end_session(self._session):
            self.parts.environment.notify(exchange, Notified(_END))
        return self.client.answer(204, b"", now=now)

    def _run_stateless(self, message: Message | tuple[Message, ...], now: float) -> None:
        if isinstance(message, Notification):
            # There is nothing to be cancelled but by hanging up.
            return self.client.answer(202, b"", now=now)
        if isinstance(message, Error):
            return self._refuse(400, message, now)
        if not isinstance(message, Request):
            return self._refuse(400, Error(INVALID_REQUEST, "the body must be one request or notification"), now)
        error = transport.stateless_error(self.request.head.headers, message)
        if error is not None:
            return self._refuse(400, error, now)
        return self._answer((message,), now)

    def _run_in_session(self, message: Message | tuple[Message, ...], now: float) -> None:
        if isinstance(message, Error):
            return self._refuse(400, message, now)
        if isinstance(message, Request) and message.method == "initialize":
            return self._initialize(message, now)
        if not self._find_session(now):
            return None
        messages = message if isinstance(message, tuple) else (message,)
        self._batch = isinstance(message, tuple)
        if self._batch and not self._revision.batches:
            return self._refuse(400, Error(INVALID_REQUEST, "batches belong to the revision 2025-03-26 only"), now)
        if len(messages) > MAX_BATCH:
            return self._refuse(400, Error(INVALID_REQUEST, f"a batch has at most {MAX_BATCH} messages"), now)
        for each in messages:
            if isinstance(each, Notification) and each.method == "notifications/cancelled":
                self._cancel(each.params.get("requestId"))
        return self._answer(messages, now)

    def _initialize(self, request: Request, now: float) -> None:
        self._revision = negotiated(request.params.get("protocolVersion"))
        session = self._outside.open_session(self._owner, self._revision.version, now=now)
        self._provenance = ((transport.SESSION, session.encode("ascii")),)
        self._answer((request,), now)

    def _find_session(self, now: float) -> bool:
        """Find the session that the request names; if there is none, the request was refused."""
        id = first(self.request.head.headers, transport.SESSION)
        if id is None:
            message = "the header `mcp-session-id` is missing; `initialize` gives it its value"
            self._refuse(400, Error(INVALID_REQUEST, message), now)
            return False
        session = id.decode("latin-1")
        revision = self._outside.find_session(session, self._owner, now=now)
        if revision is None:
            self._refuse(404, Error(INVALID_REQUEST, "there is no such session (any more): initialize a new one"), now)
            return False
        self._session = session
        self._revision = REVISIONS[revision]
        return True

    @property
    def _outside(self) -> Outside:
        return self.services.outside

    @property
    def _owner(self) -> Owner:
        client, host = self.request.client, self.request.peer.host or ""
        peer = "" if client is not None else "loopback" if is_loopback(host) else host
        return Owner(self._config.name, client, peer)

    def _cancel(self, id: object) -> None:
        assert self._session is not None
        if not jsonrpc.is_id(id):
            return
        worker = self._outside.worker_of(self._session, id)
        if worker is not None:
            self.parts.environment.notify(worker, Notified(_CANCEL, id))

    def _answer(self, messages: Iterable[Message], now: float) -> None:
        """Answer requests; what takes time is begun."""
        server = Server(self._revision, name=self._config.name, version=self.services.version)
        begun: list[VisionCall] = []
        for message in messages:
            if isinstance(message, Error):
                self._replies.append(refused(message))
            elif isinstance(message, Request) and self._batch and message.method == "initialize":
                self._replies.append(refused(Error(INVALID_REQUEST, "`initialize` comes alone", message.id)))
            elif isinstance(message, Request):
                outcome = server.receive(message)
                if isinstance(outcome, Reply):
                    self._replies.append(outcome)
                elif isinstance(outcome, ToolCall) and self._is_under_way(outcome.id, begun):
                    told = "a request of this id is still being worked on"
                    self._replies.append(refused(Error(INVALID_REQUEST, told, outcome.id)))
                elif isinstance(outcome, ToolCall):
                    begun.append(VisionCall(self.parts, self._config, outcome, owner=self))
                else:
                    return self._listen_to(outcome, now)
        self._server = server
        self._running += begun
        if begun and self._accepts.events:
            self.client.expect_stream(_STREAM_HEADERS, keepalive=_KEEPALIVE, now=now)
        for call in begun:
            self._tools.append(call.ask.tool.name)
            if self._session is not None:
                self._outside.join_session(self._session, self.request.id, call=call.ask.id)
        for call in begun:
            call.begin(now=now)
        if not begun:
            self._finish(now)
        return None

    def _is_under_way(self, id: Id, begun: Iterable[VisionCall]) -> bool:
        """Returns True where an id is taken: two answers under it, or its cancellation, could mean either request."""
        earlier = self._session is not None and self._outside.worker_of(self._session, id) is not None
        return earlier or any(call.ask.id == id for call in begun)

    def _listen_to(self, listen: Listen, now: float) -> None:
        if not self._accepts.events:
            return self._refuse(406, Error(INVALID_REQUEST, "a subscription is answered with text/event-stream"), now)
        self._listen = listen
        return self._open_stream(_event(listen.acknowledgement), now)

    def _open_stream(self, beginning: bytes, now: float) -> None:
        """Begin a stream without an end of its own."""
        self.client.expect_stream(_STREAM_HEADERS, keepalive=_KEEPALIVE, now=now)
        self.client.write(beginning, now=now)

    def _finish(self, now: float) -> None:
        """All calls are over: send what was not sent."""
        replies, client = self._replies, self.client
        if client.state is not State.WAITING or (replies and not self._accepts.json):
            return self._end_stream(b"".join(_event(reply.message) for reply in replies), now)
        if not replies:
            return client.answer(202, b"", now=now)
        message = [reply.message for reply in replies] if self._batch else replies[0].message
        status = 200
        if self._revision.stateless and replies[0].code:
            status = _STATUS.get(replies[0].code, 400)
        return client.answer(status, json_text.encode(message), headers=self._provenance, now=now)

    def _end_stream(self, last: bytes, now: float) -> None:
        if self.client.state is State.WAITING:
            self.client.stream_head((*_STREAM_HEADERS, *self._provenance))
        self.client.write(last, now=now)
        self.client.end(now=now)

    def _refuse(self, status: int, error: Error, now: float, *, headers: Headers = ()) -> None:
        self._error = error
        self.client.fail(Fault(status=status, message=error.message, headers=headers), now=now)

    def tool_progressed(self, call: VisionCall, message: str, *, now: float) -> None:
        """Implements `vision_call.VisionCallOwner`."""
        if call.ask.token is not None and self._accepts.events:
            self.client.write(self._progress(call, message), now=now)

    def tool_done(self, call: VisionCall, outcome: Outcome, *, now: float) -> None:
        """Implements `vision_call.VisionCallOwner`."""
        self._running.remove(call)
        if call.usage is not None:
            self._usages.append(call.usage)
        if call.provenance and not self._batch:
            self._provenance = call.provenance
        self._replies.append(
            self._server.finished(call.ask.id, outcome.text, notes=outcome.notes, is_error=outcome.is_error)
        )
        if not self._running:
            self._finish(now)

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """Pass a file on to the call that it is for."""
        for call in self._running:
            if call.file == id:
                return call.file_read(data, now=now)
        return None

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """Tell the call that it was for."""
        for call in self._running:
            if call.file == id:
                return call.file_refused(reason, now=now)
        return None

    def notified(self, message: Notified, *, now: float) -> None:
        """The client gave a call up, or the whole session."""
        for call in list(self._running):
            if message.kind == _END or call.ask.id == message.subject:
                self._running.remove(call)
                call.abort()
        if message.kind == _END or not self._running:
            if self._replies or not self._accepts.events:
                return self._finish(now)
            if self.client.state is State.WAITING:
                return self._end_stream(b": cancelled\r\n\r\n", now)
            return self.client.end(now=now)
        return None

    def keepalive(self, usual: bytes) -> bytes:
        """While a call that wants to hear of progress runs, time is progress."""
        told = [self._progress(call, "still at work") for call in self._running if call.ask.token is not None]
        return b"".join(told) or usual

    def _progress(self, call: VisionCall, message: str) -> bytes:
        self._told += 1
        params = {"progressToken": call.ask.token, "progress": self._told, "message": message}
        return _event(jsonrpc.notification("notifications/progress", params))

    def drain(self, *, now: float) -> None:
        """Streams without an end of their own end here."""
        if self._listen is not None:
            self._end_stream(_event(self._listen.end), now)
        elif self.request.head.method == "GET" and self.client.state is State.COMMITTED:
            self.client.end(now=now)

    def over(self) -> None:
        """Nothing can be cancelled here any more."""
        if self._session is not None:
            self._outside.leave_session(self._session, self.request.id)

    def error_body(self, fault: Fault) -> bytes:
        """A JSON-RPC error, under the id of the request where one request is all there is."""
        return json_text.encode(jsonrpc.error(self._error or self._errors(fault)[0]))

    def error_in_stream(self, fault: Fault) -> bytes:
        """An error for everything that was not answered."""
        replies = [_event(reply.message) for reply in self._replies]
        return b"".join([*replies, *(_event(jsonrpc.error(error)) for error in self._errors(fault))])

    def report(self) -> Report:
        """Returns the server, the tools and the tokens of the exchange."""
        usage = total(self._usages) if self._usages else None
        return Report(usage=usage, mcp=self._config.name, tools=tuple(self._tools))

    def consumed(self, *, received: int) -> int:
        """Returns the tokens that models took; a request without a model costs nothing."""
        used = total(self._usages) if self._usages else Usage()
        return used.input + used.output

    def _errors(self, fault: Fault) -> list[Error]:
        code = INTERNAL_ERROR if fault.status >= 500 else INVALID_REQUEST
        return [Error(code, fault.message, call.ask.id) for call in self._running] or [Error(code, fault.message)]


def _event(message: Mapping[str, Any]) -> bytes:
    return sse.encode(json_text.encode(message), event="message")
