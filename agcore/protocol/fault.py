"""Faults: whatever can go wrong, as values.

A `Fault` is an error that a client is told about. The machines pass faults around and never raise them: what a peer did
is data. The one exception type here, `LocalProtocolError`, is for a driver's own mistakes.

The HTTP status is the neutral vocabulary: each dialect's `render_error` turns it into that vendor's type names.
"""

from __future__ import annotations

import enum
import math
from typing import Final

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
    UNUSABLE = "unusable"
    """What is found at the address is not what was configured (other TLS, a page, this gateway itself), and it will not
    change by itself; another provider may answer."""


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
    """Further response headers, such as `allow`. An `x-should-retry` among them is the last word on whether the same
    request may fare better (`may_pass`)."""
    vendor: Vendor | None = None
    """The upstream's own error, kept for a client of the same dialect."""


class Vendor(msgspec.Struct, frozen=True):
    """An upstream's error object, cleaned of secrets."""

    dialect: str
    """The family whose shape it has: `openai`, `anthropic` or `gemini`."""
    error: dict[str, object]
    """The value of the member `"error"`."""


NO_RETRY: Final[Headers] = ((b"x-should-retry", b"false"),)
"""What OpenAI's and Anthropic's SDKs, and the agents on them, heed before any rule of their own: asking again will fare
no better (docs/wire/errors.md#waits-and-retries)."""
SOONEST_RETRY: Final = 2
"""Seconds until a client may ask again, where nobody named a time."""

_MAY_PASS: Final = frozenset({408, 409, 425, 429, 498, 499})
"""The statuses below 500 of what may be over the next time: late or early, a conflict, a limit, no capacity (Groq)."""
_STAYS: Final = frozenset({501, 505, 508})
"""The statuses from 500 on of what will be the same the next time."""


def may_pass(fault: Fault) -> bool:
    """Returns True where the same request may fare better when it is made again: an overload ends, a bad key does not.

    An `x-should-retry` among the fault's headers decides, a vendor's or the gateway's own; else its status does.
    """
    for name, value in fault.headers:
        if name == b"x-should-retry":
            return value == b"true"
    return fault.status in _MAY_PASS if fault.status < 500 else fault.status not in _STAYS


def retry_hints(fault: Fault) -> Headers:
    """Returns the header fields that tell a client whether, and when, to ask again, beside the fault's own headers.

    `x-should-retry: false` stands on what will not pass, and `retry-after` on what names its wait and on every error of
    a server's that may pass: agents that know no time ask at once, and give up early.
    """
    passes = may_pass(fault)
    wait = SOONEST_RETRY if fault.retry_after is None and passes and fault.status >= 500 else fault.retry_after
    when: Headers = () if wait is None else ((b"retry-after", b"%d" % math.ceil(wait)),)
    decided = passes or any(name == b"x-should-retry" for name, _ in fault.headers)
    return when if decided else when + NO_RETRY


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Fault:
    """A fault in the client's request."""
    return Fault(status=status, message=message, param=param, code=code)
