"""Putting a conversation's history in the order that every vendor accepts.

Clients cut histories, resend results, and let messages slip in between a tool call and its result. What leaves here
obeys one rule that satisfies all vendors: after an assistant turn with tool calls comes one user turn that begins with
exactly one result for each call, in the order of the calls. Nothing that was said is lost:

- neighbouring assistant turns are one turn, and so are neighbouring user turns, but for upstreams that keep them apart;
- what stood between a call and its result stands behind the results;
- a call without a result gets a failed one that says so (dropping the call would change what the model said before);
- of two results for one call the first counts, and calls that reuse an earlier call's id are told apart;
- a result for a call that is not there any more becomes text.

The same history always gives the same turns, and a further turn at its end changes nothing before it, unless it brings
the result that a call had to do without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Part, Role, Text, ToolCall, ToolResult, Turn

INTERRUPTED: Final = "The tool call was interrupted and gave no result."


def repair_history(conversation: Conversation, *, losses: Losses, apart: bool = False) -> Conversation:
    """The conversation with its history in order.

    Args:
        conversation: The client's.
        losses: Where it is recorded what had to be changed.
        apart: User turns stay apart, for upstreams that take several in a row. One more of them then leaves the bytes
            of the one before as they are.
    """
    roles: tuple[Role, ...] = ("assistant",) if apart else ("assistant", "user")
    turns = list(_distinct(_merged((turn for turn in conversation.turns if turn.parts), roles)))
    return msgspec.structs.replace(conversation, turns=tuple(_merged(_ordered(turns, losses), roles)))


def _merged(turns: Iterable[Turn], roles: tuple[Role, ...]) -> Iterator[Turn]:
    """Neighbouring turns of `roles` made one. System turns stay apart: each may have its own cache marker."""
    run: list[Turn] = []
    for turn in turns:
        if run and not (run[0].role == turn.role and turn.role in roles):
            yield run[0] if len(run) == 1 else _joined(run)
            run = []
        run.append(turn)
    if run:
        yield run[0] if len(run) == 1 else _joined(run)


def _joined(run: list[Turn]) -> Turn:
    """Several turns made one. Writers that put texts together keep those of two answers apart."""
    first = run[0]
    parts: list[Part] = []
    starts: list[int] = []
    for turn in run:
        if turn.role == "assistant":
            starts += ([len(parts)] if parts else []) + [len(parts) + start for start in turn.starts]
        parts += turn.parts
    return Turn(first.role, tuple(parts), name=first.name, starts=tuple(starts))


def _distinct(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Every call under an id of its own. A result belongs to the latest turn with its id, there to the first call."""
    used: set[str] = set()
    counts: dict[str, int] = {}
    unanswered: dict[str, deque[str]] = {}
    latest: dict[str, str] = {}
    for turn in turns:
        here: dict[str, deque[str]] = {}
        parts: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolCall):
                id = part.id
                while id in used:
                    counts[part.id] = counts.get(part.id, 1) + 1
                    id = f"{part.id}_{counts[part.id]}"
                used.add(id)
                here.setdefault(part.id, deque()).append(id)
                latest[part.id] = id
                parts.append(part if id == part.id else msgspec.structs.replace(part, id=id))
            elif isinstance(part, ToolResult) and part.call_id in latest:
                waiting = unanswered.get(part.call_id)
                id = waiting.popleft() if waiting else latest[part.call_id]
                parts.append(part if id == part.call_id else msgspec.structs.replace(part, call_id=id))
            else:
                parts.append(part)
        unanswered.update(here)
        yield msgspec.structs.replace(turn, parts=tuple(parts)) if parts != list(turn.parts) else turn


def _ordered(turns: list[Turn], losses: Losses) -> Iterator[Turn]:
    results = _results(turns, losses)
    answered: set[str] = set()
    last = len(turns) - 1
    while last > 0 and turns[last].role not in ("assistant", "user"):
        last -= 1
    for position, turn in enumerate(turns):
        if turn.role == "assistant":
            calls = [part for part in turn.parts if isinstance(part, ToolCall)]
            yield turn
            if calls:
                yield Turn("user", tuple(_answers(calls, results, answered, losses, final=position == last)))
            continue
        kept = tuple(_without_results(turn.parts, answered, losses))
        if kept:
            yield msgspec.structs.replace(turn, parts=kept)


def _results(turns: list[Turn], losses: Losses) -> dict[str, ToolResult]:
    """The first result for each call that was made before it."""
    made: set[str] = set()
    found: dict[str, ToolResult] = {}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                made.add(part.id)
            elif isinstance(part, ToolResult) and part.call_id in made:
                if part.call_id in found:
                    losses.add(f"tool result {part.call_id}", "this call has a result already")
                else:
                    found[part.call_id] = part
    return found


def _answers(
    calls: list[ToolCall], results: dict[str, ToolResult], answered: set[str], losses: Losses, *, final: bool
) -> Iterator[ToolResult]:
    for call in calls:
        answered.add(call.id)
        result = results.get(call.id)
        if result is not None:
            yield msgspec.structs.replace(result, name=result.name or call.name, custom=call.custom)
            continue
        why = "the history ends with this call" if final else "the history has no result for this call"
        losses.add(f"tool call {call.id}", why, action="answered as interrupted")
        yield ToolResult(call.id, (Text(INTERRUPTED),), is_error=True, name=call.name, custom=call.custom)


def _without_results(parts: tuple[Part, ...], answered: set[str], losses: Losses) -> Iterator[Part]:
    for part in parts:
        if not isinstance(part, ToolResult):
            yield part
        elif part.call_id not in answered:
            losses.add(f"tool result {part.call_id}", "the call is not in the history", action="sent as text")
            yield Text(f"[Result of an earlier tool call, {part.name or part.call_id}]")
            yield from part.content
