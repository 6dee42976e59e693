"""Chat's tools and tool choice, read from a client and written for an upstream (docs/wire/tools.md).

Clients send more than Chat's own nested form: the flat one of Responses, Anthropic's with `input_schema`, and the
deprecated `functions`. A custom (free-form) tool is one only at OpenAI; elsewhere it becomes a function with a single
string, and the answer's reader turns its calls back.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.schemas.writer import write_schema
from agcore.conversation.values import Conversation, HostedTool, Invalid, Tool, ToolChoice
from agcore.dialects.openai.fields import Fields, as_members, flag, items, needed_text, text, wrong
from agcore.dialects.openai.parts_reader import cache_marker
from agcore.dialects.openai.schemas import parameters_target
from agcore.dialects.openai_chat.reasoning import thinks
from agcore.dialects.openai_chat.traits import NAME
from agcore.dialects.shared.unread import note_unread
from agcore.dialects.shared.web_search import chat_options, terms_of
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

EMULATED_INPUT: Final = "input"
"""The one parameter of a function that stands for a custom tool."""

_Mode = Literal["auto", "none", "required"]
_MODES: Final[dict[str, _Mode]] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
_NAMING: Final = ("function", "custom", "tool")
_HOSTED: Final = (("web_search", "web_search"), ("code_interpreter", "code_execution"))
_DATED: Final = re.compile(r"_20\d{6}$")
"""What ends the types of Anthropic's own tools."""
_OUTSIDE: Final = frozenset({"type", "function", "custom", "input_schema"})
_INSIDE: Final = frozenset({
    "name", "description", "parameters", "strict", "format", "cache_control", "prompt_cache_breakpoint"
})  # fmt: skip
"""What is read of a tool, beside its definition and in it; clients mix the places up."""
_SEARCHES: Final = re.compile(r"-search-(?:preview|api)\b")
"""OpenAI's names for models that search; others refuse to be asked to."""


def official(profile: Profile) -> bool:
    """Whether a model is OpenAI's, served by OpenAI: its open weights are served by everybody else."""
    return profile.vendor == "openai" and "gpt-oss" not in profile.model


def read_tools(body: Fields, losses: Losses) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """The tools of a request: those the client runs, and those its vendor would."""
    tools: list[Tool] = []
    hosted: list[HostedTool] = []
    for index, item in enumerate(items(body, "tools")):
        path = f"tools[{index}]"
        _note_unread(item, path, losses)
        tool = _read_any(as_members(item, path), path, losses)
        (tools if isinstance(tool, Tool) else hosted).append(tool)  # type: ignore[arg-type]
    for index, item in enumerate(items(body, "functions")):
        tools.append(_function(as_members(item, f"functions[{index}]"), f"functions[{index}]."))
    search = body.get("web_search_options")
    if isinstance(search, dict):
        hosted.append(HostedTool(NAME, "web_search", search))
    return tuple(tools), tuple(hosted)


def _read_any(item: dict[str, object], path: str, losses: Losses) -> Tool | HostedTool:
    """One tool in any form; those of Anthropic's that a dated type names are read by its own reader."""
    kind = item.get("type")
    if isinstance(kind, str) and _DATED.search(kind):
        from agcore.dialects.anthropic.tools_reader import read_tool as read_anthropic_tool

        return read_anthropic_tool(item, path, losses)
    return read_tool(item, path + ".")


def _note_unread(item: object, path: str, losses: Losses) -> None:
    if not isinstance(item, dict) or item.get("type") not in (None, "function", "custom"):
        return  # what a vendor runs is kept whole
    note_unread(item, _OUTSIDE | _INSIDE, path + ".", losses)
    for name in ("function", "custom"):
        if isinstance(item.get(name), dict):
            note_unread(item[name], _INSIDE, f"{path}.{name}.", losses)


def read_tool(item: dict[str, object], path: str) -> Tool | HostedTool:
    """One tool, whose members stand at `path`. Raises Invalid for what is none."""
    kind = text(item, "type", path)
    if "input_schema" in item:
        return _function({**item, "parameters": item["input_schema"]}, path)
    if kind == "custom":
        nested = item.get("custom")
        if nested is None:
            return _custom(item, path)
        return _custom(
            {"cache_control": item.get("cache_control"), **as_members(nested, path + "custom")}, path + "custom."
        )
    if kind in ("", "function"):
        nested = item.get("function")
        if nested is None:
            return _function(item, path)
        return _function(
            {"cache_control": item.get("cache_control"), **as_members(nested, path + "function")}, path + "function."
        )
    neutral = next((word for prefix, word in _HOSTED if kind.startswith(prefix)), kind)
    return HostedTool(NAME, neutral, item)


def _function(fields: Fields, path: str) -> Tool:
    parameters = fields.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong(path + "parameters", "an object")
    return Tool(
        needed_text(fields, "name", path),
        description=text(fields, "description", path),
        parameters=parameters,
        strict=flag(fields, "strict", path),
        cache=cache_marker(fields),
    )


def _custom(fields: Fields, path: str) -> Tool:
    shape, grammar = fields.get("format"), None
    if isinstance(shape, dict) and shape.get("type") == "grammar":
        nested = shape.get("grammar", shape)
        inner = as_members(nested, path + "format.grammar")
        where = path + "format.grammar."
        grammar = (needed_text(inner, "syntax", where), needed_text(inner, "definition", where))
    name, description = needed_text(fields, "name", path), text(fields, "description", path)
    return Tool(name, description=description, custom=True, grammar=grammar, cache=cache_marker(fields))


def read_tool_choice(body: Fields) -> ToolChoice | None:
    """Which tools the model may or must call, in Chat's words, Anthropic's, or the deprecated `function_call`."""
    for field in ("tool_choice", "function_call"):
        value = body.get(field)
        if value is not None:
            return read_choice(value, field)
    return None


def read_choice(value: object, path: str) -> ToolChoice:
    """Which tools the member at `path` lets the model call, or makes it call. Raises Invalid."""
    if isinstance(value, str):
        mode = _MODES.get(value)
        if mode is None:
            raise Invalid(f"`{path}` must be `auto`, `none`, `required` or an object", param=path)
        return ToolChoice(mode)
    fields = as_members(value, path)
    kind = text(fields, "type", path + ".")
    if kind in _MODES:
        return ToolChoice(_MODES[kind])
    if kind == "allowed_tools":
        nested = fields.get(kind)
        return _allowed(fields if nested is None else as_members(nested, f"{path}.{kind}"), path)
    if kind in _NAMING or (not kind and "name" in fields):
        nested = fields.get(kind)
        named = fields if nested is None else as_members(nested, f"{path}.{kind}")
        return ToolChoice("required", (needed_text(named, "name", path + "."),))
    raise Invalid(f"`{path}.type` is not known: {kind!r}", param=path + ".type")


def _allowed(fields: Fields, path: str) -> ToolChoice:
    names = []
    for index, item in enumerate(items(fields, "tools", path + ".")):
        where = f"{path}.tools[{index}]"
        tool = as_members(item, where)
        nested = tool.get(text(tool, "type", where + "."))
        names.append(needed_text(nested if isinstance(nested, dict) else tool, "name", where + "."))
    return ToolChoice("required" if fields.get("mode") == "required" else "auto", tuple(names))


def write_tools(conversation: Conversation, profile: Profile, losses: Losses) -> dict[str, object]:
    """The members of a request that concern tools; none where there are no tools to speak of."""
    body: dict[str, object] = {}
    _write_hosted(conversation, profile, body, losses)
    tools, choice = conversation.tools, conversation.tool_choice
    if tools and not profile.tools:
        losses.add("tools", f"{profile.model} takes no tools")
        return body
    names = choice.names if choice is not None else ()
    single = choice is not None and choice.mode == "required" and len(names) == 1
    allowing = bool(names) and not single
    if single and profile.upstream.forced_tool == "by_word":
        tools, single = tuple(tool for tool in tools if tool.name in names), False
    if allowing and not official(profile):
        tools = tuple(tool for tool in tools if tool.name in names)
        losses.add("tool_choice", "only OpenAI takes a list of allowed tools", action="sent only those", weight="note")
    if not tools:
        return body
    body["tools"] = [_write_tool(tool, index, profile, losses) for index, tool in enumerate(tools)]
    if choice is not None and single:
        body["tool_choice"] = _named(names[0], tools, profile)
    elif choice is not None and allowing and official(profile):
        allowed = [_named(name, tools, profile) for name in names]
        body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": allowed}}
    elif choice is not None:
        body["tool_choice"] = choice.mode
    if choice is not None:
        _take_back_force(conversation, profile, body, losses)
    if conversation.parallel_calls is False:  # true is the default, and some models refuse the member
        body["parallel_tool_calls"] = False
    return body


def _take_back_force(conversation: Conversation, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """Demand no call of a model that takes no such demand, and offer nothing where none may be made."""
    mode, manner = body["tool_choice"], profile.upstream.forced_tool
    if mode == "none" and manner == "refused":
        del body["tools"], body["tool_choice"]
    elif mode not in ("none", "auto") and (
        manner == "refused" or (manner == "not_while_thinking" and thinks(conversation.reasoning, profile))
    ):
        body["tool_choice"] = "auto"
        losses.add("tool_choice", f"{profile.model} cannot be made to call a tool here", action="left to the model")


def _write_hosted(conversation: Conversation, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    for hosted in conversation.hosted_tools:
        if hosted.kind == "image_generation":
            continue  # what `pictures` says
        if hosted.kind == "web_search" and official(profile) and _SEARCHES.search(profile.model):
            own = hosted.dialect == NAME and isinstance(hosted.value, dict) and "type" not in hosted.value
            body["web_search_options"] = hosted.value if own else chat_options(terms_of(hosted, losses), losses)
        else:
            weight: Weight = "refuse" if hosted.forced else "warn"
            losses.add(f"tools.{hosted.kind}", "this upstream runs no such tool", weight=weight)


def _named(name: str, tools: tuple[Tool, ...], profile: Profile) -> dict[str, object]:
    custom = official(profile) and any(tool.custom for tool in tools if tool.name == name)
    kind = "custom" if custom else "function"
    return {"type": kind, kind: {"name": name}}


def _write_tool(tool: Tool, index: int, profile: Profile, losses: Losses) -> dict[str, object]:
    if tool.cache:
        losses.add(f"tools[{index}].cache_control", "Chat upstreams cache on their own", weight="note")
    described: dict[str, object] = {"name": tool.name}
    if tool.description:
        described["description"] = tool.description
    if not tool.custom:
        if isinstance(tool.parameters, dict) and tool.parameters:
            target = parameters_target(profile, strict=bool(tool.strict))
            path = f"tools[{index}].function.parameters"
            described["parameters"] = write_schema(tool.parameters, target, path, losses)
        if tool.strict is not None:
            described["strict"] = tool.strict
        return {"type": "function", "function": described}
    if not official(profile):
        described["parameters"] = _emulated(tool)
        return {"type": "function", "function": described}
    if tool.grammar is not None:
        syntax, definition = tool.grammar
        described["format"] = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return {"type": "custom", "custom": described}


def _emulated(tool: Tool) -> dict[str, object]:
    """The parameters of a function that stands for a custom tool."""
    described = "The tool's whole input, as plain text."
    if tool.grammar is not None:
        described += f" It must match this {tool.grammar[0]} grammar:\n{tool.grammar[1]}"
    return {
        "type": "object",
        "properties": {EMULATED_INPUT: {"type": "string", "description": described}},
        "required": [EMULATED_INPUT],
    }


def emulated_arguments(text: str) -> str:
    """The arguments of a function call that stands for a custom tool's call with the input `text`."""
    return json_text.encode({EMULATED_INPUT: text}).decode()
