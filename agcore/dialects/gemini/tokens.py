"""Gemini's token counts, `:countTokens` (docs/wire/gemini.md)."""

from __future__ import annotations

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount
from agcore.dialects.gemini.media import action_path
from agcore.dialects.shared.token_counts import read_count
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.protocol.fault import Fault


def read_request(body: dict[str, object], *, path: str, model: str, losses: Losses) -> dict[str, object]:
    """The generation request whose tokens a client wants counted, which may stand in a member of its own."""
    inner = body.get("generateContentRequest", body.get("generate_content_request"))
    return inner if isinstance(inner, dict) else body


def write_answer(answer: TokenCount, request: object, *, model: str, created: int) -> WrittenAnswer:
    """A client's answer."""
    return WrittenAnswer(json_text.encode({"totalTokens": answer.tokens}), estimated=answer.estimated)


def target(request: object, at: Destination) -> bytes:
    """The counter's path."""
    return action_path(at, "countTokens")


def write_requests(request: dict[str, object], at: Destination, losses: Losses) -> list[bytes]:
    """The body of the one call for a generation request of this dialect."""
    return [json_text.encode({"generateContentRequest": {"model": f"models/{at.model}", **request}})]


def read_answer(answer: dict[str, object], request: object, at: Destination) -> TokenCount | Fault:
    """An upstream's count."""
    return read_count(answer.get("totalTokens"))
