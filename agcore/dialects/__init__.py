"""The vendors' wires: one folder each, all of one shape (`base`), and the literal registry of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from agcore.dialects import anthropic, gemini, jsonrpc_errors, openai_chat, openai_completions, openai_responses
from agcore.dialects.base import Dialect
from agcore.protocol.fault import Fault

DIALECTS: Final[Mapping[str, Dialect]] = {
    each.traits.name: each
    for each in (
        openai_chat.DIALECT,
        openai_completions.DIALECT,
        openai_responses.DIALECT,
        anthropic.DIALECT,
        gemini.DIALECT,
    )
}

ClientDialect: TypeAlias = Literal[
    "openai_chat", "openai", "openai_completions", "openai_responses", "anthropic", "gemini"
]
"""What clients may speak, as programs say it."""
UpstreamDialect: TypeAlias = Literal["openai_chat", "openai", "openai_responses", "anthropic", "gemini"]
"""What upstreams may be asked in by translation, as programs say it."""
FALLBACK: Final = openai_chat.DIALECT
"""Whose shapes serve where no dialect is known."""

ALIASES: Final[Mapping[str, Dialect]] = {"codex": openai_responses.DIALECT}
"""What else routes may name: clients that read lists of models in a shape of their own, and what they speak."""

ERROR_SHAPES: Final[Mapping[str, Callable[[Fault, str], bytes]]] = {
    **{name: dialect.render_error for name, dialect in (*DIALECTS.items(), *ALIASES.items())},
    "mcp": jsonrpc_errors.render_error,
}
"""How an error looks to a client, by the dialect of the route it asked for."""
