"""Responses requests to and from the neutral conversation (docs/wire/openai-responses.md#request)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Conversation,
    Invalid,
    Json,
    Output,
    Reasoning,
    Settings,
    Text,
    Turn,
)
from agcore.dialects.openai import fields
from agcore.dialects.openai_responses import items, tools
from agcore.models.profiles import Profile

ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_ANY_MODEL: Final = ("none", "low", "medium", "high")
_BUDGETS: Final = ((0, "none"), (512, "minimal"), (1024, "low"), (8192, "medium"), (24_576, "high"))
_TIERS: Final[Mapping[str, str]] = {
    "auto": "auto",
    "default": "default",
    "standard": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "scale": "scale",
}
_LONGEST_USER: Final = 64
_LEAST_OUTPUT: Final = 16
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")

_READ: Final = frozenset(
    (
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning"),
        *("max_output_tokens", "temperature", "top_p", "top_logprobs", "metadata", "user", "safety_identifier"),
        *("prompt_cache_key", "service_tier", "stream", "stream_options", "store", "include"),
        *("previous_response_id", "conversation"),
    )
)
_UNKNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "background": ("refuse", "answers cannot be fetched later"),
    "prompt": ("refuse", "stored prompts are known to their vendor only"),
    "context_management": ("warn", "the history is sent as it is"),
    "truncation": ("warn", "the history is sent as it is"),
    "max_tool_calls": ("warn", "tool calls are not counted"),
    "moderation": ("warn", "moderation is the vendor's own"),
}
"""Members that nothing is made of, where that is worth more than a note: weight and why."""


class StateNotFound(Invalid):
    """A response or conversation, named by the request, that is not known here."""

    code = "previous_response_not_found"


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """Read a client's request. See `translator.ParseRequest`.

    Raises StateNotFound for a request that goes on where an earlier response ended.
    """
    _refuse_state(body)
    if body.get("input") is None and body.get("prompt") is None:
        raise Invalid("`input` is required", param="input")
    found = tools.Found(losses)
    found.add(body.get("tools"), "tools")
    instructions = fields.text(body, "instructions")
    turns = [Turn("system", (Text(instructions),))] if instructions else []
    turns += items.parse_input(body.get("input") or [], losses, found)
    if not turns and not body.get("input") and body.get("prompt") is None:
        raise Invalid("`input` must not be empty", param="input")
    output, verbosity = _parse_text(body)
    for member in body.keys() - _READ:
        value = body[member]
        if value in (None, False, "disabled"):
            continue
        weight, why = _UNKNOWN.get(member, ("note", "this member is unknown here"))
        losses.add(member, why, weight=weight)  # type: ignore[arg-type] # one of three
    return Conversation(
        model=model,
        turns=tuple(turns),
        tools=tuple(found.tools.values()),
        hosted_tools=tuple(found.hosted),
        tool_choice=tools.parse_choice(body.get("tool_choice"), losses),
        parallel_calls=fields.flag(body, "parallel_tool_calls"),
        reasoning=_parse_reasoning(body, losses),
        output=output,
        pictures=tools.parse_pictures(found.hosted, body.get("tool_choice")),
        settings=_parse_settings(body, verbosity, losses),
        stream=stream,
        echo=body,
    )


def _refuse_state(body: Mapping[str, object]) -> None:
    earlier = body.get("previous_response_id")
    if earlier is not None:
        raise StateNotFound(f"Previous response with id '{earlier}' not found.", param="previous_response_id")
    if body.get("conversation") is not None:
        raise StateNotFound("The conversation is not known here; send its items in `input`.", param="conversation")


def _parse_text(body: Mapping[str, object]) -> tuple[Output | None, str]:
    """Structured output and verbosity."""
    text = fields.members(body, "text") or {}
    verbosity = text.get("verbosity")
    form = fields.members(text, "format", "text.") or {}
    return _parse_format(form), verbosity if isinstance(verbosity, str) else ""


def _parse_format(form: Mapping[str, object]) -> Output | None:
    kind = form.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Output()
    if kind != "json_schema":
        raise Invalid("`text.format.type` must be text, json_object or json_schema", param="text.format.type")
    place = "text.format."
    return Output(
        fields.as_members(form.get("schema"), f"{place}schema"),
        fields.needed_text(form, "name", place),
        fields.text(form, "description", place),
        fields.flag(form, "strict", place),
    )


def _parse_reasoning(body: Mapping[str, object], losses: Losses) -> Reasoning | None:
    reasoning = fields.members(body, "reasoning") or {}
    for member in reasoning.keys() - {"effort", "summary", "generate_summary"}:
        if reasoning[member] is not None:
            losses.add(f"reasoning.{member}", "this member is unknown here", weight="note")
    effort = fields.text(reasoning, "effort", "reasoning.")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    if effort and effort not in _EFFORTS:
        raise Invalid(f"`reasoning.effort` must be one of {', '.join(_EFFORTS)}", param="reasoning.effort")
    if not effort and summary is None:
        return None
    return Reasoning(effort, visible=True if summary is not None else None)


def _parse_settings(body: Mapping[str, object], verbosity: str, losses: Losses) -> Settings:
    include = fields.items(body, "include")
    for index, each in enumerate(include):
        if each not in (ENCRYPTED_REASONING, _LOGPROBS):
            losses.add(f"include[{index}]", "there is nothing of the kind here", weight="note")
    max_output = fields.integer(body, "max_output_tokens")
    if max_output is not None and max_output < 1:
        raise Invalid("`max_output_tokens` must be positive", param="max_output_tokens")
    top_logprobs = fields.integer(body, "top_logprobs")
    return Settings(
        max_output=max_output,
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        logprobs=_LOGPROBS in include or bool(top_logprobs),
        top_logprobs=top_logprobs,
        user=fields.text(body, "safety_identifier") or fields.text(body, "user"),
        metadata=fields.members(body, "metadata"),
        cache_key=fields.text(body, "prompt_cache_key"),
        service_tier=fields.text(body, "service_tier"),
        verbosity=verbosity,
    )


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """Write a request for a Responses upstream. See `translator.RenderRequest`.

    It keeps no state there: nothing is stored, and reasoning comes encrypted, to be sent along the next time.
    """
    instructions, turns = _instructions(conversation)
    body: dict[str, object] = {"model": model}
    if instructions:
        body["instructions"] = instructions
    body["input"] = [*_json_hint(conversation), *items.render_input(turns, signer, losses)]
    rendered = tools.render_tools(conversation, losses)
    if rendered:
        body["tools"] = rendered
        if conversation.tool_choice is not None:
            body["tool_choice"] = tools.render_choice(conversation.tool_choice, conversation.tools)
        elif (forced := tools.render_forced(conversation.hosted_tools)) is not None:
            body["tool_choice"] = forced
        if conversation.parallel_calls is not None:
            body["parallel_tool_calls"] = conversation.parallel_calls
    reasoning = _render_reasoning(conversation.reasoning, profile, losses)
    if reasoning:
        body["reasoning"] = reasoning
    text = _render_text(conversation)
    if text:
        body["text"] = text
    _render_settings(body, conversation.settings, profile, losses)
    body["store"] = False
    # OpenAI refuses to encrypt the reasoning of a model that has none; of others only they know.
    include = [ENCRYPTED_REASONING] if profile.reasoning != "none" or profile.vendor != "openai" else []
    if conversation.settings.logprobs and not profile.sampling:
        losses.add("logprobs", "the model gives no log probabilities")
    elif conversation.settings.logprobs:
        include.append(_LOGPROBS)
        if conversation.settings.top_logprobs is not None:
            body["top_logprobs"] = conversation.settings.top_logprobs
    if include:
        body["include"] = include
    if conversation.stream:
        body["stream"] = True
    return body


def _instructions(conversation: Conversation) -> tuple[str, list[tuple[int, Turn]]]:
    """The first turn's text, where it is the system's and something follows; and the turns that remain, numbered."""
    turns = list(enumerate(conversation.turns))
    if len(turns) > 1 and turns[0][1].role in ("system", "developer"):
        parts = turns[0][1].parts
        texts = [part.text for part in parts if isinstance(part, Text)]
        if len(texts) == len(parts):
            return "\n\n".join(texts), turns[1:]
    return "", turns


def _json_hint(conversation: Conversation) -> list[dict[str, object]]:
    """A request for any JSON object is refused where its input does not say so."""
    if conversation.output is None or conversation.output.schema is not None:
        return []
    for index, turn in enumerate(conversation.turns):
        if index == 0 and turn.role == "system":
            continue  # instructions are no input
        if any(isinstance(part, Text) and "json" in part.text.lower() for part in turn.parts):
            return []
        if turn.role == "user":
            break  # what is said later must not change how the input begins
    content = [{"type": "input_text", "text": "Answer with a single JSON object."}]
    return [{"type": "message", "role": "developer", "content": content}]


def _render_reasoning(reasoning: Reasoning | None, profile: Profile, losses: Losses) -> dict[str, object]:
    if reasoning is None:
        return {}
    rendered: dict[str, object] = {}
    wanted = reasoning.effort
    if not wanted and reasoning.budget is not None and reasoning.budget >= 0:
        wanted = next((effort for most, effort in _BUDGETS if reasoning.budget <= most), "xhigh")
    if profile.reasoning == "none":
        if wanted not in ("", "none", "auto") or reasoning.visible:
            losses.add("reasoning", "the model does not reason, as far as is known")
        return {}
    if wanted in _EFFORTS:
        offered = _ANY_MODEL if profile.reasoning == "budget" else profile.efforts or _ANY_MODEL
        rendered["effort"] = effort = _nearest(wanted, offered)
        if effort != wanted:
            losses.add("reasoning.effort", f"the model takes {', '.join(offered)}", action=f"set to {effort}")
    if reasoning.visible:
        rendered["summary"] = "auto"
    return rendered


def _nearest(wanted: str, offered: tuple[str, ...]) -> str:
    """The strongest effort that is no more than wanted, else the weakest; thinking is never switched off unasked."""
    if wanted in offered:
        return wanted
    levels = [effort for effort in _EFFORTS if effort in offered and effort != "none"]
    if not levels:
        return wanted
    weaker = [effort for effort in levels if _EFFORTS.index(effort) <= _EFFORTS.index(wanted)]
    return weaker[-1] if weaker else levels[0]


def _render_text(conversation: Conversation) -> dict[str, object]:
    text: dict[str, object] = {}
    output = conversation.output
    if output is not None and output.schema is None:
        text["format"] = {"type": "json_object"}
    elif output is not None:
        form: dict[str, object] = {"type": "json_schema", "name": _schema_name(output)}
        if output.description:
            form["description"] = output.description
        form |= {"schema": output.schema, "strict": bool(output.strict)}
        text["format"] = form
    if conversation.settings.verbosity:
        text["verbosity"] = conversation.settings.verbosity
    return text


def _schema_name(output: Output) -> str:
    schema: Json = output.schema
    title = schema.get("title") if isinstance(schema, dict) else None
    name = output.name or (title if isinstance(title, str) else "")
    return _NOT_NAME.sub("_", name)[:64] or "response"


def _render_settings(body: dict[str, object], settings: Settings, profile: Profile, losses: Losses) -> None:
    if settings.max_output is not None:
        least = _LEAST_OUTPUT if profile.vendor == "openai" else 1
        body["max_output_tokens"] = max(settings.max_output, least)
        if settings.max_output < least:
            losses.add("max_output_tokens", f"the vendor takes no less than {least}", action=f"raised to {least}")
    for name, number in (("temperature", settings.temperature), ("top_p", settings.top_p)):
        if number is None:
            continue
        if profile.sampling:
            body[name] = number
        else:
            losses.add(name, "the model takes no sampling parameters")
    absent = {
        "top_k": settings.top_k,
        "stop": settings.stop or None,
        "seed": settings.seed,
        "presence_penalty": settings.presence_penalty,
        "frequency_penalty": settings.frequency_penalty,
        "logit_bias": settings.logit_bias,
        "n": settings.choices if settings.choices > 1 else None,
    }
    for name, value in absent.items():
        if value is not None:
            losses.add(name, "the upstream's dialect has no such setting")
    if settings.user:
        # The vendor's limit; a name that is cut could be somebody else's.
        longer = len(settings.user) > _LONGEST_USER
        body["user"] = (
            hashlib.sha256(settings.user.encode("utf-8", "surrogatepass")).hexdigest() if longer else settings.user
        )
    if settings.cache_key:
        body["prompt_cache_key"] = settings.cache_key
    tier = _TIERS.get(settings.service_tier.lower())
    if tier is not None:
        body["service_tier"] = tier
    elif settings.service_tier:
        losses.add("service_tier", "the upstream has no such tier", weight="note")
    metadata = settings.metadata
    if isinstance(metadata, dict) and metadata:
        if all(isinstance(value, str) for value in metadata.values()):
            body["metadata"] = metadata
        else:
            losses.add("metadata", "the upstream takes texts only", weight="note")
