"""Compaction: a summary that the model makes of a conversation, and that stands for it from then on.

Clients of Responses ask for one before their context is full (docs/wire/openai-responses.md#compaction). OpenAI answers
with an item that only OpenAI can open. Here any model is asked for a summary in words, and the item carries the words:
`gw1.compaction.<base64url>`, so that whoever serves the conversation next can be told them, after a restart as well.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.signature_carrier import PREFIX
from agcore.conversation.told_tools import told
from agcore.conversation.values import (
    Conversation,
    Delta,
    Part,
    Text,
    TextDelta,
    Thinking,
    Turn,
)
from agcore.protocol.fault import Fault

NO_SUMMARY: Final = Fault(status=502, message="the upstream gave no summary of the conversation")
"""The fault of an answer without a word in place of a summary."""
LONGEST: Final = 1_000_000
"""Characters of a summary that are carried; a model's longest answer is shorter by far."""
CUT: Final = "\n\n[The summary was cut off here.]"

_MARK: Final = f"{PREFIX}compaction."
_INSTRUCTION: Final = """\
The conversation has to be compacted now. Do not answer what was said last, do not go on with the task, and do not \
call any tool. Write a summary of everything above instead. It will take the place of the conversation: \
whoever continues, you included, will see nothing else of it.

Cover, each under a heading of its own:
1. What the user wants: every request, wish and correction, in the user's own words wherever they matter, and all \
rules and preferences that still hold.
2. What was found out and decided, and why: facts, results of tools that are still of use, and choices that were made.
3. What was done: each file that was read, written or changed and what matters in it, each command and its outcome, \
with names, paths, identifiers, addresses, numbers and error messages exactly as they are.
4. What failed or was ruled out, so that it is not tried again.
5. Where things stand: what is finished, what is under way, what remains to be done, and the very next step.

Be complete and exact rather than short. Leave out pleasantries and what no longer counts. Write the summary only."""
_RESTORED: Final = """\
The conversation up to here was compacted. This is a summary of it:

<summary>
{}
</summary>"""


def asked(conversation: Conversation, instruction: str = "") -> Conversation:
    """The conversation that asks the model for a summary of `conversation`, in the client's own words if it has any.

    No tools are offered, so that the answer is text. Vendors refuse calls of tools that are not offered: those of the
    history, and their results, are told in words.
    """
    names: dict[str, str] = {}
    turns = [msgspec.structs.replace(turn, parts=tuple(_told(turn.parts, names))) for turn in conversation.turns]
    settings = msgspec.structs.replace(conversation.settings, logprobs=False, top_logprobs=None, verbosity="")
    return msgspec.structs.replace(
        conversation,
        turns=(*turns, Turn("user", (Text(instruction.strip() or _INSTRUCTION),))),
        tools=(),
        hosted_tools=(),
        tool_choice=None,
        parallel_calls=None,
        output=None,
        pictures=None,
        settings=settings,
        compacts=True,
    )


def _told(parts: tuple[Part, ...], names: dict[str, str]) -> Iterator[Part]:
    return (part for part in told(parts, names) if not isinstance(part, Thinking))


def is_told(deltas: Iterable[Delta]) -> bool:
    """Returns True where an answer says anything that can be a summary."""
    return any(isinstance(delta, TextDelta) and delta.text.strip() for delta in deltas)


def bounded(summary: str, *, cut: bool) -> str:
    """A summary within bounds, which says so where it was cut off."""
    cut = cut or len(summary) > LONGEST
    return summary[:LONGEST] + CUT if cut else summary


def carried(summary: str) -> str:
    """The text that carries a summary through a client, to be opened by `opened`."""
    payload = json_text.encode(["summary", summary])
    return _MARK + base64.urlsafe_b64encode(payload).decode("ascii").rstrip("=")


def opened(text: object) -> str | None:
    """The summary that `text` carries; None for what is not of our making."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    payload = text[len(_MARK) :]
    try:
        raw = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[str, str])[1]
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None


def restored(summary: str) -> str:
    """What a model is told of the conversation that a summary stands for."""
    return _RESTORED.format(summary)
