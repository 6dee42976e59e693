"""A whole answer as the fold of its deltas."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given

from agcore.conversation.assemble import assemble
from agcore.conversation.values import (
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
from tests.support.deltas import deltas


@given(deltas(choices=3))
def test_the_fold_of_a_stream_is_what_was_said(said: list[Delta]) -> None:
    answer = assemble(said)
    for number, choice in enumerate(answer.choices):
        own = [each for each in said if not isinstance(each, Started | Consumed) and each.choice == number]
        parts = choice.parts
        assert "".join(part.text for part in parts if isinstance(part, Text)) == _said(own, TextDelta)
        assert "".join(part.text for part in parts if isinstance(part, Refusal)) == _said(own, RefusalDelta)
        assert "".join(part.text for part in parts if isinstance(part, Thinking)) == _said(own, ThinkingDelta)
        assert [part.signature for part in parts if isinstance(part, Thinking)] == [
            each.signature for each in own if isinstance(each, ThinkingEnded)
        ]
        assert [part.source for part in parts if isinstance(part, Image)] == [
            each.source for each in own if isinstance(each, ImageMade)
        ]
        assert [part for part in parts if isinstance(part, ToolCall)] == [
            ToolCall(
                each.id,
                each.name,
                "".join(piece.text for piece in own if isinstance(piece, ToolArguments) and piece.index == each.index),
                custom=each.custom,
                signature=each.signature,
            )
            for each in own
            if isinstance(each, ToolStarted)
        ]
        assert choice.citations == [each for each in own if isinstance(each, Cited)]
        assert [choice.stop] == [each.stop for each in own if isinstance(each, Finished)]


def _said(said: Sequence[Delta], kind: type[TextDelta | RefusalDelta | ThinkingDelta]) -> str:
    return "".join(each.text for each in said if isinstance(each, kind))
