"""The vendors' protocols, one module each, all of the same shape (`base.Dialect`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agcore.dialects import jsonrpc_errors as jsonrpc_error
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.anthropic import traits as anthropic
from agcore.dialects.base import Dialect
from agcore.dialects.gemini import errors as gemini_error
from agcore.dialects.gemini import traits as gemini
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai_chat import traits as openai_chat
from agcore.dialects.openai_completions import traits as openai_completions
from agcore.dialects.openai_responses import traits as openai_responses
from agcore.protocol.fault import Fault

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
