"""Faults of upstreams that have nothing to do with a dialect, and the object inside an upstream's error answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.protocol.fault import Fault

NOT_JSON: Final = Fault(status=502, message="the upstream sent an event that is not JSON")
EMPTY: Final = Fault(status=502, message="the upstream ended its stream without an answer")
CUT: Final = Fault(status=502, message="the upstream ended its stream before it was complete")


def out_of_bounds(error: ValueError) -> Fault:
    """The fault for a stream that exceeds what is read of one event."""
    return Fault(status=502, message=f"the upstream's stream is out of bounds: {error}")


def unwrapped(error: object) -> Mapping[str, object]:
    """The object that an upstream's decoded error comes down to; empty where there is none.

    It may stand under `error`, be a mere text, or come as an array of one, as Google sends it. Servers built with
    FastAPI have a `detail` in its place: a text, or a list of what was found wrong.
    """
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, Mapping):
        error = error.get("error", error)
    if isinstance(error, Mapping) and "detail" in error and "message" not in error:
        detail = error["detail"]
        found = [each.get("msg") for each in detail if isinstance(each, Mapping)] if isinstance(detail, list) else []
        error = detail if isinstance(detail, str) else "; ".join(each for each in found if isinstance(each, str))
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, Mapping) else {}
