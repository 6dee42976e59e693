"""Readers of the demo provider's requests: five dialects in, one `Ask` out.

A reader takes the decoded JSON body and keeps what the demo's answer depends on. Readers are strict about the types of
the fields that they use (`Refused`, which becomes a 400) and blind to all others. No reader fails in any other way,
whatever the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import msgspec

from agcore.demo.fields import (
    Refused,
    count_of,
    field,
    integer_of,
    joined_text,
    last_of,
    limit_of,
    name_of,
    needed,
    objects,
    said_in,
    tokens,
)
from agcore.demo.wire import Json, Wire, encode

_MOST_CHOICES: Final = 128
_ASKS_FOR_A_TOOL: Final = frozenset({"tool", "tools"})


class Tool(msgspec.Struct, frozen=True):
    """A tool that the demo may call."""

    name: str
    schema: Json
    """JSON Schema of its arguments; empty when it takes none."""
    custom: bool = False
    """It takes free text instead of an object."""
    namespace: str | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of the demo, in no dialect's terms."""

    wire: Wire
    model: str
    prompt_tokens: int
    said: str
    """The last text of the user."""
    result: str | None = None
    """What a tool returned, when the request ends with that."""
    tool: Tool | None = None
    """The tool to call, when one is offered and may be called."""
    schema: Json | None = None
    """JSON Schema of a structured answer; empty where any JSON will do, None where text is wanted."""
    reasoning: bool = False
    limit: int | None = None
    """The most tokens of output; None for no limit."""
    count: int = 1
    """How many choices."""
    stream: bool = False
    include_usage: bool = False


# Typed access to JSON


class Choice(msgspec.Struct, frozen=True):
    """What a request says of the tools that may be called."""

    names: Collection[str] | None = None
    """The only ones; None for any."""
    forced: bool = False
    """One has to be called."""


def pick(tools: list[Tool], choice: Choice, said: str) -> Tool | None:
    """Choose the tool to call, if any: the first one that may be called, or the one that the user `said` the name of.

    Agents offer their tools, a shell among them, with whatever they ask. So where nothing has to be called, none is
    unless the user asks for it: by its name, or by the word "tool".
    """
    if choice.names is not None:
        if not choice.names:
            return None
        tools = [tool for tool in tools if tool.name in choice.names]
        if not tools:
            raise Refused("The tool choice names a tool that is not offered.", param="tool_choice")
    words = frozenset(word.strip(".-") for word in re.findall(r"[\w.-]+", said.lower()))
    named = next((tool for tool in tools if tool.name.lower() in words), None)
    if named is not None or not (choice.forced or words & _ASKS_FOR_A_TOOL):
        return named
    return next(iter(tools), None)


# OpenAI


def _openai_choice(body: Json) -> Choice:
    """Read `tool_choice` of Chat (names nested) and of Responses (names flat)."""
    if isinstance(body.get("tool_choice"), str):
        return Choice([] if body["tool_choice"] == "none" else None, body["tool_choice"] == "required")
    choice = field(body, "tool_choice", dict, {})
    match field(choice, "type", str, ""):
        case "":
            return Choice()
        case "allowed_tools":
            inner = field(choice, "allowed_tools", dict, choice)
            names = [name for name in map(_choice_name, objects(inner, "tools")) if name]
            return Choice(names, field(inner, "mode", str, "") == "required")
        case "function" | "custom":
            return Choice([_choice_name(choice)], forced=True)
    return Choice([])


def _choice_name(choice: Json) -> str:
    return field(field(choice, field(choice, "type", str, ""), dict, choice), "name", str, "")


def _openai_tool(tool: Json, *, custom: bool, namespace: str | None = None) -> Tool:
    return Tool(name_of(tool, "name"), field(tool, "parameters", dict, {}), custom, namespace)


def _include_usage(body: Json) -> bool:
    return field(field(body, "stream_options", dict, {}), "include_usage", bool, False)


CHAT_INPUT: Final = ("messages", "tools")


def read_chat(body: Json) -> Ask:
    """Read a Chat Completions request."""
    messages = needed(body, "messages")
    last = last_of(messages)
    answered = last.get("role") in ("tool", "function")
    tools = []
    for tool in objects(body, "tools"):
        kind = field(tool, "type", str, "")
        if kind in ("function", "custom"):
            tools.append(_openai_tool(field(tool, kind, dict, {}), custom=kind == "custom"))
    form = field(body, "response_format", dict, {})
    schema = None
    if form.get("type") == "json_schema":
        schema = field(field(form, "json_schema", dict, {}), "schema", dict, {})
    return Ask(
        wire=Wire.CHAT,
        model=name_of(body, "model"),
        prompt_tokens=tokens(body, *CHAT_INPUT),
        said=said_in(messages),
        result=joined_text(last.get("content")) if answered else None,
        tool=pick(tools, _openai_choice(body), said_in(messages)),
        schema={} if form.get("type") == "json_object" else schema,
        reasoning=field(body, "reasoning_effort", str, "none") != "none",
        limit=limit_of(body, "max_completion_tokens", "max_tokens"),
        count=count_of(body, "n", _MOST_CHOICES),
        stream=field(body, "stream", bool, False),
        include_usage=_include_usage(body),
    )


def _inputs(body: Json, name: str) -> list[str]:
    """The inputs of Completions and embeddings: texts, or lists of token ids as their text."""
    value = body.get(name)
    if isinstance(value, str):
        return [value]
    values = field(body, name, list, [])
    if values and all(_is_token(item) for item in values):
        return [encode(values)]
    for item in values:
        if not isinstance(item, str) and not (isinstance(item, list) and item and all(map(_is_token, item))):
            raise Refused(f"'{name}' must be a string, a list of strings, or lists of token ids.", param=name)
    if not 0 < len(values) <= _MOST_CHOICES:
        raise Refused(f"'{name}' must hold 1 to {_MOST_CHOICES} inputs.", param=name)
    return [item if isinstance(item, str) else encode(item) for item in values]


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_completions(body: Json) -> list[Ask]:
    """Read a legacy Completions request; return one `Ask` for each prompt."""
    prompts = _inputs(body, "prompt")
    count = count_of(body, "n", _MOST_CHOICES // len(prompts))
    return [
        Ask(
            wire=Wire.COMPLETIONS,
            model=name_of(body, "model"),
            prompt_tokens=tokens(body, "prompt"),
            said=prompt,
            limit=limit_of(body, "max_tokens"),
            count=count,
            stream=field(body, "stream", bool, False),
            include_usage=_include_usage(body),
        )
        for prompt in prompts
    ]


class Embed(msgspec.Struct, frozen=True):
    """What an embeddings request asks for."""

    model: str
    texts: list[str]
    size: int
    """How many dimensions."""
    base64: bool


def read_embeddings(body: Json, *, usual: int, most: int) -> Embed:
    """Read an embeddings request; vectors have `usual` dimensions if it does not say, and never more than `most`."""
    size = integer_of(body, "dimensions")
    size = usual if size is None else size
    if not 1 <= size <= most:
        raise Refused(f"'dimensions' must be between 1 and {most}.", param="dimensions")
    form = field(body, "encoding_format", str, "float")
    if form not in ("float", "base64"):
        raise Refused('\'encoding_format\' must be "float" or "base64".', param="encoding_format")
    return Embed(name_of(body, "model"), _inputs(body, "input"), size, form == "base64")


def _responses_tools(body: Json, namespace: str | None = None) -> list[Tool]:
    tools = []
    for tool in objects(body, "tools"):
        match field(tool, "type", str, ""):
            case "function" | "custom" as kind:
                tools.append(_openai_tool(tool, custom=kind == "custom", namespace=namespace))
            case "namespace" if namespace is None:
                tools += _responses_tools(tool, name_of(tool, "name"))
    return tools


RESPONSES_INPUT: Final = ("instructions", "input", "tools")


def read_responses(body: Json) -> Ask:
    """Read a Responses request. The demo stores nothing, so whatever refers to something stored is refused."""
    if body.get("previous_response_id") is not None:
        message = "The demo stores no responses: send the whole input again."
        raise Refused(message, code="previous_response_not_found", param="previous_response_id")
    for stored in ("conversation", "background"):
        if body.get(stored) not in (None, False):
            raise Refused(f"The demo stores no responses and has no '{stored}'.", param=stored)
    items = (
        [{"role": "user", "content": body["input"]}] if isinstance(body.get("input"), str) else needed(body, "input")
    )
    last = last_of(items)
    messages = [item for item in items if field(item, "type", str, "message") == "message"]
    form = field(field(body, "text", dict, {}), "format", dict, {})
    schema = field(form, "schema", dict, {}) if form.get("type") in ("json_schema", "json_object") else None
    effort = field(body, "reasoning", dict, {})
    wanted = field(effort, "effort", str, "none") != "none" or effort.get("summary") is not None
    answered = field(last, "type", str, "message").endswith("_output")
    return Ask(
        wire=Wire.RESPONSES,
        model=name_of(body, "model"),
        prompt_tokens=tokens(body, *RESPONSES_INPUT),
        said=said_in(messages),
        result=joined_text(last.get("output")) if answered else None,
        tool=pick(_responses_tools(body), _openai_choice(body), said_in(messages)),
        schema=schema,
        reasoning=wanted,
        limit=limit_of(body, "max_output_tokens"),
        stream=field(body, "stream", bool, False),
    )


def wants_encrypted(body: Json) -> bool:
    """Whether a Responses request asks for the encrypted content of reasoning."""
    return "reasoning.encrypted_content" in field(body, "include", list, [])


# Anthropic

MESSAGES_INPUT: Final = ("system", "messages", "tools")


def _claude_choice(body: Json) -> Choice:
    choice = field(body, "tool_choice", dict, {})
    match field(choice, "type", str, ""):
        case "none":
            return Choice([])
        case "tool":
            return Choice([name_of(choice, "name")], forced=True)
        case "any":
            return Choice(forced=True)
    return Choice()


def read_messages(body: Json) -> Ask:
    """Read a Messages request. Threads are refused in the way that makes the SDKs send the whole history instead."""
    if body.get("thread") is not None:
        details: Json = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        raise Refused("The demo keeps no threads: send the whole history.", details=details)
    messages = needed(body, "messages")
    limit = integer_of(body, "max_tokens")
    if limit is None or limit < 0:
        raise Refused("'max_tokens' must be a positive integer.")
    content = last_of(messages).get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    form = field(field(body, "output_config", dict, {}), "format", dict, field(body, "output_format", dict, {}))
    tools = [
        Tool(name_of(tool, "name"), field(tool, "input_schema", dict, {}))
        for tool in objects(body, "tools")
        if field(tool, "type", str, "custom") == "custom"
    ]
    return Ask(
        wire=Wire.MESSAGES,
        model=name_of(body, "model"),
        prompt_tokens=tokens(body, *MESSAGES_INPUT),
        said=said_in(messages),
        result=joined_text(results[-1].get("content")) if results else None,
        tool=pick(tools, _claude_choice(body), said_in(messages)),
        schema=field(form, "schema", dict, {}) if form.get("type") == "json_schema" else None,
        reasoning=field(body, "thinking", dict, {}).get("type") in ("enabled", "adaptive"),
        limit=limit,
        stream=field(body, "stream", bool, False),
    )


# Gemini

GEMINI_INPUT: Final = ("systemInstruction", "contents", "tools")
_MOST_CANDIDATES: Final = 8


def _camel(value: Json) -> Json:
    """An object with its own keys in camelCase: Google's clients mix both spellings in one body."""
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): inner for key, inner in value.items()}


def _gemini_choice(body: Json) -> Choice:
    config = _camel(field(_camel(field(body, "toolConfig", dict, {})), "functionCallingConfig", dict, {}))
    if field(config, "mode", str, "").upper() == "NONE":
        return Choice([])
    names = [name for name in field(config, "allowedFunctionNames", list, []) if isinstance(name, str)]
    return Choice(names or None, field(config, "mode", str, "").upper() == "ANY")


def _gemini_tools(body: Json) -> list[Tool]:
    tools = []
    for tool in map(_camel, objects(body, "tools")):
        for declared in map(_camel, objects(tool, "functionDeclarations")):
            schema = field(declared, "parametersJsonSchema", dict, field(declared, "parameters", dict, {}))
            tools.append(Tool(name_of(declared, "name"), schema))
    return tools


def _gemini_schema(config: Json) -> Json | None:
    if field(config, "responseMimeType", str, "") != "application/json":
        return None
    return field(config, "responseJsonSchema", dict, field(config, "responseSchema", dict, {}))


def read_gemini(body: Json, model: str, *, stream: bool) -> Ask:
    """Read a generateContent request, in either spelling of its fields; model and streaming stand in its path."""
    body = _camel(body)
    contents = needed(body, "contents")
    config = _camel(field(body, "generationConfig", dict, {}))
    responses = [
        part["functionResponse"] for part in map(_camel, objects(contents[-1], "parts")) if "functionResponse" in part
    ]
    answer = field({"functionResponse": responses[-1]}, "functionResponse", dict, {}) if responses else {}
    return Ask(
        wire=Wire.GEMINI,
        model=name_of({"model": model}, "model"),
        prompt_tokens=tokens(body, *GEMINI_INPUT),
        said=said_in(contents, "parts"),
        result=encode(field(answer, "response", dict, {})) if responses else None,
        tool=pick(_gemini_tools(body), _gemini_choice(body), said_in(contents, "parts")),
        schema=_gemini_schema(config),
        reasoning=field(_camel(field(config, "thinkingConfig", dict, {})), "includeThoughts", bool, False),
        limit=limit_of(config, "maxOutputTokens"),
        count=count_of(config, "candidateCount", _MOST_CANDIDATES),
        stream=stream,
    )


def gemini_tokens(body: Json) -> int:
    """Count the input of a countTokens request, which may hold a whole generateContent request."""
    body = _camel(body)
    return tokens(_camel(field(body, "generateContentRequest", dict, body)), *GEMINI_INPUT)
