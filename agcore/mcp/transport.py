"""Heads of MCP requests: the answers that are welcome, the revision that is spoken, and, from 2026-07-28 on, the
message that is inside (docs/wire/mcp.md)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agcore.codecs.header_fields import TRACE, Allowed, first
from agcore.mcp.jsonrpc import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, Error, Request
from agcore.mcp.revisions import REVISIONS, Revision
from agcore.protocol.http import Headers

VERSION: Final = b"mcp-protocol-version"
SESSION: Final = b"mcp-session-id"
UP: Final = Allowed(
    frozenset({b"user-agent", b"accept", b"content-type", b"last-event-id", *TRACE}),
    (b"mcp-",),
)
DOWN: Final = Allowed(
    frozenset({b"content-type", b"content-length", b"content-encoding", b"allow", b"retry-after", b"cache-control"}),
    (b"mcp-",),
)
"""Header fields that pass each way: sessions, versions, mirrors (docs/wire/mcp.md#what-a-proxy-keeps).

`authorization` and `www-authenticate` pass where clients authenticate with the server themselves, see `McpProxy`."""

_METHOD: Final = b"mcp-method"
_NAME: Final = b"mcp-name"
_NAMED: Final[Mapping[str, str]] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Method -> the parameter that `mcp-name` repeats."""
_META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_META_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"

_JSON: Final = frozenset({b"application/json", b"application/*", b"*/*"})
_EVENTS: Final = frozenset({b"text/event-stream", b"text/*", b"*/*"})


class Accepts(msgspec.Struct, frozen=True):
    """The forms of an answer that are welcome."""

    json: bool
    events: bool


def accepts(headers: Headers) -> Accepts:
    """Read `accept`; without one, everything is welcome."""
    values = [value for name, value in headers if name == b"accept"]
    if not values:
        return Accepts(json=True, events=True)
    kinds = {kind.partition(b";")[0].strip().lower() for value in values for kind in value.split(b",")}
    return Accepts(json=not kinds.isdisjoint(_JSON), events=not kinds.isdisjoint(_EVENTS))


def revision(headers: Headers) -> Revision | Error | None:
    """The revision that the head names; None where it names none, an error where it is not spoken here."""
    value = first(headers, VERSION)
    if value is None:
        return None
    asked = value.decode("latin-1")
    return REVISIONS.get(asked) or unsupported(asked)


def unsupported(asked: str) -> Error:
    """The error for a revision that is not spoken here."""
    data = {"supported": list(REVISIONS), "requested": asked}
    return Error(UNSUPPORTED_VERSION, "this protocol version is not supported", data=data)


def stateless_error(headers: Headers, request: Request) -> Error | None:
    """Returns what is wrong with a request of the stateless era, which must tell of itself twice and in agreement."""
    found = request.params.get("_meta")
    meta = found if isinstance(found, dict) else {}
    for key in (_META_VERSION, _META_CAPABILITIES):
        if key not in meta:
            return Error(INVALID_PARAMS, f"`params._meta` lacks `{key}`", request.id)
    mirrors: list[tuple[bytes, object]] = [(VERSION, meta[_META_VERSION]), (_METHOD, request.method)]
    named = request.params.get(_NAMED.get(request.method, ""))
    if named is not None:
        mirrors.append((_NAME, named))
    for name, told in mirrors:
        values = [_decoded(value) for each, value in headers if each == name]
        if len(values) > 1:
            return Error(HEADER_MISMATCH, f"the header `{name.decode()}` stands twice", request.id)
        if values != [told]:
            shown = "is missing" if not values else "does not agree with the body"
            return Error(HEADER_MISMATCH, f"the header `{name.decode()}` {shown}", request.id)
    return None


def progress_token(params: Mapping[str, Any]) -> object:
    """The token under which a request wants to hear of progress, or None."""
    meta = params.get("_meta")
    return meta.get("progressToken") if isinstance(meta, dict) else None


def _decoded(value: bytes) -> str | None:
    """A mirrored value: as it is, or in base64 where it could not stand in a header; None for bad base64."""
    if not (value.startswith(b"=?base64?") and value.endswith(b"?=")):
        return value.decode("latin-1")
    try:
        return b64decode(value[9:-2], validate=True).decode("utf-8")
    except ValueError:
        return None
