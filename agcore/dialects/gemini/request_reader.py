"""Gemini requests: a body as a neutral conversation, and a conversation as a body (docs/wire/gemini.md#request)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.conversation.json_schema import from_gemini
from agcore.conversation.losses import Losses, Weight
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
from agcore.dialects.gemini.contents_writer import NAME, ContentsWriter
from agcore.dialects.gemini.fields import Message
from agcore.dialects.gemini.pictures import picture_config, read_pictures
from agcore.dialects.gemini.reasoning import thinking_config
from agcore.models.profiles import Profile

_Object = dict[str, object]

MAX_STOPS: Final = 5
MAX_CHOICES: Final = 8

_HOSTED: Final[Mapping[str, str]] = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "web_fetch",
}
_NATIVE: Final[Mapping[str, str]] = {
    "web_search": "googleSearch",
    "code_execution": "codeExecution",
    "web_fetch": "urlContext",
}
_MODES: Final = {
    "": "auto",
    "MODE_UNSPECIFIED": "auto",
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}
_TIERS: Final = {
    "default": "standard",
    "standard": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "ultrafast": "priority",
}


# Reading a client's request


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """See `translator.ParseRequest`. The body of a token count, which wraps the request, is read as what it wraps."""
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
    return (Turn("system", tuple(texts)),) if texts else ()


def _settings(request: Message, config: Message, losses: Losses) -> Settings:
    choices = config.integer("candidateCount")
    if choices is not None and not 1 <= choices <= MAX_CHOICES:
        path = config.at("candidateCount")
        raise Invalid(f"{path} must be between 1 and {MAX_CHOICES}", param=path)
    labels = request.take("labels")
    tier = request.text("serviceTier").lower()
    settings = Settings(
        max_output=config.integer("maxOutputTokens"),
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
    return msgspec.convert({"mode": mode, "names": calling.texts("allowedFunctionNames")}, ToolChoice)


# Writing a request for Google


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """See `translator.RenderRequest`. The model is not in the body but in the request's path."""
    writer = ContentsWriter(conversation.turns, profile=profile, signer=signer, losses=losses)
    body: _Object = {}
    if writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    functions = [_declaration(tool, position, losses) for position, tool in enumerate(conversation.tools)]
    tools: list[_Object] = [{"functionDeclarations": functions}] if functions else []
    tools += _hosted(conversation, losses)
    if tools:
        body["tools"] = tools
    if functions:
        calling = _calling(conversation.tool_choice)
        if calling:
            body["toolConfig"] = {"functionCallingConfig": calling}
        if conversation.parallel_calls is False:
            losses.add("parallel_tool_calls", "Gemini cannot be kept from calling tools in parallel")
    body["contents"] = writer.contents
    config = _config(conversation, profile, losses)
    if writer.resolution:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{writer.resolution.upper()}"
    if config:
        body["generationConfig"] = config
    tier = conversation.settings.service_tier
    if tier in _TIERS:
        body["serviceTier"] = _TIERS[tier]
    elif tier and tier != "auto":
        losses.add("service_tier", "Google has no such tier", weight="note")
    return body


def _declaration(tool: Tool, position: int, losses: Losses) -> _Object:
    out: _Object = {"name": tool.name}
    if tool.description:
        out["description"] = tool.description
    if tool.custom:
        told = (
            f"The whole input, in the {tool.grammar[0]} grammar:\n{tool.grammar[1]}" if tool.grammar else "The input."
        )
        field = {"type": "string", "description": told}
        out["parametersJsonSchema"] = {"type": "object", "properties": {"input": field}, "required": ["input"]}
    elif _has_parameters(tool.parameters):
        out["parametersJsonSchema"] = tool.parameters
    if tool.strict:
        losses.add(f"tools[{position}].strict", "Gemini's calls are not held to their schema", weight="note")
    if tool.cache:
        losses.add(f"tools[{position}].cache_control", "Gemini caches by itself", weight="note")
    return out


def _has_parameters(schema: Json) -> bool:
    """Whether a schema says anything; an object without members goes without saying."""
    if not isinstance(schema, dict):
        return False
    trivial = {"type", "properties", "required", "additionalProperties", "$schema", "title", "description"}
    return bool(schema.get("properties")) or not schema.keys() <= trivial


def _hosted(conversation: Conversation, losses: Losses) -> list[_Object]:
    out: list[_Object] = []
    for position, tool in enumerate(conversation.hosted_tools):
        path = f"hosted_tools[{position}]"
        name = tool.kind if tool.dialect == NAME and tool.kind not in _NATIVE else _NATIVE.get(tool.kind)
        if tool.kind == "image_generation":
            continue  # what `pictures` says
        weight: Weight = "refuse" if tool.forced else "warn"
        if name is None:
            losses.add(path, f"Google has no hosted tool {tool.kind}", weight=weight)
        elif conversation.tools:
            # Gemini 3 could do both, but then wants parts back that no other dialect carries.
            losses.add(path, f"Gemini cannot combine {name} with functions", weight=weight)
        else:
            value: _Object = {name: tool.value if tool.dialect == NAME and isinstance(tool.value, dict) else {}}
            if value not in out:
                out.append(value)
            if tool.forced:
                losses.add("tool_choice", f"Gemini itself decides when to use {name}")
    return out


def _calling(choice: ToolChoice | None) -> _Object:
    if choice is None:
        return {}
    if choice.mode == "none":
        return {"mode": "NONE"}
    mode = "ANY" if choice.mode == "required" else "VALIDATED" if choice.names else "AUTO"
    return {"mode": mode, "allowedFunctionNames": list(choice.names)} if choice.names else {"mode": mode}


def _config(conversation: Conversation, profile: Profile, losses: Losses) -> _Object:
    settings = conversation.settings
    out: _Object = {}
    if profile.sampling:
        if settings.temperature is not None:
            out["temperature"] = _clamped(settings.temperature, 0, 2, "temperature", losses)
        if settings.top_p is not None:
            out["topP"] = settings.top_p
    else:
        _drop(losses, profile, temperature=settings.temperature, top_p=settings.top_p)
    if profile.top_k or not profile.vendor:
        out |= {} if settings.top_k is None else {"topK": settings.top_k}
    else:
        _drop(losses, profile, top_k=settings.top_k)
    if settings.choices > MAX_CHOICES:
        losses.add("n", f"Gemini gives {MAX_CHOICES} answers at most")
    elif settings.choices > 1:
        out["candidateCount"] = settings.choices
    if settings.max_output is not None:
        most = profile.max_output_tokens if profile.vendor and profile.max_output_tokens else settings.max_output
        out["maxOutputTokens"] = min(settings.max_output, most)
        if settings.max_output > most:
            losses.add("max_tokens", f"{profile.model} writes no more", action=f"clamped to {most}", weight="note")
    stops = [text for text in settings.stop if text]
    if len(stops) > MAX_STOPS:
        losses.add("stop", f"Gemini takes {MAX_STOPS} stop sequences at most", weight="refuse")
    if stops:
        out["stopSequences"] = stops[:MAX_STOPS]
    if profile.penalties:
        if settings.presence_penalty is not None:
            out["presencePenalty"] = settings.presence_penalty
        if settings.frequency_penalty is not None:
            out["frequencyPenalty"] = settings.frequency_penalty
    else:
        # Zero is what a model without penalties does anyway.
        _drop(
            losses,
            profile,
            presence_penalty=settings.presence_penalty or None,
            frequency_penalty=settings.frequency_penalty or None,
        )
    if settings.seed is not None:
        if -(2**31) <= settings.seed < 2**31:
            out["seed"] = settings.seed
        else:
            losses.add("seed", "Gemini's seeds have 32 bits")
    if settings.logprobs:
        out["responseLogprobs"] = True
        if settings.top_logprobs:
            out["logprobs"] = settings.top_logprobs
    _structured(conversation, profile, out, losses)
    out.update(picture_config(conversation, profile, losses))
    thinking = thinking_config(conversation.reasoning, profile, losses)
    if thinking:
        out["thinkingConfig"] = thinking
    _unsaid(settings, losses)
    return out


def _structured(conversation: Conversation, profile: Profile, out: _Object, losses: Losses) -> None:
    output = conversation.output
    if output is None:
        return
    if conversation.tools and profile.vendor == "google" and profile.reasoning in ("none", "budget"):
        losses.add("response_format", "Gemini before 3 cannot combine tools with structured output")
        return
    out["responseMimeType"] = "application/json"
    if output.schema is not None:
        out["responseJsonSchema"] = output.schema


def _unsaid(settings: Settings, losses: Losses) -> None:
    """What Google has no words for."""
    said: dict[str, tuple[object, Weight]] = {
        "logit_bias": (settings.logit_bias, "warn"),
        "user": (settings.user, "note"),
        "metadata": (settings.metadata, "note"),
        "prompt_cache_key": (settings.cache_key, "note"),
        "verbosity": (settings.verbosity, "note"),
    }
    for name, (value, weight) in said.items():
        if value:
            losses.add(name, "Gemini has no such setting", weight=weight)


def _drop(losses: Losses, profile: Profile, **settings: float | None) -> None:
    for name, value in settings.items():
        if value is not None:
            losses.add(name, f"{profile.model} does not take it")


def _clamped(value: float, least: float, most: float, name: str, losses: Losses) -> float:
    inside = min(max(value, least), most)
    if inside != value:
        losses.add(name, f"Gemini takes {least} to {most}", action=f"clamped to {inside}")
    return inside
