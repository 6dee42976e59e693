"""The error shape that all of OpenAI's dialects share, read and written (docs/wire/errors.md#openai)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.dialects.shared import context_overflow
from agcore.dialects.shared.error_words import unwrapped
from agcore.protocol.fault import Fault, Vendor

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
    kind = _type(fault.status)
    code = fault.code
    if code is None and fault.status == 429:
        code = "rate_limit_exceeded"
    elif code is None and fault.status == 404 and fault.vendor is not None:
        code = "model_not_found"  # what else an upstream is asked for is its endpoint's
    # The gateway's own credential was refused, which has this type in every dialect.
    if code == "upstream_credential":
        kind = "api_error"
    # LiteLLM takes a 401 of this type for a bad request unless it begins with OpenAI's own words.
    refused = "Incorrect API key provided: " if fault.status == 401 and code == "invalid_api_key" else ""
    return {"message": f"{refused}{fault.message}", "type": kind, "param": fault.param, "code": code}


def _type(status: int) -> str:
    usual = "server_error" if status >= 500 and status != 501 else "invalid_request_error"
    return _TYPES.get(status, usual)


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer; the request id travels in a header only."""
    return msgspec.json.encode({"error": error_object(fault)})


def stream_error(fault: Fault, request_id: str) -> bytes:
    """The frame that ends a Chat or Completions stream in an error: no finish reason and no `[DONE]` follow it."""
    return b"data: " + render_error(fault, request_id) + b"\n\n"


def parse_error(status: int, error: object) -> Fault:
    """A fault from the decoded body of an upstream's error answer, or from an error inside a stream."""
    told = unwrapped(error)
    message, code, param = told.get("message"), told.get("code"), told.get("param")
    text = message if isinstance(message, str) else ""
    shown: dict[str, object] = {"message": text, "type": None, "param": None, "code": None, **told}
    if not isinstance(shown["type"], str):
        shown["type"] = _type(status)
    if not isinstance(code, str):
        code = context_overflow.code_of(status, text)
        shown["code"] = code or shown["code"]
    return Fault(
        status=status,
        message=text,
        code=code,
        param=param if isinstance(param, str) else None,
        vendor=Vendor(dialect=FAMILY, error=shown) if text else None,
    )
