"""Chat Completions requests, read as the neutral conversation (docs/wire/openai-chat.md#request)."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid, Output, Pictures, Reasoning, Settings, Turn
from agcore.dialects.openai.fields import (
    EFFORTS,
    Fields,
    as_members,
    flag,
    integer,
    items,
    members,
    number,
    text,
    wrong,
)
from agcore.dialects.openai.parts_reader import cache_marker, read_parts
from agcore.dialects.openai_chat.messages_reader import History
from agcore.dialects.openai_chat.tools import read_tool_choice, read_tools
from agcore.dialects.shared.picture_fields import read_ratio, read_resolution
from agcore.dialects.shared.unread import note_unread

_READ: Final = frozenset({
    "model", "messages", "stream", "stream_options", "max_completion_tokens", "max_tokens", "temperature",
    "top_p", "top_k", "n", "stop", "seed", "logprobs", "top_logprobs", "logit_bias", "presence_penalty",
    "frequency_penalty", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls",
    "response_format", "reasoning_effort", "reasoning", "thinking", "verbosity", "web_search_options", "user",
    "safety_identifier", "metadata", "prompt_cache_key", "service_tier", "modalities", "image_config",
    "system", "stop_sequences", "cache_control",
})  # fmt: skip
_STREAM: Final = frozenset({"include_usage"})
_HARMLESS: Final = frozenset(
    {"audio", "store", "prediction", "moderation", "prompt_cache_options", "prompt_cache_retention"}
)


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """See `base.ParseRequest`. A body with `input` and no `messages` is read as a Responses request."""
    if body.get("messages") is None and "input" in body:
        # Some clients send it here.
        from agcore.dialects.openai_responses import request_reader as openai_responses_request

        conversation = openai_responses_request.parse_request(body, model=model, stream=stream, losses=losses)
        return msgspec.structs.replace(conversation, include_usage=asks_for_usage(body))
    messages = items(body, "messages")
    if not messages:
        raise Invalid("`messages` is required and must not be empty", param="messages")
    tools, hosted = read_tools(body, losses)
    limit = next(
        (value for name in ("max_completion_tokens", "max_tokens") if (value := integer(body, name) or 0) > 0), None
    )
    conversation = Conversation(
        model=model,
        turns=(*(_read_system(body, losses) if "system" in body else ()), *History(losses).turns(messages)),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=read_tool_choice(body),
        parallel_calls=_read_parallel(body) if body.get("tool_choice") else flag(body, "parallel_tool_calls"),
        reasoning=_read_reasoning(body),
        output=_read_output(body),
        pictures=_read_pictures(body),
        settings=read_settings(body, max_output=limit),
        stream=stream,
        include_usage=asks_for_usage(body),
        echo=body if _old_style(body) else None,
    )
    _note_unread(body, losses)
    return conversation


def _read_system(body: Fields, losses: Losses) -> tuple[Turn, ...]:
    """A system prompt beside the messages, as Anthropic has it."""
    system = body.get("system")
    if system is None:
        return ()
    parts = read_parts(system, "system", "system", losses)
    return (Turn("system", tuple(parts)),) if parts else ()


def _read_parallel(body: Fields) -> bool | None:
    """Whether several calls may be made at once, in Chat's words or, within the tool choice, in Anthropic's."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True:
        return False
    return flag(body, "parallel_tool_calls")


def asks_for_usage(body: Fields) -> bool:
    """Whether a stream's client asked for usage."""
    options = members(body, "stream_options")
    return bool(options is not None and flag(options, "include_usage", "stream_options."))


def read_settings(body: Fields, *, max_output: int | None) -> Settings:
    """Sampling, limits and labels, in the members that Chat and legacy Completions share."""
    name = "stop" if body.get("stop") is not None else "stop_sequences"  # Anthropic's word for it
    stop = body.get(name)
    stops = [stop] if isinstance(stop, str) else items(body, name)
    for index, each in enumerate(stops):
        if not isinstance(each, str):
            raise wrong(f"{name}[{index}]", "a string")
    choices = integer(body, "n")
    if choices is not None and choices < 1:
        raise wrong("n", "at least 1")
    logprobs = body.get("logprobs")
    return Settings(
        max_output=max_output,
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        top_k=integer(body, "top_k"),
        stop=tuple(str(each) for each in stops if each),
        seed=integer(body, "seed"),
        presence_penalty=number(body, "presence_penalty"),
        frequency_penalty=number(body, "frequency_penalty"),
        logit_bias=members(body, "logit_bias"),
        logprobs=logprobs is True,
        top_logprobs=integer(body, "top_logprobs"),
        choices=choices or 1,
        user=text(body, "safety_identifier") or text(body, "user"),
        metadata=members(body, "metadata"),
        cache=cache_marker(body) if "cache_control" in body else "",
        cache_key=text(body, "prompt_cache_key"),
        service_tier=text(body, "service_tier"),
        verbosity=text(body, "verbosity"),
    )


def _old_style(body: Fields) -> bool:
    """Whether the client reads `function_call` in the answer."""
    return bool(body.get("functions")) and not body.get("tools")


def _read_reasoning(body: Fields) -> Reasoning | None:
    """OpenAI's `reasoning_effort`, or the objects that OpenRouter (`reasoning`) and Anthropic (`thinking`) take."""
    effort, budget, visible = text(body, "reasoning_effort"), None, None
    router = members(body, "reasoning") or {}
    if router:
        effort = effort or text(router, "effort", "reasoning.")
        budget = integer(router, "max_tokens", "reasoning.")
        visible = not flag(router, "exclude", "reasoning.")  # OpenRouter shows what it is not told to leave out
        if not effort and budget is None and flag(router, "enabled", "reasoning.") is not None:
            effort = "auto" if router["enabled"] else "none"
    switch = members(body, "thinking")
    if switch is not None and not effort and budget is None:
        budget = integer(switch, "budget_tokens", "thinking.")
        if budget is None:
            effort = "none" if text(switch, "type", "thinking.") == "disabled" else "auto"
    if effort and effort not in (*EFFORTS, "auto"):
        raise Invalid(f"`reasoning_effort` is not known: {effort!r}", param="reasoning_effort")
    if not effort and budget is None and visible is None:
        return None
    return Reasoning(effort=effort, budget=None if effort else budget, visible=visible)


def _read_output(body: Fields) -> Output | None:
    shape = members(body, "response_format")
    if shape is None:
        return None
    kind = text(shape, "type", "response_format.")
    if kind == "text":
        return None
    if kind == "json_object":
        return Output()
    if kind != "json_schema":
        raise Invalid(f"`response_format.type` is not known: {kind!r}", param="response_format.type")
    path = "response_format.json_schema"
    described = as_members(shape.get("json_schema"), path)
    return Output(
        schema=members(described, "schema", path + "."),
        name=text(described, "name", path + "."),
        description=text(described, "description", path + "."),
        strict=flag(described, "strict", path + "."),
    )


def _read_pictures(body: Fields) -> Pictures | None:
    """Pictures as OpenRouter's clients ask for them."""
    modalities, config = items(body, "modalities"), members(body, "image_config")
    if "image" not in modalities and config is None:
        return None
    config, path = config or {}, "image_config."
    return Pictures(
        only="image" in modalities and "text" not in modalities,
        aspect_ratio=read_ratio(text(config, "aspect_ratio", path), path + "aspect_ratio"),
        resolution=read_resolution(text(config, "image_size", path), path + "image_size"),
    )


def _note_unread(body: Fields, losses: Losses) -> None:
    options = body.get("stream_options")
    if isinstance(options, dict):
        note_unread(options, _STREAM, "stream_options.", losses)
    modalities = items(body, "modalities")
    if "audio" in modalities:
        losses.add("modalities", "answers in sound are not translated", weight="refuse")
    for name, value in body.items():
        if name in _READ or value is None:
            continue
        if name in _HARMLESS:
            if value:
                losses.add(name, "only OpenAI has it", weight="note")
        else:
            losses.add(name, "not a member of Chat Completions that is known")
