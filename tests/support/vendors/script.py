"""What a strict vendor's model says: it reads a file by the tool that a client offers for that, and tells what it read.

The file holds a word that stands nowhere else (`NONCE`), so that a client which shows it has run the tool, brought back
what it said, and understood the answer.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from agcore.demo.wire import Call, Wire
from tests.support.vendors.rule import Json, objects

NONCE: Final = re.compile(rb"NONCE-[0-9a-f]{8}")
NOTE: Final = "note.txt"
"""The file that holds it, in the client's working directory."""
_READ: Final = f"cat {NOTE}"
_ABOUT: Final = "Read the note"

LOOKUP: Final = "lookup_077"
"""The tool of an MCP server of 130 that is asked for where a prompt names it."""
SEARCH: Final = "tool_search"

_SHELLS: Final[dict[str, Json]] = {
    "Bash": {"command": _READ, "description": _ABOUT},
    "exec_command": {"cmd": _READ},
    "shell_command": {"command": _READ},
    "shell": {"command": ["bash", "-lc", _READ]},
    "run_shell_command": {"command": _READ, "description": _ABOUT},
    "bash": {"command": _READ, "description": _ABOUT},
}
"""Tools that run a command, by the names that clients give them, and how each is called."""

_SCRIPT: Final = f'const ran = await tools.exec_command({{cmd: "{_READ}"}});\ntext(ran.output);\n'
"""For Codex's tool that runs JavaScript, in which its other tools are functions (its newest models have no others)."""
_SCRIPTS: Final = ("exec", "functions__exec")

_EDIT: Final = """Here is the change.

answer.txt
```
<<<<<<< SEARCH
=======
{nonce}
>>>>>>> REPLACE
```
"""
"""For aider, whose models write blocks of text in place of calls."""


class Offered(msgspec.Struct, frozen=True):
    """A tool that a request offers."""

    name: str
    namespace: str | None = None
    custom: bool = False
    """It takes text in place of an object."""


def offered(wire: Wire, body: Json) -> list[Offered]:
    """Returns the tools of a request that a model may call."""
    tools = body.get("tools") or []
    if wire is Wire.CHAT:
        return [Offered(tool[tool["type"]]["name"], custom=tool["type"] == "custom") for tool in tools]
    if wire is Wire.GEMINI:
        return [Offered(each["name"]) for tool in tools for each in tool.get("functionDeclarations") or ()]
    if wire is Wire.MESSAGES:
        return [Offered(tool["name"]) for tool in tools]
    found = [each for item in body["input"] if isinstance(item, dict) for each in item.get("tools") or ()]
    listed: list[Offered] = []
    for tool in [*tools, *found]:
        space = tool["name"] if tool["type"] == "namespace" else None
        within = tool["tools"] if space else [tool]
        listed += [Offered(each.get("name") or each["type"], space, each["type"] == "custom") for each in within]
    return listed


def said(wire: Wire, body: Json, raw: bytes) -> str | Call | None:
    """Returns the model's next step: a call, a text, or None where the request asks for something else (a title, JSON).

    Args:
        wire: The dialect of the request.
        body: The request, with Google's names in camelCase.
        raw: The same as it came.
    """
    if found := NONCE.search(raw):
        return _EDIT.format(nonce=found[0].decode()) if b"<<<<<<< SEARCH" in raw else f"It says {found[0].decode()}."
    tools = offered(wire, body)
    wanted = _lookup(tools) if LOOKUP.encode() in raw else None
    return wanted or next((call for tool in tools if (call := _reading(tool))), None)


def _reading(tool: Offered) -> Call | None:
    if tool.name in _SCRIPTS:
        return Call(tool.name, _SCRIPT if tool.custom else {"input": _SCRIPT}, tool.namespace)
    arguments = _SHELLS.get(tool.name)
    return Call(tool.name, arguments, tool.namespace) if arguments else None


def _lookup(tools: list[Offered]) -> Call | None:
    for tool in tools:
        if tool.name.endswith(LOOKUP):
            return Call(tool.name, {"key": "note"}, tool.namespace)
    return next((Call(tool.name, {"query": LOOKUP, "limit": 3}) for tool in tools if tool.name == SEARCH), None)


def asks_for_thoughts(body: Json) -> bool:
    """Whether a request lets a model think where that has to be asked for."""
    kinds = [each.get("type") for each in objects(body.get("thinking"))]
    return kinds in (["enabled"], ["adaptive"]) or bool(body.get("reasoning") or body.get("reasoning_effort"))
