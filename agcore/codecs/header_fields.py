"""Which header fields are forwarded, each way, by dialect: literal allow lists.

Whatever is not named here stays where it came from: client credentials, cookies, origin, forwarding chains and SDK
telemetry never go up; cookies, organisation ids and server names never come down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from agcore.protocol.http import Headers


class Allowed(msgspec.Struct, frozen=True):
    """Names that pass, and prefixes of names that pass."""

    names: frozenset[bytes]
    prefixes: tuple[bytes, ...] = ()


_OPENAI_UP: Final = Allowed(
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
        }
    ),
    (b"x-codex-",),
)

UP: Final[Mapping[str, Allowed]] = {
    "openai": _OPENAI_UP,
    "openai_completions": _OPENAI_UP,
    "openai_responses": _OPENAI_UP,
    "anthropic": Allowed(
        frozenset(
            {
                b"user-agent",
                b"anthropic-version",
                b"anthropic-beta",
                b"anthropic-user-profile-id",
                b"idempotency-key",
                b"x-app",
            }
        ),
        (b"x-claude-code-",),
    ),
    "gemini": Allowed(frozenset({b"user-agent", b"x-goog-api-client", b"x-server-timeout"})),
}

MCP_UP: Final = Allowed(
    frozenset({b"user-agent", b"accept", b"content-type", b"last-event-id"}),
    (b"mcp-",),
)
MCP_DOWN: Final = Allowed(
    frozenset({b"content-type", b"content-length", b"allow", b"retry-after", b"cache-control"}),
    (b"mcp-",),
)
"""What MCP's transport needs each way: sessions, versions, mirrors (docs/wire/mcp.md#what-a-proxy-keeps).

`authorization` and `www-authenticate` pass where clients authenticate with the server themselves, see `mcp_proxy`."""

_OPENAI_DOWN: Final = Allowed(
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

DOWN: Final[Mapping[str, Allowed]] = {
    "openai": _OPENAI_DOWN,
    "openai_completions": _OPENAI_DOWN,
    "openai_responses": _OPENAI_DOWN,
    "anthropic": Allowed(
        frozenset({b"request-id", b"retry-after", b"retry-after-ms"}),
        (b"anthropic-ratelimit-",),
    ),
    "gemini": Allowed(frozenset({b"retry-after"})),
}

REQUIRED_UP: Final[Mapping[str, Headers]] = {"anthropic": ((b"anthropic-version", b"2023-06-01"),)}
"""What a vendor insists on, for clients that do not send it; nothing for those that are absent."""

USER_AGENT: Final = (b"user-agent", b"agcore")
"""Sent where the client names none."""

REQUEST_ID: Final[Mapping[str, bytes]] = {"anthropic": b"request-id"}
"""The header in which a dialect's SDKs look for the request id; `x-request-id` for the others."""


def passing(headers: Headers, allowed: Allowed) -> Headers:
    """The fields of `headers` that `allowed` lets through, in order."""
    names, prefixes = allowed.names, allowed.prefixes
    return tuple([field for field in headers if field[0] in names or (prefixes and field[0].startswith(prefixes))])


def first(headers: Headers, name: bytes) -> bytes | None:
    """The value of the first field called `name` (lower case), or None."""
    for each, value in headers:
        if each == name:
            return value
    return None


def media_type(headers: Headers) -> bytes:
    """The media type of `content-type` in lower case without parameters; empty when there is none."""
    value = first(headers, b"content-type")
    return b"" if value is None else value.partition(b";")[0].strip().lower()


def field_value(text: str) -> bytes:
    """`text` as a field value: what may not stand in one (controls, anything beyond ASCII, and white space at either
    end) is percent-encoded."""
    if text.isascii() and text.isprintable() and text == text.strip():
        return text.encode("ascii")
    return quote(text, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}").encode("ascii")
