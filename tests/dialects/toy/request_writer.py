"""The toy's requests, written."""

from __future__ import annotations

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Text
from agcore.models.profiles import Profile


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """See `base.RenderRequest`. Only what was said last is said."""
    if len(conversation.turns) > 1:
        losses.add("messages", "the toy has no history")
    said = "".join(part.text for part in conversation.turns[-1].parts if isinstance(part, Text))
    return {"model": model, "say": said, "stream": conversation.stream}
