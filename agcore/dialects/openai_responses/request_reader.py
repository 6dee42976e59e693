"""Responses requests, read as the neutral conversation (docs/wire/openai-responses.md#request)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Conversation,
    Invalid,
    Output,
    Reasoning,
    Settings,
    Text,
    Turn,
)
from agcore.dialects.openai import fields
from agcore.dialects.openai.parts_reader import cache_marker
from agcore.dialects.openai_responses import items_reader, tools
from agcore.dialects.openai_responses.traits import ENCRYPTED_REASONING, LOGPROBS
from agcore.dialects.shared.unread import note_unread

_READ: Final = frozenset(
    (
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning"),
        *("max_output_tokens", "temperature", "top_p", "top_logprobs", "metadata", "user", "safety_identifier"),
        *("prompt_cache_key", "service_tier", "stream", "stream_options", "store", "include"),
        *("previous_response_id", "conversation", "cache_control"),
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

_UPDATED: Final = ("reasoning", "text")
"""Members that an item on the way may change."""


class StateNotFound(Invalid):
    """A response or conversation, named by the request, that is not known here."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message, param=param, code="previous_response_not_found")


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """Read a client's request. See `base.ParseRequest`.

    Raises StateNotFound for a request that goes on where an earlier response ended.
    """
    _refuse_state(body)
    body = _updated(body, losses)
    if body.get("input") is None and body.get("prompt") is None:
        raise Invalid("`input` is required", param="input")
    found = tools.Found(losses)
    found.add(body.get("tools"), "tools")
    instructions = fields.text(body, "instructions")
    turns = [Turn("system", (Text(instructions),))] if instructions else []
    turns += items_reader.parse_input(body.get("input") or [], losses, found)
    if not turns and not body.get("input") and body.get("prompt") is None:
        raise Invalid("`input` must not be empty", param="input")
    compacts = items_reader.asks_for_compaction(body.get("input"))
    if compacts and not turns:
        raise Invalid("there is nothing to compact", param="input")
    output, verbosity = _parse_text(body, losses)
    note_unread(fields.members(body, "stream_options") or {}, frozenset(), "stream_options.", losses)
    for member, value in body.items():
        if member in _READ or value in (None, False, "disabled"):
            continue
        weight, why = _UNKNOWN.get(member, ("note", "this member is unknown here"))
        losses.add(member, why, weight=weight)  # type: ignore[arg-type] # one of three
    conversation = Conversation(
        model=model,
        turns=tuple(turns),
        tools=tuple(found.tools.values()),
        hosted_tools=tuple(found.hosted),
        tool_choice=tools.parse_choice(body.get("tool_choice"), found, losses),
        parallel_calls=fields.flag(body, "parallel_tool_calls"),
        reasoning=_parse_reasoning(body, losses),
        output=output,
        pictures=tools.parse_pictures(found.hosted, body.get("tool_choice")),
        settings=_parse_settings(body, verbosity, losses),
        stream=stream,
        echo=body,
    )
    return compaction.asked(conversation) if compacts else conversation


def _updated(body: dict[str, object], losses: Losses) -> dict[str, object]:
    """The body with what its items of type `configuration_update` change: the last of them that says something counts.

    See docs/wire/openai-responses.md#changes-on-the-way.
    """
    items = body.get("input")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict) or item.get("type") != "configuration_update":
            continue
        path = f"input[{index}]"
        for member in item.keys() - {"type", "id", *_UPDATED}:
            losses.add(f"{path}.{member}", "this cannot be changed on the way here")
        for name in _UPDATED:
            change = fields.members(item, name, f"{path}.")
            if change:
                body = {**body, name: {**(fields.members(body, name) or {}), **change}}
    return body


def _refuse_state(body: Mapping[str, object]) -> None:
    earlier = body.get("previous_response_id")
    if earlier is not None:
        raise StateNotFound(f"Previous response with id '{earlier}' not found.", param="previous_response_id")
    if body.get("conversation") is not None:
        raise StateNotFound("The conversation is not known here; send its items in `input`.", param="conversation")


def _parse_text(body: Mapping[str, object], losses: Losses) -> tuple[Output | None, str]:
    """Structured output and verbosity."""
    text = fields.members(body, "text") or {}
    for member in text.keys() - {"format", "verbosity"}:
        if text[member] is not None:
            losses.add(f"text.{member}", "this member is unknown here", weight="note")
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
    if effort and effort not in fields.EFFORTS:
        raise Invalid(f"`reasoning.effort` must be one of {', '.join(fields.EFFORTS)}", param="reasoning.effort")
    if not effort and summary is None:
        return None
    return Reasoning(effort, visible=True if summary is not None else None)


def _parse_settings(body: Mapping[str, object], verbosity: str, losses: Losses) -> Settings:
    include = fields.items(body, "include")
    for index, each in enumerate(include):
        if each not in (ENCRYPTED_REASONING, LOGPROBS):
            losses.add(f"include[{index}]", "there is nothing of the kind here", weight="note")
    max_output = fields.integer(body, "max_output_tokens")
    if max_output is not None and max_output < 1:
        raise Invalid("`max_output_tokens` must be positive", param="max_output_tokens")
    top_logprobs = fields.integer(body, "top_logprobs")
    return Settings(
        max_output=max_output,
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        logprobs=LOGPROBS in include or bool(top_logprobs),
        top_logprobs=top_logprobs,
        user=fields.text(body, "safety_identifier") or fields.text(body, "user"),
        metadata=fields.members(body, "metadata"),
        cache=cache_marker(body),
        cache_key=fields.text(body, "prompt_cache_key"),
        service_tier=fields.text(body, "service_tier"),
        verbosity=verbosity,
    )
