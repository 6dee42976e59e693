"""The vendors' protocols, one module each, all of the same shape (`base.Dialect`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agcore.dialects import (
    anthropic,
    anthropic_error,
    gemini,
    gemini_error,
    jsonrpc_error,
    openai_chat,
    openai_completions,
    openai_error,
    openai_responses,
)
from agcore.dialects.base import Dialect
from agcore.fault import Fault

DIALECTS: Final[Mapping[str, Dialect]] = {
    "openai": openai_chat,
    "openai_completions": openai_completions,
    "openai_responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
}

ERROR_SHAPES: Final[Mapping[str, Callable[[Fault, str], bytes]]] = {
    "openai": openai_error.render_error,
    "openai_completions": openai_error.render_error,
    "openai_responses": openai_error.render_error,
    "codex": openai_error.render_error,
    "anthropic": anthropic_error.render_error,
    "gemini": gemini_error.render_error,
    "mcp": jsonrpc_error.render_error,
}
"""How an error looks to a client, by the dialect of the route it asked for."""
