"""Tools, tool choice and structured output, written for an Anthropic upstream (docs/wire/tools.md).

A tool's schema goes up as the client wrote it, but its root must be an object without alternatives. A custom tool,
whose input is free text, becomes a function of one text. Structured output of a model without it is a tool that gives
the answer: the model must call it, and the reader turns its input into the answer's text.
"""

from __future__ import annotations

from typing import Final

from agcore.codecs.json_text import encode
from agcore.conversation.json_schema import for_anthropic
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Json, Tool
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.shared.web_search import anthropic_tool, terms_of
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

RESPOND: Final = "agcore_respond"
"""The tool that stands in for structured output: its input is the answer."""

_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")

Block = dict[str, object]


def marked(block: Block, cache: str) -> Block:
    """The block with its cache marker, if any."""
    if cache:
        block["cache_control"] = {"type": "ephemeral", "ttl": cache} if cache in ("5m", "1h") else {"type": "ephemeral"}
    return block


def rendered_tools(conversation: Conversation, profile: Profile, losses: Losses) -> list[Block]:
    """The definitions of all tools, the client's own first."""
    tools: list[Block] = []
    choice = conversation.tool_choice
    subset = set(choice.names) if choice is not None and not _single(conversation) else set()
    for at, tool in enumerate(conversation.tools):
        if subset and tool.name not in subset:
            losses.add("tool_choice", "only some of the tools may be used", action="the others left out")
        else:
            tools.append(_tool(tool, f"tools[{at}]", profile, losses))
    for hosted in conversation.hosted_tools:
        if hosted.dialect == NAME:
            tools.append(dict(hosted.value))
        elif hosted.kind == "web_search" and profile.vendor == "anthropic":
            tools.append(anthropic_tool(terms_of(hosted), losses))
        elif hosted.kind != "image_generation":  # what `pictures` says
            losses.add("tools", f"the upstream does not run `{hosted.kind}`")
    if conversation.pictures is not None:
        weight: Weight = "refuse" if conversation.pictures.only else "warn"
        losses.add("modalities", "the upstream makes no pictures", weight=weight)
    return tools


def _single(conversation: Conversation) -> bool:
    """Whether one tool is forced."""
    choice = conversation.tool_choice
    return choice is not None and choice.mode == "required" and len(choice.names) == 1


def _tool(tool: Tool, path: str, profile: Profile, losses: Losses) -> Block:
    block: Block = {"name": tool.name}
    if tool.description:
        block["description"] = tool.description
    if tool.custom:
        said: Block = {"type": "string"}
        if tool.grammar is not None:
            said["description"] = f"Text that obeys this {tool.grammar[0]} grammar:\n{tool.grammar[1]}"
            losses.add(f"{path}.format", "the upstream does not enforce grammars", action="told to the model")
        schema: Block = {"type": "object", "properties": {"input": said}, "required": ["input"]}
    else:
        schema, merged = _schema(tool.parameters)
        if merged:
            losses.add(f"{path}.parameters", "a tool's schema takes no alternatives at its root", action="merged")
    if tool.strict and not tool.custom:
        if profile.structured_output:
            schema = for_anthropic(schema)
        else:
            losses.add(f"{path}.strict", "the model does not promise to keep to schemas")
    block["input_schema"] = schema
    if tool.strict and not tool.custom and profile.structured_output:
        block["strict"] = True
    return marked(block, tool.cache)


def rendered_choice(conversation: Conversation, tools: list[Block]) -> Block:
    """The tool choice; empty where there is none to make."""
    choice = conversation.tool_choice
    found: Block = {}
    if not tools:
        return found
    if choice is not None:
        if _single(conversation):
            found = {"type": "tool", "name": choice.names[0]}
        else:
            found = {"type": {"auto": "auto", "none": "none", "required": "any"}[choice.mode]}
    if conversation.parallel_calls is False and found.get("type") != "none":
        found = {**(found or {"type": "auto"}), "disable_parallel_tool_use": True}
    return found


def ask_structure(
    conversation: Conversation,
    profile: Profile,
    system: list[Block],
    tools: list[Block],
    choice: Block,
    output_config: Block,
    losses: Losses,
) -> None:
    """Ask for structured output in the best way that the model takes."""
    output = conversation.output
    if output is None:
        return
    schema = output.schema
    if not isinstance(schema, dict):
        losses.add("response_format", "the upstream has no mode for any JSON object", action="asked for in words")
        system.append({"type": "text", "text": "Reply with a single JSON object and nothing else."})
    elif profile.structured_output:
        output_config["format"] = {"type": "json_schema", "schema": for_anthropic(schema)}
    elif not profile.tools or schema.get("type") != "object" or choice.get("type") in ("any", "tool"):
        losses.add("response_format", "the model does not promise to keep to schemas", action="asked for in words")
        text = "Reply with a single JSON value and nothing else. It must match this JSON Schema:\n"
        system.append({"type": "text", "text": text + encode(schema).decode()})
    else:
        losses.add("response_format", "the model has no structured output", action="sent as a tool", weight="note")
        others = bool(tools) and choice.get("type") != "none"
        tools.append(
            {
                "name": RESPOND,
                "description": output.description or "Gives the final answer. Its input is what the user gets.",
                "input_schema": schema,
            }
        )
        choice.clear()
        choice.update({"type": "any"} if others else {"type": "tool", "name": RESPOND})
        if conversation.parallel_calls is False or not others:
            choice["disable_parallel_tool_use"] = True


def _schema(parameters: Json) -> tuple[Block, bool]:
    """The `input_schema` for a tool's parameters, and whether alternatives at its root were merged into one object."""
    if not isinstance(parameters, dict) or not parameters:
        return {"type": "object", "properties": {}}, False
    schema: Block = parameters
    merged = any(name in schema for name in _ALTERNATIVES)
    if merged:
        properties: Block = {}
        for name in _ALTERNATIVES:
            branches = schema.get(name)
            for branch in branches if isinstance(branches, list) else []:
                if isinstance(branch, dict) and isinstance(branch.get("properties"), dict):
                    properties.update(branch["properties"])
        own = schema.get("properties")
        if isinstance(own, dict):
            properties.update(own)
        schema = {name: value for name, value in schema.items() if name not in _ALTERNATIVES}
        schema["properties"] = properties
    if schema.get("type") != "object":
        schema = {"type": "object", **{name: value for name, value in schema.items() if name != "type"}}
    return schema, merged
