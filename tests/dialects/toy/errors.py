"""The error shape of the toy."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.protocol.fault import Fault


def parse_error(status: int, error: object) -> Fault:
    """The fault in an error answer, or in an event that says one."""
    message = error.get("wrong") if isinstance(error, Mapping) else None
    return Fault(status=status, message=message if isinstance(message, str) else "")


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode({"wrong": fault.message, "status": fault.status})


def status_in_stream(error: object) -> int:
    """What an error says of itself."""
    status = error.get("status") if isinstance(error, Mapping) else None
    return status if isinstance(status, int) and 400 <= status <= 599 else 502
