"""How much Claude is asked to think, and what that leaves (docs/wire/reasoning-and-signatures.md#controls).

Models up to 4.5 think within a budget, which must be smaller than `max_tokens`; later ones think adaptively, by an
effort. Whichever way the client said it, it leaves in the model's way. What was not asked for is not sent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Reasoning
from agcore.models.profiles import Profile

DEFAULT_MAX_TOKENS: Final = 8_192
_LEAST_BUDGET: Final = 1_024
_BUDGETS: Final = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 24_576, "xhigh": 32_768, "max": 65_536}
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


class ThinkingBudget(msgspec.Struct, frozen=True):
    """What of a request depends on thinking."""

    max_tokens: int
    thinking: dict[str, object] | None = None
    effort: str = ""

    @property
    def manual(self) -> bool:
        """Whether it thinks within a budget, which excludes sampling parameters, forced tools and prefills."""
        return self.thinking is not None and self.thinking["type"] == "enabled"


def plan(
    conversation: Conversation, profile: Profile, losses: Losses, *, forced: bool, unsigned: bool
) -> ThinkingBudget:
    """Decide on thinking.

    Args:
        conversation: The request.
        profile: What the model takes.
        losses: Where it is recorded when the model cannot think as asked.
        forced: The tool choice forces a call, which excludes thinking.
        unsigned: The history ends in a step whose thinking was lost, or in a prefill, which excludes a budget.
    """
    asked = conversation.settings.max_output
    limit = profile.max_output_tokens if profile.vendor else 0  # nothing is known of a model without a vendor
    max_tokens = asked if asked is not None else limit or DEFAULT_MAX_TOKENS
    reasoning = conversation.reasoning
    if reasoning is None:
        return ThinkingBudget(max_tokens)
    if profile.reasoning == "adaptive":
        return _adaptive(reasoning, profile, max_tokens, losses, forced=forced)
    if _off(reasoning):
        switch = profile.reasoning in ("effort", "level") and "none" in profile.efforts
        return ThinkingBudget(max_tokens, {"type": "disabled"} if switch else None)
    if profile.reasoning == "none" and profile.vendor:
        losses.add("reasoning", "the model does not reason")
        return ThinkingBudget(max_tokens)
    budget = _budget(reasoning, max_tokens)
    if budget is None:
        if reasoning.effort or reasoning.budget is not None:
            losses.add("reasoning", "the model thinks within a given budget only", weight="note")
        return ThinkingBudget(max_tokens)
    if forced or unsigned:
        why = "the tool choice forces a call" if forced else "the last step's own thinking is not in the history"
        losses.add("reasoning", f"the model cannot think where {why}", action="switched off")
        return ThinkingBudget(max_tokens)
    budget = max(budget, profile.min_budget, _LEAST_BUDGET)
    budget = min(budget, max(profile.max_budget, _LEAST_BUDGET)) if profile.max_budget else budget
    if budget >= max_tokens:  # thinking is worth more than the limit: it is raised by what the answer may take
        raised = budget + max(max_tokens, 1)
        max_tokens = max(min(raised, limit), _LEAST_BUDGET + 1) if limit else raised
        budget = min(budget, max_tokens - 1)
        if asked is not None:
            losses.add("max_output", "thinking has to fit in", action=f"raised to {max_tokens}")
    return ThinkingBudget(max_tokens, {"type": "enabled", "budget_tokens": budget})


def _off(reasoning: Reasoning) -> bool:
    return reasoning.effort == "none" or reasoning.budget == 0


def _budget(reasoning: Reasoning, max_tokens: int) -> int | None:
    """The budget that is meant, in tokens; None where it is left to the model."""
    if reasoning.budget is not None and reasoning.budget > 0:
        return reasoning.budget
    table = _BUDGETS.get(reasoning.effort)
    if table is None or table < max_tokens:
        return table
    return max(max_tokens // 2, _LEAST_BUDGET)  # an effort names no number: half of what there is


def _adaptive(
    reasoning: Reasoning, profile: Profile, max_tokens: int, losses: Losses, *, forced: bool
) -> ThinkingBudget:
    if _off(reasoning):
        if "none" in profile.efforts:
            return ThinkingBudget(max_tokens, {"type": "disabled"})
        losses.add("reasoning", "the model always thinks", action="lowest effort")
        return ThinkingBudget(max_tokens, None, _effort("low", profile))
    effort = reasoning.effort
    if reasoning.budget is not None and reasoning.budget > 0:
        effort = _effort_of(reasoning.budget)
    asked = effort or reasoning.budget is not None
    if not asked and not reasoning.visible:
        return ThinkingBudget(max_tokens)
    level = _effort(effort, profile) if effort not in ("", "auto") else ""
    if forced:
        losses.add("reasoning", "the model does not think where a call is forced", action="switched off", weight="note")
        return ThinkingBudget(max_tokens, None, level)
    thinking: dict[str, object] = {"type": "adaptive"}
    if reasoning.visible is not None:
        thinking["display"] = "summarized" if reasoning.visible else "omitted"
    return ThinkingBudget(max_tokens, thinking, level)


def _effort_of(budget: int) -> str:
    for most, effort in ((1_024, "low"), (8_192, "medium"), (24_576, "high")):
        if budget <= most:
            return effort
    return "xhigh"


def _effort(effort: str, profile: Profile) -> str:
    """The level of the model that is nearest to `effort`, the weaker one where it lacks it."""
    wanted = _EFFORTS.index(effort) if effort in _EFFORTS else 0
    if effort == "max" and "max" not in profile.efforts:
        wanted = _EFFORTS.index("xhigh")
    taken = [level for level in _EFFORTS[: wanted + 1] if level in profile.efforts]
    return taken[-1] if taken else "low"
