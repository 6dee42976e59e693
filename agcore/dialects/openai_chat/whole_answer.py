"""Whole answers of Chat and legacy Completions: whether one is an answer, and which one a stream tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agcore.dialects.openai_chat.chunk_repair import Mender
from agcore.dialects.openai_chat.stream_events import FAILURES, StreamEvents, failure
from agcore.dialects.shared.folded_texts import FoldedTexts
from agcore.dialects.shared.loose import numbered
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. A choice answers by what it says, or by a reason for having said nothing."""
    if answer.get("error"):
        return StreamEvents().classify(answer).fault
    answers = False
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason in FAILURES:
                return failure(choice, reason)
            answers = answers or _says(choice)
    return None if answers else no_answer(answer)


def _says(choice: dict[str, object]) -> bool:
    message, finished = choice.get("message"), choice.get("finish_reason") is not None
    if isinstance(message, dict):
        return finished or any(value for name, value in message.items() if name != "role")
    text = choice.get("text")
    return isinstance(text, str) and (finished or bool(text))


class _Choice:
    """One choice while it is put together."""

    def __init__(self) -> None:
        self.told: dict[str, object] = {}
        self.texts = FoldedTexts()
        """Of the message."""
        self.calls: dict[int, tuple[dict[str, object], FoldedTexts]] = {}
        """By number, in the order in which they began: what is told once, and what grows."""
        self.completion = FoldedTexts()

    def take(self, choice: Mapping[str, object]) -> None:
        for name, value in choice.items():
            if name == "delta" and isinstance(value, dict):
                self._said(value)
            elif name == "text":
                self.completion.add({"text": value})
            elif name == "logprobs":
                self._weighed(value)
            elif value is not None or name not in self.told:
                self.told[name] = value

    def whole(self) -> dict[str, object]:
        if self.completion.members:
            return {**self.told, **self.completion.whole()}
        message: dict[str, object] = {"role": "assistant", "content": None, **self.texts.whole()}
        if self.calls:
            message["tool_calls"] = [{**told, **texts.whole()} for told, texts in self.calls.values()]
        return {**self.told, "message": message}

    def _said(self, delta: dict[str, object]) -> None:
        calls = delta.pop("tool_calls", None)
        for call in calls if isinstance(calls, list) else ():
            index = call.pop("index", None) if isinstance(call, dict) else None
            if isinstance(index, int):
                told, texts = self.calls.setdefault(index, ({}, FoldedTexts()))
                for name, value in call.items():
                    if name in ("function", "custom") and isinstance(value, dict):
                        texts.add({name: value})
                    elif value is not None:
                        told.setdefault(name, value)
        self.texts.add(delta)

    def _weighed(self, value: object) -> None:
        """Log probabilities: the lists in them go on with each chunk."""
        known = self.told.setdefault("logprobs", value)
        if known is not value and isinstance(known, dict) and isinstance(value, dict):
            for name, more in value.items():
                if isinstance(more, list) and isinstance(known.get(name), list):
                    known[name].extend(more)
                elif more is not None:
                    known[name] = more
        elif known is None:
            self.told["logprobs"] = value


def fold(events: Iterable[dict[str, object]]) -> dict[str, object]:
    """See `base.PassThrough.fold`. What the SDKs cannot add up is mended on the way."""
    answer: dict[str, object] = {}
    choices: dict[int, _Choice] = {}
    mender, usage = Mender(), None
    for event in events:
        usage = event.get("usage") or usage
        mender.mend(event)
        for index, choice in numbered(event.pop("choices", None)):
            choices.setdefault(index, _Choice()).take(choice)
        answer.update((name, value) for name, value in event.items() if value is not None)
    kind = answer.get("object")
    if isinstance(kind, str):
        answer["object"] = kind.removesuffix(".chunk")
    answer["choices"] = [{"index": index, **choice.whole()} for index, choice in sorted(choices.items())]
    if usage is not None:
        answer["usage"] = usage
    return answer
