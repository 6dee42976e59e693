"""Encrypted reasoning in Responses requests (docs/wire/reasoning-and-signatures.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs.json_splice import Members
from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import opened
from agcore.dialects.shared.natives import Natives, is_carrier

REFUSALS: Final[tuple[str, ...]] = (
    r"invalid_encrypted_content",
    r"encrypted content .*could not be (?:verified|decrypted|parsed)",
)


def localized(history: list[object], natives: Natives) -> list[object]:
    """Reasoning items with a foreign signature go whole; a summary that was made here is told in words."""
    return [kept for item in history if (kept := _localized(item, natives)) is not None]


def _localized(item: object, natives: Natives) -> object:
    if not isinstance(item, dict) or not is_carrier(item.get("encrypted_content")):
        return item
    summary = compaction.opened(item["encrypted_content"])
    if summary is not None:
        natives.found = True
        content = [{"type": "input_text", "text": compaction.restored(summary)}]
        return {"type": "message", "role": "user", "content": content}
    signature = opened(item["encrypted_content"])
    native = natives.native(signature, "input[].encrypted_content")
    if native is None or signature is None:
        return None
    return {**item, "encrypted_content": native, **({"id": signature.id} if signature.id else {})}


def unsigned(history: list[object]) -> list[object]:
    """All reasoning goes."""
    return [item for item in history if not (isinstance(item, dict) and item.get("type") == "reasoning")]


def consequences(members: Members, history: list[object], losses: Losses) -> dict[str, bytes | None]:
    """Nothing else changes."""
    return {}
