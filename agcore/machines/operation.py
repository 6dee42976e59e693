"""What a route does, once a request was admitted and matched to its row.

An operation is made for one exchange. It answers through the exchange's methods and may own any number of calls. The
exchange tells it, in this order: `begin`; then, unless it answered there, `run` with the whole body; then whatever
comes of its calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from agcore.codecs.json_splice import BodyError
from agcore.config.values import Endpoint, Limits, Provider
from agcore.dialects import ERROR_SHAPES
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Notified
from agcore.protocol.report import NOTHING_TO_REPORT, Report
from agcore.routing.catalog import Miss, Resolution
from agcore.routing.selection import Candidate

if TYPE_CHECKING:
    from agcore.ingress.request import Request
    from agcore.machines.exchange import Exchange
    from agcore.machines.services import GatewayServices
    from agcore.machines.upstream_call import UpstreamCall
    from agcore.upstream.request import UpstreamPlan


class Operation:
    """Base of all operations: reads a JSON body, and expects no calls."""

    keeps_body: ClassVar[bool] = True
    """Whether the body is wanted; else it is read and forgotten."""
    json_body: ClassVar[bool] = True
    """Whether the body must be JSON: where no key was shown, nothing else is let in then."""
    metered: ClassVar[bool] = False
    """Whether a POST of it counts against the limits of the client's key."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.services = exchange.services
        self.request = exchange.request
        self._body: list[bytes] = []

    @classmethod
    def max_body(cls, limits: Limits) -> int:
        """The most bytes of body that are taken."""
        return limits.max_json

    def begin(self, *, now: float) -> None:
        """The head is decided. Answer here what needs no body."""

    def take(self, data: bytes, *, now: float) -> None:
        """A piece of the body. It is collected, unless an operation has a better use for it."""
        if self.keeps_body and self.exchange.reserve(len(data), now=now):
            self._body.append(data)

    def complete(self, *, now: float) -> None:
        """The request is complete: `run` gets what was collected."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        try:
            self.run(body, now=now)
        except BodyError as error:
            self.exchange.fail(invalid(str(error)), now=now)

    def run(self, body: bytes, *, now: float) -> None:
        """The request is complete. A `BodyError` that is raised here, before any call, becomes the client's 400."""

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """See `call.CallOwner`."""
        raise NotImplementedError

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """See `call.CallOwner`."""

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """See `call.CallOwner`."""

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """See `call.CallOwner`."""

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """See `call.CallOwner`."""

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """See `call.CallOwner`. Without an answer there is only the fault to tell."""
        self.exchange.fail(fault, now=now)

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """The file of that number, from `Exchange.read_file`, was read."""

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """The file of that number may not, or cannot, be read; `reason` goes on after its name."""

    def told(self, message: Notified, *, now: float) -> None:
        """Another exchange says something."""

    def keepalive(self, usual: bytes) -> bytes:
        """What keeps a silent stream alive; `usual` is what `Exchange.expect_stream` was given."""
        return usual

    def release(self, *, now: float) -> None:
        """Lifecycle events that were held must go out now."""

    def alarm(self, *, now: float) -> None:
        """The moment of `Exchange.set_alarm` has come."""

    def drain(self, *, now: float) -> None:
        """The server is shutting down: a stream that has no end of its own ends here."""

    def error_body(self, fault: Fault) -> bytes:
        """The body of an answer that is an error."""
        return ERROR_SHAPES[self.request.dialect](fault, self.request.id)

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """The bytes that end a stream of this operation in an error; None where it can only be broken off."""
        return None

    def over(self) -> None:
        """The exchange is over, however it ended: let go of what others can see."""

    def report(self) -> Report:
        """What the record of this request should say of models, tokens and losses."""
        return NOTHING_TO_REPORT

    def consumed(self, *, received: int) -> int:
        """The tokens for which the client's key pays, unless the answer was an error; asked after `report`.

        `received` are the request's bytes, or 0 where the answer had not begun. What asks no model costs nothing.
        """
        return 0


def resolve(request: Request, services: GatewayServices, model: str) -> Resolution | Fault:
    """Where `model` goes for this request's client key, or the 403 or 404."""
    identity = request.identity
    allowed = identity.models if identity is not None else ()
    found = services.catalog.resolve(model, allowed=allowed, dialect=request.dialect)
    if not isinstance(found, Miss):
        return found
    near = f"; near names: {', '.join(found.near)}" if found.near else ""
    if found.denied and identity is not None:
        message = f"the key {identity.name!r} may not use model {model!r}{near}"
        return Fault(status=403, message=message, code="model_not_allowed", param="model")
    return Fault(status=404, message=f"no provider serves model {model!r}{near}", code="model_not_found", param="model")


def candidates_at(found: Resolution, endpoint_at: Callable[[Provider], Endpoint | None]) -> tuple[Candidate, ...]:
    """Where a model's requests may go, given which endpoint of a provider takes them; None for one that takes none."""
    return tuple(
        Candidate(target.provider, endpoint, target.model, target.step)
        for target in found.targets
        if (endpoint := endpoint_at(target.provider)) is not None
    )
