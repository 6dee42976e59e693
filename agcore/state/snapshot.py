"""State that outlives the process: limits, quotas and refused keys, as JSON without a secret."""

from __future__ import annotations

import msgspec

from agcore.state.cooldowns import (
    BACKOFF,
    LONGEST,
    MAX_COOLDOWNS,
    PROBE,
    TRANSIENT,
    Cooldown,
    Cooldowns,
    CredentialModel,
)


class Snapshot(msgspec.Struct):
    """The form of a saved state."""

    version: int
    cooldowns: list[tuple[CredentialModel, Cooldown]]


def dump(cooldowns: Cooldowns, *, now: float) -> bytes:
    """Returns the cooldowns that should survive a restart, as JSON; failures that may be over at any moment do not."""
    kept = [(subject, each) for subject, each in cooldowns.cooling(now=now) if each.failure not in TRANSIENT]
    return msgspec.json.encode(Snapshot(version=1, cooldowns=kept))


def load(cooldowns: Cooldowns, data: bytes, *, now: float) -> None:
    """Take over what `dump` gave.

    Raises:
        ValueError: For anything else.
    """
    state = msgspec.json.decode(data, type=Snapshot)
    if state.version != 1:
        raise ValueError(f"a state of version {state.version}")
    for subject, cooldown in state.cooldowns[:MAX_COOLDOWNS]:
        if now < cooldown.until <= now + LONGEST and cooldown.failure in BACKOFF:
            cooldown.since = min(cooldown.since, now)
            cooldown.probe_at = min(cooldown.probe_at, now + PROBE)
            cooldowns.restore(subject, cooldown)
