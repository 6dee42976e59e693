"""The header fields that OpenAI's dialects forward: literal allow lists (docs/wire/headers-and-auth.md)."""

from __future__ import annotations

from typing import Final

from agcore.codecs.header_fields import TRACE, Allowed

UP: Final = Allowed(
    frozenset(
        {
            b"user-agent",
            b"openai-beta",
            b"idempotency-key",
            b"x-client-request-id",
            b"originator",
            b"session_id",
            b"session-id",
            b"thread-id",
            b"conversation_id",
            b"http-referer",
            b"x-title",
            *TRACE,
        }
    ),
    (b"x-codex-",),
)
DOWN: Final = Allowed(
    frozenset(
        {
            b"x-request-id",
            b"openai-processing-ms",
            b"openai-version",
            b"retry-after",
            b"retry-after-ms",
        }
    ),
    (b"x-ratelimit-", b"x-codex-"),
)
