"""Routes that answer from nothing but themselves: liveness, probes, the telemetry sink, and honest refusals."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from agcore.machines.request_body import BodyPolicy
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault


class Health(BaseOperation):
    """Liveness."""

    def begin(self, *, now: float) -> None:
        """200 with status, version and uptime in seconds."""
        uptime = round(now - self.services.outside.status().started, 3)
        body = {"status": "ok", "version": self.services.version, "uptime": uptime}
        self.client.answer(200, msgspec.json.encode(body), now=now)


class Ready(BaseOperation):
    """Readiness: whether new work is welcome."""

    def begin(self, *, now: float) -> None:
        """200, or 503 while draining."""
        if self.services.outside.status().draining:
            return self.client.answer(503, b'{"status":"draining"}', now=now)
        return self.client.answer(200, b'{"status":"ready"}', now=now)


class Probe(BaseOperation):
    """Preconnects of agents, which look for nothing but a 200."""

    def begin(self, *, now: float) -> None:
        """200, empty."""
        self.client.answer(200, b"", now=now)


class Discard(BaseOperation):
    """The sink for clients' own telemetry: nothing is stored or forwarded."""

    body: ClassVar[BodyPolicy] = BodyPolicy.DISCARD
    json_body: ClassVar[bool] = False

    def run(self, body: bytes, *, now: float) -> None:
        """200, once everything was read."""
        self.client.answer(200, b"{}", now=now)


class Upgrade(BaseOperation):
    """WebSocket is not served: a 426 makes Codex fall back to POST at once, where a 404 would end its run."""

    def begin(self, *, now: float) -> None:
        """426, naming the protocol that would be needed (RFC 9110 section 15.5.22)."""
        message = "WebSocket is not served here; POST to this path instead"
        fault = Fault(status=426, message=message, code="upgrade_required", headers=((b"upgrade", b"websocket"),))
        self.client.fail(fault, now=now)


class Refuse(BaseOperation):
    """Things of a vendor's API that a gateway over several vendors does not have."""

    json_body: ClassVar[bool] = False

    def begin(self, *, now: float) -> None:
        """501."""
        message = f"{self.request.target.path} is not offered by this gateway"
        self.client.fail(Fault(status=501, message=message, code="not_supported"), now=now)


class Later(BaseOperation):
    """Rows of the surface whose machinery is not there yet."""

    json_body: ClassVar[bool] = False

    def begin(self, *, now: float) -> None:
        """400 that names what is missing."""
        message = f"{self.request.target.path} is not available yet: {self.request.match.route.later} is missing"
        self.client.fail(Fault(status=400, message=message, code="not_available_yet"), now=now)
