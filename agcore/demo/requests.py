"""Readers of the demo provider's requests: five dialects in, one `Ask` out.

A reader takes the decoded JSON body and keeps what the demo's answer depends on. Readers are strict about the types of
the fields that they use (`Refused`, which becomes a 400) and blind to all others. No reader fails in any other way,
whatever the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final, TypeVar

import msgspec

from agcore.demo.wire import Json, Wire, encode

_T = TypeVar("_T", str, bool, Json, list[object])

_MOST_CHOICES: Final = 128
_LONGEST_NAME: Final = 256
_KINDS: Final[dict[type, str]] = {str: "a string", bool: "true or false", dict: "an object", list: "an array"}
_NOTHING: Final = "(nothing)"


class Refused(Exception):
    """The request gets an error answer, with `code`, `param` and `details` where the dialect has room for them."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        details: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.message: Final = message
        self.status: Final = status
        self.code: Final = code
        self.param: Final = param
        self.details: Final = details


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


def _field(body: Json, name: str, kind: type[_T], default: _T) -> _T:
    """`body[name]`, or `default` where it is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise Refused(f"'{name}' must be {_KINDS[kind]}.", param=name)
    return value


def _objects(body: Json, name: str) -> list[Json]:
    """A list of objects, empty where the field is absent."""
    found: list[Json] = []
    for value in _field(body, name, list, []):
        if not isinstance(value, dict):
            raise Refused(f"'{name}' must hold objects only.", param=name)
        found.append(value)
    return found


def _needed(body: Json, name: str) -> list[Json]:
    """A list of at least one object."""
    found = _objects(body, name)
    if not found:
        raise Refused(f"'{name}' must not be empty.", param=name)
    return found


def _name(body: Json, name: str) -> str:
    """A string that must be there and be of sensible length."""
    value = _field(body, name, str, "")
    if not 0 < len(value) <= _LONGEST_NAME:
        raise Refused(f"'{name}' must be a string of 1 to {_LONGEST_NAME} characters.", param=name)
    return value


def _integer(body: Json, name: str) -> int | None:
    """A whole number, None where it is absent; reads `8`, `8.0` and, for Google's 64-bit integers, `"8"`."""
    value = body.get(name)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Refused(f"'{name}' must be an integer.", param=name)


def _limit(body: Json, *names: str) -> int | None:
    """The first token limit among `names`; zero and less are none, as several clients mean it."""
    limits = [_integer(body, name) for name in names]
    return next((limit for limit in limits if limit is not None and limit > 0), None)


def _count(body: Json, name: str, most: int) -> int:
    count = _integer(body, name)
    if count is None:
        return 1
    if not 1 <= count <= most:
        raise Refused(f"'{name}' must be between 1 and {most}.", param=name)
    return count


def _texts(content: object) -> list[str]:
    """The texts of a message's content: a string, a part, or a list of parts of which some are text."""
    if content is None:
        return []
    parts = content if isinstance(content, list) else [content]
    found = []
    for part in parts:
        text = part.get("text", "") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise Refused("Content must be a string or a list of parts.")
        found.append(text)
    return [text for text in found if text.strip()]


def _said(messages: Iterable[Json], field: str = "content") -> str:
    """The last text of the last message of the user; clients put reminders of their own before it."""
    users = [message for message in messages if _field(message, "role", str, "user") == "user"]
    texts = _texts(users[-1].get(field)) if users else []
    return texts[-1] if texts else _NOTHING


def _last(messages: list[Json]) -> Json:
    """The last message that is not an instruction."""
    rest = [message for message in messages if _field(message, "role", str, "") not in ("system", "developer")]
    return rest[-1] if rest else {}


def _joined(content: object) -> str:
    return " ".join(_texts(content)) or _NOTHING


def tokens(body: Json, *names: str) -> int:
    """Count the words in all strings of the named fields, however deep: at least one."""
    total, stack = 0, [body.get(name) for name in names]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            total += len(value.split())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
    return max(total, 1)


def _pick(tools: list[Tool], names: Collection[str] | None) -> Tool | None:
    """Choose the tool to call: the first one, or the first of `names`; none of them where `names` is empty."""
    if names is None:
        return tools[0] if tools else None
    if not names:
        return None
    for tool in tools:
        if tool.name in names:
            return tool
    raise Refused("The tool choice names a tool that is not offered.", param="tool_choice")


# OpenAI


def _openai_choice(body: Json) -> list[str] | None:
    """Read `tool_choice` of Chat (names nested) and of Responses (names flat): see `_pick` for what it returns."""
    if isinstance(body.get("tool_choice"), str):
        return [] if body["tool_choice"] == "none" else None
    choice = _field(body, "tool_choice", dict, {})
    match _field(choice, "type", str, ""):
        case "":
            return None
        case "allowed_tools":
            allowed = _objects(_field(choice, "allowed_tools", dict, choice), "tools")
            return [name for name in map(_choice_name, allowed) if name]
        case "function" | "custom":
            return [_choice_name(choice)]
    return []


def _choice_name(choice: Json) -> str:
    return _field(_field(choice, _field(choice, "type", str, ""), dict, choice), "name", str, "")


def _openai_tool(tool: Json, *, custom: bool, namespace: str | None = None) -> Tool:
    return Tool(_name(tool, "name"), _field(tool, "parameters", dict, {}), custom, namespace)


def _include_usage(body: Json) -> bool:
    return _field(_field(body, "stream_options", dict, {}), "include_usage", bool, False)


CHAT_INPUT: Final = ("messages", "tools")


def read_chat(body: Json) -> Ask:
    """Read a Chat Completions request."""
    messages = _needed(body, "messages")
    last = _last(messages)
    answered = last.get("role") in ("tool", "function")
    tools = []
    for tool in _objects(body, "tools"):
        kind = _field(tool, "type", str, "")
        if kind in ("function", "custom"):
            tools.append(_openai_tool(_field(tool, kind, dict, {}), custom=kind == "custom"))
    form = _field(body, "response_format", dict, {})
    schema = None
    if form.get("type") == "json_schema":
        schema = _field(_field(form, "json_schema", dict, {}), "schema", dict, {})
    return Ask(
        wire=Wire.CHAT,
        model=_name(body, "model"),
        prompt_tokens=tokens(body, *CHAT_INPUT),
        said=_said(messages),
        result=_joined(last.get("content")) if answered else None,
        tool=_pick(tools, _openai_choice(body)),
        schema={} if form.get("type") == "json_object" else schema,
        reasoning=_field(body, "reasoning_effort", str, "none") != "none",
        limit=_limit(body, "max_completion_tokens", "max_tokens"),
        count=_count(body, "n", _MOST_CHOICES),
        stream=_field(body, "stream", bool, False),
        include_usage=_include_usage(body),
    )


def _inputs(body: Json, name: str) -> list[str]:
    """The inputs of Completions and embeddings: texts, or lists of token ids as their text."""
    value = body.get(name)
    if isinstance(value, str):
        return [value]
    values = _field(body, name, list, [])
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
    count = _count(body, "n", _MOST_CHOICES // len(prompts))
    return [
        Ask(
            wire=Wire.COMPLETIONS,
            model=_name(body, "model"),
            prompt_tokens=tokens(body, "prompt"),
            said=prompt,
            limit=_limit(body, "max_tokens"),
            count=count,
            stream=_field(body, "stream", bool, False),
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
    size = _integer(body, "dimensions")
    size = usual if size is None else size
    if not 1 <= size <= most:
        raise Refused(f"'dimensions' must be between 1 and {most}.", param="dimensions")
    form = _field(body, "encoding_format", str, "float")
    if form not in ("float", "base64"):
        raise Refused('\'encoding_format\' must be "float" or "base64".', param="encoding_format")
    return Embed(_name(body, "model"), _inputs(body, "input"), size, form == "base64")


def _responses_tools(body: Json, namespace: str | None = None) -> list[Tool]:
    tools = []
    for tool in _objects(body, "tools"):
        match _field(tool, "type", str, ""):
            case "function" | "custom" as kind:
                tools.append(_openai_tool(tool, custom=kind == "custom", namespace=namespace))
            case "namespace" if namespace is None:
                tools += _responses_tools(tool, _name(tool, "name"))
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
        [{"role": "user", "content": body["input"]}] if isinstance(body.get("input"), str) else _needed(body, "input")
    )
    last = _last(items)
    messages = [item for item in items if _field(item, "type", str, "message") == "message"]
    form = _field(_field(body, "text", dict, {}), "format", dict, {})
    schema = _field(form, "schema", dict, {}) if form.get("type") in ("json_schema", "json_object") else None
    effort = _field(body, "reasoning", dict, {})
    wanted = _field(effort, "effort", str, "none") != "none" or effort.get("summary") is not None
    answered = _field(last, "type", str, "message").endswith("_output")
    return Ask(
        wire=Wire.RESPONSES,
        model=_name(body, "model"),
        prompt_tokens=tokens(body, *RESPONSES_INPUT),
        said=_said(messages),
        result=_joined(last.get("output")) if answered else None,
        tool=_pick(_responses_tools(body), _openai_choice(body)),
        schema=schema,
        reasoning=wanted,
        limit=_limit(body, "max_output_tokens"),
        stream=_field(body, "stream", bool, False),
    )


def wants_encrypted(body: Json) -> bool:
    """Whether a Responses request asks for the encrypted content of reasoning."""
    return "reasoning.encrypted_content" in _field(body, "include", list, [])


# Anthropic

MESSAGES_INPUT: Final = ("system", "messages", "tools")


def _claude_choice(body: Json) -> list[str] | None:
    choice = _field(body, "tool_choice", dict, {})
    match _field(choice, "type", str, ""):
        case "none":
            return []
        case "tool":
            return [_name(choice, "name")]
    return None


def read_messages(body: Json) -> Ask:
    """Read a Messages request. Threads are refused in the way that makes the SDKs send the whole history instead."""
    if body.get("thread") is not None:
        details: Json = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        raise Refused("The demo keeps no threads: send the whole history.", details=details)
    messages = _needed(body, "messages")
    limit = _integer(body, "max_tokens")
    if limit is None or limit < 0:
        raise Refused("'max_tokens' must be a positive integer.")
    content = _last(messages).get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    form = _field(_field(body, "output_config", dict, {}), "format", dict, _field(body, "output_format", dict, {}))
    tools = [
        Tool(_name(tool, "name"), _field(tool, "input_schema", dict, {}))
        for tool in _objects(body, "tools")
        if _field(tool, "type", str, "custom") == "custom"
    ]
    return Ask(
        wire=Wire.MESSAGES,
        model=_name(body, "model"),
        prompt_tokens=tokens(body, *MESSAGES_INPUT),
        said=_said(messages),
        result=_joined(results[-1].get("content")) if results else None,
        tool=_pick(tools, _claude_choice(body)),
        schema=_field(form, "schema", dict, {}) if form.get("type") == "json_schema" else None,
        reasoning=_field(body, "thinking", dict, {}).get("type") in ("enabled", "adaptive"),
        limit=limit,
        stream=_field(body, "stream", bool, False),
    )


# Gemini

GEMINI_INPUT: Final = ("systemInstruction", "contents", "tools")
_MOST_CANDIDATES: Final = 8


def _camel(value: Json) -> Json:
    """An object with its own keys in camelCase: Google's clients mix both spellings in one body."""
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): inner for key, inner in value.items()}


def _gemini_choice(body: Json) -> list[str] | None:
    config = _camel(_field(_camel(_field(body, "toolConfig", dict, {})), "functionCallingConfig", dict, {}))
    if _field(config, "mode", str, "").upper() == "NONE":
        return []
    names = [name for name in _field(config, "allowedFunctionNames", list, []) if isinstance(name, str)]
    return names or None


def _gemini_tools(body: Json) -> list[Tool]:
    tools = []
    for tool in map(_camel, _objects(body, "tools")):
        for declared in map(_camel, _objects(tool, "functionDeclarations")):
            schema = _field(declared, "parametersJsonSchema", dict, _field(declared, "parameters", dict, {}))
            tools.append(Tool(_name(declared, "name"), schema))
    return tools


def _gemini_schema(config: Json) -> Json | None:
    if _field(config, "responseMimeType", str, "") != "application/json":
        return None
    return _field(config, "responseJsonSchema", dict, _field(config, "responseSchema", dict, {}))


def read_gemini(body: Json, model: str, *, stream: bool) -> Ask:
    """Read a generateContent request, in either spelling of its fields; model and streaming stand in its path."""
    body = _camel(body)
    contents = _needed(body, "contents")
    config = _camel(_field(body, "generationConfig", dict, {}))
    responses = [
        part["functionResponse"] for part in map(_camel, _objects(contents[-1], "parts")) if "functionResponse" in part
    ]
    answer = _field({"functionResponse": responses[-1]}, "functionResponse", dict, {}) if responses else {}
    return Ask(
        wire=Wire.GEMINI,
        model=_name({"model": model}, "model"),
        prompt_tokens=tokens(body, *GEMINI_INPUT),
        said=_said(contents, "parts"),
        result=encode(_field(answer, "response", dict, {})) if responses else None,
        tool=_pick(_gemini_tools(body), _gemini_choice(body)),
        schema=_gemini_schema(config),
        reasoning=_field(_camel(_field(config, "thinkingConfig", dict, {})), "includeThoughts", bool, False),
        limit=_limit(config, "maxOutputTokens"),
        count=_count(config, "candidateCount", _MOST_CANDIDATES),
        stream=stream,
    )


def gemini_tokens(body: Json) -> int:
    """Count the input of a countTokens request, which may hold a whole generateContent request."""
    body = _camel(body)
    return tokens(_camel(_field(body, "generateContentRequest", dict, body)), *GEMINI_INPUT)
