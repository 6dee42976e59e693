"""What only one dialect knows, in the words that all of them know.

A tool that a vendor runs stands in its history with call and result, often in one message. For another vendor that is a
call that was made and a result that came, as of any tool, each in a turn of its speaker.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agcore.conversation.values import Conversation, Foreign, Part, Role, ToolResult, Turn


def translated(conversation: Conversation, *, dialect: str) -> Conversation:
    """The conversation for an upstream of `dialect`: parts that others alone know are replaced by what they stand for.

    A part that stands for nothing stays, for the writer to report.
    """
    turns: list[Turn] = []
    found = False
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, Foreign) and part.parts and part.dialect != dialect:
                found = True
                turns += _apart(turn, dialect)
                break
        else:
            turns.append(turn)
    return msgspec.structs.replace(conversation, turns=tuple(turns)) if found else conversation


def _apart(turn: Turn, dialect: str) -> Iterator[Turn]:
    """The turn cut wherever a result comes, which is not its speaker's."""
    said: list[Part] = []
    role: Role = turn.role
    for part in turn.parts:
        spoken = part.parts if isinstance(part, Foreign) and part.parts and part.dialect != dialect else (part,)
        for each in spoken:
            speaker: Role = "user" if isinstance(each, ToolResult) else turn.role
            if speaker != role and said:
                yield Turn(role, tuple(said), name=turn.name)
                said = []
            role = speaker
            said.append(each)
    yield Turn(role, tuple(said), name=turn.name)
