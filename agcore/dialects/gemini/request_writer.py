"""generateContent requests, written from the neutral conversation (docs/wire/gemini.md#request)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.targets import GEMINI, GEMINI_PARAMETERS, GOOGLE, GOOGLE_PARAMETERS
from agcore.conversation.schemas.writer import write_schema
from agcore.conversation.values import (
    Conversation,
    Json,
    Settings,
    Tool,
    ToolChoice,
)
from agcore.dialects.gemini.contents_writer import ContentsWriter
from agcore.dialects.gemini.fields import MAX_CHOICES
from agcore.dialects.gemini.pictures import picture_config
from agcore.dialects.gemini.reasoning import thinking_config
from agcore.dialects.gemini.traits import NAME
from agcore.dialects.shared.unread import note_unread
from agcore.dialects.shared.web_search import note_untold, terms_of
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

_Object = dict[str, object]
MAX_STOPS: Final = 5
_NATIVE: Final[Mapping[str, str]] = {
    "web_search": "googleSearch",
    "code_execution": "codeExecution",
    "web_fetch": "urlContext",
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


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """See `base.RenderRequest`. The model is not in the body but in the request's path."""
    writer = ContentsWriter(conversation.turns, profile=profile, signer=signer, losses=losses)
    body: _Object = {}
    if writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    functions = [_declaration(tool, position, profile, losses) for position, tool in enumerate(conversation.tools)]
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


def _declaration(tool: Tool, position: int, profile: Profile, losses: Losses) -> _Object:
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
        path = f"tools[{position}].parameters"
        if profile.upstream.schemas == "openapi":
            out["parameters"] = write_schema(tool.parameters, GOOGLE_PARAMETERS, path, losses)
        else:
            out["parametersJsonSchema"] = write_schema(tool.parameters, GEMINI_PARAMETERS, path, losses)
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
            if tool.dialect != NAME and tool.kind == "web_search":
                note_untold(terms_of(tool, losses), losses)
            elif tool.dialect != NAME and isinstance(tool.value, dict):
                note_unread(tool.value, {"type", "name"}, f"tools.{tool.kind}.", losses)
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
        older = profile.upstream.schemas == "openapi"
        target = GOOGLE if older else GEMINI
        name = "responseSchema" if older else "responseJsonSchema"
        out[name] = write_schema(output.schema, target, "response_format", losses)


def _unsaid(settings: Settings, losses: Losses) -> None:
    """What Google has no words for."""
    said: dict[str, tuple[object, Weight]] = {
        "logit_bias": (settings.logit_bias, "warn"),
        "user": (settings.user, "note"),
        "metadata": (settings.metadata, "note"),
        "cache_control": (settings.cache, "note"),
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
