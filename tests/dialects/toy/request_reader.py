"""The toy's requests, read."""

from __future__ import annotations

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid, Text, Turn


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """See `base.ParseRequest`."""
    said = body.get("say")
    if not isinstance(said, str):
        raise Invalid("`say` must be a string", param="say")
    return Conversation(model=model, turns=(Turn("user", (Text(said),)),), stream=stream)
