"""A whole answer as the fold of its deltas."""

from __future__ import annotations

from collections.abc import Iterable

from agcore.conversation.values import (
    Answer,
    Choice,
    Cited,
    Consumed,
    Delta,
    Finished,
    Image,
    ImageMade,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)


class _Open:
    """One choice while it is being put together."""

    def __init__(self) -> None:
        self.choice = Choice(parts=[])
        self.thought: str | None = None
        self.calls: dict[int, int] = {}

    def say(self, kind: type[Text] | type[Refusal], text: str) -> None:
        """More text: of the part that is open, or of a new one."""
        self.end_thought()
        parts = self.choice.parts
        last = parts[-1] if parts else None
        if isinstance(last, kind):
            parts[-1] = kind(last.text + text)
        else:
            parts.append(kind(text))

    def end_thought(self) -> None:
        """A thought that something else follows is complete, though nobody said so."""
        if self.thought is not None:
            self.choice.parts.append(Thinking(self.thought))
            self.thought = None


def assemble(deltas: Iterable[Delta]) -> Answer:
    """The answer that a stream of deltas tells. Choices that never said anything in between are empty ones."""
    open_choices: dict[int, _Open] = {}
    answer = Answer(choices=[])
    for delta in deltas:
        if isinstance(delta, Consumed):
            answer.usage = delta.usage
        elif not isinstance(delta, Started):
            while len(open_choices) <= delta.choice:
                open_choices[len(open_choices)] = _Open()
            _add(open_choices[delta.choice], delta)
    for each in open_choices.values():
        each.end_thought()
        answer.choices.append(each.choice)
    if not answer.choices:
        answer.choices.append(Choice(parts=[]))
    return answer


def _add(target: _Open, delta: Delta) -> None:
    parts = target.choice.parts
    match delta:
        case TextDelta(text, _, logprobs):
            target.say(Text, text)
            target.choice.logprobs.extend(logprobs)
        case RefusalDelta(text):
            target.say(Refusal, text)
        case ThinkingDelta(text):
            target.thought = (target.thought or "") + text
        case ThinkingEnded(signature):
            parts.append(Thinking(target.thought or "", signature))
            target.thought = None
        case ToolStarted(index, id, name, custom, signature):
            target.end_thought()
            target.calls[index] = len(parts)
            parts.append(ToolCall(id, name, "", custom=custom, signature=signature))
        case ToolArguments(index, text):
            at = target.calls[index]
            call = parts[at]
            assert isinstance(call, ToolCall)
            parts[at] = ToolCall(
                call.id, call.name, call.arguments + text, custom=call.custom, signature=call.signature
            )
        case ImageMade(source):
            target.end_thought()
            parts.append(Image(source))
        case Cited():
            target.choice.citations.append(delta)
        case Finished(stop, sequence):
            target.choice.stop, target.choice.sequence = stop, sequence
        case _:
            pass
