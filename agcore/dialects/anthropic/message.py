"""The pieces of a message that streams and whole answers share (docs/wire/anthropic-messages.md#answer)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.conversation import compaction
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Cited, Finished, Signature, Stop
from agcore.protocol.report import Usage

_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_-]")
STOPS: Final[Mapping[str, Stop]] = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "tool_use": Stop.TOOL_CALLS,
    "refusal": Stop.FILTER,
    "model_context_window_exceeded": Stop.CONTEXT,
    "pause_turn": Stop.PAUSE,
}
COMPACTED: Final = "compaction"
"""The stop reason of a summary."""
CUTTING: Final = frozenset({Stop.LENGTH, Stop.CONTEXT, Stop.FILTER, Stop.REFUSAL})
"""How a summary ends that is not whole."""
_REASONS: Final[Mapping[Stop, str]] = {
    **{stop: reason for reason, stop in STOPS.items()},
    Stop.REFUSAL: "refusal",
}


def message_object(
    id: str, model: str, content: list[dict[str, object]], reason: str | None, sequence: str | None, usage: Usage
) -> dict[str, object]:
    """A message as it stands in an answer, or at the start of a stream."""
    return {
        "id": f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage_object(usage),
    }


def usage_object(usage: Usage) -> dict[str, object]:
    """Usage in the API's words."""
    return {
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def stop_reason(finished: Finished, called: bool, refused: bool, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """The stop reason and the stop sequence that was hit."""
    stop = finished.stop
    if stop in (Stop.END, Stop.TOOL_CALLS):
        stop = Stop.TOOL_CALLS if called else Stop.REFUSAL if refused else Stop.END
    if stop is not Stop.SEQUENCE:
        return _REASONS[stop], None
    return _REASONS[stop], finished.sequence or (stops[0] if len(stops) == 1 else None)


def compaction_block(summary: str | None) -> dict[str, object]:
    """A block that stands for the conversation: its signature says that it was made here."""
    return {"type": "compaction", "content": summary, "signature": compaction.carried("")}


def thinking_block(text: str = "", signature: Signature | None = None) -> dict[str, object]:
    """A thinking block; the signature as a carrier."""
    return {"type": "thinking", "thinking": text, "signature": carrier(signature) if signature is not None else ""}


def redacted_block(signature: Signature) -> dict[str, object]:
    """A redacted thinking block that carries a signature."""
    return {"type": "redacted_thinking", "data": carrier(signature)}


def citation_object(cited: Cited) -> dict[str, object]:
    """A web source. The text that it proves, and its place in it, are not known."""
    return {
        "type": "web_search_result_location",
        "url": cited.url,
        "title": cited.title or None,
        "cited_text": "",
        "encrypted_index": "",
    }


def custom_input(text: str) -> str:
    """A custom tool's text as the input of the function that it is here."""
    return json_text.encode({"input": text}).decode()


def call_id(given: str, taken: set[str], answer: str) -> str:
    """A legal id that no call of this answer has yet: the given one, if it is."""
    legal = _ILLEGAL.sub("_", given)
    return legal if legal and legal not in taken else f"toolu_{answer}_{len(taken)}"
