"""A whole answer as the fold of its deltas."""

from __future__ import annotations

from agcore.conversation.assemble import assemble
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
    Signature,
    Source,
    Started,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolCall,
    ToolEnded,
    ToolStarted,
)
from agcore.protocol.report import Usage

SIGNED = Signature("anthropic", "thinking", "sig")
PICTURE = Source("image/png", data="AAAA")


def test_pieces_of_one_kind_are_one_part_and_others_keep_their_order() -> None:
    said: list[Delta] = [
        Started("m"),
        ThinkingDelta("hm"),
        ThinkingDelta("m"),
        ThinkingEnded(SIGNED),
        TextDelta("a"),
        TextDelta("b"),
        ToolStarted(0, "c0", "get"),
        ToolArguments(0, "{"),
        ToolArguments(0, "}"),
        ToolEnded(0),
        TextDelta("c"),
        ImageMade(PICTURE),
        TextDelta("d"),
        RefusalDelta("n"),
        RefusalDelta("o"),
        Finished(Stop.REFUSAL, "x"),
    ]
    assert assemble(said) == Answer(
        choices=[
            Choice(
                parts=[
                    Thinking("hmm", SIGNED),
                    Text("ab"),
                    ToolCall("c0", "get", "{}"),
                    Text("c"),
                    Image(PICTURE),
                    Text("d"),
                    Refusal("no"),
                ],
                stop=Stop.REFUSAL,
                sequence="x",
            )
        ]
    )


def test_thoughts_that_were_each_ended_stay_apart() -> None:
    said: list[Delta] = [
        ThinkingDelta("a"),
        ThinkingEnded(),
        ThinkingDelta("b"),
        ThinkingEnded(SIGNED),
        ThinkingEnded(SIGNED),
    ]
    assert assemble(said).choices[0].parts == [Thinking("a"), Thinking("b", SIGNED), Thinking("", SIGNED)]


def test_a_thought_that_nobody_ended_ends_with_what_follows_or_with_the_answer() -> None:
    for after, part in (
        (TextDelta("a"), Text("a")),
        (RefusalDelta("a"), Refusal("a")),
        (ImageMade(PICTURE), Image(PICTURE)),
        (ToolStarted(0, "c", "get"), ToolCall("c", "get", "")),
    ):
        assert assemble([ThinkingDelta("hm"), after]).choices[0].parts == [Thinking("hm"), part]
    assert assemble([ThinkingDelta("hm"), Finished(Stop.END)]).choices[0].parts == [Thinking("hm")]


def test_arguments_that_interleave_find_their_calls() -> None:
    signature = Signature("gemini", "call", "s")
    said: list[Delta] = [
        ToolStarted(0, "a", "one", signature=signature),
        ToolStarted(1, "b", "two", custom=True),
        ToolArguments(1, "x"),
        ToolArguments(0, "1"),
        ToolArguments(1, "y"),
        ToolEnded(0),
        ToolEnded(1),
    ]
    assert assemble(said).choices[0].parts == [
        ToolCall("a", "one", "1", signature=signature),
        ToolCall("b", "two", "xy", custom=True),
    ]


def test_sources_are_kept_beside_the_text_that_they_do_not_divide() -> None:
    cited = Cited("https://example.com", "t")
    (choice,) = assemble([TextDelta("a"), cited, TextDelta("b")]).choices
    assert (choice.parts, choice.citations) == ([Text("ab")], [cited])


def test_the_last_usage_counts() -> None:
    first, last = (Usage(fresh=n, cache_read=0, cache_write=0, output=n, reasoning=0) for n in (1, 2))
    assert assemble([Consumed(first), TextDelta("a"), Consumed(last)]).usage == last


def test_choices_that_interleave_are_put_together_one_by_one() -> None:
    said: list[Delta] = [
        TextDelta("b", choice=1),
        TextDelta("a"),
        TextDelta("B", choice=1),
        Finished(Stop.LENGTH, choice=1),
    ]
    first, second = assemble(said).choices
    assert (first.parts, first.stop) == ([Text("a")], Stop.END)
    assert (second.parts, second.stop) == ([Text("bB")], Stop.LENGTH)


def test_an_answer_that_says_nothing_has_one_empty_choice() -> None:
    assert assemble([]) == assemble([Started("m")]) == Answer(choices=[Choice(parts=[])])
