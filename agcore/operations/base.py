"""Base of operations: a JSON body that is collected, and no calls."""

from __future__ import annotations

from typing import ClassVar

from agcore.config.values import Limits
from agcore.dialects import ERROR_SHAPES
from agcore.machines.call_events import CallEvent
from agcore.machines.operation import ExchangeParts
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import Fault
from agcore.protocol.inputs import Notified
from agcore.protocol.report import NOTHING_TO_REPORT, Report
from agcore.routing.catalog import Resolution
from agcore.routing.resolution import resolve


class BaseOperation:
    """Base of all operations; see `machines.operation.Operation` for what each method is told."""

    body: ClassVar[BodyPolicy] = BodyPolicy.COLLECT
    json_body: ClassVar[bool] = True
    metered: ClassVar[bool] = False

    def __init__(self, parts: ExchangeParts) -> None:
        self.parts = parts
        self.request = parts.request
        self.services = parts.services
        self.client = parts.client
        self.calls = parts.calls
        self.memory = parts.memory

    @classmethod
    def max_body(cls, limits: Limits) -> int:
        """Returns the bytes that a JSON body may have."""
        return limits.max_json

    def resolve(self, model: str) -> Resolution | Fault:
        """Returns what `model` stands for to the client that asks, or a fault with 403 or 404."""
        request = self.request
        return resolve(self.services.catalog, model, identity=request.identity, dialect=request.dialect)

    def begin(self, *, now: float) -> None:
        """Nothing is answered before the body came."""

    def receive_body(self, data: bytes, *, now: float) -> None:
        """A piece of the body."""

    def run(self, body: bytes, *, now: float) -> None:
        """The request is complete."""

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """No call is started."""

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """No file is asked for."""

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """No file is asked for."""

    def notified(self, message: Notified, *, now: float) -> None:
        """Nothing that others say is of interest."""

    def opening(self) -> None:
        """The head of the stream is what was said of it."""

    def keepalive(self, usual: bytes) -> bytes:
        """The usual one."""
        return usual

    def release(self, *, now: float) -> None:
        """Nothing is held."""

    def alarm(self, *, now: float) -> None:
        """No alarm was set."""

    def drain(self, *, now: float) -> None:
        """Does nothing: the answer has an end of its own."""

    def error_body(self, fault: Fault) -> bytes:
        """An error in the client's dialect."""
        return ERROR_SHAPES[self.request.dialect](fault, self.request.id)

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """There is no form for it."""
        return None

    def over(self) -> None:
        """Others see nothing of it."""

    def report(self) -> Report:
        """Nothing to report."""
        return NOTHING_TO_REPORT

    def consumed(self, *, received: int) -> int:
        """Nothing: no model is asked."""
        return 0
