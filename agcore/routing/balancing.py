"""Choice among several selections: by weights among targets, by the provider's strategy among its keys."""

from __future__ import annotations

from collections.abc import Sequence

from agcore.routing.candidates import Candidate, Selection
from agcore.state.affinity import Affinity
from agcore.state.turns import Turns


def spreads(candidates: Sequence[Candidate]) -> bool:
    """Returns True where the choice depends on the conversation: only then is its key worth finding out."""
    earlier: set[int] = set()
    sticky: set[int] = set()
    for candidate in candidates:
        provider, step = candidate.provider, candidate.step
        if provider.strategy == "sticky":
            if len(provider.keys) > 1:
                return True
            sticky.add(step)
        if step in earlier and step in sticky:
            return True
        earlier.add(step)
    return False


def pick(open: Sequence[Selection], *, conversation: bytes | None, affinity: Affinity, turns: Turns) -> Selection:
    """One of those that are open, all of one step.

    Args:
        open: At least one.
        conversation: Its key; None where it is unknown.
        affinity: What conversations had last.
        turns: Whose turn it is.
    """
    if len(open) == 1:
        return open[0]
    if conversation is not None:
        held = affinity.get(conversation)
        for choice in open:
            if held == choice.slot and choice.candidate.provider.strategy == "sticky":
                return choice
    weights = {
        (choice.candidate.provider.name, choice.candidate.model): choice.candidate.provider.weight for choice in open
    }
    target = next(iter(weights)) if len(weights) == 1 else turns.next(("step", *weights), weights)
    mine = {
        choice.key.id: choice for choice in open if (choice.candidate.provider.name, choice.candidate.model) == target
    }
    if next(iter(mine.values())).candidate.provider.strategy == "least_busy":
        busy = {id: turns.in_flight((target[0], id)) for id in mine}
        fewest = min(busy.values())
        mine = {id: choice for id, choice in mine.items() if busy[id] == fewest}
    return mine[turns.next(("keys", *target), dict.fromkeys(mine, 1.0))]
