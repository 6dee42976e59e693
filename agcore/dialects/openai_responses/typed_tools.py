"""Tools of Responses that the client runs under a type of their own (docs/wire/tools.md).

Models elsewhere see functions with the documented schema. Their calls become typed items again, and typed items of a
history become calls and results that every model can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid, Json, Text, Tool
from agcore.dialects.openai.parts_reader import Content, read_seen

Members = Mapping[str, object]

TOOL_SEARCH: Final = "tool_search"
_PREVIEW: Final = "computer_use_preview"

_STRINGS: Final = {"type": "array", "items": {"type": "string"}}
_POINT: Final = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}
_ACTION: Final = {
    "type": "object",
    "properties": {
        "type": {
            "type": "string",
            "enum": [
                *("click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"),
            ],
        },
        "x": {"type": "integer", "description": "Pixels from the left edge of the screenshot."},
        "y": {"type": "integer", "description": "Pixels from its top edge."},
        "button": {"type": "string", "enum": ["left", "right", "wheel", "back", "forward"]},
        "scroll_x": {"type": "integer"},
        "scroll_y": {"type": "integer"},
        "path": {"type": "array", "items": _POINT, "description": "The points of a drag."},
        "keys": {**_STRINGS, "description": "The keys to press, or to hold meanwhile."},
        "text": {"type": "string", "description": "What to type."},
    },
    "required": ["type"],
}
_NEEDED: Final[Mapping[str, Mapping[str, type]]] = {
    "click": {"x": int, "y": int},
    "double_click": {"x": int, "y": int},
    "drag": {"path": list},
    "keypress": {"keys": list},
    "move": {"x": int, "y": int},
    "screenshot": {},
    "scroll": {"x": int, "y": int},
    "type": {"text": str},
    "wait": {},
}
"""What the documentation demands of an action by its type."""
_DEFAULTS: Final[Mapping[str, Members]] = {
    "click": {"button": "left"},
    "double_click": {"keys": None},
    "scroll": {"scroll_x": 0, "scroll_y": 0},
}
"""What it demands too, and what can be said where a model did not."""

_TYPED: Final[Mapping[str, tuple[str, str, Members]]] = {
    "local_shell": (
        "local_shell",
        "Runs a command on the user's machine and returns its output.",
        {
            "type": "object",
            "properties": {
                "command": {**_STRINGS, "description": "The program and its arguments."},
                "working_directory": {"type": "string"},
                "timeout_ms": {"type": "integer"},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
                "user": {"type": "string"},
            },
            "required": ["command"],
        },
    ),
    "shell": (
        "shell",
        "Runs shell commands and returns what each of them printed and how it ended.",
        {
            "type": "object",
            "properties": {
                "commands": {**_STRINGS, "description": "Shell commands, run in order."},
                "timeout_ms": {"type": "integer"},
                "max_output_length": {"type": "integer"},
            },
            "required": ["commands"],
        },
    ),
    "apply_patch": (
        "apply_patch",
        "Creates, updates or deletes one file.",
        {
            "type": "object",
            "properties": {
                "operation": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                        "path": {"type": "string", "description": "Relative to the root of the workspace."},
                        "diff": {"type": "string", "description": "The change as a V4A diff; none to delete a file."},
                    },
                    "required": ["type", "path"],
                }
            },
            "required": ["operation"],
        },
    ),
    TOOL_SEARCH: (
        TOOL_SEARCH,
        "Searches the tools that are not listed here. What it finds can be called from then on.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What a tool should be able to do."},
                "limit": {"type": "integer", "description": "The most tools to return."},
            },
            "required": ["query"],
        },
    ),
    "computer": (
        "computer",
        "Controls the user's screen, mouse and keyboard, and returns a screenshot.",
        {
            "type": "object",
            "properties": {"actions": {"type": "array", "items": _ACTION, "description": "Done in order."}},
            "required": ["actions"],
        },
    ),
    _PREVIEW: (
        "computer",
        "Controls the user's screen, mouse and keyboard, and returns a screenshot.",
        {"type": "object", "properties": {"action": _ACTION}, "required": ["action"]},
    ),
}
"""The tools: the function that stands for each, and what models are told of it."""

CALLS: Final[Mapping[str, str]] = {f"{name}_call": name for name, _, _ in _TYPED.values()}
"""Type of an item that calls such a tool -> the function's name."""
OUTPUTS: Final[Mapping[str, str]] = {
    "tool_search_output" if name == TOOL_SEARCH else f"{name}_call_output": name for name in CALLS.values()
}
"""Type of an item that holds what such a tool gave back -> the function's name."""


def function_of(tool: Members) -> Tool | None:
    """The function that stands for a typed tool; None for one that the vendor runs, or that has no type of its own."""
    kind = str(tool["type"])
    if kind not in _TYPED or _is_hosted(tool):
        return None
    name, description, parameters = _TYPED[kind]
    if kind == TOOL_SEARCH:
        said, schema = tool.get("description"), tool.get("parameters")
        description = said if isinstance(said, str) and said else description
        parameters = schema if isinstance(schema, dict) and schema else parameters
    elif kind == _PREVIEW:
        width, height, environment = (tool.get(each) for each in ("display_width", "display_height", "environment"))
        if isinstance(width, int) and isinstance(height, int):
            description += f" The screen has {width} by {height} pixels."
        if isinstance(environment, str):
            description += f" It is of the kind {environment}."
    return Tool(name, description, parameters, strict=False, typed=kind)


def name_of(kind: object) -> str:
    """The name of the function that stands for a type of tool; empty for a type that has none."""
    return _TYPED[kind][0] if isinstance(kind, str) and kind in _TYPED else ""


def _is_hosted(tool: Members) -> bool:
    """Whether the vendor runs it: a shell in a container, a search that does not say otherwise."""
    if tool["type"] == TOOL_SEARCH:
        return tool.get("execution") != "client"
    environment = tool.get("environment")
    return isinstance(environment, dict) and environment.get("type") not in (None, "local")


def arguments_of(item: Members, name: str) -> str:
    """The arguments that the function was called with by a typed call."""
    if name == "apply_patch":
        return as_text({"operation": item.get("operation") or {}})
    if name == TOOL_SEARCH:
        arguments = item.get("arguments")
        return arguments if isinstance(arguments, str) else as_text(arguments or {})
    if name == "computer":
        member = "actions" if item.get("actions") else "action"
        return as_text({member: item.get(member) or {}})
    action = item.get("action")
    members = action if isinstance(action, dict) else {}
    return as_text({name: value for name, value in members.items() if name != "type" and value not in (None, {})})


def output_of(item: Members, name: str, path: str, losses: Losses) -> tuple[list[Content], bool]:
    """What a typed tool gave back, and whether it failed. Raises Invalid."""
    output, failed = item.get("output"), item.get("status") == "failed"
    if name == TOOL_SEARCH:
        return [Text(_found(item.get("tools")))], failed
    if name == "computer":
        for check in ("acknowledged_safety_checks", "pending_safety_checks"):
            if item.get(check):
                losses.add(f"{path}.{check}", "safety checks are their vendor's own", weight="note")
        return _screenshot(output, f"{path}.output"), failed
    if isinstance(output, str) and output:
        return [Text(output)], failed
    if name == "apply_patch":
        return [Text("The patch failed." if failed else "Done.")], failed
    return ([Text(as_text(output))] if output else []), failed


def _found(tools: object) -> str:
    """The tools that a search found, by the names under which they can be called."""
    lines = list(_listed(tools, ""))
    return "\n".join(["These tools can be called now:", *lines]) if lines else "No tools were found."


def _listed(tools: object, namespace: str) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        name, description = tool.get("name"), tool.get("description")
        if tool.get("type") == "namespace":
            yield from _listed(tool.get("tools"), f"{name}__")
        else:
            shown = f"- {namespace}{name or tool.get('type')}"
            yield f"{shown}: {description}" if isinstance(description, str) and description else shown


def _screenshot(output: object, path: str) -> list[Content]:
    if isinstance(output, dict) and (output.get("image_url") or output.get("file_id")):
        return [read_seen(output, "computer_screenshot", f"{path}.")]
    return [Text(output)] if isinstance(output, str) and output else []


def call_of(arguments: str, kind: str) -> dict[str, object] | None:
    """What the item of a typed call says in place of `arguments`; None where the model wrote something else."""
    try:
        said = json_text.decode(arguments.encode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    if kind == TOOL_SEARCH:
        return {"execution": "client", "arguments": said}
    if kind == "apply_patch":
        return _patch(said)
    if kind in ("computer", _PREVIEW):
        return _actions(said, one=kind == _PREVIEW)
    return _command(said, kind)


def item_type(kind: str) -> str:
    """The type of the item that calls a tool of a type."""
    return f"{_TYPED[kind][0]}_call"


def _patch(said: Members) -> dict[str, object] | None:
    operation = said.get("operation")
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        return None
    deletes = operation.get("type") == "delete_file"
    fits = deletes or (
        operation.get("type") in ("create_file", "update_file") and isinstance(operation.get("diff"), str)
    )
    members = ("type", "path") if deletes else ("type", "path", "diff")
    return {"operation": {name: operation[name] for name in members}} if fits else None


def _actions(said: Members, *, one: bool) -> dict[str, object] | None:
    """One action or several, whichever of the two the model wrote."""
    actions = said.get("actions", [said.get("action")])
    if not isinstance(actions, list) or not actions:
        return None
    shown = []
    for action in actions:
        kind = action.get("type") if isinstance(action, dict) else None
        needed = _NEEDED.get(kind) if isinstance(kind, str) else None
        if kind is None or needed is None or not all(isinstance(action.get(name), of) for name, of in needed.items()):
            return None
        shown.append({**_DEFAULTS.get(kind, {}), **action})
    if one:
        return {"action": shown[0], "pending_safety_checks": []} if len(shown) == 1 else None
    return {"actions": shown, "pending_safety_checks": []}


def _command(said: Members, kind: str) -> dict[str, object] | None:
    name, shell = ("command", ["bash", "-lc"]) if kind == "local_shell" else ("commands", [])
    command = said.get(name)
    if isinstance(command, str):
        command = [*shell, command]
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        return None
    members_of = _TYPED[kind][2]["properties"]
    assert isinstance(members_of, dict)
    action = {name: command, **dict(_optional(said, members_of.keys() - {name}))}
    return {"action": {"type": "exec", "env": {}, **action} if kind == "local_shell" else action}


def _optional(said: Members, names: Iterable[str]) -> Iterator[tuple[str, object]]:
    kinds: Mapping[str, type] = {"timeout_ms": int, "max_output_length": int, "env": dict}
    for name in sorted(names):
        value = said.get(name)
        if isinstance(value, kinds.get(name, str)):
            yield name, value


def as_text(value: Json) -> str:
    """`value` as compact JSON text. Raises Invalid for what is nested too deeply."""
    try:
        return json_text.encode(value).decode()
    except ValueError as error:
        raise Invalid(str(error)) from None
