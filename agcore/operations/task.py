"""Tasks: rows that say how a kind of request is read, who takes it, and how it is converted for a candidate.

`tasks` and `media_tasks` have the rows, `forward.Forward` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from agcore.config.values import Endpoint, Limits
from agcore.conversion.base import Conversion, Division, WholeAnswer
from agcore.dialects.base import RequestSummary
from agcore.machines.environment import Environment
from agcore.machines.operation import ExchangeParts, Operation
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import Asking, Earlier
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution, Target

Convert: TypeAlias = Callable[[Asking, Candidate, Sequence[Candidate], float], Conversion | Division | Fault]
"""Convert a request for a candidate, out of all that may still be asked, at a time in seconds since the epoch. A fault
rules the candidate out. Raises BodyError for a body that cannot be edited."""


class Memory(msgspec.Struct, frozen=True):
    """Functions by which a task goes on from its earlier answers."""

    recall: Callable[[Asking, Environment, float], Earlier | Fault]
    """Returns the response that a request follows, or a fault."""
    bind: Callable[[Asking], tuple[Candidate, ...] | Fault | None]
    """Returns the only candidates that can go on from that response; None where anybody can."""
    expand: Callable[[Asking, Environment, float], bytes | None]
    """The body with what it refers to; None where it refers to nothing. Raises BodyError."""


class FormRules(msgspec.Struct, frozen=True):
    """Bounds of forms that are translated, all of which must be in memory."""

    max_whole: Callable[[Limits], int]
    """Returns the bytes that a translated form may have."""
    too_large: Callable[[Asking], Fault]
    """Returns the fault of a larger form."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of request that upstreams answer. Called with the parts of an exchange, it makes the operation."""

    read: Callable[[Asking], RequestSummary | Fault]
    """Returns the summary of a request, or what is wrong with it."""
    endpoint: Callable[[Asking, Target], Endpoint | None]
    """Returns where a target's provider takes the request; None where it does not."""
    unserved: Callable[[Asking, Resolution], Fault]
    """Returns the fault of a model whose providers take no such requests."""
    convert: Convert
    repeatable: Callable[[Asking], bool] = lambda asking: True
    """Returns True where it does no harm if a request is answered twice."""
    memory: Memory | None = None
    """Functions for requests that go on from earlier answers; None where requests cannot."""
    kept: Callable[[Asking, UpstreamCall, Conversion], None] | None = None
    """Told once of each answer of which the `response` is known, with the call that brought it."""
    form: FormRules | None = None
    """Bounds of the form that the body is; None where the body is JSON."""
    local: Callable[[Asking, Sequence[Candidate]], WholeAnswer | Fault | None] | None = None
    """An answer for which none of the candidates needs to be asked."""
    rescue: Callable[[Asking, Fault], WholeAnswer | Fault | None] | None = None
    """The answer where nobody gave one; None where the fault is the answer."""
    media: bool = False
    """True where errors in a stream that nobody has begun to answer are those of media."""
    metered: bool = True
    """True where a POST counts against the limits of the client's key."""
    free: bool = False
    """True where no vendor charges for the request."""
    waits_for_cooldown: bool = True
    """True where an answer is worth a wait for another attempt."""

    @property
    def json_body(self) -> bool:
        """True where the body must be JSON."""
        return self.form is None

    @property
    def body(self) -> BodyPolicy:
        """Policy for the body: a form is looked into as it comes."""
        return BodyPolicy.COLLECT if self.form is None else BodyPolicy.PIECES

    def max_body(self, limits: Limits) -> int:
        """The most bytes of body that are taken: forms may be larger than JSON."""
        return limits.max_json if self.form is None else limits.max_body

    def __call__(self, parts: ExchangeParts) -> Operation:
        """The operation of one exchange."""
        if self.form is None:
            from agcore.operations.forward import Forward  # which knows what a task is

            return Forward(parts, self)
        from agcore.operations.upload import Upload  # likewise

        return Upload(parts, self, self.form)
