"""Items of tools that OpenAI ran, and of agents that it let speak, as calls, results and messages that all models read.

They stand in histories that began at OpenAI and go on elsewhere (docs/wire/openai-responses.md#items-of-hosted-tools).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from agcore.conversation.values import Image, Text, ToolCall, ToolResult, Turn
from agcore.dialects.openai import media_parts as openai_media
from agcore.dialects.openai_responses.typed_tools import as_text
from agcore.dialects.shared.loose import objects_of, text_of

Members: TypeAlias = Mapping[str, object]
Content: TypeAlias = Text | Image

_UNTOLD: Final = "Its result is not part of this history."


class _Told:
    """What an item tells of a tool: how it was called, and what it gave back where the item says so."""

    def __init__(self, name: str, arguments: object, *content: Content, failed: bool = False, answered: bool = True):
        self.name = name
        self.arguments = arguments if isinstance(arguments, str) else as_text(arguments)
        self.content = content or (Text(_UNTOLD),)
        self.failed = failed
        self.answered = answered


def turns_of(item: Members, kind: str, id: str) -> list[Turn] | None:
    """The turns that an item stands for, its call by `id`; None for a kind of item that is unknown here.

    Raises Invalid.
    """
    if kind in _RESULTS:
        call_id, content, failed = _RESULTS[kind](item)
        return [Turn("user", (ToolResult(call_id or id, content, is_error=failed),))]
    if kind not in _CALLS:
        return None
    told = _CALLS[kind](item)
    call = Turn("assistant", (ToolCall(id, told.name, told.arguments),))
    if not told.answered:
        return [call]
    failed = told.failed or item.get("status") == "failed"
    return [call, Turn("user", (ToolResult(id, tuple(told.content), is_error=failed),))]


def call_id_of(item: Members) -> str:
    """The id that joins a call and its result; empty where the item has none."""
    return _text(item, "call_id") or _text(item, "id")


def _text(item: object, member: str) -> str:
    return text_of(item.get(member)) if isinstance(item, Mapping) else ""


def _said(text: str) -> tuple[Text, ...]:
    return (Text(text),) if text else ()


def _mcp_call(item: Members) -> _Told:
    error = item.get("error")
    name = f"mcp__{_text(item, 'server_label')}__{_text(item, 'name')}"
    arguments = _text(item, "arguments") or "{}"
    if error:
        return _Told(name, arguments, Text(error if isinstance(error, str) else as_text(error)), failed=True)
    output = item.get("output")
    return _Told(name, arguments, *_said(output if isinstance(output, str) else as_text(output) if output else ""))


def _mcp_list_tools(item: Members) -> _Told:
    arguments, error = {"server_label": _text(item, "server_label")}, item.get("error")
    if error:
        text = error if isinstance(error, str) else as_text(error)
        return _Told("mcp_list_tools", arguments, Text(text), failed=True)
    tools = [(_text(tool, "name"), _text(tool, "description")) for tool in objects_of(item.get("tools"))]
    lines = [f"- {name}: {description}" if description else f"- {name}" for name, description in tools]
    return _Told("mcp_list_tools", arguments, Text("\n".join(lines) or "The server has no tools."))


def _approval_request(item: Members) -> _Told:
    asked = {name: item.get(name) for name in ("server_label", "name", "arguments")}
    return _Told("mcp_approval_request", asked, answered=False)


def _approval(item: Members) -> tuple[str, tuple[Content, ...], bool]:
    said = "Approved" if item.get("approve") is True else "Not approved"
    reason = _text(item, "reason")
    return _text(item, "approval_request_id"), (Text(f"{said}: {reason}" if reason else f"{said}."),), False


def _code(item: Members) -> _Told:
    content: list[Content] = []
    for output in objects_of(item.get("outputs")):
        source = openai_media.source_of(_text(output, "url"))
        content += _said(_text(output, "logs")) if source is None else [Image(source)]
    if not content and isinstance(item.get("outputs"), list):
        content = [Text("There was no output.")]
    return _Told("code_interpreter", {"code": _text(item, "code")}, *content)


def _web_search(item: Members) -> _Told:
    action = item.get("action")
    members = action if isinstance(action, dict) else {}
    arguments = {name: value for name, value in members.items() if name != "sources" and value is not None}
    urls = [_text(source, "url") for source in objects_of(members.get("sources"))]
    return _Told("web_search", arguments, *_said("\n".join(url for url in urls if url)))


def _file_search(item: Members) -> _Told:
    found = [f"{_text(each, 'filename')}:\n{_text(each, 'text')}" for each in objects_of(item.get("results"))]
    if not found and isinstance(item.get("results"), list):
        found = ["Nothing was found."]
    return _Told("file_search", {"queries": item.get("queries") or []}, *(Text(each) for each in found))


def _picture(item: Members) -> _Told:
    """One that was never made: those that were are pictures of the assistant's."""
    why = _text(item.get("error"), "message")
    return _Told("image_generation", {"prompt": _text(item, "revised_prompt")}, *_said(why))


def _agents(item: Members) -> _Told:
    return _Told(_text(item, "action") or "multi_agent", _text(item, "arguments") or "{}", answered=False)


def _agents_output(item: Members) -> tuple[str, tuple[Content, ...], bool]:
    output = item.get("output")
    texts = [output] if isinstance(output, str) else [_text(part, "text") for part in objects_of(item.get("output"))]
    return _text(item, "call_id"), tuple(Text(text) for text in texts if text), False


def _program(item: Members) -> _Told:
    return _Told("program", {"code": _text(item, "code")}, answered=False)


def _program_output(item: Members) -> tuple[str, tuple[Content, ...], bool]:
    return _text(item, "call_id"), _said(_text(item, "result")), item.get("status") == "incomplete"


_CALLS: Final[Mapping[str, Callable[[Members], _Told]]] = {
    "mcp_call": _mcp_call,
    "mcp_list_tools": _mcp_list_tools,
    "mcp_approval_request": _approval_request,
    "code_interpreter_call": _code,
    "web_search_call": _web_search,
    "file_search_call": _file_search,
    "image_generation_call": _picture,
    "multi_agent_call": _agents,
    "program": _program,
}
_RESULTS: Final[Mapping[str, Callable[[Members], tuple[str, tuple[Content, ...], bool]]]] = {
    "mcp_approval_response": _approval,
    "multi_agent_call_output": _agents_output,
    "program_output": _program_output,
}
