"""Thought signatures in Gemini's requests (docs/wire/reasoning-and-signatures.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs.json_splice import Members
from agcore.conversation.losses import Losses
from agcore.dialects.gemini.carriers import google_opened
from agcore.dialects.shared.natives import UNCHECKED, Natives, with_lists

REFUSALS: Final[tuple[str, ...]] = (r"thought[ _]?signature",)


def localized(history: list[object], natives: Natives) -> list[object]:
    """A part keeps what it says and loses the foreign signature; a call without one is marked, as Google wants."""

    def clean(part: object) -> object:
        name = "thoughtSignature"
        if isinstance(part, dict) and "thought_signature" in part:
            name = "thought_signature"
        value = part.get(name) if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(value, str):
            return part
        signature = google_opened(value)
        if signature is None:
            return part
        native = natives.native(signature, "contents[].thoughtSignature")
        if native is not None:
            return {**part, name: native}
        if "functionCall" in part or "function_call" in part:
            return {**part, name: UNCHECKED}
        return _said({key: each for key, each in part.items() if key != name})

    return with_lists(history, "parts", clean)


def unsigned(history: list[object]) -> list[object]:
    """Calls are marked, as Google wants; other parts keep what they say."""
    return with_lists(history, "parts", _unsigned)


def _unsigned(part: object) -> object:
    if not isinstance(part, dict):
        return part
    if "functionCall" in part or "function_call" in part:
        name = "thought_signature" if "thought_signature" in part else "thoughtSignature"
        return {**part, name: UNCHECKED}
    kept = {key: each for key, each in part.items() if key not in ("thoughtSignature", "thought_signature")}
    return part if kept == part else _said(kept)


def consequences(members: Members, history: list[object], losses: Losses) -> dict[str, bytes | None]:
    """Nothing else changes."""
    return {}


def _said(part: dict[str, object]) -> dict[str, object] | None:
    """A part that lost its signature; None where it was nothing else."""
    return None if part in ({}, {"text": ""}, {"text": "", "thought": True}) else part
