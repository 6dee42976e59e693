"""What a Responses request asks for besides a model and a stream, and the edits that send it on."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.request_edits import model_edit

_PRIVATE: Final = "internal_chat_message_metadata_passthrough"
"""What Codex adds to items where it takes its server for OpenAI's (openai/codex#28968). The API itself refuses it
(Wei-Shaw/sub2api#7066, lidge-jun/opencodex#3038), and no model reads it."""


def edits(members: Members, summary: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """Name the upstream's model, and take out what is between Codex and its own server; usage always comes."""
    changes = model_edit(members, model)
    if _PRIVATE.encode() in members.body:
        changes |= _without_private_members(members)
    return changes, False


def _without_private_members(members: Members) -> dict[str, bytes | None]:
    try:
        items = members.value("input")
    except BodyError:  # what cannot be looked into passes as it is
        return {}
    if not isinstance(items, list):
        return {}
    public = [
        {name: value for name, value in item.items() if name != _PRIVATE} if isinstance(item, dict) else item
        for item in items
    ]
    return {} if public == items else {"input": json_text.encode(public)}


def fills_cache(members: Members) -> bool:
    """Whether no answer is wanted: `generate: false` or a prewarming (docs/wire/openai-responses.md#request)."""
    options = members.value("prompt_cache_options")
    return members.value("generate") is False or (isinstance(options, dict) and options.get("prewarm") is True)
