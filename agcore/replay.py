"""A recording driven again: the same facts, the same answers, and the same effects, or the first difference.

One exchange replays by itself. What it got from everything outside of it stands in its recording
(`telemetry.recording`), so that no other exchange, no clock and no chance is needed; only the configuration is, which a
recording does not contain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from agcore.config.values import Config
from agcore.gateway import Gateway
from agcore.protocol.effects import Effect
from agcore.protocol.http import Peer, RequestHead
from agcore.protocol.inputs import Input
from agcore.telemetry.recording import (
    Abandoned,
    Answered,
    Commanded,
    Line,
    Marks,
    Opened,
    TimedOut,
    Told,
    commanded,
    read,
)

_Value = TypeVar("_Value")


class ReplayError(Exception):
    """A replay went another way than its recording; the message says where."""


def replay_recording(recording: bytes, config: Config) -> list[Effect]:
    """Drive an exchange as it was recorded.

    Args:
        recording: As `Recorder.text` has it.
        config: Of the gateway that it was recorded at.

    Returns:
        All of its effects, which are those that were recorded.

    Raises:
        ReplayError: They are not, or the exchange asked for something else than it was recorded to ask for.
        ValueError: The bytes are no recording.
    """
    lines = read(recording)
    if not lines or not isinstance(lines[0], Opened):
        raise ValueError("a recording begins with the head of a request")
    opened, marks = lines[0], Marks(config)
    player = _Player(lines[1:])
    gateway = Gateway(config, secret=bytes(32), now=opened.at)
    gateway.watched = opened.watched
    exchange, effects = gateway.open(marks.show_in_head(opened.head), opened.peer, now=opened.at, recorder=player)
    for line in player.facts():
        if isinstance(line, Told):
            effects += exchange.receive(marks.show_in_input(line.input), now=line.at)
        elif isinstance(line, TimedOut):
            effects += exchange.handle_timeout(now=line.at)
        else:
            effects += exchange.abandon(now=line.at)
    return effects


class _Player:
    """A tape that plays: its answers are those of the recording, and effects are compared."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._next = 0

    def facts(self) -> Iterator[Told | TimedOut | Abandoned]:
        """What the exchange is to be told next, until nothing is left."""
        while self._next < len(self._lines):
            line = self._take("the next fact")
            if not isinstance(line, Told | TimedOut | Abandoned):
                raise ReplayError(f"line {self._next + 1}: nothing asks for {_shown(line)}")
            yield line

    def opened(self, head: RequestHead, peer: Peer, *, watched: bool, now: float) -> None:
        """It was the first line."""

    def told(self, input: Input, *, now: float) -> None:
        """It was the line before."""

    def mistaken(self) -> None:
        """Mistakes are not recorded."""

    def timed_out(self, *, now: float) -> None:
        """It was the line before."""

    def abandoned(self, *, now: float) -> None:
        """It was the line before."""

    def commanded(self, effects: Sequence[Effect]) -> None:
        """Compare what was commanded."""
        found = commanded(effects)
        line = self._take(_shown(found))
        if line != found:
            raise ReplayError(f"line {self._next + 1}: {_shown(found)} instead of {_shown(line)}")

    def tell(self, report: Callable[[], object]) -> None:
        """Nobody hears of it."""

    def answer(self, question: str, ask: Callable[[], _Value], kind: msgspec.json.Decoder[_Value]) -> _Value:
        """Answer as it was recorded."""
        line = self._take(f"the question `{question}`")
        if not isinstance(line, Answered) or line.question != question:
            raise ReplayError(f"line {self._next + 1}: the question `{question}` instead of {_shown(line)}")
        return kind.decode(line.answer)

    def _take(self, wanted: str) -> Line:
        if self._next == len(self._lines):
            raise ReplayError(f"the recording ends where there is {wanted}")
        self._next += 1
        return self._lines[self._next - 1]


def _shown(line: Line) -> str:
    if isinstance(line, Answered):
        return f"the question `{line.question}`"
    if isinstance(line, Commanded):
        return f"the effects {', '.join(line.effects) or 'none'} ({line.digest[:8]})"
    return f"the fact {type(line).__name__}"
