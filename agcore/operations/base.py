"""What operations have in common: a JSON body that is collected, and no calls."""

from __future__ import annotations

from typing import ClassVar

from agcore.config.values import Limits
from agcore.dialects import ERROR_SHAPES
from agcore.machines.call_events import Began, CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.operation import ExchangeParts
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Notified
from agcore.protocol.report import NOTHING_TO_REPORT, Report
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution
from agcore.routing.resolution import resolve
from agcore.upstream.request import UpstreamPlan


class CallHooks:
    """Hears of calls by a method for each event."""

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """See `call_set.CallReceiver`."""
        if isinstance(event, Data):
            self.call_data(call, event.data, now=now)
        elif isinstance(event, NeedPlan):
            plan = self.call_plan(call, event.candidate, now=now)
            if plan is None:
                call.abort()
            else:
                call.proceed(plan, now=now)
        elif isinstance(event, Began):
            self.call_begun(call, now=now)
        elif isinstance(event, Head):
            self.call_head(call, event.status, event.headers, now=now)
        elif isinstance(event, End):
            self.call_end(call, now=now)
        else:
            assert isinstance(event, Failed)
            self.call_failed(call, event.fault, now=now)

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """What to ask at `candidate`, for a new attempt: whatever came of an earlier one is void.

        Returns:
            The request; a fault to rule the candidate out; None where the request goes on by other calls.
        """
        raise NotImplementedError

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """An attempt was begun."""

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """The upstream answers, with a 2xx."""

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """A piece of the answer's body."""

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The answer is complete: it is committed to, or rejected."""

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """There is no answer, or it broke off after it was committed to. The fault is fit for a client."""


class BaseOperation(CallHooks):
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
        """As much as JSON may have."""
        return limits.max_json

    def resolve(self, model: str) -> Resolution | Fault:
        """What `model` stands for, to the client that asks; or the 403 or 404."""
        request = self.request
        return resolve(self.services.catalog, model, identity=request.identity, dialect=request.dialect)

    def begin(self, *, now: float) -> None:
        """Nothing is answered before the body came."""

    def receive_body(self, data: bytes, *, now: float) -> None:
        """A piece of the body."""

    def run(self, body: bytes, *, now: float) -> None:
        """The request is complete."""

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """Without an answer there is only the fault to tell."""
        self.client.fail(fault, now=now)

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
        """What is answered has an end of its own."""

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
