"""The error shape of the MCP routes: JSON-RPC 2.0, with the id of the message it answers, or null."""

from __future__ import annotations

from agcore.codecs import json_text
from agcore.protocol.fault import Fault


def render_error(fault: Fault, request_id: str, *, message_id: object = None) -> bytes:
    """The body of an error answer: -32603 for what is not the client's doing, -32600 for what is."""
    ours = fault.status == 424 or (fault.status >= 500 and fault.status != 501)
    code = -32603 if ours else -32600
    return json_text.encode({"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": fault.message}})
