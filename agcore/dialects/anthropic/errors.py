"""Anthropic's error shape, read and written (docs/wire/errors.md#anthropic)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.dialects.shared import context_overflow
from agcore.dialects.shared.error_words import unwrapped
from agcore.protocol.fault import Fault, Vendor

FAMILY: Final = "anthropic"

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    424: "api_error",
    429: "rate_limit_error",
    501: "invalid_request_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUSES: Final[Mapping[str, int]] = {
    **{kind: status for status, kind in _TYPES.items()},  # of two, the later one
    "api_error": 500,
    "invalid_request_error": 400,
}


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer."""
    if fault.vendor is not None and fault.vendor.dialect == FAMILY:
        error = fault.vendor.error
    else:
        kind = _TYPES.get(fault.status) or ("api_error" if fault.status >= 500 else "invalid_request_error")
        overflow = fault.code == context_overflow.CODE
        error = {
            "type": kind,
            "message": context_overflow.in_anthropic_words(fault.message) if overflow else fault.message,
        }
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def stream_error(fault: Fault, request_id: str) -> bytes:
    """The event that ends a stream in an error."""
    return b"event: error\ndata: " + render_error(fault, request_id) + b"\n\n"


def parse_error(status: int, error: object) -> Fault:
    """A fault from the decoded body of an upstream's error answer, or from an `error` event."""
    told = unwrapped(error)
    message, kind = told.get("message"), told.get("type")
    if not isinstance(message, str):
        return Fault(status=status, message="")
    if not isinstance(kind, str):
        kind = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    return Fault(
        status=status,
        message=message,
        code=context_overflow.code_of(status, message),
        vendor=Vendor(dialect=FAMILY, error={**told, "type": kind}),
    )


def status_in_stream(error: object) -> int:
    """The HTTP status that goes with the type of an error inside a stream; 502 for one that is not known."""
    kind = error.get("type") if isinstance(error, Mapping) else None
    return _STATUSES.get(kind, 502) if isinstance(kind, str) else 502
