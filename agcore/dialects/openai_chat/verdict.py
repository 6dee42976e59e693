"""Whether a whole answer of Chat or legacy Completions is one, by the rule that a stream of it is judged by."""

from __future__ import annotations

from agcore.dialects.openai_chat.stream_events import StreamEvents
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. A choice answers by what it says, or by a reason for having said nothing."""
    event = StreamEvents().classify(answer)
    if event.fault is not None:
        return event.fault
    choices = answer.get("choices")
    answers = isinstance(choices, list) and any(isinstance(choice, dict) and _says(choice) for choice in choices)
    return None if answers else no_answer(answer)


def _says(choice: dict[str, object]) -> bool:
    message, finished = choice.get("message"), choice.get("finish_reason") is not None
    if isinstance(message, dict):
        return finished or any(value for name, value in message.items() if name != "role")
    text = choice.get("text")
    return isinstance(text, str) and (finished or bool(text))
