"""State that gateways share, in frontends that have no backend for it."""

from __future__ import annotations

from agcore.protocol import AskState, StateReplied, StateUnavailable


def without_backend(effect: AskState) -> StateReplied:
    """Returns the answer of a frontend that can ask nobody: the state is away."""
    return StateReplied(StateUnavailable(effect.query.id))
