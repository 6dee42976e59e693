"""OAuth metadata of an MCP server that clients authenticate with themselves (RFC 9728): see `agcore.oauth_metadata`."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from agcore.codecs.header_fields import USER_AGENT
from agcore.config.values import Endpoint, Provider
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp.oauth_metadata import published, resource_url, upstream_targets
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Report
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

MAX_DOCUMENT: Final = 64 * 1024
"""Bytes of a server's document."""


class McpMetadata(BaseOperation):
    """The server's own document, asked anew each time and without any credential, as the gateway publishes it."""

    body: ClassVar[BodyPolicy] = BodyPolicy.DISCARD
    json_body: ClassVar[bool] = False

    _endpoint: Endpoint
    _targets: tuple[bytes, ...]
    _document = b""

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

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan:
        """Ask for a document, with nothing of the client's."""
        headers = ((b"accept-encoding", b"identity"), (b"accept", b"application/json"), USER_AGENT)
        return UpstreamPlan(target=candidate.endpoint.prefix, method="GET", headers=headers, raw_status=True)

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """Take what is found, and look in the next place for what is not."""
        if status == 200:
            return None
        call.abort()
        if not 400 <= status < 500:
            return self._fail(502, f"answered {status} when asked for its OAuth metadata", now)
        if self._targets:
            return self._ask(now)
        return self._fail(404, f"publishes no OAuth metadata ({status})", now)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Collect the document."""
        self._document += data
        if len(self._document) > MAX_DOCUMENT:
            call.abort()
            self._fail(502, f"has OAuth metadata of more than {MAX_DOCUMENT} bytes", now)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """Answer."""
        resource = resource_url(self.services.config.proxy.public_url, self._name)
        try:
            document = published(self._document, resource=resource)
        except ValueError:
            return self._fail(502, "has OAuth metadata that are not a JSON object", now)
        return self.client.answer(200, document, now=now)

    def report(self) -> Report:
        """Which server."""
        return Report(mcp=self._name)

    @property
    def _name(self) -> str:
        return self.request.match.name

    def _ask(self, now: float) -> None:
        target, *rest = self._targets
        self._targets = tuple(rest)
        candidate = Candidate(Provider(name=self._name, endpoints={}), attrs.evolve(self._endpoint, prefix=target), "")
        self.calls.start((candidate,), to=self, now=now, single_attempt=True)

    def _fail(self, status: int, what: str, now: float) -> None:
        self.client.fail(Fault(status=status, message=f"the MCP server {self._name!r} {what}"), now=now)
