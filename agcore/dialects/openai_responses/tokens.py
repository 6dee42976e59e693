"""Token counts of Responses, `/v1/responses/input_tokens` (docs/wire/openai-responses.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount
from agcore.dialects.openai_responses.traits import TRAITS
from agcore.dialects.shared.token_counts import read_count
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.protocol.fault import Fault

_COUNTED: Final = frozenset(
    {"model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "parallel_tool_calls"}
)
"""What of a generation request the counter takes."""


def read_request(body: dict[str, object], *, path: str, model: str, losses: Losses) -> dict[str, object]:
    """The generation request whose tokens a client wants counted."""
    return body


def write_answer(answer: TokenCount, request: object, *, model: str, created: int) -> WrittenAnswer:
    """A client's answer."""
    body = {"object": "response.input_tokens", "input_tokens": answer.tokens}
    return WrittenAnswer(json_text.encode(body), estimated=answer.estimated)


def target(request: object, at: Destination) -> bytes:
    """The counter's path."""
    return TRAITS.target(at.prefix, "/responses/input_tokens", at.parts, at.model)


def write_requests(request: dict[str, object], at: Destination, losses: Losses) -> list[bytes]:
    """The body of the one call for a generation request of this dialect."""
    return [json_text.encode({name: value for name, value in request.items() if name in _COUNTED})]


def read_answer(answer: dict[str, object], request: object, at: Destination) -> TokenCount | Fault:
    """An upstream's count."""
    return read_count(answer.get("input_tokens"))
