"""Token counts made here, where no provider counts: estimates, and labelled as such.

No vendor's tokeniser is at hand without a download, and each vendor has its own. The rule of thumb is about four
characters of English to a token and one to two for other scripts; what it gives is never zero and rises with the text,
which is what clients use it for (when to compact a history).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)

PER_TURN: Final = 4
PER_IMAGE: Final = 1_100
"""About what a picture of a million pixels costs at Anthropic and OpenAI."""
BYTES_PER_MEDIA_TOKEN: Final = 60
"""Of base64, for documents and sound."""


class TokenCount(msgspec.Struct, frozen=True):
    """How many tokens a request has."""

    tokens: int
    """At least 1."""
    estimated: bool = False
    """Counted here, and not by the model's provider."""
    usage: None = None
    """No vendor charges for counting."""


def estimate(conversation: Conversation) -> int:
    """Input tokens of a request, at least 1."""
    total = 0.0
    for turn in conversation.turns:
        total += PER_TURN + sum(map(_of_part, turn.parts))
    for tool in conversation.tools:
        total += PER_TURN + _of_text(tool.name) + _of_text(tool.description) + _of_json(tool.parameters)
    for hosted in conversation.hosted_tools:
        total += _of_json(hosted.value)
    if conversation.output is not None:
        total += _of_json(conversation.output.schema)
    return max(round(total), 1)


def of_texts(texts: Iterable[str]) -> int:
    """Tokens of bare texts, such as are embedded, at least 1."""
    return max(round(sum(map(_of_text, texts))), 1)


def _of_text(text: str) -> float:
    wide = sum(character > "\x7f" for character in text) if not text.isascii() else 0
    return (len(text) - wide) / 4 + wide / 1.5


def _of_json(value: object) -> float:
    return 0.0 if value is None else _of_text(json_text.encode(value).decode())


def _of_part(part: Part) -> float:
    match part:
        case Text(text) | Refusal(text) | Thinking(text):
            return _of_text(text)
        case ToolCall():
            return PER_TURN + _of_text(part.name) + _of_text(part.arguments)
        case ToolResult():
            return PER_TURN + sum(map(_of_part, part.content))
        case Image():
            return PER_IMAGE
        case Document(source) | Audio(source) | Video(source):
            return max(len(source.data) / BYTES_PER_MEDIA_TOKEN, PER_IMAGE)
        case _:  # what one vendor alone knows
            return _of_json(part.value)
