"""Messages in the order and under the roles that a server takes (docs/wire/openai-chat.md#compatible-servers).

What is said stays; only who says it changes, where it stands, and with what it is one message. All rules but the last,
about the end of the conversation, look at what stood before, so that one more message only appends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from agcore.conversation.losses import Losses
from agcore.dialects.shared.reminders import reminder
from agcore.models.vendor_profile import VendorProfile

Message = dict[str, object]

_SYSTEM: Final = ("system", "developer")
_BLANK_LINE: Final = "\n\n"
_TOOK_NOTE: Final = "Understood."
"""What the assistant says between a tool's result and a user, where it has to say something."""
_NOBODY: Final = "."
"""What a user says who has to, and did not. Other writers say the same."""
_GO_ON: Final = "Continue from where you stopped."


def in_order(messages: list[Message], upstream: VendorProfile, losses: Losses) -> list[Message]:
    """The messages of one request as `upstream` takes them; never none.

    Args:
        messages: Written one by one; the system's hold one text each.
        upstream: Who takes them.
        losses: Gets what the server hears otherwise than it was said.
    """
    count = next((at for at, message in enumerate(messages) if message["role"] not in _SYSTEM), len(messages))
    leading, rest = messages[:count], messages[count:]
    if upstream.leading_system == "one" and count > 1:
        leading = [{**leading[0], "content": _BLANK_LINE.join(str(message["content"]) for message in leading)}]
    if upstream.late_system != "in_place":
        rest = [_said_by_user(message, upstream, losses) for message in rest]
    if not upstream.user_after_tool:
        rest = list(_with_notes(rest))
    if upstream.alternates:
        rest = list(_alternating(rest))
    if (upstream.alternates or upstream.user_first) and (not rest or rest[0]["role"] == "assistant"):
        losses.add("messages", "a conversation begins with the user", action="a user message put first")
        rest.insert(0, {"role": "user", "content": _NOBODY})
    return _ended([*leading, *rest], upstream, losses)


def _said_by_user(message: Message, upstream: VendorProfile, losses: Losses) -> Message:
    """A later instruction as text of the user's, in its place: at the front it would change the whole prefix."""
    if message["role"] not in _SYSTEM:
        return message
    if upstream.late_system == "refused":
        losses.add(
            "messages", "the upstream takes no instructions later on", action="sent as the user's", weight="note"
        )
    return {"role": "user", "content": reminder(str(message["content"]))}


def _with_notes(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages, with a word of the assistant's between a tool's result and who else speaks."""
    before = ""
    for message in messages:
        role = str(message["role"])
        if before == "tool" and role not in ("tool", "assistant"):
            yield {"role": "assistant", "content": _TOOK_NOTE}
        yield message
        before = role


def _alternating(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages, neighbours of the user's as one."""
    for by_user, same in groupby(messages, lambda message: message["role"] == "user"):
        if by_user:
            yield {"role": "user", "content": _merged([message["content"] for message in same])}
        else:
            yield from same


def _merged(contents: list[object]) -> object:
    """What the user said in several messages: a text where there are but texts, which every template takes."""
    parts = [content if isinstance(content, list) else [_text(content)] for content in contents]
    if any(part["type"] != "text" for said in parts for part in said):
        return [part for said in parts for part in said]
    return _BLANK_LINE.join("".join(str(part["text"]) for part in said) for said in parts)


def _text(text: object) -> Message:
    return {"type": "text", "text": text}


def _ended(messages: list[Message], upstream: VendorProfile, losses: Losses) -> list[Message]:
    """The messages, ended as the server wants it: a beginning of the answer is marked as one, or is asked for."""
    if not messages:
        return [{"role": "user", "content": ""}]
    last = messages[-1]
    if last["role"] != "assistant":
        return messages
    if upstream.prefill == "prefix_member":
        return [*messages[:-1], {**last, "prefix": True}]
    if upstream.prefill == "refused" or upstream.alternates:
        losses.add("messages", "the model does not continue a given beginning", action="asked to in words")
        return [*messages, {"role": "user", "content": _GO_ON}]
    return messages
