"""Google's error shape (google.rpc.Status in JSON), read and written (docs/wire/errors.md#google)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.dialects.shared import context_overflow
from agcore.dialects.shared.error_words import unwrapped
from agcore.protocol.fault import Fault, Vendor

FAMILY: Final = "gemini"
RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"

_STATUS: Final[Mapping[int, str]] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    424: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer. A known wait is also told as `RetryInfo`, where Google's clients look for it."""
    code = 503 if fault.status == 529 else fault.status  # Anthropic's word for overloaded
    if fault.vendor is not None and fault.vendor.dialect == FAMILY:
        error = {**fault.vendor.error, "code": code}
    else:
        status = _STATUS.get(code) or ("INTERNAL" if code >= 500 else "INVALID_ARGUMENT")
        error = {"code": code, "message": fault.message, "status": status}
    if fault.retry_after is not None and _retry_delay(error.get("details")) is None:
        info = {"@type": RETRY_INFO, "retryDelay": f"{math.ceil(fault.retry_after)}s"}
        error["details"] = [*_details(error.get("details")), info]
    return msgspec.json.encode({"error": error})


def stream_error(fault: Fault, request_id: str) -> bytes:
    """The frame that ends an SSE stream in an error."""
    return b"data: " + render_error(fault, request_id) + b"\r\n\r\n"


def parse_error(status: int, error: object) -> Fault:
    """A fault from the decoded body of an upstream's error answer, or from an error inside a stream."""
    told = unwrapped(error)
    message, name = told.get("message"), told.get("status")
    if not isinstance(message, str):
        return Fault(status=status, message="")
    if not isinstance(name, str):
        name = _STATUS.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return Fault(
        status=status,
        message=message,
        retry_after=_retry_delay(told.get("details")),
        code="invalid_api_key" if _names_bad_key(told.get("details")) else context_overflow.code_of(status, message),
        vendor=Vendor(dialect=FAMILY, error={**told, "status": name}),
    )


def status_in_stream(error: object) -> int:
    """The HTTP status that an error inside a stream names for itself; 502 where it names none."""
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 502


def _details(details: object) -> list[Mapping[str, object]]:
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _retry_delay(details: object) -> float | None:
    for detail in _details(details):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                seconds = float(delay[:-1])
            except ValueError:
                continue
            if 0 <= seconds < 1e9:
                return seconds
    return None


def _names_bad_key(details: object) -> bool:
    # A bad key is a 400 at Google, told apart from other bad requests only here.
    return any(detail.get("reason") == "API_KEY_INVALID" for detail in _details(details))
