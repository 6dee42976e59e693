"""Faults: whatever can go wrong, as values.

A `Fault` is an error that a client is told about. The machines pass faults around and never raise them: what a peer did
is data. The one exception type here, `LocalProtocolError`, is for a driver's own mistakes.

The HTTP status is the neutral vocabulary: each dialect's `render_error` turns it into that vendor's type names.
"""

from __future__ import annotations

import enum

import msgspec

from agcore.protocol.http import Headers


class LocalProtocolError(Exception):
    """A driver did what the legality table forbids, such as reporting a body before its head: a bug."""


class FailureKind(enum.Enum):
    """The kinds of failure of an attempt."""

    INVALID_REQUEST = "request"
    """The request itself: it would fail anywhere, and the client is told at once."""
    NOT_FOUND = "missing"
    """The provider does not have the model, or the endpoint; another one may."""
    RATE_LIMITED = "rate limit"
    QUOTA_EXCEEDED = "quota"
    """An allotment is used up: hours, days or money, not a minute."""
    CREDENTIAL_REJECTED = "credential"
    """The key was refused."""
    OVERLOADED = "overloaded"
    """The vendor takes no more requests at present."""
    UPSTREAM_ERROR = "failing"
    """An error of the vendor's, or an answer that broke off, said nothing or could not be read."""
    UNREACHABLE = "unreachable"
    """No connection."""


class Fault(msgspec.Struct, frozen=True):
    """An error on its way to a client."""

    status: int
    """The HTTP status it leaves with while no head was sent; in a running stream it still chooses the type name."""
    message: str
    """For people: what was wrong, with which field or provider. Never holds a secret."""
    code: str | None = None
    """A short name for programs (`model_not_found`), where OpenAI's dialects show one."""
    param: str | None = None
    """The request field at fault."""
    retry_after: float | None = None
    """Seconds after which the same request may work, where known."""
    headers: Headers = ()
    """Further response headers, such as `allow`."""
    vendor: Vendor | None = None
    """The upstream's own error, kept for a client of the same dialect."""


class Vendor(msgspec.Struct, frozen=True):
    """An upstream's error object, cleaned of secrets."""

    dialect: str
    """The family whose shape it has: `openai`, `anthropic` or `gemini`."""
    error: dict[str, object]
    """The value of the member `"error"`."""


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Fault:
    """A fault in the client's request."""
    return Fault(status=status, message=message, param=param, code=code)
