"""Anthropic's token counts, `/v1/messages/count_tokens` (docs/wire/anthropic-messages.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount
from agcore.dialects.anthropic.traits import TRAITS
from agcore.dialects.shared.token_counts import read_count
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.protocol.fault import Fault

_COUNTED: Final = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"})
"""What of a generation request the counter takes."""


def read_request(body: dict[str, object], *, path: str, model: str, losses: Losses) -> dict[str, object]:
    """The generation request whose tokens a client wants counted: the counter asks for no limit.

    It takes `compaction` and ignores it.
    """
    return {"max_tokens": 1, **body, "compaction": None}


def write_answer(answer: TokenCount, request: object, *, model: str, created: int) -> WrittenAnswer:
    """A client's answer."""
    return WrittenAnswer(json_text.encode({"input_tokens": answer.tokens}), estimated=answer.estimated)


def target(request: object, at: Destination) -> bytes:
    """The counter's path."""
    return TRAITS.target(at.prefix, "/v1/messages/count_tokens", at.parts, at.model)


def write_requests(request: dict[str, object], at: Destination, losses: Losses) -> list[bytes]:
    """The body of the one call for a generation request of this dialect."""
    return [json_text.encode({name: value for name, value in request.items() if name in _COUNTED})]


def read_answer(answer: dict[str, object], request: object, at: Destination) -> TokenCount | Fault:
    """An upstream's count."""
    return read_count(answer.get("input_tokens"))
