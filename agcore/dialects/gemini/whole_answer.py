"""Whole answers of generateContent: whether one is an answer, and which one its stream's chunks tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agcore.dialects.base import FrameKind
from agcore.dialects.gemini.stream_events import StreamEvents
from agcore.dialects.shared.loose import numbered
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. That a prompt was blocked, and a reason for an end, are answers."""
    event = StreamEvents().classify(answer)
    if event.fault is not None:
        return event.fault
    return None if event.kind is FrameKind.CONTENT else no_answer(answer)


_TEXT = frozenset({"text", "thought"})
"""The members of a part that is nothing but text, which the next one may go on with."""


class _Candidate:
    """One candidate while it is put together."""

    def __init__(self) -> None:
        self.told: dict[str, object] = {}
        self.content: dict[str, object] = {}
        self.parts: list[dict[str, object]] = []
        self.texts: list[str] = []
        """The pieces of the last part, where that is text."""

    def take(self, candidate: Mapping[str, object]) -> None:
        for name, value in candidate.items():
            if name == "content" and isinstance(value, dict):
                self.content.update((each, said) for each, said in value.items() if each != "parts")
                parts = value.get("parts")
                for part in parts if isinstance(parts, list) else ():
                    if isinstance(part, dict):
                        self._part(part)
            elif value is not None:
                self.told[name] = value

    def whole(self) -> dict[str, object]:
        self._close()
        return {"content": {**self.content, "parts": self.parts}, **self.told}

    def _part(self, part: dict[str, object]) -> None:
        text = part.get("text")
        goes_on = isinstance(text, str) and part.keys() <= _TEXT
        if goes_on and self.texts and part.get("thought") == self.parts[-1].get("thought"):
            self.texts.append(str(text))
            return
        self._close()
        self.parts.append(part)
        self.texts = [str(text)] if goes_on else []

    def _close(self) -> None:
        if self.texts:
            self.parts[-1] = {**self.parts[-1], "text": "".join(self.texts)}
            self.texts = []


def fold(events: Iterable[dict[str, object]]) -> dict[str, object]:
    """See `base.PassThrough.fold`. What every chunk repeats counts as the last one has it."""
    answer: dict[str, object] = {}
    candidates: dict[int, _Candidate] = {}
    for event in events:
        for index, candidate in numbered(event.pop("candidates", None)):
            candidates.setdefault(index, _Candidate()).take(candidate)
        answer.update((name, value) for name, value in event.items() if value is not None)
    whole = [candidate.whole() for _, candidate in sorted(candidates.items())]
    return {"candidates": whole, **answer} if whole else answer
