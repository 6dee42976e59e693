"""Events that an `UpstreamCall` reports, in the order of an undisturbed one."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate


class NeedPlan(msgspec.Struct, frozen=True):
    """A new attempt may go to `candidate`: answered by `proceed` or `abort`. What came of an earlier one is void."""

    candidate: Candidate


class Paused(msgspec.Struct, frozen=True):
    """The next attempt follows after a pause."""


class Began(msgspec.Struct, frozen=True):
    """An attempt was begun."""

    again: bool
    """Another attempt of the same request was made before."""


class ErrorHead(msgspec.Struct, frozen=True):
    """An error answer begins to come in, which the call reads by itself."""


class Head(msgspec.Struct, frozen=True):
    """The upstream answers with a 2xx, or with any status where the plan says `raw_status`."""

    status: int
    headers: Headers


class Data(msgspec.Struct, frozen=True):
    """A piece of the answer's body."""

    data: bytes


class End(msgspec.Struct, frozen=True):
    """The answer is complete: to be taken by `commit`, or refused by `reject`."""


class Failed(msgspec.Struct, frozen=True):
    """There is no answer, or it broke off after `commit`. Nothing follows, but for what `repeat` asks."""

    fault: Fault
    """Fit for a client."""


CallEvent: TypeAlias = NeedPlan | Paused | Began | ErrorHead | Head | Data | End | Failed
