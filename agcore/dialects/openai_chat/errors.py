"""Errors of Chat Completions: the family's shape, and the status of an error inside a stream."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.dialects.openai.errors import parse_error, render_error, stream_error

__all__ = ["parse_error", "render_error", "status_in_stream", "stream_error"]


def status_in_stream(error: object) -> int:
    """The HTTP status that an error inside a 200 answer would have had, by what it says of itself; 502 if nothing."""
    if isinstance(error, Mapping):
        code, kind = error.get("code"), error.get("type")
        for hint in (code, error.get("status")):
            if isinstance(hint, int) and 400 <= hint <= 599:
                return hint
        words = f"{code} {kind}"
        if "rate_limit" in words or "insufficient_quota" in words:
            return 429
        if "overloaded" in words or "capacity" in words:
            return 503
        if "invalid_request" in words:
            return 400
    return 502
