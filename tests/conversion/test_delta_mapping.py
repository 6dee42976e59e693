"""Deltas on their way home, by themselves."""

from __future__ import annotations

from agcore.conversation.schemas.parameter_names import ParameterNames
from agcore.conversation.signed import Signed
from agcore.conversation.tool_names import ToolNames
from agcore.conversation.values import (
    Conversation,
    Delta,
    Signature,
    ThinkingDelta,
    ThinkingEnded,
    Tool,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.conversion.delta_mapping import DeltaMapper
from agcore.dialects import DIALECTS

EMPTY = Conversation(model="m", turns=())
PARAMETERS = ParameterNames(EMPTY, None)
NAMES = ToolNames(Conversation(model="m", turns=()), DIALECTS["anthropic"].traits.tool_names)


def test_only_thoughts_that_were_signed_are_remembered_with_their_call() -> None:
    kept: dict[str, Signed] = {}
    mapper = DeltaMapper(NAMES, PARAMETERS, set(), id="0" * 24, remember=kept.__setitem__)
    said: list[Delta] = [ThinkingDelta("a"), ThinkingEnded(None), ToolStarted(0, "x", "f"), ToolEnded(0)]
    list(mapper.deltas(said))
    assert not kept
    list(mapper.deltas([ThinkingEnded(Signature("up", "thinking", "E")), ToolStarted(1, "y", "f")]))
    assert list(kept) == ["y"]


def test_a_free_form_call_without_a_word_has_none() -> None:
    mapper = DeltaMapper(NAMES, PARAMETERS, {"f"}, id="0" * 24)
    said: list[Delta] = [ToolStarted(0, "x", "f"), ToolArguments(0, ""), ToolEnded(0)]
    assert [type(delta) for delta in mapper.deltas(said)] == [ToolStarted, ToolEnded]


def test_arguments_come_home_under_the_clients_own_names() -> None:
    schema = {"type": "object", "properties": {"$top": {"type": "integer"}}}
    asked = Conversation(model="m", turns=(), tools=(Tool("f", parameters=schema), Tool("g")))
    parameters = ParameterNames(asked, DIALECTS["anthropic"].traits.parameter_names)
    mapper = DeltaMapper(NAMES, parameters, set(), id="0" * 24)
    said: list[Delta] = [ToolStarted(0, "x", "f"), ToolArguments(0, '{"to'), ToolArguments(0, 'p":1}'), ToolEnded(0)]
    said += [ToolStarted(1, "y", "g"), ToolArguments(1, '{"top":1}'), ToolEnded(1)]
    told = [delta.text for delta in mapper.deltas(said) if isinstance(delta, ToolArguments)]
    assert told == ['{"$top":1}', '{"top":1}']
