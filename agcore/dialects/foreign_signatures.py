"""Signatures that an upstream does not take, taken out of a request that otherwise passes as it is.

A client that was served by one vendor and is now served by another of the same dialect echoes carriers (signatures.py)
inside its history. A vendor refuses signatures that it did not make, so they go; one that it did make, and that
travelled as a carrier, becomes native again. Requests without carriers, which are nearly all, cost one search.

An upstream may also refuse what it did sign: another account signed it, a key was rotated, a client changed a byte.
Then `unsigned` takes out all signatures, and the request is asked once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members, parse
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import google_opened, opened
from agcore.conversation.values import Signature
from agcore.protocol.fault import Fault

_HISTORY: Final = {"anthropic": "messages", "gemini": "contents", "openai": "messages", "openai_responses": "input"}
_MARKS: Final = (b"gw1.", b"Z3cxL")
"""What a carrier begins with, plain and in base64."""
_UNCHECKED: Final = "skip_thought_signature_validator"
"""What Google takes in place of a signature."""

_CLAUDE: Final = (
    r"invalid `?(?:signature|data)`? in `?(?:redacted_)?thinking`? block",
    r"thinking`? blocks? .*cannot be modified",
    r"thinking\.signature",
)
_GOOGLE: Final = (r"thought[ _]?signature",)
_OPENAI: Final = (r"invalid_encrypted_content", r"encrypted content .*could not be (?:verified|decrypted|parsed)")
_REFUSALS: Final = {
    dialect: re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)
    for dialect, patterns in {
        "anthropic": _CLAUDE,
        "gemini": _GOOGLE,
        "openai": (*_CLAUDE, *_GOOGLE, *_OPENAI),  # whose model it is, an endpoint for Chat does not tell
        "openai_responses": _OPENAI,
    }.items()
}
"""dialect -> how its upstreams say in a 400, by code or message, that a signature is not good."""


def is_refusal(dialect: str, fault: Fault) -> bool:
    """Whether a 400 of an upstream is about a signature in the request."""
    pattern = _REFUSALS.get(dialect)
    return pattern is not None and pattern.search(f"{fault.code} {fault.message}") is not None


def unsigned(dialect: str, body: bytes, *, losses: Losses) -> bytes | None:
    """A request without signatures, nor what cannot be said without them; None where it has none."""
    members = parse(body)
    name = _HISTORY[dialect]
    history = members.value(name)
    if not isinstance(history, list):
        return None
    cleaned = _Unsigner("", losses).cleaned(dialect, history)
    if cleaned == history:
        return None
    changes: dict[str, bytes | None] = {name: json_text.encode(cleaned)}
    if dialect == "anthropic" and _is_manual(members.value("thinking")) and _ends_in_results(history):
        losses.add("thinking", "the last step's own thinking was refused", action="switched off")
        changes["thinking"] = None
        management = members.value("context_management")
        if isinstance(management, dict) and isinstance(management.get("edits"), list):
            kept = [edit for edit in management["edits"] if "thinking" not in str(edit)]
            changes["context_management"] = json_text.encode({**management, "edits": kept})
    losses.add(name, "the upstream refused a signature that it had made")
    return members.edited(changes)


def _is_manual(thinking: object) -> bool:
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _ends_in_results(messages: list[object]) -> bool:
    """Whether the last message answers tool calls: the step before it must then begin with thinking, if that is on."""
    last = messages[-1] if messages else None
    content = last.get("content") if isinstance(last, dict) else None
    return isinstance(content, list) and any(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in content
    )


def edits(dialect: str, members: Members, *, signer: str, losses: Losses) -> dict[str, bytes | None]:
    """The member of the request to replace, where its history holds carriers; nothing otherwise."""
    name = _HISTORY.get(dialect)
    if name is None or not any(mark in members.body for mark in _MARKS):
        return {}
    history = members.value(name)
    if not isinstance(history, list):
        return {}
    cleaner = _Cleaner(signer, losses)
    cleaned = cleaner.cleaned(dialect, history)
    return {name: json_text.encode(cleaned)} if cleaner.found else {}


class _Cleaner:
    """Walks one history; `found` tells whether anything had to change."""

    def __init__(self, signer: str, losses: Losses) -> None:
        self.found = False
        self._signer = signer
        self._losses = losses

    def cleaned(self, dialect: str, history: list[object]) -> list[object]:
        """The history as its dialect's upstream takes it."""
        clean = {
            "anthropic": self.anthropic,
            "gemini": self.gemini,
            "openai": self.chat,
            "openai_responses": self.responses,
        }[dialect]
        return clean(history)

    def anthropic(self, messages: list[object]) -> list[object]:
        """Thinking blocks with a foreign signature go whole: half of one is refused too."""
        return self._with_lists(messages, "content", self._anthropic_block)

    def gemini(self, contents: list[object]) -> list[object]:
        """A part keeps what it says and loses the foreign signature; a call without one is marked, as Google wants."""
        return self._with_lists(contents, "parts", self._gemini_part)

    def responses(self, items: list[object]) -> list[object]:
        """Reasoning items with a foreign signature go whole."""
        return [kept for item in items if (kept := self._responses_item(item)) is not None]

    def chat(self, messages: list[object]) -> list[object]:
        """The gateway's own extensions go: no Chat upstream knows them."""
        return [self._chat_message(message) for message in messages]

    def _with_lists(self, holders: list[object], name: str, clean: Callable[[object], object | None]) -> list[object]:
        """Holders with cleaned lists; one whose list has nothing left goes too."""
        kept: list[object] = []
        for holder in holders:
            if isinstance(holder, dict) and isinstance(holder.get(name), list) and holder[name]:
                parts = [each for part in holder[name] if (each := clean(part)) is not None]
                if parts:
                    kept.append({**holder, name: parts})
            else:
                kept.append(holder)
        return kept

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
            return {**part, name: _UNCHECKED}
        kept = {key: each for key, each in part.items() if key != name}
        return _said(kept)

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


class _Unsigner(_Cleaner):
    """Takes out every signature, whoever made it."""

    def _anthropic_block(self, block: object) -> object:
        thought = isinstance(block, dict) and block.get("type") in ("thinking", "redacted_thinking")
        return None if thought else block

    def _gemini_part(self, part: object) -> object:
        if not isinstance(part, dict):
            return part
        if "functionCall" in part or "function_call" in part:
            name = "thought_signature" if "thought_signature" in part else "thoughtSignature"
            return {**part, name: _UNCHECKED}
        kept = {key: each for key, each in part.items() if key not in ("thoughtSignature", "thought_signature")}
        return part if kept == part else _said(kept)

    def _responses_item(self, item: object) -> object:
        return None if isinstance(item, dict) and item.get("type") == "reasoning" else item

    def _chat_message(self, message: object) -> object:
        if not isinstance(message, dict):
            return message
        cleaned = {key: each for key, each in message.items() if key != "reasoning_details"}
        if isinstance(cleaned.get("tool_calls"), list):
            cleaned["tool_calls"] = [_unchecked(call) for call in cleaned["tool_calls"]]
        return cleaned


def _unchecked(call: object) -> object:
    """A Chat tool call whose signature, as Google's endpoint for Chat has it, is not to be checked."""
    extra = call.get("extra_content") if isinstance(call, dict) else None
    google = extra.get("google") if isinstance(extra, dict) else None
    if not isinstance(call, dict) or not isinstance(extra, dict) or not isinstance(google, dict):
        return call
    return {**call, "extra_content": {**extra, "google": {**google, "thought_signature": _UNCHECKED}}}


def _said(part: dict[str, object]) -> dict[str, object] | None:
    """A Gemini part that lost its signature; None where it was nothing else."""
    return None if part in ({}, {"text": ""}, {"text": "", "thought": True}) else part


def _is_carrier(value: object) -> bool:
    return isinstance(value, str) and value.startswith("gw1.")
