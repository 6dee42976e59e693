"""What look-alikes of Messages take: a prompt in front, text, calls, results (docs/wire/lookalikes.md#messages)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from agcore.conversation.losses import Losses
from agcore.dialects.shared.loose import objects_of
from agcore.models.vendor_profile import VendorProfile

_Object = dict[str, object]
_Get = Callable[[str], object]

_BLOCKS: Final = frozenset({"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"})
_TOOL: Final = frozenset({"type", "name", "description", "input_schema", "cache_control"})
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_LEAST_BUDGET: Final = 1_024
_BUDGET: Final = 16_000
"""Tokens of thinking where the client left them to the model."""
_UNKNOWN: Final = " "
"""What stands for thoughts that nobody knows: vendors that demand some refuse an empty text (reported)."""


def is_foreign(get: _Get, upstream: VendorProfile) -> bool:
    """Whether a request has blocks that only Anthropic knows, asks to compact, or changes tools in its course."""
    if get("compaction"):
        return True
    for message in objects_of(get("messages")):
        if message.get("role") == "system":
            if any(block.get("type") != "text" for block in objects_of(message.get("content"))):
                return True
            continue
        for block in objects_of(message.get("content")):
            if not _is_known_block(block, upstream):
                return True
            if any(not _is_known_block(inner, upstream) for inner in objects_of(block.get("content"))):
                return True
    return False


def changes(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """The members of a request to change."""
    found = _forced(get, upstream, losses)
    messages, metadata = get("messages"), get("metadata")
    thinking = found.get("thinking") or get("thinking")
    off = isinstance(thinking, dict) and thinking.get("type") == "disabled"
    if isinstance(messages, list):
        written = _reminded(messages) if upstream.late_system != "in_place" else messages
        written = [_known_blocks(message, losses) for message in written]
        if upstream.reasoning_content == "demanded" and not off:
            written = [_thoughtful(message) for message in written]
        if written != messages:
            found["messages"] = written
    if isinstance(thinking, dict) and thinking.get("type") == "adaptive" and not upstream.adaptive_thinking:
        found["thinking"] = _budgeted(thinking, get("max_tokens"), losses)
    found |= _tools(get, upstream, losses)
    if isinstance(metadata, dict) and upstream.user_ids == "words":
        user = metadata.get("user_id")
        if isinstance(user, str) and not _WORD.fullmatch(user):
            losses.add("metadata.user_id", "the upstream takes words only", action="hashed", weight="note")
            hashed = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
            found["metadata"] = {**metadata, "user_id": hashed}
    return found


def _forced(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """Thinking off, or the choice left to the model, where a forced call excludes thinking."""
    choice = get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") not in ("any", "tool"):
        return {}
    if upstream.forced_tool not in ("not_while_thinking", "refused"):
        return {}
    if upstream.forced_tool == "refused":
        losses.add("tool_choice", "the model cannot be made to call a tool here", action="left to the model")
        rest = {name: value for name, value in choice.items() if name != "name"}
        return {"tool_choice": {**rest, "type": "auto"}}
    losses.add("thinking", "the model does not think where a call is forced", action="switched off", weight="note")
    return {"thinking": {"type": "disabled"}}


def _is_known_block(block: _Object, upstream: VendorProfile) -> bool:
    kind = block.get("type")
    if kind in ("server_tool_use", "web_search_tool_result", "web_search_result"):
        return "web_search" in upstream.known_tools
    return kind in _BLOCKS


def _reminded(messages: list[object]) -> list[object]:
    """Messages of the system as text of the user, behind the results that stand where they stood."""
    written: list[object] = []
    waiting: list[object] = []
    for message in messages:
        if not isinstance(message, dict):
            written.append(message)
            continue
        if message.get("role") == "system":
            waiting += _reminders(message.get("content"))
        elif waiting and message.get("role") == "user":
            written.append({**message, "content": _beside(_blocks(message.get("content")), waiting)})
            waiting = []
        else:
            _told(written, waiting)
            waiting = []
            written.append(message)
        if waiting and written and _is_user(written[-1]):
            _told(written, waiting)
            waiting = []
    _told(written, waiting)
    return written


def _is_user(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "user"


def _told(written: list[object], reminders: list[object]) -> None:
    """Let the user say reminders at the end of what was written."""
    if not reminders:
        return
    last = written[-1] if written else None
    if isinstance(last, dict) and last.get("role") == "user":
        written[-1] = {**last, "content": [*_blocks(last.get("content")), *reminders]}
    else:
        written.append({"role": "user", "content": list(reminders)})


def _beside(blocks: list[object], reminders: list[object]) -> list[object]:
    """A user's blocks with reminders in front, but behind the results of tools."""
    results = 0
    while results < len(blocks):
        block = blocks[results]
        if not isinstance(block, dict) or block.get("type") != "tool_result":
            break
        results += 1
    return [*blocks[:results], *reminders, *blocks[results:]]


def _blocks(content: object) -> list[object]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _reminders(content: object) -> list[object]:
    return [
        {**block, "text": f"<system-reminder>\n{block['text']}\n</system-reminder>"}
        for block in _blocks(content)
        if isinstance(block, dict) and isinstance(block.get("text"), str)
    ]


def _known_blocks(message: object, losses: Losses) -> object:
    """A message without redacted thoughts, which only Anthropic reads."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, list):
        return message
    kept = [block for block in content if not (isinstance(block, dict) and block.get("type") == "redacted_thinking")]
    if len(kept) == len(content):
        return message
    losses.add("messages.redacted_thinking", "only its own vendor reads it", weight="note")
    return {**message, "content": kept}


def _thoughtful(message: object) -> object:
    """A message of the assistant's with thoughts in front, though nobody knows them."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    blocks = _blocks(message.get("content"))
    if any(isinstance(block, dict) and block.get("type") == "thinking" and block.get("thinking") for block in blocks):
        return message
    said = [block for block in blocks if not (isinstance(block, dict) and block.get("type") == "thinking")]
    return {**message, "content": [{"type": "thinking", "thinking": _UNKNOWN, "signature": ""}, *said]}


def _budgeted(thinking: _Object, limit: object, losses: Losses) -> _Object | None:
    """Thinking with a budget, in place of what the model would decide; None where there is no room for any."""
    room = limit - 1 if isinstance(limit, int) else _BUDGET
    if room < _LEAST_BUDGET:
        losses.add("thinking", "the upstream takes a budget only, for which max_tokens leaves no room")
        return None
    return {"type": "enabled", "budget_tokens": min(_BUDGET, room)}


def _tools(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """The tools without those that the vendor would run, and the choice among what is left."""
    tools, choice = get("tools"), get("tool_choice")
    if not isinstance(tools, list):
        return {}
    found: _Object = {}
    kept: list[object] = []
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(tool, dict) and kind in (None, "custom"):
            kept.append({name: value for name, value in tool.items() if name in _TOOL})
        elif isinstance(kind, str) and any(kind.startswith(known) for known in upstream.known_tools):
            kept.append(tool)
        else:
            losses.add(f"tools.{kind}", "this upstream runs no such tool")
    if kept != tools:
        found["tools"] = kept or None
    names = {tool.get("name") for tool in objects_of(kept)}
    forced = choice.get("name") if isinstance(choice, dict) and choice.get("type") == "tool" else None
    if choice is not None and (not kept or (forced is not None and forced not in names)):
        losses.add("tool_choice", "the tool is not there")
        found["tool_choice"] = None
    return found
