"""Responses tools to and from the neutral ones (docs/wire/openai-responses.md#tools).

Three things have no counterpart elsewhere and are made of what there is. Tools of a namespace go by one flat name,
`namespace__name`. Tools that the client runs under a type of their own are functions (`typed_tools`), and a call of one
becomes the typed item again on its way back. Tools that the vendor runs stay what they are, for a renderer that knows
the same tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.writer import write_schema
from agcore.conversation.values import Conversation, HostedTool, Invalid, Pictures, Tool, ToolChoice
from agcore.dialects.openai.parts_reader import cache_marker
from agcore.dialects.openai.schemas import parameters_target
from agcore.dialects.openai_responses import typed_tools
from agcore.dialects.openai_responses.traits import NAME
from agcore.dialects.shared.picture_fields import read_pixels
from agcore.dialects.shared.unread import note_unread
from agcore.dialects.shared.web_search import responses_tool, terms_of
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}

IMAGE_GENERATION: Final = "image_generation"
"""The tool that makes pictures."""
_HOSTED: Final[Mapping[str, str]] = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "code_interpreter": "code_execution",
}
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "function": frozenset({"type", "name", "description", "parameters", "strict", "defer_loading", "cache_control"}),
    "custom": frozenset({"type", "name", "description", "format", "defer_loading", "cache_control"}),
}
_TYPED: Final = frozenset({
    "type", "environment", "execution", "description", "parameters", "display_width", "display_height"
})  # fmt: skip
"""What is read of a tool whose type stands for its schema."""
_CHOICES: Final[Mapping[str, ToolChoice]] = {
    "auto": ToolChoice("auto"),
    "none": ToolChoice("none"),
    "required": ToolChoice("required"),
}


class Found:
    """The tools of a request, collected from wherever it names some."""

    def __init__(self, losses: Losses) -> None:
        self.tools: dict[str, Tool] = {}
        self.hosted: list[HostedTool] = []
        self._losses = losses

    def add(self, tools: object, path: str) -> None:
        """Take a list of tool definitions. Raises Invalid for what is none."""
        if tools is None:
            return
        if not isinstance(tools, list):
            raise Invalid(f"`{path}` must be a list", param=path)
        for index, tool in enumerate(tools):
            self._add(tool, f"{path}[{index}]")

    def _add(self, tool: object, path: str) -> None:
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise Invalid(f"`{path}` must be an object with a `type`", param=path)
        kind = tool["type"]
        if kind in _MEMBERS:
            self._keep(self._parsed(tool, path, ""), path)
        elif kind == "namespace":
            namespace = _name(tool, path)
            if tool.get("description"):
                self._losses.add(f"{path}.description", "namespaces are unknown here", weight="note")
            inner = tool.get("tools")
            if not isinstance(inner, list):
                raise Invalid(f"`{path}.tools` must be a list", param=f"{path}.tools")
            for index, each in enumerate(inner):
                place = f"{path}.tools[{index}]"
                if not isinstance(each, dict) or each.get("type") not in _MEMBERS:
                    raise Invalid(f"`{place}` must be a function or a custom tool", param=place)
                self._keep(self._parsed(each, place, namespace), place)
        elif (function := typed_tools.function_of(tool)) is not None:
            note_unread(tool, _TYPED, path + ".", self._losses)
            environment = tool.get("environment")
            if isinstance(environment, Mapping):
                note_unread(environment, {"type"}, f"{path}.environment.", self._losses)
            self._keep(function, path)
        elif kind == typed_tools.TOOL_SEARCH:
            self._losses.add(path, "every tool is offered at once, so that there is nothing to search", weight="note")
        elif tool.get("external_web_access") is False:
            # Codex sends it unless told otherwise: other vendors' searches all go out to the web.
            self._losses.add(path, "only its vendor searches without going out to the web", weight="note")
        else:
            self.hosted.append(HostedTool(NAME, _HOSTED.get(kind, kind), tool))

    def _parsed(self, tool: dict[str, object], path: str, namespace: str) -> Tool:
        kind = str(tool["type"])
        note_unread(tool, _MEMBERS[kind], path + ".", self._losses)
        if tool.get("defer_loading"):
            self._losses.add(f"{path}.defer_loading", "no tool search elsewhere", action="sent at once", weight="note")
        name = _name(tool, path)
        description = tool.get("description") or ""
        if not isinstance(description, str):
            raise Invalid(f"`{path}.description` must be a string", param=f"{path}.description")
        if namespace:
            name = f"{namespace}__{name}"
        if kind == "custom":
            grammar = _grammar(tool.get("format"), f"{path}.format")
            return Tool(name, description, custom=True, grammar=grammar, namespace=namespace, cache=cache_marker(tool))
        parameters, strict = tool.get("parameters"), tool.get("strict")
        if parameters is not None and not isinstance(parameters, dict):
            raise Invalid(f"`{path}.parameters` must be a JSON schema", param=f"{path}.parameters")
        if strict is not None and not isinstance(strict, bool):
            raise Invalid(f"`{path}.strict` must be true or false", param=f"{path}.strict")
        return Tool(name, description, parameters, strict=strict, namespace=namespace, cache=cache_marker(tool))

    def _keep(self, tool: Tool, path: str) -> None:
        if self.tools.setdefault(tool.name, tool) != tool:
            self._losses.add(path, f"another tool is called {tool.name}")


def _name(tool: Mapping[str, object], path: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid(f"`{path}.name` must be a non-empty string", param=f"{path}.name")
    return name


def _grammar(form: object, path: str) -> tuple[str, str] | None:
    if form is None or (isinstance(form, dict) and form.get("type") == "text"):
        return None
    if isinstance(form, dict) and form.get("type") == "grammar":
        syntax, definition = form.get("syntax"), form.get("definition")
        if isinstance(syntax, str) and isinstance(definition, str):
            return syntax, definition
    raise Invalid(f"`{path}` must be of type text, or a grammar with `syntax` and `definition`", param=path)


def parse_choice(choice: object, found: Found, losses: Losses) -> ToolChoice | None:
    """The neutral tool choice among what was `found`. Raises Invalid for what is none."""
    if choice is None:
        return None
    if isinstance(choice, str) and choice in _CHOICES:
        return _CHOICES[choice]
    if not isinstance(choice, dict) or not isinstance(choice.get("type"), str):
        raise Invalid("`tool_choice` must be none, auto, required, or name a tool", param="tool_choice")
    kind = choice["type"]
    if kind == "allowed_tools":
        mode, allowed = choice.get("mode"), choice.get("tools")
        if mode not in ("auto", "required") or not isinstance(allowed, list):
            raise Invalid("`tool_choice` must have a `mode` and a list of `tools`", param="tool_choice")
        names: list[str] = []
        for index, each in enumerate(allowed):
            path = f"tool_choice.tools[{index}]"
            if not isinstance(each, dict):
                raise Invalid(f"`{path}` must name a tool", param=path)
            chosen = _chosen(each, found, path)
            names += chosen
            if not chosen:
                losses.add(path, "only tools that the client runs can be chosen among")
        return ToolChoice(mode, tuple(names)) if names else ToolChoice("auto")
    chosen = _chosen(choice, found, "tool_choice")
    if chosen:
        return ToolChoice("required", chosen)
    if kind != IMAGE_GENERATION:  # `parse_pictures` reads that one
        losses.add("tool_choice", f"a call of the hosted tool {kind} cannot be forced here", weight="refuse")
    return None


def parse_pictures(hosted: Iterable[HostedTool], choice: object) -> Pictures | None:
    """The pictures that the tool for them asks for; nothing else where the tool is forced. Raises Invalid."""
    tool = next((each.value for each in hosted if each.kind == IMAGE_GENERATION), None)
    if tool is None:
        return None
    quality = tool.get("quality")
    size = tool.get("size")
    return Pictures(
        only=isinstance(choice, Mapping) and choice.get("type") == IMAGE_GENERATION,
        size=read_pixels(size, "tools.size") if isinstance(size, str) else "",
        quality=quality if isinstance(quality, str) and quality != "auto" else "",
    )


def _chosen(choice: Mapping[str, object], found: Found, path: str) -> tuple[str, ...]:
    """The neutral names of what is chosen; none for a tool that the vendor runs."""
    kind = choice.get("type")
    if kind in _MEMBERS:
        name, namespace = _name(choice, path), choice.get("namespace")
        return (f"{namespace}__{name}" if isinstance(namespace, str) and namespace else name,)
    if kind == "namespace":
        group = _name(choice, path)
        return tuple(tool.name for tool in found.tools.values() if tool.namespace == group)
    name = typed_tools.name_of(kind)
    known = found.tools.get(name)
    return (name,) if known is not None and known.typed else ()


def render_tools(conversation: Conversation, profile: Profile, losses: Losses) -> list[dict[str, object]]:
    """The `tools` of a request."""
    tools = [
        _rendered(tool, f"tools[{index}].parameters", profile, losses) for index, tool in enumerate(conversation.tools)
    ]
    for index, tool in enumerate(conversation.tools):
        if tool.cache:
            losses.add(f"tools[{index}].cache_control", "the upstream caches by itself", weight="note")
    for hosted in conversation.hosted_tools:
        if hosted.dialect == NAME and isinstance(hosted.value, dict):
            tools.append(hosted.value)
        elif hosted.kind == "web_search":
            tools.append(responses_tool(terms_of(hosted, losses), losses))
        else:
            weight: Weight = "refuse" if hosted.forced else "warn"
            losses.add(f"tools.{hosted.kind}", "the upstream has no such hosted tool", weight=weight)
    pictures = conversation.pictures
    if pictures is not None and all(hosted.kind != IMAGE_GENERATION for hosted in conversation.hosted_tools):
        tools.append({"type": IMAGE_GENERATION})
        for name, value in (("aspect_ratio", pictures.aspect_ratio), ("image_size", pictures.resolution)):
            if value:
                losses.add(name, "the upstream takes sizes in pixels")
    return tools


def _rendered(tool: Tool, path: str, profile: Profile, losses: Losses) -> dict[str, object]:
    rendered: dict[str, object] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description:
        rendered["description"] = tool.description
    if not tool.custom:
        # Without a word on `strict` the API takes it for true, and refuses or changes what is an ordinary schema.
        schema, strict = tool.parameters or NO_PARAMETERS, bool(tool.strict)
        parameters = write_schema(schema, parameters_target(profile, strict=strict), path, losses)
        rendered.update(parameters=parameters, strict=strict)
    elif tool.grammar is not None:
        syntax, definition = tool.grammar
        rendered["format"] = {"type": "grammar", "syntax": syntax, "definition": definition}
    else:
        rendered["format"] = {"type": "text"}
    return rendered


def render_choice(choice: ToolChoice, tools: Iterable[Tool]) -> object:
    """The `tool_choice` of a request."""
    if choice.mode == "none" or not choice.names:
        return choice.mode
    custom = {tool.name for tool in tools if tool.custom}
    named = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.names]
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": named}


def render_forced(hosted: Iterable[HostedTool]) -> dict[str, object] | None:
    """The `tool_choice` for a tool that the vendor runs and the model must use, if there is one that it can run."""
    return {"type": "web_search"} if any(tool.forced and tool.kind == "web_search" for tool in hosted) else None


class Callee(msgspec.Struct, frozen=True):
    """How the client knows a tool that the model calls by its neutral name."""

    name: str
    namespace: str = ""
    typed: str = ""
    """The tool's own type, for those that have one."""


def callees(conversation: Conversation) -> dict[str, Callee]:
    """The client's tools by neutral name."""
    found = {}
    for tool in conversation.tools:
        name = tool.name.removeprefix(f"{tool.namespace}__") if tool.namespace else tool.name
        found[tool.name] = Callee(name, tool.namespace, tool.typed)
    return found
