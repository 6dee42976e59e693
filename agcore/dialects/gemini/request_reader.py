"""generateContent requests, read as the neutral conversation (docs/wire/gemini.md#request)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.json_schema import from_gemini
from agcore.conversation.values import (
    Conversation,
    HostedTool,
    Invalid,
    Json,
    Output,
    Reasoning,
    Settings,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from agcore.dialects.gemini.contents_reader import ContentsReader, with_detail
from agcore.dialects.gemini.fields import MAX_CHOICES, Message
from agcore.dialects.gemini.pictures import read_pictures
from agcore.dialects.gemini.traits import NAME

_HOSTED: Final[Mapping[str, str]] = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
}
_MODES: Final = {
    "": "auto",
    "MODE_UNSPECIFIED": "auto",
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}


# Reading a client's request


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """See `base.ParseRequest`. The body of a token count, which wraps the request, is read as what it wraps."""
    request = Message(body, "")
    if request.has("generateContentRequest"):
        request = request.message("generateContentRequest") or request
    contents = request.messages("contents")
    if not contents:
        raise Invalid("contents is not specified", param=request.at("contents"))
    system = _system(request, losses)
    config = request.message("generationConfig") or Message({}, request.at("generationConfig"))
    reasoning = _reasoning(config)
    output = _output(config, losses)
    pictures = read_pictures(config, losses)
    detail = config.text("mediaResolution")
    settings = _settings(request, config, losses)
    reader = ContentsReader(contents, losses)
    tools, hosted = _tools(request, losses)
    choice = _tool_choice(request, losses)
    if request.has("cachedContent"):
        losses.add(request.at("cachedContent"), "cached contents are kept at Google only", weight="refuse")
    request.take("cachedContent")
    request.take("model")
    for name in request.left():
        losses.add(request.at(name), "other dialects have no such setting", weight="note")
    return Conversation(
        model=model,
        turns=(*system, *with_detail(reader.turns, detail)),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=choice,
        reasoning=reasoning,
        output=output,
        pictures=pictures,
        settings=settings,
        stream=stream,
    )


def _system(request: Message, losses: Losses) -> tuple[Turn, ...]:
    """The system instruction: a content, or a bare text."""
    value = request.take("systemInstruction")
    if value is None:
        return ()
    path = request.at("systemInstruction")
    if isinstance(value, str):
        return (Turn("system", (Text(value),)),) if value else ()
    content = Message(value, path)
    texts: list[Text] = []
    for part in content.messages("parts"):
        text = part.text("text")
        if text:
            texts.append(Text(text))
        for name in part.left():
            losses.add(part.at(name), "instructions are texts")
    content.take("role")
    content.note_left(losses)
    return (Turn("system", tuple(texts)),) if texts else ()


def _settings(request: Message, config: Message, losses: Losses) -> Settings:
    choices = config.integer("candidateCount")
    if choices is not None and not 1 <= choices <= MAX_CHOICES:
        path = config.at("candidateCount")
        raise Invalid(f"{path} must be between 1 and {MAX_CHOICES}", param=path)
    max_output, path = config.integer("maxOutputTokens"), config.at("maxOutputTokens")
    if max_output is not None and max_output < 1:
        raise Invalid(f"{path} must be positive", param=path)
    labels = request.take("labels")
    tier = request.text("serviceTier").lower()
    settings = Settings(
        max_output=max_output,
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.integer("topK"),
        stop=tuple(text for text in config.texts("stopSequences") if text),
        seed=config.integer("seed"),
        presence_penalty=config.number("presencePenalty"),
        frequency_penalty=config.number("frequencyPenalty"),
        logprobs=config.flag("responseLogprobs"),
        top_logprobs=config.integer("logprobs"),
        choices=choices or 1,
        metadata=labels if isinstance(labels, dict) else None,
        service_tier="default" if tier == "standard" else tier,
    )
    for name in config.left():
        losses.add(config.at(name), "other dialects have no such setting", weight="note")
    return settings


def _reasoning(config: Message) -> Reasoning | None:
    thinking = config.message("thinkingConfig")
    if thinking is None:
        return None
    path = thinking.at("thinkingLevel")
    visible = thinking.flag("includeThoughts") if thinking.has("includeThoughts") else None
    budget = thinking.integer("thinkingBudget")
    level = thinking.text("thinkingLevel").lower()
    if level == "thinking_level_unspecified":
        level = ""
    if level and level not in ("minimal", "low", "medium", "high", "xhigh"):
        raise Invalid(f"{path} is none of MINIMAL, LOW, MEDIUM, HIGH, XHIGH", param=path)
    if level and budget is not None:
        raise Invalid("thinkingBudget and thinkingLevel cannot be set together", param=path)
    if budget is not None and budget < -1:
        path = thinking.at("thinkingBudget")
        raise Invalid(f"{path} must be -1 or more", param=path)
    return Reasoning(effort=level, budget=budget, visible=visible)


def _output(config: Message, losses: Losses) -> Output | None:
    """Structured output, in the three ways that Google has had for it."""
    kind = config.text("responseMimeType").lower()
    path = config.at("responseMimeType")
    schema = from_gemini(_schema(config, "responseSchema"))
    for name in ("responseJsonSchema", "_responseJsonSchema"):
        schema = _schema(config, name) or schema
    wanted = config.take("responseFormat")
    where = config.at("responseFormat")
    for index, item in enumerate(wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]):
        form = Message(item, f"{where}[{index}]" if isinstance(wanted, list) else where)
        text = form.message("text")
        if text is not None:
            path = text.at("mimeType")
            kind = text.text("mimeType").lower() or kind
            schema = _schema(text, "jsonSchema") or _schema(text, "schema") or schema
        for name in form.left():
            losses.add(form.at(name), "only the form of texts can be translated")
    if kind in ("application/json", "application_json") or (schema and kind in ("", "text/plain")):
        title = schema.get("title") if isinstance(schema, dict) else None
        return Output(schema=schema or None, name=title if isinstance(title, str) else "")
    if kind not in ("", "text/plain", "text_plain"):
        losses.add(path, f"no other dialect can answer in {kind}")
    return None


def _schema(message: Message, name: str) -> Json:
    value = message.take(name)
    if value is not None and not isinstance(value, dict | bool):
        raise Invalid(f"{message.at(name)} must be an object", param=message.at(name))
    return value


def _tools(request: Message, losses: Losses) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    tools: list[Tool] = []
    hosted: list[HostedTool] = []
    for group in request.messages("tools"):
        tools += [_declared(declaration, losses) for declaration in group.messages("functionDeclarations")]
        if group.has("mcpServers"):
            losses.add(group.at("mcpServers"), "Google would call these servers itself", weight="refuse")
            group.take("mcpServers")
        hosted += [HostedTool(NAME, _HOSTED.get(name, name), group.take(name)) for name in group.left()]
    return tuple(tools), tuple(hosted)


def _declared(declaration: Message, losses: Losses) -> Tool:
    path = declaration.at("name")
    name, description = declaration.text("name"), declaration.text("description")
    if not name:
        raise Invalid(f"{path} is required", param=path)
    parameters = from_gemini(_schema(declaration, "parameters"))
    parameters = _schema(declaration, "parametersJsonSchema") or parameters
    for other in declaration.left():
        losses.add(declaration.at(other), "other dialects declare arguments only", weight="note")
    return Tool(name, description, parameters if isinstance(parameters, dict) else None)


def _tool_choice(request: Message, losses: Losses) -> ToolChoice | None:
    config = request.message("toolConfig")
    if config is None:
        return None
    calling = config.message("functionCallingConfig")
    for name in config.left():
        losses.add(config.at(name), "other dialects have no such setting", weight="note")
    if calling is None:
        return None
    path = calling.at("mode")
    said = calling.text("mode").upper()
    mode = _MODES.get(said)
    if mode is None:
        raise Invalid(f"{path} is none of AUTO, ANY, NONE, VALIDATED", param=path)
    names = calling.texts("allowedFunctionNames")
    calling.note_left(losses)
    return msgspec.convert({"mode": mode, "names": names}, ToolChoice)


# Writing a request for Google
