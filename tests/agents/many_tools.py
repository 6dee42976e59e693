"""An MCP server over standard input with 130 tools, of which one reads the note."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from msgspec import json

from tests.support.vendors.script import LOOKUP, NOTE

TOOLS = [
    {
        "name": f"lookup_{number:03}",
        "description": f"Looks up what record book {number} says of a key. " + "Books are kept by year and place. " * 4,
        "inputSchema": {
            "type": "object",
            "properties": {"key": {"type": "string", "description": "What to look for"}},
            "required": ["key"],
        },
    }
    for number in range(130)
]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What a request gets."""
    if method == "initialize":
        version = params["protocolVersion"]
        return {
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "many", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        text = Path(NOTE).read_text(encoding="utf-8") if params["name"] == LOOKUP else "nothing"
        return {"content": [{"type": "text", "text": text}]}
    return {}


def main() -> None:
    """Answers line by line until the input ends."""
    for line in sys.stdin.buffer:
        message = json.decode(line)
        if "id" in message:
            result = answer(message["method"], message.get("params") or {})
            sys.stdout.buffer.write(json.encode({"jsonrpc": "2.0", "id": message["id"], "result": result}) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
