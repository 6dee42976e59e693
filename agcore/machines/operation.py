"""Operations as an exchange knows them, and the parts of the exchange that an operation answers with.

An operation is made for one exchange. It is told, in this order: `begin`; then, unless it answered there, `run` with
the whole body; then whatever comes of the calls and the files that it asked for. It answers by `ExchangeParts.client`.
Nothing that it does calls it back: what follows is delivered when it has returned.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from agcore.config.values import Limits
from agcore.ingress.request import Routed
from agcore.machines.call_set import CallReceiver, CallSet
from agcore.machines.client_response import ClientResponse
from agcore.machines.environment import Environment
from agcore.machines.memory import ReservedMemory
from agcore.machines.request_body import BodyPolicy, RequestBody
from agcore.machines.services import GatewayServices
from agcore.protocol.fault import Fault
from agcore.protocol.inputs import Notified
from agcore.protocol.report import Report


class ExchangeParts(msgspec.Struct, frozen=True):
    """The parts of one exchange that its operation works with."""

    request: Routed
    services: GatewayServices
    client: ClientResponse
    """Is answered."""
    calls: CallSet
    """Ask upstreams."""
    body: RequestBody
    """Of the request."""
    memory: ReservedMemory
    """For what is held until the end."""
    environment: Environment
    """The machine it runs on."""


class Operation(CallReceiver, Protocol):
    """A route's work on one request, which was admitted and matched to the route's row."""

    def begin(self, *, now: float) -> None:
        """The head is decided. What needs no body is answered here."""

    def receive_body(self, data: bytes, *, now: float) -> None:
        """A piece of the body, under `BodyPolicy.PIECES`."""

    def run(self, body: bytes, *, now: float) -> None:
        """The request is complete; `body` is what was collected.

        Raises:
            BodyError: before any call; it becomes the client's 400.
            Pending: before anything else, from `Environment.load`; once the facts are there, it is run again with the
                same body.
        """

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """The file of that number, from `Environment.read_file`, was read."""

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """The file of that number may not, or cannot, be read; `reason` goes on after its name."""

    def notified(self, message: Notified, *, now: float) -> None:
        """Another exchange says something."""

    def opening(self) -> None:
        """The expected stream is about to be opened ahead of its content: `ClientResponse.stream_head` still counts."""

    def keepalive(self, usual: bytes) -> bytes:
        """Returns what keeps a silent stream alive; `usual` is what `ClientResponse.expect_stream` was given."""
        ...

    def release(self, *, now: float) -> None:
        """Lifecycle events that were held must go out now."""

    def alarm(self, *, now: float) -> None:
        """The moment of `Environment.set_alarm` has come."""

    def drain(self, *, now: float) -> None:
        """The server is shutting down: a stream that has no end of its own ends here."""

    def error_body(self, fault: Fault) -> bytes:
        """The body of an answer that is an error."""
        ...

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """The bytes that end a stream of this operation in an error; None where it can only be broken off."""

    def over(self) -> None:
        """The exchange is over, however it ended: what others can see of the operation goes away."""

    def report(self) -> Report:
        """Returns what the record of the request should say of models, tokens and losses."""
        ...

    def consumed(self, *, received: int) -> int:
        """The tokens for which the client's key pays, unless the answer was an error; asked after `report`.

        `received` are the request's bytes, or 0 where the answer had not begun. What asks no model costs nothing.
        """
        ...


class OperationKind(Protocol):
    """The maker of an operation, its class or its task, with the facts that are needed before there is one."""

    @property
    def body(self) -> BodyPolicy:
        """Policy for the request's body."""

    @property
    def json_body(self) -> bool:
        """True where the body must be JSON: nothing else is let in then where no key was shown."""

    @property
    def metered(self) -> bool:
        """True where a POST counts against the limits of the client's key."""

    def max_body(self, limits: Limits) -> int:
        """The most bytes of body that are taken."""

    def __call__(self, parts: ExchangeParts) -> Operation:
        """The operation of one exchange."""
