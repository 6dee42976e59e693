"""The neutral conversation, written as a request to an Anthropic upstream (docs/wire/anthropic-messages.md).

What the API refuses is never sent: empty texts, a conversation that does not begin with the user, results behind other
blocks, thinking that it did not sign itself, sampling parameters that the model does not take. System turns in the
middle of the conversation stay where they are, as reminders in a user message: moved to the top they would change the
prefix that caches and signatures depend on.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from agcore.conversation.caching import wished
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from agcore.dialects.anthropic.arguments import arguments_object
from agcore.dialects.anthropic.reasoning import ThinkingBudget, plan
from agcore.dialects.anthropic.tools_writer import Block, ask_structure, marked, rendered_choice, rendered_tools
from agcore.dialects.anthropic.traits import NAME
from agcore.dialects.shared.reminders import reminder
from agcore.models.profiles import Profile

_SEEN: Final = "[image]"
_IMAGES: Final = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_MAGIC: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_THOUGHTS: Final = ("thinking", "redacted_thinking")
_MOST_MARKERS: Final = 4
_TIERS: Final = {
    "default": "standard_only",
    "standard": "standard_only",
    "priority": "auto",
    "fast": "auto",
    "ultrafast": "auto",
}


def render_request(
    conversation: Conversation, *, model: str, profile: Profile, signer: str, losses: Losses
) -> dict[str, object]:
    """Write a request; see `base.RenderRequest`."""
    split = next((at for at, turn in enumerate(conversation.turns) if not _instructs(turn)), len(conversation.turns))
    system = [block for at in range(split) for block in _instructions(conversation.turns[at], at, losses)]
    messages = _messages(conversation.turns[split:], split, signer, losses)
    tools = rendered_tools(conversation, profile, losses)
    choice = rendered_choice(conversation, tools)
    output_config: Block = {}
    ask_structure(conversation, profile, system, tools, choice, output_config, losses)
    forced = choice.get("type") in ("any", "tool")
    unsigned = messages[-1]["role"] == "assistant" or _lost_thinking(messages)
    thinking = plan(conversation, profile, losses, forced=forced, unsigned=unsigned)
    _end(messages, profile, losses)
    if thinking.effort:
        output_config["effort"] = thinking.effort

    request: dict[str, object] = {"model": model, "max_tokens": thinking.max_tokens}
    if system:
        request["system"] = system
    request["messages"] = messages
    if tools:
        request["tools"] = tools
    if tools and choice:
        request["tool_choice"] = choice
    if thinking.thinking is not None:
        request["thinking"] = thinking.thinking
    if output_config:
        request["output_config"] = output_config
    _settings(request, conversation, profile, thinking, losses)
    if conversation.stream:
        request["stream"] = True
    if conversation.settings.cache or conversation.settings.cache_key:
        _cache(request, conversation, profile, losses)
    _limit_markers(tools, system, messages, losses, most=_MOST_MARKERS - ("cache_control" in request))
    return request


def _cache(request: Block, conversation: Conversation, profile: Profile, losses: Losses) -> None:
    """Ask for a breakpoint at the end: Anthropic itself in a word, others by a marker on the last block."""
    lifetime, settings = wished(conversation), conversation.settings
    if settings.cache_key:
        action = "cached by itself" if lifetime and not settings.cache else "dropped"
        losses.add("cache_key", "the upstream's API has no keys for its cache", action=action, weight="note")
    if not lifetime or (profile.vendor != "anthropic" and not settings.cache):
        return
    if profile.vendor == "anthropic" and not profile.upstream.lookalike:
        marked(request, lifetime)
        return
    messages = request["messages"]
    assert isinstance(messages, list)
    content = messages[-1]["content"]
    last = content[-1]
    if last["type"] not in _THOUGHTS and "cache_control" not in last:
        marked(last, lifetime)


def _instructs(turn: Turn) -> bool:
    return turn.role in ("system", "developer")


def _instructions(turn: Turn, at: int, losses: Losses) -> list[Block]:
    """The text blocks of a system or developer turn."""
    blocks: list[Block] = []
    for number, part in enumerate(turn.parts):
        if not isinstance(part, Text):
            losses.add(f"messages[{at}].content[{number}]", "instructions are text only")
        elif part.text.strip():
            blocks.append(marked({"type": "text", "text": part.text}, part.cache))
    return blocks


def _messages(turns: tuple[Turn, ...], first: int, signer: str, losses: Losses) -> list[Block]:
    """The messages: never empty, the first one the user's, and no two in a row of one role."""
    messages: list[Block] = []
    for at, turn in enumerate(turns, first):
        if turn.name:
            losses.add(f"messages[{at}].name", "speakers have no names", weight="note")
        if _instructs(turn):
            blocks = _instructions(turn, at, losses)
            for block in blocks:
                block["text"] = reminder(str(block["text"]))
        else:
            blocks = []
            for number, part in enumerate(turn.parts):
                here = f"messages[{at}].content[{number}]"
                if turn.role == "assistant" and isinstance(part, Image):
                    losses.add(here, "the upstream takes no pictures of the assistant's", action=f'sent as "{_SEEN}"')
                    blocks.append({"type": "text", "text": _SEEN})
                else:
                    blocks += _part(part, here, signer, losses)
        if not blocks:
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        if not messages and role == "assistant":
            losses.add("messages", "a conversation begins with the user", action="a user message put first")
            messages.append(_message("user", [{"type": "text", "text": "."}]))
        if messages and messages[-1]["role"] == role:
            content = messages[-1]["content"]
            assert isinstance(content, list)
            content += blocks
        else:
            messages.append(_message(role, blocks))
    for message in messages:
        content = message["content"]
        if message["role"] == "user" and isinstance(content, list) and len(content) > 1:
            content.sort(key=lambda block: block["type"] != "tool_result")  # results come first
    if not messages:
        losses.add("messages", "a conversation needs a message of the user", action="one put in")
        messages.append(_message("user", [{"type": "text", "text": "."}]))
    return messages


def _message(role: str, blocks: list[Block]) -> Block:
    return {"role": role, "content": blocks}


def _part(part: Part, path: str, signer: str, losses: Losses) -> list[Block]:
    """The blocks of one part: one, or none where it cannot be said."""
    if isinstance(part, Text | Refusal):
        cache = part.cache if isinstance(part, Text) else ""
        return [marked({"type": "text", "text": part.text}, cache)] if part.text.strip() else []
    if isinstance(part, Image | Document):
        block = _media(part, path, losses)
        return [marked(block, part.cache)] if block else []
    if isinstance(part, Thinking):
        return _thinking(part, path, signer, losses)
    if isinstance(part, ToolCall):
        if part.signature is not None:
            losses.add(path, "the signature of a call is another vendor's", weight="note")
        arguments = {"input": part.arguments} if part.custom else arguments_object(part.arguments)
        call: Block = {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        return [marked(call, part.cache)]
    if isinstance(part, ToolResult):
        return [_result(part, path, losses)]
    if isinstance(part, Foreign):
        if part.dialect == NAME:
            return [dict(part.value)]
        losses.add(path, f"`{part.kind}` is known to its own vendor only")
        return []
    _refuse_sound(part, path, losses)
    return []


def _refuse_sound(part: Audio | Video, path: str, losses: Losses) -> None:
    kind = "audio" if isinstance(part, Audio) else "video"
    losses.add(path, f"the upstream's API takes no {kind}", weight="refuse")


def _thinking(part: Thinking, path: str, signer: str, losses: Losses) -> list[Block]:
    signature = part.signature
    if signature is not None and signature.signer == signer and signer:
        if signature.kind == "thinking":
            return [{"type": "thinking", "thinking": part.text, "signature": signature.data}]
        if signature.kind == "redacted":
            return [{"type": "redacted_thinking", "data": signature.data}]
    losses.add(path, "thinking goes back only to the vendor that signed it", weight="note")
    return []


def _result(part: ToolResult, path: str, losses: Losses) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": part.call_id}
    content: list[Block] = []
    cache = part.cache
    for number, inner in enumerate(part.content):
        here = f"{path}.content[{number}]"
        if isinstance(inner, Text):
            if inner.text.strip():
                content.append({"type": "text", "text": inner.text})
        elif isinstance(inner, Audio | Video):
            _refuse_sound(inner, here, losses)
            continue
        elif media := _media(inner, here, losses):
            content.append(media)
        cache = cache or inner.cache
    if content:
        alone = len(content) == 1 and content[0]["type"] == "text"
        block["content"] = content[0]["text"] if alone else content
    if part.is_error:
        block["is_error"] = True
    return marked(block, cache)


def _media(part: Image | Document, path: str, losses: Losses) -> Block | None:
    """An image or document block; None for bytes of a kind that the API does not take."""
    source, kind = part.source, "image" if isinstance(part, Image) else "document"
    title = part.title if isinstance(part, Document) else ""
    if isinstance(part, Image) and part.detail not in ("", "auto"):
        losses.add(f"{path}.detail", "pictures have no level of detail", weight="note")
    if source.file_id and not source.file_id.startswith("file_"):
        losses.add(path, "the file is another vendor's, which alone knows its id", weight="refuse")
        return None
    if source.file_id:
        inner: Block = {"type": "file", "file_id": source.file_id}
    elif source.url:
        if not source.url.lower().startswith(("https://", "http://")):
            losses.add(path, "the upstream fetches web addresses only", weight="refuse")
            return None
        inner = {"type": "url", "url": source.url}
    else:
        head = _bytes(source.data[:16])
        media_type = _media_type(source, head)
        if media_type in _IMAGES:
            kind, title = "image", ""
            inner = {"type": "base64", "media_type": media_type, "data": source.data}
        elif media_type == "application/pdf":
            kind = "document"
            inner = {"type": "base64", "media_type": media_type, "data": source.data}
        elif isinstance(part, Document) and (text := _readable(source, media_type)) is not None:
            if not text.strip():
                return None
            inner = {"type": "text", "media_type": "text/plain", "data": text}
        else:
            losses.add(path, f"the upstream's API takes no {media_type or 'bytes of an unknown type'}", weight="refuse")
            return None
    block: Block = {"type": kind, "source": inner}
    if title:
        block["title"] = title
    return block


def _media_type(source: Source, head: bytes) -> str:
    """What the bytes are, by their beginning where that tells, else by what was declared."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    declared = source.media_type.partition(";")[0].strip().lower()
    return "image/jpeg" if declared == "image/jpg" else declared


def _readable(source: Source, media_type: str) -> str | None:
    """The text of a document in any textual form; None for other bytes."""
    data = _bytes(source.data)
    if media_type.startswith("text/"):
        return data.decode(errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""


def _lost_thinking(messages: list[Block]) -> bool:
    """Whether the last message answers calls of a step that does not begin with its own thinking."""
    last = messages[-1]["content"]
    if len(messages) < 2 or not isinstance(last, list) or last[0]["type"] != "tool_result":
        return False
    calls = messages[-2]["content"]
    return not isinstance(calls, list) or calls[0]["type"] not in _THOUGHTS


def _end(messages: list[Block], profile: Profile, losses: Losses) -> None:
    """Make the conversation end as the API wants: without a prefill for later models, and never in white space."""
    last = messages[-1]
    if last["role"] != "assistant":
        return
    content = last["content"]
    assert isinstance(content, list)
    if profile.reasoning == "adaptive" or content[-1]["type"] in _THOUGHTS:
        losses.add("messages", "the model does not continue a given beginning", action="asked to in words")
        messages.append(_message("user", [{"type": "text", "text": "Continue from where you stopped."}]))
    elif content[-1]["type"] == "text":
        content[-1] = {**content[-1], "text": content[-1]["text"].rstrip()}


def _settings(
    request: dict[str, object], conversation: Conversation, profile: Profile, thinking: ThinkingBudget, losses: Losses
) -> None:
    settings, known = conversation.settings, bool(profile.vendor)
    why = "the model does not sample to order" if not profile.sampling else "it excludes thinking within a budget"
    sampled = profile.sampling and not thinking.manual
    if settings.temperature is not None:
        if not sampled:
            losses.add("temperature", why)
        else:
            if settings.temperature > 1:
                losses.add("temperature", "the upstream takes 0 to 1", action="clamped to 1")
            request["temperature"] = min(settings.temperature, 1)
    if settings.top_p is not None:
        if not sampled:
            losses.add("top_p", why)
        elif "temperature" in request and profile.vendor in ("", "anthropic"):
            losses.add("top_p", "the model takes either temperature or top_p")
        else:
            request["top_p"] = settings.top_p
    if settings.top_k is not None:
        if sampled and (profile.top_k or not known):
            request["top_k"] = settings.top_k
        else:
            losses.add("top_k", why if not sampled else "the model does not take it")
    stops = [stop for stop in settings.stop if stop.strip()]
    if len(stops) < len(settings.stop):
        losses.add("stop", "the upstream takes no stop sequence of white space only")
    if stops:
        request["stop_sequences"] = stops
    if settings.user:
        request["metadata"] = {"user_id": settings.user}
    if settings.service_tier in _TIERS:
        request["service_tier"] = _TIERS[settings.service_tier]
    elif settings.service_tier not in ("", "auto"):
        losses.add("service_tier", "the upstream has no such tier", weight="note")
    _unspoken(conversation, losses)


def _unspoken(conversation: Conversation, losses: Losses) -> None:
    """Record the settings that the API has no word for."""
    settings = conversation.settings
    if settings.logprobs or settings.top_logprobs:
        losses.add("logprobs", "the upstream's API gives no log probabilities", weight="refuse")
    for name in ("seed", "presence_penalty", "frequency_penalty", "logit_bias"):
        if getattr(settings, name) not in (None, 0, {}):
            losses.add(name, "the upstream's API does not have it")
    for name in ("metadata", "verbosity"):
        if getattr(settings, name):
            losses.add(name, "the upstream's API does not have it", weight="note")


def _limit_markers(
    tools: list[Block], system: list[Block], messages: list[Block], losses: Losses, *, most: int
) -> None:
    """Keep the last cache markers, as many as the API takes, and let none of an hour follow one of five minutes."""
    blocks = tools + system
    for message in messages:
        content = message["content"]
        assert isinstance(content, list)
        blocks += content
    found = [block for block in blocks if "cache_control" in block]
    for block in found[:-most]:
        losses.add(
            "cache_control", "the upstream takes four cache markers", action="the first ones left out", weight="note"
        )
        del block["cache_control"]
    short = False
    for block in found[-most:]:
        if short:
            block["cache_control"] = {"type": "ephemeral"}
        elif block["cache_control"] != {"type": "ephemeral", "ttl": "1h"}:
            short = True
