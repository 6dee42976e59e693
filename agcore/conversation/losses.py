"""What a translation could not carry: nothing is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agcore.codecs.header_fields import field_value
from agcore.config.values import dialect_name
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.report import Loss, Weight

_POSITION: Final = re.compile(r"\[\d+\]")
_ORDER: Final = ("note", "warn", "refuse")
MAX_HEADER: Final = 1024
"""Bytes of the header that lists losses."""
_ROOM_FOR_MORE: Final = 32
MAX_LISTED: Final = 20
"""Losses that an error message lists."""


class Losses:
    """The losses of one exchange, in order, each path and reason once."""

    def __init__(self) -> None:
        self._losses: dict[tuple[str, str], Loss] = {}
        self._firsts: set[str] = set()

    def add(self, path: str, why: str, *, action: str = "dropped", weight: Weight = "warn") -> None:
        """Record a loss."""
        self._losses.setdefault((path, why), Loss(path, why, action, weight))

    def note_first(self, path: str, why: str) -> None:
        """Record a note by the first of all places that differ in positions only: a history may be long."""
        place = _POSITION.sub("[]", path)
        if place not in self._firsts:
            self._firsts.add(place)
            self.add(path, why, weight="note")

    def __iter__(self) -> Iterator[Loss]:
        return iter(self._losses.values())

    def __len__(self) -> int:
        return len(self._losses)

    def at_least(self, weight: Weight) -> list[Loss]:
        """Those of this weight or more."""
        return [loss for loss in self if _ORDER.index(loss.weight) >= _ORDER.index(weight)]

    def header(self) -> str:
        """A compact list for `x-agcore-losses`: `path=action` pairs, cut off visibly at `MAX_HEADER` bytes."""
        shown: list[str] = []
        for count, loss in enumerate(self):
            item = f"{loss.path}={loss.action}"
            if len(field_value("; ".join([*shown, item]))) > MAX_HEADER - _ROOM_FOR_MORE:
                shown.append(f"+{len(self) - count} more")
                break
            shown.append(item)
        return "; ".join(shown)


def refusal(losses: Losses, *, model: str, dialect: str, on_loss: str) -> Fault | None:
    """The 400 for losses that the request itself, or the configuration, does not accept.

    Args:
        losses: Of the request.
        model: Whom it would have gone to.
        dialect: What is spoken there.
        on_loss: The configuration's policy: `reject` accepts no more than notes.
    """
    refused = losses.at_least("warn" if on_loss == "reject" else "refuse")
    if not refused:
        return None
    listed = "; ".join(f"{loss.path}: {loss.why}" for loss in refused[:MAX_LISTED])
    message = f"this request cannot be carried to {model!r} ({dialect_name(dialect)}): {listed}"
    return invalid(message, code="not_translatable", param=refused[0].path)
