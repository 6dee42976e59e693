"""Estimates of token counts: never zero, and rising with what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.token_estimate import PER_IMAGE, PER_TURN, estimate
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Foreign,
    HostedTool,
    Image,
    Output,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)


def of(*parts: Part) -> int:
    return estimate(Conversation(model="m", turns=(Turn("user", parts),))) - PER_TURN


def test_a_request_that_says_nothing_costs_something_all_the_same() -> None:
    assert estimate(Conversation(model="m", turns=())) == 1
    assert estimate(Conversation(model="m", turns=(Turn("user", ()),))) == PER_TURN


@pytest.mark.parametrize("kind", [Text, Refusal, Thinking])
def test_four_characters_of_english_are_a_token_and_other_scripts_cost_more(kind: type[Text]) -> None:
    assert of(kind("a" * 400)) == 100
    assert of(kind("漢" * 300)) == 200
    assert of(kind("a" * 40 + "漢" * 30)) == 30


def test_calls_and_results_cost_their_words_and_their_frame() -> None:
    assert of(ToolCall("id", "n" * 40, "a" * 400)) == PER_TURN + 110
    assert of(ToolResult("id", (Text("a" * 400), Image(Source(url="https://x"))))) == PER_TURN + 100 + PER_IMAGE
    assert of(ToolResult("id", ())) == PER_TURN


def test_media_cost_by_their_size_but_pictures_do_not() -> None:
    large, small = Source(data="A" * 600_000), Source(data="A")
    assert of(Image(large)) == of(Image(small)) == PER_IMAGE
    for kind in (Document, Audio, Video):
        assert of(kind(large)) == 10_000
        assert of(kind(small)) == PER_IMAGE


def test_tools_schemas_and_what_only_the_dialect_knows_count_as_their_json() -> None:
    value = {"x": "a" * 392}  # 400 characters of JSON
    bare = Conversation(model="m", turns=())
    assert of(Foreign("anthropic", "search_result", value)) == 100
    assert estimate(Conversation(model="m", turns=(), hosted_tools=(HostedTool("gemini", "web_search", value),))) == 100
    assert estimate(Conversation(model="m", turns=(), output=Output(schema=value))) == 100
    assert estimate(Conversation(model="m", turns=(), output=Output())) == estimate(bare)
    tools = (Tool("n" * 40, "d" * 40, parameters=value), Tool("n" * 40))
    assert estimate(Conversation(model="m", turns=(), tools=tools)) == 2 * PER_TURN + 130


@given(st.text(), st.text(min_size=1))
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert of(Text(text)) <= of(Text(text + more))


@given(st.text())
def test_lone_surrogates_are_counted_like_anything_else(text: str) -> None:
    assert of(Foreign("x", "y", [text, "\ud83d"])) > 0
