"""The function calls of a Gemini history, and which of them a function response answers (docs/wire/gemini.md#contents).

A result that names an id answers the call of that id. Otherwise it is paired by position: the first call of its name
that waits, in the latest step that has one. Each is found in time that does not grow with the history.
"""

from __future__ import annotations

from collections import deque

import msgspec


class Call(msgspec.Struct):
    """A call that waits for its result."""

    wire_id: str
    id: str
    name: str
    step: int
    """The number of the turn that it stands in."""
    answered: bool = False


class _Same(msgspec.Struct):
    """Calls of one step that share an id."""

    step: int
    calls: list[Call]
    waiting: int = 0
    """The place of the first that may still wait."""


class Calls:
    """The calls so far."""

    def __init__(self) -> None:
        self._step = 0
        self._by_id: dict[str, _Same] = {}
        """An id -> the calls of the latest step that has it."""
        self._by_name: dict[tuple[str, bool], list[deque[Call]]] = {}
        """A name, and whether only calls without ids are meant -> the calls of each step, none of them empty."""

    def begin_step(self) -> None:
        """What comes now stands in another turn."""
        self._step += 1

    def add(self, wire_id: str, id: str, name: str) -> None:
        """Take in a call: the id that it came with, if any, and the one that it has here."""
        call = Call(wire_id, id, name, self._step)
        if wire_id:
            same = self._by_id.get(wire_id)
            if same is None or same.step != call.step:
                same = self._by_id[wire_id] = _Same(call.step, [])
            same.calls.append(call)
        for anonymous in (False,) if wire_id else (False, True):
            steps = self._by_name.setdefault((name, anonymous), [])
            if not steps or steps[-1][-1].step != call.step:
                steps.append(deque())
            steps[-1].append(call)

    def paired(self, wire_id: str, name: str) -> Call | None:
        """Returns the call that a result answers; None where there is none."""
        same = self._by_id.get(wire_id)
        if same is not None:
            while same.waiting < len(same.calls) and same.calls[same.waiting].answered:
                same.waiting += 1
            return same.calls[same.waiting if same.waiting < len(same.calls) else 0]
        steps = self._by_name.get((name, bool(wire_id)), [])
        while steps:
            waiting = steps[-1]
            while waiting and waiting[0].answered:
                waiting.popleft()
            if waiting:
                return waiting[0]
            steps.pop()
        return None
