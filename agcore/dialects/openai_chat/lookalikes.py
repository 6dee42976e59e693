"""What single servers of Chat miss in a request that would pass (docs/wire/openai-chat.md#compatible-servers).

Order, ids and roles are the client's own affair. What a client cannot know of a conversation that began at another
vendor is not: thoughts that a server demands, and tools that it has none of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore.conversation.losses import Losses
from agcore.models.vendor_profile import VendorProfile

_Object = dict[str, object]
_Get = Callable[[str], object]

_UNKNOWN: Final = " "
"""What stands for thoughts that nobody knows (decision 29)."""
_TOOLS: Final = ("tools", "functions")


def is_foreign(get: _Get, upstream: VendorProfile) -> bool:
    """Whether a request offers tools, or its history has calls, where there are none."""
    if upstream.tools:
        return False
    if any(get(name) for name in _TOOLS):
        return True
    return any(message.get("role") == "tool" or message.get("tool_calls") for message in _messages(get))


def changes(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """The members of a request to change."""
    return _limited(get, upstream) | _without_effort(get, upstream, losses) | _with_thoughts(get, upstream)


def _limited(get: _Get, upstream: VendorProfile) -> _Object:
    """The limit by the only name that the server knows."""
    limit = get("max_tokens")
    if limit is None or upstream.limit_on_chat == "max_tokens":
        return {}
    given = get("max_completion_tokens")
    return {"max_tokens": None, "max_completion_tokens": limit if given is None else given}


def _without_effort(get: _Get, upstream: VendorProfile, losses: Losses) -> _Object:
    """The effort, where it excludes functions and no other endpoint takes both: these stay."""
    manner, effort = upstream.tools_with_effort_on_chat, get("reasoning_effort")
    if manner == "taken" or not any(get(name) for name in _TOOLS):
        return {}
    if effort not in (None, "none"):
        losses.add("reasoning_effort", "the model does not think beside functions in Chat", action="sent without")
    elif manner == "none" and effort is None:
        losses.add("reasoning_effort", "the model does not think beside functions in Chat", weight="note")
    wanted = "none" if manner == "none" else None
    return {} if effort == wanted else {"reasoning_effort": wanted}


def _with_thoughts(get: _Get, upstream: VendorProfile) -> _Object:
    if upstream.reasoning_content != "demanded" or _is_off(get):
        return {}
    messages = get("messages")
    if not isinstance(messages, list):
        return {}
    thoughtful = [_thoughtful(message) for message in messages]
    return {} if thoughtful == messages else {"messages": thoughtful}


def _messages(get: _Get) -> list[_Object]:
    messages = get("messages")
    return [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []


def _is_off(get: _Get) -> bool:
    """Whether a client switched thinking off, by any of the members that do."""
    thinking, template, reasoning = get("thinking"), get("chat_template_kwargs"), get("reasoning")
    return (
        (isinstance(thinking, dict) and thinking.get("type") == "disabled")
        or (isinstance(template, dict) and False in (template.get("enable_thinking"), template.get("thinking")))
        or (isinstance(reasoning, dict) and (reasoning.get("effort") == "none" or reasoning.get("enabled") is False))
        or get("enable_thinking") is False
        or get("reasoning_effort") == "none"
    )


def _thoughtful(message: object) -> object:
    """A message of the assistant's with a thought, unless it has one: an empty one is as the vendor told it."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    return message if message.get("reasoning_content") is not None else {**message, "reasoning_content": _UNKNOWN}
