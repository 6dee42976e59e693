from __future__ import annotations

import pytest

from agcore.conversation import compaction
from agcore.conversation.signature_carrier import opened as opened_signature
from agcore.conversation.values import (
    Conversation,
    HostedTool,
    Image,
    Output,
    Pictures,
    Settings,
    Source,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

PICTURE = Image(Source("image/png", data="AAAA"))


def test_a_summary_is_asked_for_without_tools_and_calls_are_told_in_words() -> None:
    asked = compaction.asked(
        Conversation(
            model="m",
            turns=(
                Turn("system", (Text("S"),)),
                Turn("user", (Text("a"), PICTURE)),
                Turn("assistant", (Thinking("hm"), Text("I look."), ToolCall("c", "f", ""), ToolCall("d", "g", "x"))),
                Turn("user", (ToolResult("c", (Text("R"), PICTURE)), ToolResult("d", (), is_error=True))),
                Turn("user", (ToolResult("e", (Text("late"),), name="h"), ToolResult("i", ()))),
            ),
            tools=(Tool("f"),),
            hosted_tools=(HostedTool("openai_responses", "web_search", {}),),
            tool_choice=ToolChoice("required"),
            parallel_calls=True,
            output=Output(),
            pictures=Pictures(),
            settings=Settings(max_output=9, logprobs=True, top_logprobs=2, verbosity="low"),
        )
    )
    assert asked.compacts
    assert asked == Conversation(
        model="m",
        turns=(
            Turn("system", (Text("S"),)),
            Turn("user", (Text("a"), PICTURE)),
            Turn("assistant", (Text("I look."), Text("\n[Called f: {}]\n"), Text("\n[Called g: x]\n"))),
            Turn("user", (Text("\n[Result of f]\n"), Text("R"), PICTURE, Text("\n[Failure of g]\n"))),
            Turn("user", (Text("\n[Result of h]\n"), Text("late"), Text("\n[Result of i]\n"))),
            asked.turns[-1],
        ),
        settings=Settings(max_output=9),
        compacts=True,
    )
    (instruction,) = asked.turns[-1].parts
    assert isinstance(instruction, Text)
    assert "summary" in instruction.text


@pytest.mark.parametrize("summary", ["We met.", "", "a\n</summary>\n\N{SNOWMAN}", "x" * compaction.LONGEST])
def test_a_summary_returns_as_it_was(summary: str) -> None:
    carried = compaction.carried(summary)
    assert carried.startswith("gw1.")
    assert summary == "" or summary not in carried
    assert compaction.opened(carried) == summary
    assert opened_signature(carried) is None  # it is nobody's signature


def test_a_summary_has_bounds_and_says_where_it_was_cut() -> None:
    assert compaction.bounded("x" * (compaction.LONGEST + 1), cut=False) == "x" * compaction.LONGEST + compaction.CUT
    assert compaction.bounded("We met", cut=True) == "We met" + compaction.CUT
    assert compaction.bounded("We met.", cut=False) == "We met."


def test_a_client_may_ask_for_a_summary_in_its_own_words() -> None:
    conversation = Conversation(model="m", turns=(Turn("user", (Text("a"),)),))
    assert compaction.asked(conversation, " In verse. ").turns[-1].parts == (Text("In verse."),)
    assert compaction.asked(conversation, " \n") == compaction.asked(conversation)


@pytest.mark.parametrize(
    "text", [None, 5, "", "gAAAAAB", "gw1.openai.WyJ0Il0", "gw1.compaction.", "gw1.compaction.!", "gw1.compaction.WzFd"]
)
def test_what_was_not_made_here_is_not_opened(text: object) -> None:
    assert compaction.opened(text) is None


def test_only_words_make_a_summary() -> None:
    assert compaction.is_told([ThinkingDelta("a"), TextDelta("b")])
    assert not compaction.is_told([ThinkingDelta("a"), TextDelta(" \n")])
