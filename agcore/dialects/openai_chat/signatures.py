"""Signatures that Chat requests carry in extensions (docs/wire/reasoning-and-signatures.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.conversation.losses import Losses
from agcore.dialects.anthropic import signatures as anthropic
from agcore.dialects.gemini import signatures as gemini
from agcore.dialects.openai_responses import signatures as openai_responses
from agcore.dialects.shared.natives import MARKS, UNCHECKED, Natives

REFUSALS: Final = (*anthropic.REFUSALS, *gemini.REFUSALS, *openai_responses.REFUSALS)
"""Anybody's: whose model it is, an endpoint for Chat does not tell."""


def localized(history: list[object], natives: Natives) -> list[object]:
    """The gateway's own extensions go: no Chat upstream knows them."""
    return [_localized(message, natives) for message in history]


def _localized(message: object, natives: Natives) -> object:
    if not isinstance(message, dict) or not any(mark in json_text.encode(message) for mark in MARKS):
        return message
    natives.native(None, "messages[].reasoning_details")
    cleaned = {key: each for key, each in message.items() if key != "reasoning_details"}
    calls = cleaned.get("tool_calls")
    if isinstance(calls, list):
        cleaned["tool_calls"] = [
            {key: each for key, each in call.items() if key != "extra_content"} if isinstance(call, dict) else call
            for call in calls
        ]
    return cleaned


def unsigned(history: list[object]) -> list[object]:
    """Reasoning goes, and calls are marked where Google's endpoint had signed them."""
    return [_unsigned(message) for message in history]


def _unsigned(message: object) -> object:
    if not isinstance(message, dict):
        return message
    cleaned = {key: each for key, each in message.items() if key != "reasoning_details"}
    if isinstance(cleaned.get("tool_calls"), list):
        cleaned["tool_calls"] = [_unchecked(call) for call in cleaned["tool_calls"]]
    return cleaned


def _unchecked(call: object) -> object:
    """A tool call whose signature, as Google's endpoint for Chat has it, is not to be checked."""
    extra = call.get("extra_content") if isinstance(call, dict) else None
    google = extra.get("google") if isinstance(extra, dict) else None
    if not isinstance(call, dict) or not isinstance(extra, dict) or not isinstance(google, dict):
        return call
    return {**call, "extra_content": {**extra, "google": {**google, "thought_signature": UNCHECKED}}}


def consequences(members: Members, history: list[object], losses: Losses) -> dict[str, bytes | None]:
    """Nothing else changes."""
    return {}
