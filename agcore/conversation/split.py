"""How a request is divided into calls, where one call does not give all the answers that the client asks for.

Two things are divided: several prompts, because a conversation has one beginning, and several answers towards dialects
that give one. The client's choices are numbered prompt by prompt.
"""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.conversation.values import Conversation, Invalid

MAX_CALLS: Final = 8
"""Calls that one request may become; all run at once, and each is paid for."""


class Part(msgspec.Struct, frozen=True):
    """What one call asks for."""

    conversation: Conversation
    first: int = 0
    """The client's number for the call's first choice."""


def split(conversation: Conversation, *, one_answer: bool) -> list[Part]:
    """The parts of a request, one for each call to an upstream that gives `one_answer`, or any; nearly always one.

    Raises `conversation.values.Invalid` for more than `MAX_CALLS`.
    """
    parts = [conversation]
    if conversation.prompts:
        parts = [msgspec.structs.replace(conversation, turns=turns, prompts=()) for turns in conversation.prompts]
    wanted = conversation.settings.choices
    repeated = wanted if one_answer else 1
    count = len(parts) * repeated
    if count > MAX_CALLS:
        param = "prompt" if len(parts) > MAX_CALLS else "n"
        raise Invalid(f"this request takes {count} calls of its model, and at most {MAX_CALLS} are made", param=param)
    each = wanted // repeated
    divided = []
    for number, part in enumerate(parts):
        asked = msgspec.structs.replace(part, settings=msgspec.structs.replace(part.settings, choices=each))
        divided += [Part(asked, number * wanted + nth) for nth in range(repeated)]
    return divided
