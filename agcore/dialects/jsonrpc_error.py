"""The error shape of the MCP routes: a JSON-RPC 2.0 error that answers no particular message (`id` is null)."""

from __future__ import annotations

import msgspec

from agcore.fault import Fault


def render_error(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer: -32603 for what is not the client's doing, -32600 for what is."""
    code = -32603 if fault.status >= 500 and fault.status != 501 else -32600
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": fault.message}})
