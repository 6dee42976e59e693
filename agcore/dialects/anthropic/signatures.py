"""Signatures of thinking in Messages requests (docs/wire/reasoning-and-signatures.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import opened
from agcore.dialects.shared.natives import Natives, is_carrier, with_lists

REFUSALS: Final[tuple[str, ...]] = (
    r"invalid `?(?:signature|data)`? in `?(?:redacted_)?thinking`? block",
    r"thinking`? blocks? .*cannot be modified",
    r"thinking\.signature",
)


def localized(history: list[object], natives: Natives) -> list[object]:
    """Thinking blocks with a foreign signature go whole: half of one is refused too."""

    def clean(block: object) -> object:
        name = "data" if isinstance(block, dict) and block.get("type") == "redacted_thinking" else "signature"
        if not isinstance(block, dict) or not is_carrier(block.get(name)):
            return block
        native = natives.native(opened(block[name]), "messages[].thinking")
        return None if native is None else {**block, name: native}

    return with_lists([each for message in history for each in _told(message, natives)], "content", clean)


def _told(message: object, natives: Natives) -> list[object]:
    """A message whose first block is a summary that was made here, as one of the user's that tells it, and its rest."""
    content = message.get("content") if isinstance(message, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(message, dict) or not isinstance(first, dict) or first.get("type") != "compaction":
        return [message]
    summary = first.get("content")
    if compaction.opened(first.get("signature")) is None or not isinstance(summary, str):
        return [message]
    natives.found = True
    text = {"type": "text", "text": compaction.restored(summary)}
    assert isinstance(content, list)
    rest: list[object] = [{**message, "content": content[1:]}] if content[1:] else []
    return [{"role": "user", "content": [text]}, *rest]


def unsigned(history: list[object]) -> list[object]:
    """All thinking goes."""
    return with_lists(history, "content", _unthinking)


def _unthinking(block: object) -> object:
    thought = isinstance(block, dict) and block.get("type") in ("thinking", "redacted_thinking")
    return None if thought else block


def consequences(members: Members, history: list[object], losses: Losses) -> dict[str, bytes | None]:
    """Thinking is switched off where the step under way had to begin with it."""
    if not _is_manual(members.value("thinking")) or not _ends_in_results(history):
        return {}
    losses.add("thinking", "the last step's own thinking was refused", action="switched off")
    changes: dict[str, bytes | None] = {"thinking": None}
    management = members.value("context_management")
    if isinstance(management, dict) and isinstance(management.get("edits"), list):
        kept = [edit for edit in management["edits"] if "thinking" not in str(edit)]
        changes["context_management"] = json_text.encode({**management, "edits": kept})
    return changes


def _is_manual(thinking: object) -> bool:
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _ends_in_results(messages: list[object]) -> bool:
    """Whether the last message answers tool calls: the step before it must then begin with thinking, if that is on."""
    last = messages[-1] if messages else None
    content = last.get("content") if isinstance(last, dict) else None
    return isinstance(content, list) and any(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in content
    )
