"""How much Gemini is to think, as `thinkingConfig` (docs/wire/reasoning-and-signatures.md#controls).

Models up to 2.5 take a budget of tokens, later ones a level; both at once are refused. A request without a word about
thinking gets no word either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import Reasoning
from agcore.models.profiles import Profile

_BUDGETS: Final[Mapping[str, int]] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "auto": -1,
}
"""Tokens; what is stronger gets all that the model takes."""
_ORDER: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def thinking_config(reasoning: Reasoning | None, profile: Profile, losses: Losses) -> dict[str, object]:
    """`thinkingConfig` for a model; empty where nothing is to be said."""
    if reasoning is None:
        return {}
    asked = reasoning.effort or ("" if reasoning.budget is None else _effort(reasoning.budget))
    if profile.reasoning == "none":
        if asked not in ("", "none", "auto"):
            losses.add("reasoning", f"{profile.model} is not known to think")
        return {}
    out: dict[str, object] = {}
    if asked:
        out = (
            _budgeted(reasoning, profile, losses)
            if profile.reasoning == "budget"
            else _levelled(asked, profile, losses)
        )
    if reasoning.visible and asked != "none":
        out["includeThoughts"] = True
    return out


def _effort(budget: int) -> str:
    """The effort that a budget amounts to."""
    if budget <= 0:
        return "none" if budget == 0 else "auto"
    return next((name for name in ("minimal", "low", "medium", "high") if budget <= _BUDGETS[name]), "xhigh")


def _budgeted(reasoning: Reasoning, profile: Profile, losses: Losses) -> dict[str, object]:
    wanted = reasoning.budget
    if wanted is None:
        wanted = _BUDGETS.get(reasoning.effort, profile.max_budget)
    if wanted < 0 or (wanted == 0 and "none" in profile.efforts):
        return {"thinkingBudget": max(wanted, -1)}
    budget = min(max(wanted, profile.min_budget), profile.max_budget)
    if budget != wanted and (reasoning.budget is not None or wanted == 0):
        why = f"{profile.model} thinks with {profile.min_budget} to {profile.max_budget} tokens"
        losses.add("reasoning", why, action=f"clamped to {budget}")
    return {"thinkingBudget": budget}


def _levelled(effort: str, profile: Profile, losses: Losses) -> dict[str, object]:
    if effort == "auto" or effort not in _ORDER:
        return {}
    levels = [name for name in _ORDER if name in profile.efforts and name != "none"] or ["low", "high"]
    rank = _ORDER.index(effort)
    # The next stronger level, or the strongest there is; thinking less than asked would change the answer more.
    level = next((name for name in levels if _ORDER.index(name) >= rank), levels[-1])
    if effort == "none":
        losses.add("reasoning", f"{profile.model} always thinks", action=f"clamped to {level}")
    elif level != effort and not (level == levels[-1] and rank > _ORDER.index(level)):
        losses.add("reasoning", f"{profile.model} has no level {effort}", action=f"clamped to {level}", weight="note")
    return {"thinkingLevel": level.upper()}
