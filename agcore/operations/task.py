"""What a task is: a row that says how a kind of request is read, who takes it, and how it is converted for them.

`tasks` and `media_tasks` have the rows, `forward.Forward` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from agcore.config.values import Endpoint, Limits, Provider
from agcore.conversion.base import Conversion, Division, WholeAnswer
from agcore.dialects.base import Dialect, RequestSummary
from agcore.machines.operation import ExchangeParts, Operation
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import Asking, Earlier
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution

Convert: TypeAlias = Callable[[Asking, Candidate, Sequence[Candidate], float], Conversion | Division | Fault]
"""Convert a request for a candidate, out of all that may still be asked, at a time in seconds since the epoch. A fault
rules the candidate out. Raises BodyError for a body that cannot be edited."""


class Memory(msgspec.Struct, frozen=True):
    """How a task goes on from its earlier answers."""

    recall: Callable[[Asking], Earlier | Fault]
    """Where a request goes on."""
    bind: Callable[[Asking], tuple[Candidate, ...] | Fault | None]
    """Who alone can go on there; None where anybody can."""
    expand: Callable[[Asking], bytes | None]
    """The body with what it refers to; None where it refers to nothing. Raises BodyError."""


class FormRules(msgspec.Struct, frozen=True):
    """What holds for forms that are translated: all of such a form must be in memory."""

    max_whole: Callable[[Limits], int]
    """Bytes that a form may have then."""
    too_large: Callable[[Asking], Fault]
    """What is wrong with a larger one."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a route has upstreams do. Called with the parts of an exchange, a task makes the operation that does it."""

    read: Callable[[Asking], RequestSummary | Fault]
    """What a request asks for."""
    endpoint: Callable[[Provider, Dialect], Endpoint | None]
    """Where a provider takes such requests of a client's dialect; None where it does not."""
    unserved: Callable[[Asking, Resolution], Fault]
    """What is wrong with a model whose providers take no such requests."""
    convert: Convert
    repeatable: Callable[[Asking], bool] = lambda asking: True
    """Whether it does no harm if a request is answered twice."""
    memory: Memory | None = None
    """How it goes on from earlier answers."""
    kept: Callable[[Asking, UpstreamCall, Conversion], None] | None = None
    """Told once of each answer of which the `response` is known, with the call that brought it."""
    form: FormRules | None = None
    """What holds for its forms; None where the body is JSON."""
    local: Callable[[Asking, Sequence[Candidate]], WholeAnswer | Fault | None] | None = None
    """An answer for which none of the candidates needs to be asked."""
    rescue: Callable[[Asking, Fault], WholeAnswer | Fault | None] | None = None
    """The answer where nobody gave one; None where the fault is the answer."""
    media: bool = False
    """Whether errors in a stream that nobody has begun to answer are those of media."""
    metered: bool = True
    """Whether a POST counts against the limits of the client's key."""
    free: bool = False
    """Whether no vendor charges for it."""
    waits_for_cooldown: bool = True
    """Whether an answer is worth waiting for another attempt."""

    @property
    def json_body(self) -> bool:
        """Whether the body must be JSON."""
        return self.form is None

    @property
    def body(self) -> BodyPolicy:
        """What becomes of the body: a form is looked into as it comes."""
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
