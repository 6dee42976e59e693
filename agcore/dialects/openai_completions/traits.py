"""OpenAI's legacy Completions (docs/wire/openai-completions.md); its streams pass through as Chat's do."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import RequestSummary
from agcore.dialects.openai_chat import traits as openai_chat
from agcore.ingress.routes import MatchedRoute

NAME: Final = "openai_completions"
FAMILY: Final = openai_chat.FAMILY
KEEPALIVE: Final = openai_chat.KEEPALIVE
MODEL_MEMBER: Final = openai_chat.MODEL_MEMBER

StreamTap = openai_chat.StreamTap
read_ask = openai_chat.read_ask
count_target = openai_chat.count_target
edits = openai_chat.edits
read_usage = openai_chat.read_usage
parse_error = openai_chat.parse_error
render_error = openai_chat.render_error


def generate_target(prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
    """`PREFIX/completions`."""
    return prefix + b"/completions"
