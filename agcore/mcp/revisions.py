"""The revisions of the protocol that are spoken here, and in what they differ, as a literal table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class Revision(msgspec.Struct, frozen=True):
    """One revision."""

    version: str
    stateless: bool = False
    """No handshake and no session: every request says all about itself (the era from 2026-07-28)."""
    batches: bool = False
    """Several messages may come as an array."""
    tells_models: bool = False
    """Bad arguments of a tool are a result that the model sees, and may learn from; before, they are an error."""


REVISIONS: Final[Mapping[str, Revision]] = {
    revision.version: revision
    for revision in (
        Revision("2025-03-26", batches=True),
        Revision("2025-06-18"),
        Revision("2025-11-25", tells_models=True),
        Revision("2026-07-28", tells_models=True, stateless=True),
    )
}
"""By version, oldest first."""

OLDEST: Final = REVISIONS["2025-03-26"]
"""The revision that is meant where a client names none."""
NEWEST: Final = REVISIONS["2025-11-25"]
"""The newest one with a handshake: offered to a client that asks for one that is not spoken here."""


def negotiated(asked: object) -> Revision:
    """The revision of a session whose client asked for this one in its `initialize`."""
    found = REVISIONS.get(asked) if isinstance(asked, str) else None
    return NEWEST if found is None or found.stateless else found
