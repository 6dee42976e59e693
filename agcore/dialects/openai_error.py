"""The error shape that all of OpenAI's dialects share, read and written (wire.md B7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.fault import Fault, Vendor

FAMILY: Final = "openai"

_TYPES: Final[Mapping[int, str]] = {
    403: "permission_error",
    408: "timeout",
    409: "conflict",
    429: "rate_limit_exceeded",
    504: "timeout",
}


def error_object(fault: Fault) -> dict[str, object]:
    """What stands under `"error"`: message, type, param and code."""
    if fault.vendor is not None and fault.vendor.dialect == FAMILY:
        return fault.vendor.error
    kind = _TYPES.get(fault.status)
    if kind is None:
        kind = "server_error" if fault.status >= 500 and fault.status != 501 else "invalid_request_error"
    code = fault.code
    if code is None and fault.status == 429:
        code = "rate_limit_exceeded"
    # The gateway's own credential was refused: the published surface names this type for every dialect.
    if code == "upstream_credential":
        kind = "api_error"
    return {"message": fault.message, "type": kind, "param": fault.param, "code": code}


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer; the request id travels in a header only."""
    return msgspec.json.encode({"error": error_object(fault)})


def stream_error(fault: Fault, request_id: str) -> bytes:
    """The frame that ends a Chat or Completions stream in an error: no finish reason and no `[DONE]` follow it."""
    return b"data: " + render_error(fault, request_id) + b"\n\n"


def parse_error(status: int, error: object) -> Fault:
    """A fault from the decoded body of an upstream's error answer, or from an error inside a stream.

    Google's OpenAI endpoint sends an array of one.
    """
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, Mapping) and "error" in error:
        error = error["error"]
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, Mapping):
        return Fault(status=status, message="")
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    text = message if isinstance(message, str) else ""
    shown: dict[str, object] = {"message": text, "type": None, "param": None, "code": None, **error}
    if not isinstance(shown["type"], str):
        shown["type"] = "server_error" if status >= 500 else "invalid_request_error"
    return Fault(
        status=status,
        message=text,
        code=code if isinstance(code, str) else None,
        param=param if isinstance(param, str) else None,
        vendor=Vendor(dialect=FAMILY, error=shown) if text else None,
    )
