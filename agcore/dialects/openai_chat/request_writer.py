"""Chat Completions requests, written from the neutral conversation (docs/wire/openai-chat.md#request).

Most Chat upstreams are not OpenAI. What only OpenAI takes goes only to models that the profile knows as OpenAI's own;
a model nobody knows is sent what compatible servers have in common (`max_tokens`, `system`, function tools), and an
effort as the client asked for it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.caching import has_markers, wished
from agcore.conversation.losses import Losses
from agcore.conversation.schemas.writer import write_schema
from agcore.conversation.values import Conversation, Output, Pictures, Settings, Text, Turn
from agcore.dialects.openai.schemas import output_target
from agcore.dialects.openai_chat.messages_writer import Messages
from agcore.dialects.openai_chat.reasoning import leave_out_effort, settled, write_reasoning
from agcore.dialects.openai_chat.tools import official, write_tools
from agcore.models.profiles import Profile
from agcore.protocol.report import Weight

_TIERS: Final = {tier: tier for tier in ("auto", "default", "flex", "scale", "priority", "fast")} | {
    "standard": "default",
    "standard_only": "default",
    "ultrafast": "fast",
}
_MOST_STOPS: Final = 4
_LONGEST_USER: Final = 64


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """See `base.RenderRequest`. Streams always ask for usage: the client's writer hides what it did not ask."""
    conversation = settled(_asked_in_words(conversation, profile), profile, losses)
    body: dict[str, object] = {
        "model": model,
        "messages": Messages(profile=profile, signer=signer, losses=losses).written(conversation),
    }
    body.update(write_tools(conversation, profile, losses))
    if conversation.output is not None:
        body["response_format"] = _write_output(conversation.output, profile, losses)
    if conversation.pictures is not None:
        _write_pictures(conversation.pictures, profile, body, losses)
    _write_sampling(conversation.settings, profile, body, losses)
    if conversation.reasoning is not None:
        write_reasoning(conversation.reasoning, profile, body, losses)
    if "tools" in body:
        leave_out_effort(conversation.reasoning, profile, body, losses)
    _write_labels(conversation.settings, profile, body, losses)
    if conversation.settings.cache or profile.upstream.cache_field:
        _write_cache(conversation, profile, body, losses)
    if conversation.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _asked_in_words(conversation: Conversation, profile: Profile) -> Conversation:
    """The conversation with words for the JSON that it asks for, where the upstream is told only that it is some.

    Any JSON object may be asked for only where the word stands in the conversation; later turns change nothing.
    """
    output, turns = conversation.output, conversation.turns
    if output is None or (output.schema is not None and profile.structured_output):
        return conversation
    first = next((at for at, turn in enumerate(turns) if turn.role not in ("system", "developer")), len(turns))
    said = [part.text for turn in turns[: first + 1] for part in turn.parts if isinstance(part, Text)]
    if output.schema is not None:
        words = "Answer with a single JSON object and nothing else. It must match this JSON Schema:\n"
        words += json_text.encode(output.schema).decode()
    elif any("json" in text.lower() for text in said):
        return conversation
    else:
        words = "Answer with a single JSON object."
    told = (*turns[:first], Turn("system", (Text(words),)), *turns[first:])
    return msgspec.structs.replace(conversation, turns=told)


def _write_output(output: Output, profile: Profile, losses: Losses) -> dict[str, object]:
    schema = output.schema
    if schema is not None and not profile.structured_output:
        losses.add("response_format", f"{profile.model} takes no schema", action="asked for in words")
        schema = None
    if schema is None and profile.upstream.json_object:
        return {"type": "json_object"}
    if schema is None:
        return {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}}
    title = schema.get("title") if isinstance(schema, dict) else None
    name = output.name or (title if isinstance(title, str) else "")
    described: dict[str, object] = {"name": re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64].strip("_") or "response"}
    if output.description:
        described["description"] = output.description
    target = output_target(strict=bool(output.strict))
    described["schema"] = write_schema(schema, target, "response_format.json_schema.schema", losses)
    if output.strict is not None:
        described["strict"] = output.strict
    return {"type": "json_schema", "json_schema": described}


def _write_pictures(pictures: Pictures, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    if profile.vendor and (official(profile) or not profile.image_output):
        why = f"{profile.model} makes no pictures in conversations"
        losses.add("modalities", why, weight="refuse" if pictures.only else "warn")
        return
    body["modalities"] = ["image"] if pictures.only else ["image", "text"]
    config = {"aspect_ratio": pictures.aspect_ratio, "image_size": pictures.resolution}
    if any(config.values()):
        body["image_config"] = {name: value for name, value in config.items() if value}
    for name, value in (("size", pictures.size), ("quality", pictures.quality)):
        if value:
            losses.add(name, "Chat upstreams take a ratio and a resolution only")


def _write_sampling(settings: Settings, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """Limits and sampling. OpenAI's reasoning models refuse what steers the choice of single tokens."""
    if settings.max_output is not None:
        own = official(profile) and profile.reasoning != "none"
        body["max_completion_tokens" if own else "max_tokens"] = settings.max_output
    for name, value in (("temperature", settings.temperature), ("top_p", settings.top_p)):
        if value is None or (not profile.sampling and value == 1):
            continue
        if profile.sampling:
            body[name] = value
        else:
            losses.add(name, f"{profile.model} takes no sampling parameters")
    if settings.top_k is not None:
        _send_if(profile.top_k, body, "top_k", settings.top_k, profile, losses)
    _write_stop(settings.stop, profile, body, losses)
    if settings.choices > 1:
        body["n"] = settings.choices
    if settings.seed is not None:
        body["seed"] = settings.seed
    for name, penalty in (
        ("presence_penalty", settings.presence_penalty),
        ("frequency_penalty", settings.frequency_penalty),
    ):
        if penalty:
            _send_if(profile.penalties, body, name, penalty, profile, losses)
    if settings.logit_bias:
        _send_if(profile.sampling, body, "logit_bias", settings.logit_bias, profile, losses)
    if settings.logprobs:
        _send_if(profile.sampling and profile.vendor != "mistral", body, "logprobs", True, profile, losses)
        if "logprobs" in body and settings.top_logprobs is not None:
            body["top_logprobs"] = settings.top_logprobs


def _write_stop(stop: tuple[str, ...], profile: Profile, body: dict[str, object], losses: Losses) -> None:
    if not stop:
        return
    if not profile.upstream.stop or (official(profile) and profile.reasoning != "none"):
        losses.add("stop", f"{profile.model} takes no stop sequences")
    elif len(stop) > _MOST_STOPS:
        losses.add("stop", f"Chat takes at most {_MOST_STOPS} stop sequences", weight="refuse")
    else:
        body["stop"] = list(stop)


def _send_if(taken: bool, body: dict[str, object], name: str, value: object, profile: Profile, losses: Losses) -> None:
    if taken:
        body[name] = value
    else:
        losses.add(name, f"{profile.model} does not take it")


def _write_labels(settings: Settings, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """Who asks, for what and how urgently: OpenAI's, but for the user, whom most servers take."""
    if settings.user:
        long = len(settings.user) > _LONGEST_USER
        who = hashlib.sha256(settings.user.encode(errors="surrogatepass")).hexdigest() if long else settings.user
        if profile.vendor == "mistral":  # refuses members that it does not know
            losses.add("user", "Mistral has no such member", weight="note")
        else:
            body["user"] = who
    if settings.metadata:
        losses.add("metadata", "OpenAI keeps it with stored answers only", weight="note")
    labels = {
        "prompt_cache_key": settings.cache_key,
        "service_tier": _TIERS.get(settings.service_tier, ""),
        "verbosity": settings.verbosity if profile.reasoning != "none" else "",
    }
    for name, wanted in (
        ("prompt_cache_key", settings.cache_key),
        ("service_tier", settings.service_tier),
        ("verbosity", settings.verbosity),
    ):
        if labels[name] and official(profile):
            body[name] = labels[name]
        elif wanted:
            weight: Weight = "warn" if name == "verbosity" else "note"
            losses.add(name, f"{profile.model} does not take it", weight=weight)


def _write_cache(conversation: Conversation, profile: Profile, body: dict[str, object], losses: Losses) -> None:
    """A breakpoint at the end, where the server takes one: that of the last part that is marked is no better."""
    lifetime = wished(conversation) or ("default" if has_markers(conversation) else "")
    if lifetime and profile.upstream.cache_field:
        body["cache_control"] = {"type": "ephemeral", **({} if lifetime == "default" else {"ttl": lifetime})}
    elif lifetime:
        losses.add("cache_control", "Chat upstreams cache on their own", weight="note")
