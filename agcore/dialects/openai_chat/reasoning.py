"""Reasoning in requests for Chat upstreams: by which member it is asked for, and what it excludes.

Every vendor has a word of its own, and most refuse the others' (docs/vendors.md).
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Reasoning
from agcore.dialects.openai.fields import EFFORTS
from agcore.models.profiles import Profile

_BUDGETS: Final = ((512, "minimal"), (1024, "low"), (8192, "medium"), (24_576, "high"))


def settled(conversation: Conversation, profile: Profile, losses: Losses) -> Conversation:
    """The conversation, without reasoning where a forced call excludes that and the model can do without it."""
    choice = conversation.tool_choice
    if (
        profile.upstream.forced_tool != "not_while_thinking"
        or choice is None
        or choice.mode != "required"
        or "none" not in profile.efforts
        or profile.upstream.reasoning_member == "unasked"
    ):
        return conversation
    if wanted(conversation.reasoning) != "none":
        losses.add("reasoning", f"{profile.model} does not think where a call is forced", action="switched off")
    return msgspec.structs.replace(conversation, reasoning=Reasoning(effort="none"))


def thinks(reasoning: Reasoning | None, profile: Profile) -> bool:
    """Whether a model thinks unless it is told otherwise, and was not."""
    able = not profile.vendor or profile.reasoning != "none"
    return able and (wanted(reasoning) != "none" or "none" not in profile.efforts)


def wanted(reasoning: Reasoning | None) -> str:
    """The effort that a client asks for; `auto` where it leaves that to the model."""
    return "auto" if reasoning is None else reasoning.effort or _effort_of(reasoning.budget)


def write_reasoning(reasoning: Reasoning, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """Add to the body how much is to be thought."""
    effort = wanted(reasoning)
    if effort not in EFFORTS:  # `auto`: to say nothing leaves it to the model
        return
    off = effort == "none"
    if profile.vendor and profile.reasoning == "none":
        if not off:
            losses.add("reasoning", f"{profile.model} does not think")
        return
    if profile.upstream.reasoning_member == "unasked":
        losses.add("reasoning", "this upstream takes no wish for it", action="left to the model", weight="note")
        return
    if not profile.vendor and off:
        losses.add("reasoning", f"whether {profile.model} can switch thinking off is not known", weight="note")
        return
    if off and "none" not in profile.efforts:
        losses.add("reasoning", f"{profile.model} cannot switch thinking off", action="left to the model")
        return
    _write(effort, reasoning.budget, profile, body, losses)


def _write(effort: str, budget: int | None, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    off = effort == "none"
    graded = profile.upstream.reasoning_member in ("reasoning_effort", "reasoning") or profile.reasoning == "effort"
    level = _nearest(effort, profile, losses) if graded and profile.vendor and not off else effort
    match profile.upstream.reasoning_member:
        case "thinking":
            body["thinking"] = {"type": "disabled" if off else "enabled"}
            if not off and profile.reasoning == "effort":
                body["reasoning_effort"] = level
        case "enable_thinking":
            body["enable_thinking"] = not off
            if budget is not None and not off:
                body["thinking_budget"] = budget
        case "chat_template_kwargs":  # templates call it by either name, and ignore the other
            body["chat_template_kwargs"] = {"enable_thinking": not off, "thinking": not off}
        case "reasoning":
            body["reasoning"] = {"effort": level} if budget is None or off else {"max_tokens": budget}
        case _:
            body["reasoning_effort"] = level


def leave_out_effort(reasoning: Reasoning | None, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """Take the effort away again where it excludes functions: these stay."""
    manner = profile.upstream.tools_with_effort_on_chat
    if manner == "taken":
        return
    effort = body.pop("reasoning_effort", None)
    if manner == "none":
        body["reasoning_effort"] = "none"
    if effort not in (None, "none"):
        losses.add("reasoning", f"{profile.model} does not think beside functions in Chat", action="sent without")
    elif reasoning is None and manner == "none":
        losses.add("reasoning", f"{profile.model} does not think beside functions in Chat", weight="note")


def _effort_of(budget: int | None) -> str:
    if budget is None or budget < 0:
        return "auto"
    if budget == 0:
        return "none"
    return next((effort for most, effort in _BUDGETS if budget <= most), "xhigh")


def _nearest(effort: str, profile: Profile, losses: Losses) -> str:
    """The level nearest to `effort` that the model takes, the weaker of two; never none."""
    levels = [level for level in profile.efforts if level in EFFORTS[1:]] or ["low", "medium", "high"]
    wanted = EFFORTS.index(effort)
    nearest = min(levels, key=lambda level: (abs(EFFORTS.index(level) - wanted), EFFORTS.index(level)))
    if nearest != effort:
        losses.add("reasoning", f"{profile.model} knows no effort {effort!r}", action=f"clamped to {nearest}")
    return nearest
