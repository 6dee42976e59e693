"""Tools that clients of Anthropic run, and whose schema Claude knows by heart: written out for models that do not.

A request names such a tool by a dated type (`bash_20250124`) and gives no schema. Its calls come back as ordinary
`tool_use` blocks, so that a function of the same name and schema is the same thing to the client.
"""

from __future__ import annotations

from typing import Final

from agcore.conversation.values import Tool

_TEXT: Final[dict[str, object]] = {"type": "string"}
_WHOLE: Final[dict[str, object]] = {"type": "integer"}
_PAIR: Final[dict[str, object]] = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
_EDITOR: Final[dict[str, object]] = {
    "path": {"type": "string", "description": "Absolute path of a file or directory."},
    "file_text": {"type": "string", "description": "For `create`: the whole text of the new file."},
    "old_str": {"type": "string", "description": "For `str_replace`: the text to replace; it must occur once."},
    "new_str": {"type": "string", "description": "For `str_replace`: the text to put in its place."},
    "insert_line": {"type": "integer", "description": "For `insert`: the line after which to insert; 0 is the top."},
    "insert_text": {"type": "string", "description": "For `insert`: the text to insert."},
    "view_range": {**_PAIR, "description": "For `view`: first and last line, from 1; -1 is the end."},
}


def _commands(*names: str) -> dict[str, object]:
    return {"type": "string", "enum": list(names)}


_TOOLS: Final[dict[str, tuple[str, dict[str, object], list[str]]]] = {
    "bash": (
        "Runs a command in a persistent bash session and returns its output.",
        {"command": _TEXT, "restart": {"type": "boolean", "description": "Start the session anew instead."}},
        [],
    ),
    "text_editor": (
        "Views, creates and edits text files.",
        {"command": _commands("view", "create", "str_replace", "insert"), **_EDITOR},
        ["command", "path"],
    ),
    "memory": (
        "Reads and writes files under /memories, which persist between conversations.",
        {
            "command": _commands("view", "create", "str_replace", "insert", "delete", "rename"),
            **_EDITOR,
            "old_path": _TEXT,
            "new_path": _TEXT,
        },
        ["command"],
    ),
    "computer": (
        "Operates a computer by screenshots, mouse and keyboard.",
        {
            "action": _commands(
                "screenshot", "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click",
                "middle_click", "double_click", "triple_click", "left_mouse_down", "left_mouse_up", "scroll",
                "hold_key", "wait", "cursor_position", "zoom",
            ),
            "coordinate": {**_PAIR, "description": "x and y in pixels."},
            "start_coordinate": {**_PAIR, "description": "For `left_click_drag`: where to start."},
            "text": {"type": "string", "description": "Text to type, or keys to press or hold."},
            "scroll_direction": _commands("up", "down", "left", "right"),
            "scroll_amount": _WHOLE,
            "duration": {"type": "number", "description": "Seconds to wait or hold."},
            "region": {"type": "array", "items": {"type": "integer"}, "description": "For `zoom`: x0, y0, x1, y1."},
        },
        ["action"],
    ),
}  # fmt: skip


def typed_tool(family: str, tool: dict[str, object]) -> Tool | None:
    """The function that does for a typed tool.

    Args:
        family: The tool's type without its date.
        tool: Its definition.

    Returns:
        A function of the same name; None for what clients do not run themselves.
    """
    known = _TOOLS.get(family)
    if known is None:
        return None
    description, properties, required = known
    name, width, height = tool.get("name"), tool.get("display_width_px"), tool.get("display_height_px")
    if isinstance(width, int) and isinstance(height, int):
        description += f" The screen is {width} x {height} pixels."
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(name if isinstance(name, str) and name else family, description, schema)
