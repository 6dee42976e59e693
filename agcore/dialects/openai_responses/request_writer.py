"""Responses requests, written from the neutral conversation (docs/wire/openai-responses.md#request)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.schemas.writer import write_schema
from agcore.conversation.values import (
    Conversation,
    Json,
    Output,
    Reasoning,
    Settings,
    Text,
    Turn,
)
from agcore.dialects.openai import fields
from agcore.dialects.openai.schemas import output_target
from agcore.dialects.openai_responses import items_writer, tools
from agcore.dialects.openai_responses.traits import ENCRYPTED_REASONING, LOGPROBS
from agcore.models.profiles import Profile

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


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """Write a request for a Responses upstream. See `base.RenderRequest`.

    It keeps no state there: nothing is stored, and reasoning comes encrypted, to be sent along the next time.
    """
    instructions, turns = _instructions(conversation)
    body: dict[str, object] = {"model": model}
    if instructions:
        body["instructions"] = instructions
    body["input"] = [*_json_hint(conversation), *items_writer.render_input(turns, signer, losses)]
    rendered = tools.render_tools(conversation, profile, losses)
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
    text = _render_text(conversation, losses)
    if text:
        body["text"] = text
    _render_settings(body, conversation.settings, profile, losses)
    body["store"] = False
    # OpenAI refuses to encrypt the reasoning of a model that has none; of others only they know.
    include = [ENCRYPTED_REASONING] if profile.reasoning != "none" or profile.vendor != "openai" else []
    if conversation.settings.logprobs and not profile.sampling:
        losses.add("logprobs", "the model gives no log probabilities")
    elif conversation.settings.logprobs:
        include.append(LOGPROBS)
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
    if wanted in fields.EFFORTS:
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
    levels = [effort for effort in fields.EFFORTS if effort in offered and effort != "none"]
    if not levels:
        return wanted
    weaker = [effort for effort in levels if fields.EFFORTS.index(effort) <= fields.EFFORTS.index(wanted)]
    return weaker[-1] if weaker else levels[0]


def _render_text(conversation: Conversation, losses: Losses) -> dict[str, object]:
    text: dict[str, object] = {}
    output = conversation.output
    if output is not None and output.schema is None:
        text["format"] = {"type": "json_object"}
    elif output is not None:
        form: dict[str, object] = {"type": "json_schema", "name": _schema_name(output)}
        if output.description:
            form["description"] = output.description
        strict = bool(output.strict)
        schema = write_schema(output.schema, output_target(strict=strict), "text.format.schema", losses)
        form |= {"schema": schema, "strict": strict}
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
    if settings.cache:
        losses.add("cache_control", "the upstream caches by itself", weight="note")
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
