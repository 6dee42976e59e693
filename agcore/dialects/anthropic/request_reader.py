"""Anthropic requests, read as the neutral conversation (docs/wire/anthropic-messages.md#request).

Reading is strict where a wrong guess would change the meaning (a block without its text, a call without its id) and
lenient where the API's own limits are the upstream's business (ranges, counts). Tools that the client runs but whose
schema Anthropic knows by a type (`bash_20250124`) become ordinary tools with that schema: their calls look the same to
the client. Tools that Anthropic runs, and their calls and results in the history, stay what they are: foreign.
"""

from __future__ import annotations

from typing import Final, Literal

from agcore.conversation import compaction
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid, Output, Reasoning, Settings
from agcore.dialects.anthropic.errors import FAMILY
from agcore.dialects.anthropic.fields import cache_of, integer, members, number, read_effort, strings
from agcore.dialects.anthropic.messages_reader import Messages
from agcore.dialects.anthropic.tools_reader import forced, read_choice, read_tools
from agcore.dialects.shared.unread import note_unread
from agcore.protocol.fault import Vendor

_KNOWN: Final = frozenset(
    (
        "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k",
        "thinking", "output_config", "output_format", "tools", "tool_choice", "metadata", "service_tier",
        "cache_control", "container", "mcp_servers", "thread", "compaction",
    )
)  # fmt: skip
_WHY_NOT: Final = {
    "context_management": "only Anthropic edits a context on its side",
    "inference_geo": "only Anthropic lets a request choose where it runs",
}


class ThreadUnsupported(Invalid):
    """The request is one turn of a conversation that Anthropic keeps, which nobody else has.

    SDK runners that read `error.details` of the 400 send the whole conversation again.
    """

    def __init__(self) -> None:
        message = "`thread` needs an upstream that keeps conversations; send all messages instead"
        details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        error: dict[str, object] = {"type": "invalid_request_error", "message": message, "details": details}
        super().__init__(message, param="thread", vendor=Vendor(FAMILY, error))


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """Read a request; see `base.ParseRequest`. A `thread` raises ThreadUnsupported."""
    if body.get("thread") is not None:
        raise ThreadUnsupported
    for name in ("container", "mcp_servers"):
        if body.get(name):
            losses.add(name, "it lives at Anthropic only", weight="refuse")
    for name in body:
        if name not in _KNOWN and body[name] is not None:
            weight: Literal["note", "warn"] = "warn" if name == "inference_geo" else "note"
            losses.add(name, _WHY_NOT.get(name, "only Anthropic knows it"), weight=weight)
    max_output = integer(body, "max_tokens")
    if max_output is None:
        raise Invalid("max_tokens: Field required", param="max_tokens")
    compacts, instruction = _compaction(body)
    messages = Messages(body.get("system"), body.get("messages"), losses)
    tools, hosted = messages.changes.applied(*read_tools(body.get("tools"), losses))
    choice, parallel = read_choice(body.get("tool_choice"))
    choice, hosted = forced(messages.changes.chosen(choice), tools, hosted)
    reasoning, output = _controls(body, messages.effort, losses)
    conversation = Conversation(
        model=model,
        turns=tuple(messages.turns),
        tools=tuple(tools),
        hosted_tools=tuple(hosted),
        tool_choice=choice,
        parallel_calls=parallel,
        reasoning=reasoning,
        output=output,
        settings=Settings(
            max_output=max_output,
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            top_k=integer(body, "top_k"),
            stop=tuple(stop for stop in strings(body.get("stop_sequences"), "stop_sequences") if stop),
            cache=cache_of(body),
            user=_user(body.get("metadata")),
            service_tier=_service_tier(body.get("service_tier")),
        ),
        stream=stream,
    )
    return compaction.asked(conversation, instruction) if compacts else conversation


def _compaction(body: dict[str, object]) -> tuple[bool, str]:
    """Whether a summary of the conversation is wanted in place of an answer, and the client's own words for asking."""
    wanted = members(body.get("compaction"), "compaction")
    if not wanted:
        return False, ""
    if wanted.get("type") != "summarize":
        raise Invalid("compaction.type: Input should be 'summarize'", param="compaction.type")
    if body.get("context_management"):
        raise Invalid("compaction: cannot be combined with `context_management`", param="compaction")
    instructions = wanted.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        raise Invalid("compaction.instructions: Input should be a string", param="compaction.instructions")
    return True, instructions or ""


def _controls(body: dict[str, object], later: str, losses: Losses) -> tuple[Reasoning | None, Output | None]:
    """Thinking, effort and structured output, which share `output_config`. The effort of a later message counts."""
    config = members(body.get("output_config"), "output_config")
    if config.get("task_budget") is not None:
        losses.add("output_config.task_budget", "only Anthropic takes a budget for a task")
    note_unread(config, {"effort", "format", "task_budget"}, "output_config.", losses)
    effort = later or read_effort(config, "output_config")
    name = "output_config.format" if config.get("format") is not None else "output_format"
    form = members(config.get("format") if config.get("format") is not None else body.get("output_format"), name)
    output = None
    if form:
        if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
            raise Invalid(f"{name}: Input should be a json_schema with a schema", param=name)
        output = Output(schema=form["schema"])
    return _reasoning(members(body.get("thinking"), "thinking"), effort, losses), output


def _reasoning(thinking: dict[str, object], effort: str, losses: Losses) -> Reasoning | None:
    if not thinking:
        return Reasoning(effort=effort) if effort else None
    note_unread(thinking, {"type", "budget_tokens", "display"}, "thinking.", losses)
    kind, visible = thinking.get("type"), thinking.get("display") != "omitted"
    if kind == "disabled":
        return Reasoning(effort="none")
    if kind == "enabled":
        budget = integer(thinking, "budget_tokens", "thinking.")
        if budget is None:
            raise Invalid("thinking.budget_tokens: Field required", param="thinking.budget_tokens")
        if effort:
            losses.add("output_config.effort", "the thinking budget says it already", weight="note")
        return Reasoning(budget=budget, visible=visible)
    if kind not in ("adaptive", "between_tools"):
        raise Invalid("thinking.type: Input should be 'enabled', 'adaptive' or 'disabled'", param="thinking.type")
    return Reasoning(effort=effort or "auto", visible=visible)


def _user(metadata: object) -> str:
    user = members(metadata, "metadata").get("user_id")
    if user is not None and not isinstance(user, str):
        raise Invalid("metadata.user_id: Input should be a string", param="metadata.user_id")
    return user or ""


def _service_tier(tier: object) -> str:
    if tier is not None and not isinstance(tier, str):
        raise Invalid("service_tier: Input should be a string", param="service_tier")
    return "default" if tier == "standard_only" else tier or ""
