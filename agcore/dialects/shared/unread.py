"""Members that a reader does not know: never silently left out."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from agcore.conversation.losses import Losses

_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})
"""Values by which clients say nothing: SDKs send empty ones along."""


def note_unread(members: Mapping[str, object], known: Set[str], path: str, losses: Losses) -> None:
    """Record every member that is not `known` as a note, by the first place where it stands.

    Readers declare by `known` what they read, and what is known to mean nothing elsewhere. So a member that a vendor
    adds tomorrow is told of in `x-agcore-losses` before anybody here has heard of it.

    Args:
        members: The object.
        known: Names of the members that its reader reads.
        path: Its place, with a dot behind it; empty for the whole body.
        losses: Where it is recorded.
    """
    if members.keys() <= known:
        return
    for name, value in members.items():
        if name not in known and value not in _NOTHING:
            losses.note_first(path + name, "nothing is known of this member here")
