"""Signatures that a conversation picked up elsewhere, taken out of a request that otherwise passes as it is.

A client that was served by one vendor and is now served by another of the same dialect echoes carriers (signatures.py)
inside its history. A vendor refuses signatures that it did not make, so they go; one that it did make, and that
travelled as a carrier, becomes native again. Requests without carriers, which are nearly all, cost one search.
"""

from __future__ import annotations

from typing import Final

from agcore import json_text
from agcore.conversation import Signature
from agcore.json_members import Members
from agcore.losses import Losses
from agcore.signatures import google_opened, opened

_HISTORY: Final = {"anthropic": "messages", "gemini": "contents", "openai": "messages", "openai_responses": "input"}
_MARKS: Final = (b"gw1.", b"Z3cxL")
"""What a carrier begins with, plain and in base64."""


def edits(dialect: str, members: Members, *, signer: str, losses: Losses) -> dict[str, bytes | None]:
    """The member of the request to replace, where its history holds carriers; nothing otherwise."""
    name = _HISTORY.get(dialect)
    if name is None or not any(mark in members.body for mark in _MARKS):
        return {}
    history = members.value(name)
    if not isinstance(history, list):
        return {}
    cleaner = _Cleaner(signer, losses)
    clean = {
        "anthropic": cleaner.anthropic,
        "gemini": cleaner.gemini,
        "openai": cleaner.chat,
        "openai_responses": cleaner.responses,
    }[dialect]
    cleaned = clean(history)
    return {name: json_text.encode(cleaned)} if cleaner.found else {}


class _Cleaner:
    """Walks one history; `found` tells whether anything had to change."""

    def __init__(self, signer: str, losses: Losses) -> None:
        self.found = False
        self._signer = signer
        self._losses = losses

    def anthropic(self, messages: list[object]) -> list[object]:
        """Thinking blocks with a foreign signature go whole: half of one is refused too."""
        return [self._with_list(message, "content", self._anthropic_block) for message in messages]

    def gemini(self, contents: list[object]) -> list[object]:
        """A part keeps what it says and loses the foreign signature; a call without one is marked, as Google wants."""
        return [self._with_list(content, "parts", self._gemini_part) for content in contents]

    def responses(self, items: list[object]) -> list[object]:
        """Reasoning items with a foreign signature go whole."""
        return [kept for item in items if (kept := self._responses_item(item)) is not None]

    def chat(self, messages: list[object]) -> list[object]:
        """The gateway's own extensions go: no Chat upstream knows them."""
        return [self._chat_message(message) for message in messages]

    def _with_list(self, holder: object, name: str, clean: object) -> object:
        if not isinstance(holder, dict) or not isinstance(holder.get(name), list):
            return holder
        assert callable(clean)
        kept = [each for part in holder[name] if (each := clean(part)) is not None]
        return {**holder, name: kept}

    def _native(self, signature: Signature | None, path: str) -> str | None:
        """The signature for its own signer; None for one that must go."""
        self.found = True
        if signature is not None and signature.signer == self._signer:
            return signature.data
        self._losses.add(path, "the signature is another vendor's", weight="note")
        return None

    def _anthropic_block(self, block: object) -> object:
        name = "data" if isinstance(block, dict) and block.get("type") == "redacted_thinking" else "signature"
        if not isinstance(block, dict) or not _is_carrier(block.get(name)):
            return block
        native = self._native(opened(block[name]), "messages[].thinking")
        return None if native is None else {**block, name: native}

    def _gemini_part(self, part: object) -> object:
        name = "thoughtSignature"
        if isinstance(part, dict) and "thought_signature" in part:
            name = "thought_signature"
        value = part.get(name) if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(value, str):
            return part
        signature = google_opened(value)
        if signature is None:
            return part
        native = self._native(signature, "contents[].thoughtSignature")
        if native is not None:
            return {**part, name: native}
        if "functionCall" in part or "function_call" in part:
            return {**part, name: "skip_thought_signature_validator"}
        kept = {key: each for key, each in part.items() if key != name}
        return None if kept in ({}, {"text": ""}, {"text": "", "thought": True}) else kept

    def _responses_item(self, item: object) -> object:
        if not isinstance(item, dict) or not _is_carrier(item.get("encrypted_content")):
            return item
        signature = opened(item["encrypted_content"])
        native = self._native(signature, "input[].encrypted_content")
        if native is None or signature is None:
            return None
        return {**item, "encrypted_content": native, **({"id": signature.id} if signature.id else {})}

    def _chat_message(self, message: object) -> object:
        if not isinstance(message, dict) or not any(mark in json_text.encode(message) for mark in _MARKS):
            return message
        self._native(None, "messages[].reasoning_details")
        cleaned = {key: each for key, each in message.items() if key != "reasoning_details"}
        calls = cleaned.get("tool_calls")
        if isinstance(calls, list):
            cleaned["tool_calls"] = [
                {key: each for key, each in call.items() if key != "extra_content"} if isinstance(call, dict) else call
                for call in calls
            ]
        return cleaned


def _is_carrier(value: object) -> bool:
    return isinstance(value, str) and value.startswith("gw1.")
