"""OAuth metadata of an MCP server that clients authenticate with themselves (RFC 9728, `agcore.mcp.oauth_metadata`)."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from agcore.codecs.header_fields import USER_AGENT
from agcore.config.values import Endpoint, Provider
from agcore.machines.call_events import CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp.oauth_metadata import published, resource_url, upstream_targets
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault
from agcore.protocol.report import Report
from agcore.routing.candidates import Candidate
from agcore.upstream.body import CollectedBody
from agcore.upstream.request import UpstreamPlan

MAX_DOCUMENT: Final = 64 * 1024
"""Bytes of a server's document."""


class McpMetadata(BaseOperation):
    """The server's own document, asked anew each time and without any credential, as the gateway publishes it."""

    body: ClassVar[BodyPolicy] = BodyPolicy.DISCARD
    json_body: ClassVar[bool] = False

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._endpoint: Endpoint
        self._targets: tuple[bytes, ...] = ()
        self._document = CollectedBody(self.memory, limit=MAX_DOCUMENT)

    def begin(self, *, now: float) -> None:
        """Find the server. This route is open to everybody, who learns here which servers take a client's own token."""
        server = self.services.mcp.get(self._name)
        if server is None or server.endpoint is None or server.auth != "client":
            message = f'no MCP server with auth = "client" is called {self._name!r}'
            return self.client.fail(Fault(status=404, message=message, code="not_found"), now=now)
        if not self.services.config.proxy.public_url:
            message = "OAuth metadata name the gateway's own URL: set proxy.public_url"
            return self.client.fail(Fault(status=404, message=message, code="not_found"), now=now)
        self._endpoint = server.endpoint
        self._targets = upstream_targets(server.endpoint.prefix)
        return None

    def run(self, body: bytes, *, now: float) -> None:
        """Ask at the first place."""
        self._ask(now)

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of the call to one place, which shows nothing of the client's."""
        if isinstance(event, NeedPlan):
            headers = ((b"accept-encoding", b"identity"), (b"accept", b"application/json"), USER_AGENT)
            target = event.candidate.endpoint.prefix
            call.proceed(UpstreamPlan(target=target, method="GET", headers=headers, raw_status=True), now=now)
        elif isinstance(event, Head):
            self._receive_status(call, event.status, now)
        elif isinstance(event, Data):
            if not self._document.add(event.data, now=now):
                self._fail(502, f"has OAuth metadata of more than {MAX_DOCUMENT} bytes", now)
        elif isinstance(event, End):
            self._publish(now)
        elif isinstance(event, Failed):
            self.client.fail(event.fault, now=now)

    def _receive_status(self, call: UpstreamCall, status: int, now: float) -> None:
        """Take what is found, and look in the next place for what is not."""
        if status == 200:
            return None
        call.abort()
        if not 400 <= status < 500:
            return self._fail(502, f"answered {status} when asked for its OAuth metadata", now)
        if self._targets:
            return self._ask(now)
        return self._fail(404, f"publishes no OAuth metadata ({status})", now)

    def _publish(self, now: float) -> None:
        resource = resource_url(self.services.config.proxy.public_url, self._name)
        try:
            document = published(self._document.take(), resource=resource)
        except ValueError:
            return self._fail(502, "has OAuth metadata that are not a JSON object", now)
        return self.client.answer(200, document, now=now)

    def report(self) -> Report:
        """Returns the name of the server."""
        return Report(mcp=self._name)

    @property
    def _name(self) -> str:
        return self.request.match.name

    def _ask(self, now: float) -> None:
        target, *rest = self._targets
        self._targets = tuple(rest)
        candidate = Candidate(
            Provider(name=self._name, endpoints={}), msgspec.structs.replace(self._endpoint, prefix=target), ""
        )
        self.calls.start((candidate,), to=self, now=now, single_attempt=True)

    def _fail(self, status: int, what: str, now: float) -> None:
        self.client.fail(Fault(status=status, message=f"the MCP server {self._name!r} {what}"), now=now)
