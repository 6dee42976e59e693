"""The number in an answer of a counter."""

from __future__ import annotations

from agcore.conversation.token_estimate import TokenCount
from agcore.protocol.fault import Fault


def read_count(value: object) -> TokenCount | Fault:
    """The count that a member of the answer holds, or the fault where it is none."""
    if not isinstance(value, int) or value < 1:
        message = "the upstream's token count cannot be read"
        return Fault(status=502, message=message, code="upstream_invalid_answer")
    return TokenCount(value)
