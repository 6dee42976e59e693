"""Errors of Responses: the family's shape, the code that a stream fails with, and the status of an error inside one."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.dialects.openai.errors import error_object, parse_error, render_error
from agcore.protocol.fault import Fault

__all__ = ["error_object", "failure_code", "parse_error", "render_error", "status_in_stream"]


def failure_code(fault: Fault) -> str:
    """The code that a stream fails with: never none, and never a number, as aggregators give one."""
    code = error_object(fault).get("code")
    if isinstance(code, str) and code:
        return code
    return "rate_limit_exceeded" if fault.status == 429 else "server_error"


def status_in_stream(error: object) -> int:
    """The HTTP status that an error inside a stream would have had before it."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if code in ("rate_limit_exceeded", "insufficient_quota"):
        return 429
    if code in ("invalid_prompt", "context_length_exceeded"):
        return 400
    return 502
