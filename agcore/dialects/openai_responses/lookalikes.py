"""What look-alikes of Responses take: functions, messages, calls, outputs (docs/wire/lookalikes.md#responses)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.dialects.shared.loose import objects_of
from agcore.models.vendor_profile import VendorProfile

_Object = dict[str, object]
_Get = Callable[[str], object]

_FUNCTION: Final = frozenset({"type", "name", "description", "parameters", "strict"})
_ITEMS: Final = {
    "message": frozenset({"type", "role", "content", "id", "status"}),
    "function_call": frozenset({"type", "id", "call_id", "name", "arguments", "status"}),
    "function_call_output": frozenset({"type", "id", "call_id", "output", "status"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content", "status"}),
}
"""The items that all know, with the members that all know."""
_INSTRUCTS: Final = ("system", "developer")


def is_foreign(get: _Get, upstream: VendorProfile) -> bool:
    """Whether a request has tools or items that the look-alike does not know.

    A request that goes on from a response that is kept there passes: only there its beginning is known.
    """
    if get("previous_response_id") is not None:
        return False
    known = {"function", *upstream.known_tools}
    if any(tool.get("type") not in known for tool in objects_of(get("tools"))):
        return True
    return any(not _is_known_item(item, upstream) for item in objects_of(get("input")))


def changes(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """The members of a request to change; a custom tool only where the request was written anew."""
    found: _Object = {}
    if get("previous_response_id") is not None:
        return found
    tools = [_written_tool(tool, upstream, losses) for tool in objects_of(get("tools"))]
    kept = [tool for tool in tools if tool]
    choice = _written_choice(get("tool_choice"), upstream, losses)
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        names = {each.get("name") for each in objects_of(choice.get("tools"))}
        kept = [tool for tool in kept if tool.get("name") in names]
        losses.add("tool_choice", "only OpenAI takes a list of allowed tools", action="sent only those", weight="note")
        choice = choice.get("mode")
    if get("tools") is not None and kept != get("tools"):
        found["tools"] = kept or None
    if not kept and get("parallel_tool_calls") is not None:
        found["parallel_tool_calls"] = None
    if get("tool_choice") is not None and (not kept or choice != get("tool_choice")):
        found["tool_choice"] = choice if kept else None
    items = get("input")
    if isinstance(items, list):
        instructions = get("instructions")
        text, written = _written_items(items, instructions if isinstance(instructions, str) else "", upstream, losses)
        if written != items:
            found["input"] = written
        if text != (instructions or ""):
            found["instructions"] = text
    return found


def _is_known(kind: object, upstream: VendorProfile) -> bool:
    return kind in upstream.known_tools


def _is_known_item(item: _Object, upstream: VendorProfile) -> bool:
    kind = item.get("type", "message")
    if not isinstance(kind, str):
        return False
    if any(kind.startswith(f"{each}_") for each in upstream.known_tools):
        return True
    return kind in _ITEMS and item.get("namespace") is None


def _written_tool(tool: _Object, upstream: VendorProfile, losses: Losses) -> _Object | None:
    kind = tool.get("type")
    if _is_known(kind, upstream):
        return tool
    if kind == "function":
        return {name: value for name, value in tool.items() if name in _FUNCTION}
    if kind != "custom":
        losses.add(f"tools.{kind}", "this upstream runs no such tool")
        return None
    shape = tool.get("format")
    told = "The tool's whole input, as plain text."
    if isinstance(shape, dict) and shape.get("type") == "grammar":
        told += f" It must match this {shape.get('syntax')} grammar:\n{shape.get('definition')}"
    parameters = {
        "type": "object",
        "properties": {"input": {"type": "string", "description": told}},
        "required": ["input"],
    }
    described: _Object = {name: value for name, value in tool.items() if name in ("name", "description")}
    return {"type": "function", **described, "parameters": parameters, "strict": False}


def _written_choice(choice: object, upstream: VendorProfile, losses: Losses) -> object:
    if not isinstance(choice, dict) or choice.get("type") in ("function", "allowed_tools"):
        return choice
    if _is_known(choice.get("type"), upstream):
        return choice
    if choice.get("type") == "custom":
        return {**choice, "type": "function"}
    losses.add("tool_choice", "this upstream runs no such tool")
    return "auto"


def _written_items(
    items: list[object], instructions: str, upstream: VendorProfile, losses: Losses
) -> tuple[str, list[object]]:
    """The instructions and the items as the look-alike takes them."""
    lead = [instructions] if instructions else []
    written: list[object] = []
    for item in items:
        if not isinstance(item, dict):
            written.append(item)
        elif item.get("role") in _INSTRUCTS:
            said = _texts(item.get("content"))
            if not written and upstream.leading_system == "one" and said is not None:
                lead.append("\n\n".join(said))
            elif written and upstream.late_system != "in_place" and said is not None:
                told = [
                    {"type": "input_text", "text": f"<system-reminder>\n{text}\n</system-reminder>"} for text in said
                ]
                written.append({"type": "message", "role": "user", "content": told})
            else:
                written.append(item if upstream.developer_role else {**item, "role": "system"})
        else:
            written.append(_written_item(item, upstream, losses))
    return "\n\n".join(lead), [item for item in written if item is not None]


def _written_item(item: _Object, upstream: VendorProfile, losses: Losses) -> _Object | None:
    kind = item.get("type", "message")
    if kind == "custom_tool_call" and "custom" not in upstream.known_tools:
        arguments = json_text.encode({"input": item.get("input")}).decode()
        rest = {name: value for name, value in item.items() if name != "input"}
        return {**rest, "type": "function_call", "arguments": arguments}
    if kind == "custom_tool_call_output" and "custom" not in upstream.known_tools:
        return {**item, "type": "function_call_output"}
    if kind in _ITEMS:
        return _plain(item)
    if _is_known_item(item, upstream):
        return item
    losses.add("input", f"{kind} is unknown to this upstream")
    return None


def _plain(item: _Object) -> _Object:
    """An item in the members that all know, without those that say nothing."""
    known = _ITEMS[str(item.get("type", "message"))]
    return {name: value for name, value in item.items() if name in known and value is not None}


def _texts(content: object) -> list[str] | None:
    """The texts of a message; None where it holds something else."""
    if isinstance(content, str):
        return [content]
    texts = [part.get("text") for part in objects_of(content)]
    known = [text for text in texts if isinstance(text, str)]
    return known if isinstance(content, list) and len(known) == len(content) else None
