"""Tools, tool choice and structured output, written for an Anthropic upstream (docs/wire/tools.md).

A tool's schema goes up as the client wrote it, but its root must be an object without alternatives. A custom tool,
whose input is free text, becomes a function of one text. Structured output of a model without it is a tool that gives
the answer: the model must call it, and the reader turns its input into the answer's text.
"""

from __future__ import annotations

from typing import Final

from agcore.codecs.json_text import encode
from agcore.conversation.losses import Losses
from agcore.conversation.schemas.targets import ANTHROPIC, ANTHROPIC_STRICT, MOONSHOT
from agcore.conversation.schemas.writer import is_recursive, write_schema
from agcore.conversation.values import Conversation, Tool
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.shared.web_search import anthropic_tool, terms_of
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

Block = dict[str, object]

RESPOND: Final = "agcore_respond"
"""The tool that stands in for structured output: its input is the answer."""

NO_PARAMETERS: Final[Block] = {"type": "object", "properties": {}}


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
            tools.append(anthropic_tool(terms_of(hosted, losses), losses))
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
        target = MOONSHOT if profile.upstream.schemas == "moonshot" else ANTHROPIC
        schema = write_schema(tool.parameters or NO_PARAMETERS, target, f"{path}.parameters", losses)
    strict = bool(tool.strict) and not tool.custom
    if strict and not profile.structured_output:
        losses.add(f"{path}.strict", "the model does not promise to keep to schemas")
        strict = False
    if strict and is_recursive(schema):
        losses.add(f"{path}.strict", "strict tools take no schema that holds itself")
        strict = False
    if strict:
        schema = write_schema(schema, ANTHROPIC_STRICT, f"{path}.parameters", losses)
    block["input_schema"] = schema
    if strict:
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
        written = write_schema(schema, ANTHROPIC_STRICT, "response_format", losses)
        output_config["format"] = {"type": "json_schema", "schema": written}
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
                "input_schema": write_schema(schema, ANTHROPIC, "response_format", losses),
            }
        )
        choice.clear()
        choice.update({"type": "any"} if others else {"type": "tool", "name": RESPOND})
        if conversation.parallel_calls is False or not others:
            choice["disable_parallel_tool_use"] = True
