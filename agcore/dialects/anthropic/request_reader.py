"""Anthropic requests, read as the neutral conversation (docs/wire/anthropic-messages.md#request).

Reading is strict where a wrong guess would change the meaning (a block without its text, a call without its id) and
lenient where the API's own limits are the upstream's business (ranges, counts). Tools that the client runs but whose
schema Anthropic knows by a type (`bash_20250124`) become ordinary tools with that schema: their calls look the same to
the client. Tools that Anthropic runs, and their calls and results in the history, stay what they are: foreign.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, Literal

from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import opened
from agcore.conversation.values import (
    Conversation,
    Document,
    Foreign,
    Image,
    Invalid,
    Output,
    Part,
    Reasoning,
    Settings,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from agcore.dialects.anthropic.arguments import object_text
from agcore.dialects.anthropic.errors import FAMILY
from agcore.dialects.anthropic.fields import (
    blocks,
    cache_of,
    filled,
    integer,
    kind_of,
    members,
    number,
    string,
    strings,
)
from agcore.dialects.anthropic.tools_reader import forced, read_choice, read_tools
from agcore.dialects.anthropic.traits import NAME
from agcore.protocol.fault import Vendor

_BILLING: Final = "x-anthropic-billing-header:"
_KNOWN: Final = frozenset(
    (
        "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k",
        "thinking", "output_config", "output_format", "tools", "tool_choice", "metadata", "service_tier",
        "cache_control", "container", "mcp_servers", "thread", "betas",
    )
)  # fmt: skip
_WHY_NOT: Final = {
    "context_management": "only Anthropic edits a context on its side",
    "inference_geo": "only Anthropic lets a request choose where it runs",
}
_EFFORTS: Final = frozenset(("low", "medium", "high", "xhigh", "max"))


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
    if body.get("cache_control") is not None:
        losses.add("cache_control", "automatic cache markers are Anthropic's own", weight="note")
    max_output = integer(body, "max_tokens")
    if max_output is None:
        raise Invalid("max_tokens: Field required", param="max_tokens")
    turns = _system(body.get("system"), losses) + _messages(body.get("messages"), losses)
    tools, hosted = read_tools(body.get("tools"), losses)
    choice, parallel = read_choice(body.get("tool_choice"))
    choice, hosted = forced(choice, tools, hosted)
    reasoning, output = _controls(body, losses)
    return Conversation(
        model=model,
        turns=tuple(turns),
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
            user=_user(body.get("metadata")),
            service_tier=_service_tier(body.get("service_tier")),
        ),
        stream=stream,
    )


def _system(system: object, losses: Losses) -> list[Turn]:
    """The system prompt as one turn, without Claude Code's attribution line: it changes with every request."""
    if system is None:
        return []
    if isinstance(system, str):
        return [Turn("system", (Text(system),))] if system else []
    parts: list[Part] = []
    for at, block in enumerate(blocks(system, "system")):
        path = f"system[{at}]"
        if block.get("type") != "text":
            raise Invalid(f"{path}: only text blocks are allowed", param=path)
        if at == 0 and str(block.get("text")).startswith(_BILLING):
            losses.add(
                path, "an attribution line that only Anthropic reads, and that defeats prompt caches", weight="note"
            )
        else:
            parts += _text(block, path)
    return [Turn("system", tuple(parts))] if parts else []


def _messages(messages: object, losses: Losses) -> list[Turn]:
    if messages is None:
        raise Invalid("messages: Field required", param="messages")
    if not isinstance(messages, list):
        raise Invalid("messages: Input should be a list", param="messages")
    if not messages:
        raise Invalid("messages: at least one message is required", param="messages")
    turns = []
    for at, message in enumerate(messages):
        path = f"messages[{at}]"
        if not isinstance(message, dict):
            raise Invalid(f"{path}: Input should be an object", param=path)
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "system"):
            raise Invalid(f"{path}.role: Input should be 'user', 'assistant' or 'system'", param=f"{path}.role")
        if isinstance(content, str):
            parts: tuple[Part, ...] = (Text(content),) if content else ()
        else:
            parts = _content(blocks(content, f"{path}.content"), role, f"{path}.content", losses)
        turns.append(Turn(role, parts))
    return turns


def _content(blocks: list[dict[str, object]], role: str, path: str, losses: Losses) -> tuple[Part, ...]:
    """The parts of one message."""
    parts: list[Part] = []
    pending: Signature | None = None  # the signature of a call, which travels in a thinking block before it
    for at, block in enumerate(blocks):
        here, kind = f"{path}[{at}]", kind_of(block, f"{path}[{at}]")
        if role != "assistant" and kind in ("thinking", "redacted_thinking", "tool_use"):
            raise Invalid(f"{here}: `{kind}` blocks are allowed in assistant messages only", param=here)
        if role != "user" and kind == "tool_result":
            raise Invalid(f"{here}: `tool_result` blocks are allowed in user messages only", param=here)
        if role == "system" and kind != "text":
            raise Invalid(f"{here}: only text blocks are allowed in system messages", param=here)
        if kind == "thinking":
            text, signature = string(block, "thinking", here), _signature(block.get("signature"), "thinking")
            if signature is not None and signature.kind == "call":
                pending, signature = signature, None
            if text or signature is not None:
                parts.append(Thinking(text, signature))
        elif kind == "redacted_thinking":
            signature = _signature(block.get("data"), "redacted")
            if signature is not None:
                parts.append(Thinking("", signature))
        elif kind == "tool_use":
            parts.append(_call(block, here, pending))
            pending = None
        elif kind == "tool_result":
            parts.append(_result(block, here, losses))
        elif kind == "compaction":
            summary = block.get("content")  # of all that was said before; null where summing up failed
            parts += [Text(summary)] if isinstance(summary, str) and summary else []
        else:
            media = _media(block, kind, here, losses)
            parts += [Foreign(NAME, kind, block)] if media is None else media
    return tuple(parts)


def _media(block: dict[str, object], kind: str, path: str, losses: Losses) -> list[Text | Image | Document] | None:
    """The parts of a block that people may write; None for any other block."""
    if kind == "text":
        return list(_text(block, path))
    if kind == "image":
        return [Image(_source(block, path), cache=cache_of(block))]
    if kind == "document":
        return _document(block, path, losses)
    if kind == "search_result":
        found = [string(item, "text", path) for item in blocks(block.get("content"), f"{path}.content")]
        lines = [str(block[name]) for name in ("title", "source") if isinstance(block.get(name), str)]
        text = "\n".join(lines + found)
        return [Text(text, cache_of(block))] if text else []
    if kind == "tool_reference":
        return [Text(f"tool: {string(block, 'tool_name', path)}")]
    return None


def _text(block: dict[str, object], path: str) -> tuple[Text, ...]:
    text = string(block, "text", path)
    return (Text(text, cache_of(block)),) if text else ()


def _call(block: dict[str, object], path: str, signature: Signature | None) -> ToolCall:
    call, name, arguments = block.get("id"), block.get("name"), block.get("input")
    if not isinstance(call, str) or not call:
        raise Invalid(f"{path}.id: Field required", param=f"{path}.id")
    if not isinstance(name, str) or not name:
        raise Invalid(f"{path}.name: Field required", param=f"{path}.name")
    if not isinstance(arguments, dict):
        raise Invalid(f"{path}.input: Input should be an object", param=f"{path}.input")
    return ToolCall(call, name, object_text(arguments), signature=signature)


def _result(block: dict[str, object], path: str, losses: Losses) -> ToolResult:
    call, content, is_error = block.get("tool_use_id"), block.get("content"), block.get("is_error")
    if not isinstance(call, str) or not call:
        raise Invalid(f"{path}.tool_use_id: Field required", param=f"{path}.tool_use_id")
    if is_error is not None and not isinstance(is_error, bool):
        raise Invalid(f"{path}.is_error: Input should be true or false", param=f"{path}.is_error")
    parts: list[Text | Image | Document] = []
    if isinstance(content, str):
        parts = [Text(content)] if content else []
    elif content is not None:
        for at, item in enumerate(blocks(content, f"{path}.content")):
            here = f"{path}.content[{at}]"
            found = _media(item, kind_of(item, here), here, losses)
            if found is None:
                losses.add(here, f"a result cannot hold `{item['type']}` elsewhere")
            else:
                parts += [part for part in found if not isinstance(part, Text) or part.text.strip()]
    return ToolResult(call, tuple(parts), bool(is_error), cache=cache_of(block))


def _document(block: dict[str, object], path: str, losses: Losses) -> list[Text | Image | Document]:
    source, title, cache = block.get("source"), block.get("title"), cache_of(block)
    title = title if isinstance(title, str) else ""
    if block.get("context"):
        losses.add(f"{path}.context", "a document's context has no place elsewhere")
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        losses.add(f"{path}.citations", "citations of documents are Anthropic's own")
    if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
        return [Document(_source(block, path, "application/pdf"), title, cache)]
    if source["type"] == "text":
        return [_plain(string(source, "data", f"{path}.source"), title, cache)]
    content = source.get("content")
    if isinstance(content, str):
        return [_plain(content, title, cache)]
    parts: list[Text | Image | Document] = []
    for at, item in enumerate(blocks(content, f"{path}.source.content")):
        here = f"{path}.source.content[{at}]"
        if kind_of(item, here) == "image":
            parts.append(Image(_source(item, here), cache=cache))
        else:
            parts.append(_plain(string(item, "text", here), title, cache))
    return parts


def _plain(text: str, title: str, cache: str) -> Document:
    data = base64.b64encode(text.encode(errors="replace")).decode("ascii")
    return Document(Source(media_type="text/plain", data=data), title, cache)


def _source(block: dict[str, object], path: str, default: str = "") -> Source:
    """Where the bytes of an image or document are."""
    source, here = block.get("source"), f"{path}.source"
    if not isinstance(source, dict):
        raise Invalid(f"{here}: Field required", param=here)
    media_type = source.get("media_type")
    media_type = media_type if isinstance(media_type, str) else default
    kind = source.get("type")
    if kind == "base64":
        return Source(media_type=media_type, data=_base64(string(source, "data", here), f"{here}.data"))
    if kind == "url":
        return Source(media_type=media_type, url=filled(source, "url", here))
    if kind == "file":
        return Source(file_id=filled(source, "file_id", here))
    raise Invalid(f"{here}.type: Input should be 'base64', 'url' or 'file'", param=f"{here}.type")


def _base64(text: str, path: str) -> str:
    """Base64 of either alphabet, with or without padding and white space, in the standard form."""
    text = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise Invalid(f"{path}: Input should be base64", param=path)
    return base64.b64encode(data).decode("ascii")


def _signature(text: object, kind: Literal["thinking", "redacted"]) -> Signature | None:
    if not isinstance(text, str) or not text:
        return None
    return opened(text) or Signature("", kind, text)


def _controls(body: dict[str, object], losses: Losses) -> tuple[Reasoning | None, Output | None]:
    """Thinking, effort and structured output, which share `output_config`."""
    config = members(body.get("output_config"), "output_config")
    if config.get("task_budget") is not None:
        losses.add("output_config.task_budget", "only Anthropic takes a budget for a task")
    effort = config.get("effort")
    if effort is not None and (not isinstance(effort, str) or effort not in _EFFORTS):
        raise Invalid(
            "output_config.effort: Input should be low, medium, high, xhigh or max", param="output_config.effort"
        )
    name = "output_config.format" if config.get("format") is not None else "output_format"
    form = members(config.get("format") if config.get("format") is not None else body.get("output_format"), name)
    output = None
    if form:
        if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
            raise Invalid(f"{name}: Input should be a json_schema with a schema", param=name)
        output = Output(schema=form["schema"])
    return _reasoning(members(body.get("thinking"), "thinking"), effort or "", losses), output


def _reasoning(thinking: dict[str, object], effort: str, losses: Losses) -> Reasoning | None:
    if not thinking:
        return Reasoning(effort=effort) if effort else None
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
