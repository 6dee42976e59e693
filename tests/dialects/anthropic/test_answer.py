"""Anthropic answers, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from agcore.codecs.sse import Decoder, encode
from agcore.conversation.assemble import assemble
from agcore.conversation.signature_carrier import opened
from agcore.conversation.values import (
    Answer,
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    Settings,
    Signature,
    Source,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.dialects.anthropic.answer_reader import ResponseReader, read_answer
from agcore.dialects.anthropic.answer_writer import ResponseWriter, render_answer
from agcore.dialects.anthropic.arguments import object_text
from agcore.dialects.anthropic.tools_writer import RESPOND
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.deltas import too_deep
from tests.support.grammar_anthropic import events, message

ASKED = Conversation(model="m", turns=())


def written(said: Iterable[Delta], conversation: Conversation = ASKED) -> bytes:
    writer = ResponseWriter(id="1", model="m", created=0, conversation=conversation)
    return b"".join([*(writer.feed(delta) for delta in said), writer.end()])


def rendered(said: Iterable[Delta], conversation: Conversation = ASKED) -> dict[str, Any]:
    return render_answer(assemble(said), id="1", model="m", created=0, conversation=conversation)


def stream(*told: dict[str, Any]) -> bytes:
    return b"".join(encode(json.dumps(event).encode(), event=event["type"]) for event in told)


def read(data: bytes, *, piece: int = 1_000_000) -> tuple[list[Delta], Fault | None]:
    """The deltas of a stream that comes in pieces of that many bytes."""
    decoder, reader = Decoder(), ResponseReader(signer="up")
    frames = [frame for at in range(0, len(data), piece) for frame in decoder.feed(data[at : at + piece])]
    said = [delta for frame in frames for delta in reader.feed(frame)]
    return said + reader.end(), reader.fault


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def more(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def reason(name: str | None, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": name, "stop_sequence": None}, "usage": usage}


BEGIN = {
    "type": "message_start",
    "message": {"id": "msg_up", "usage": {"input_tokens": 6, "cache_read_input_tokens": 4}},
}
END = {"type": "message_stop"}
WHOLE = stream(
    BEGIN,
    start(0, type="thinking", thinking="", signature=""),
    {"type": "ping"},
    more(0, "thinking_delta", thinking="Hm, "),
    more(0, "thinking_delta", thinking="ü."),
    more(0, "signature_delta", signature="EpoB"),
    stop(0),
    start(1, type="redacted_thinking", data="RED"),
    stop(1),
    start(2, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    more(2, "input_json_delta", partial_json='{"query":"kiwi"}'),
    stop(2),
    start(3, type="web_search_tool_result", tool_use_id="srvtoolu_1", content=[]),
    stop(3),
    start(4, type="text", text=""),
    more(4, "text_delta", text="Look"),
    more(4, "text_delta", text="ing."),
    more(4, "citations_delta", citation={"type": "web_search_result_location", "url": "https://k/", "title": "K"}),
    stop(4),
    start(5, type="tool_use", id="toolu_1", name="get", input={}),
    more(5, "input_json_delta", partial_json=""),
    more(5, "input_json_delta", partial_json='{"city":'),
    more(5, "input_json_delta", partial_json='"Rome"}'),
    stop(5),
    start(6, type="tool_use", id="toolu_2", name="now", input={}),
    stop(6),
    {"type": "from_the_future"},
    reason("tool_use", output_tokens=9),
    END,
)
READ: list[Delta] = [
    Started("msg_up"),
    Consumed(Usage(fresh=6, cache_read=4)),
    ThinkingDelta("Hm, "),
    ThinkingDelta("ü."),
    ThinkingEnded(Signature("up", "thinking", "EpoB")),
    ThinkingEnded(Signature("up", "redacted", "RED")),
    TextDelta("Look"),
    TextDelta("ing."),
    Cited("https://k/", "K", span=(0, 8)),
    ToolStarted(0, "toolu_1", "get"),
    ToolArguments(0, '{"city":'),
    ToolArguments(0, '"Rome"}'),
    ToolEnded(0),
    ToolStarted(1, "toolu_2", "now"),
    ToolArguments(1, "{}"),
    ToolEnded(1),
    Consumed(Usage(fresh=6, cache_read=4, output=9)),
    Finished(Stop.TOOL_CALLS),
]


# Reading.


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1_000_000])
def test_a_stream_is_read_alike_however_it_is_cut(piece: int) -> None:
    assert read(WHOLE, piece=piece) == (READ, None)


@pytest.mark.parametrize("kinds", [("start",), ("delta",), ("stop",), ("start", "delta", "stop")])
def test_blocks_without_an_index_follow_one_another(kinds: tuple[str, ...]) -> None:
    left_out = {f"content_block_{kind}" for kind in kinds}
    events = [json.loads(frame.data or b"") for frame in Decoder().feed(WHOLE)]
    lean = [
        {name: value for name, value in event.items() if name != "index" or event["type"] not in left_out}
        for event in events
    ]
    assert read(stream(*lean)) == (READ, None)


def test_texts_and_thoughts_need_no_start_and_the_rest_of_a_block_that_is_none_is_dropped() -> None:
    said, fault = read(
        stream(
            more(0, "input_json_delta", partial_json="{}"),
            {"type": "content_block_delta", "index": 0, "delta": "?"},
            more(0, "thinking_delta", thinking="Hm."),
            stop(0),
            more(1, "text_delta", text="Hi"),
            more(2, "text_delta", text="lost"),
            reason("end_turn"),
            END,
        )
    )
    assert fault is None
    assert said[:3] == [ThinkingDelta("Hm."), ThinkingEnded(), TextDelta("Hi")]
    assert TextDelta("lost") not in said


def test_an_event_without_a_type_is_what_its_line_says() -> None:
    frames = Decoder().feed(WHOLE)
    bare = [
        {name: value for name, value in json.loads(frame.data or b"").items() if name != "type"} for frame in frames
    ]
    pairs = zip(frames, bare, strict=True)
    assert read(b"".join(encode(json.dumps(event).encode(), event=frame.event) for frame, event in pairs)) == (
        READ,
        None,
    )


def test_a_whole_answer_gives_the_deltas_of_its_stream() -> None:
    answer: dict[str, object] = {
        "type": "message",
        "id": "msg_up",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "EpoB"},
            {"type": "redacted_thinking", "data": "RED"},
            {"type": "text", "text": "Hi", "citations": [{"url": "https://k/", "title": None}]},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
            {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"city": "Rome"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 6, "output_tokens": 5},
    }
    assert read_answer(answer, signer="up") == [
        Started("msg_up"),
        Consumed(Usage(fresh=6, output=5)),
        ThinkingDelta("Hm."),
        ThinkingEnded(Signature("up", "thinking", "EpoB")),
        ThinkingEnded(Signature("up", "redacted", "RED")),
        TextDelta("Hi"),
        Cited("https://k/", span=(0, 2)),
        ToolStarted(0, "toolu_1", "get"),
        ToolArguments(0, '{"city":"Rome"}'),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]


@pytest.mark.parametrize(
    ("named", "stopped"),
    [
        ("end_turn", Stop.END),
        ("max_tokens", Stop.LENGTH),
        ("refusal", Stop.FILTER),
        ("model_context_window_exceeded", Stop.CONTEXT),
        ("pause_turn", Stop.PAUSE),
        ("tool_use", Stop.END),
        ("from_the_future", Stop.END),
    ],
)
def test_stop_reasons_are_read(named: str, stopped: Stop) -> None:
    assert read(stream(BEGIN, reason(named), END))[0][-1] == Finished(stopped)


def test_a_stop_sequence_is_named() -> None:
    ended = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}, "usage": {}}
    assert read(stream(BEGIN, ended, END))[0][-1] == Finished(Stop.SEQUENCE, "END")


def test_restated_usage_replaces_what_was_said_before() -> None:
    said, _ = read(
        stream(BEGIN, reason(None, output_tokens=3), reason("end_turn", input_tokens=2, output_tokens=5), END)
    )
    assert [delta for delta in said if isinstance(delta, Consumed)][-1].usage == Usage(fresh=2, cache_read=4, output=5)
    assert sum(isinstance(delta, Finished) for delta in said) == 1


def test_a_refusal_without_text_gives_its_explanation() -> None:
    refused = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "No."}}}
    assert read(stream(BEGIN, refused, END))[0][-2:] == [RefusalDelta("No."), Finished(Stop.FILTER)]
    text = [start(0, type="text", text=""), more(0, "text_delta", text="So"), stop(0)]
    assert RefusalDelta("No.") not in read(stream(BEGIN, *text, refused, END))[0]


def test_a_stop_reason_without_message_stop_is_an_end() -> None:
    said, fault = read(stream(BEGIN, reason("end_turn")))
    assert said[-1] == Finished(Stop.END)
    assert fault is None


def test_an_end_without_stop_reason_is_a_fault() -> None:
    _, fault = read(stream(BEGIN, start(0, type="text", text=""), more(0, "text_delta", text="half")))
    assert fault is not None
    assert fault.status == 502


@pytest.mark.parametrize(
    ("kind", "status"), [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 500), ("new_error", 502)]
)
def test_an_error_event_is_a_fault_with_the_status_of_its_type(kind: str, status: int) -> None:
    said, fault = read(stream(BEGIN, {"type": "error", "error": {"type": kind, "message": "Busy"}}, reason("end_turn")))
    assert fault is not None
    assert (fault.status, fault.message) == (status, "Busy")
    assert not any(isinstance(delta, Finished) for delta in said)


def test_an_event_that_is_no_json_is_a_fault() -> None:
    assert read(b"event: message_start\ndata: {oh\n\n")[1] is not None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}, 529),
        ({"error": "odd"}, 502),
        ({"content": "odd"}, 502),
        ({}, 502),
    ],
)
def test_an_answer_that_is_no_message_is_a_fault(answer: dict[str, object], status: int) -> None:
    fault = read_answer(answer, signer="up")
    assert isinstance(fault, Fault)
    assert fault.status == status


def test_the_tool_that_stands_for_structured_output_is_read_as_text() -> None:
    pieces = [more(0, "input_json_delta", partial_json=text) for text in ("", '{"a"', ":1}")]
    told = stream(
        BEGIN, start(0, type="tool_use", id="t", name=RESPOND, input={}), *pieces, stop(0), reason("tool_use")
    )
    said, _ = read(told)
    assert said[2:] == [TextDelta('{"a"'), TextDelta(":1}"), Consumed(Usage(fresh=6, cache_read=4)), Finished(Stop.END)]
    answer: dict[str, object] = {
        "content": [{"type": "tool_use", "id": "t", "name": RESPOND, "input": {"a": 1}}],
        "stop_reason": "tool_use",
    }
    found = read_answer(answer, signer="up")
    assert isinstance(found, list)
    assert found[1:] == [TextDelta('{"a":1}'), Finished(Stop.END)]


# Writing.


def test_a_stream_begins_with_the_first_delta() -> None:
    writer = ResponseWriter(id="1", model="shown", created=0, conversation=ASKED)
    (first,) = events(writer.feed(Started("up")))
    assert first["message"]["id"] == "msg_1"
    assert first["message"]["model"] == "shown"
    assert first["message"]["usage"]["input_tokens"] == 0


def test_a_thought_is_signed_once_before_it_ends() -> None:
    told = events(written([ThinkingDelta("a"), ThinkingEnded(Signature("google", "thinking", "S")), TextDelta("b")]))
    kinds = [event.get("delta", {}).get("type") or event["type"] for event in told]
    assert kinds[2:5] == ["thinking_delta", "signature_delta", "content_block_stop"]


def test_the_signature_of_a_call_stands_in_an_empty_thought_before_it() -> None:
    signed = Signature("google", "call", "S")
    said: list[Delta] = [ToolStarted(0, "c", "f", signature=signed), ToolEnded(0), Finished(Stop.TOOL_CALLS)]
    for whole in (message(written(said)), rendered(said)):
        thought, call = whole["content"]
        assert thought["thinking"] == ""
        assert opened(thought["signature"]) == signed
        assert call == {"type": "tool_use", "id": "c", "name": "f", "input": {}}


def test_interleaved_calls_become_one_block_after_another() -> None:
    said: list[Delta] = [
        ToolStarted(0, "a", "f"),
        ToolStarted(1, "b", "g"),
        ToolArguments(1, '{"y":'),
        ToolArguments(0, '{"x":'),
        ToolArguments(1, "2}"),
        ToolEnded(1),
        TextDelta("behind"),
        ToolArguments(0, "1}"),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]
    assert message(written(said))["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "text", "text": "behind"},
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", {}),
        ("  ", {}),
        ('{"city":"Pa', {"_raw": '{"city":"Pa'}),
        ("[1]", {"_raw": "[1]"}),
        ('{"n":12345678901234567890123}', {"n": 12345678901234567890123}),
        ("\ud83d", {"_raw": "\ud83d"}),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(text: str, meant: dict[str, Any]) -> None:
    said: list[Delta] = [ToolStarted(0, "a", "f"), ToolArguments(0, text), ToolEnded(0), Finished(Stop.TOOL_CALLS)]
    assert message(written(said))["content"][0]["input"] == meant
    assert rendered(said)["content"][0]["input"] == meant


def test_a_custom_call_is_a_call_with_one_text() -> None:
    said: list[Delta] = [ToolStarted(0, "a", "patch", custom=True), ToolArguments(0, "+x"), ToolEnded(0)]
    assert message(written(said))["content"][0]["input"] == {"input": "+x"}
    assert rendered(said)["content"][0]["input"] == {"input": "+x"}


def test_ids_are_legal_and_distinct() -> None:
    said: list[Delta] = []
    for index, id in enumerate(["functions.get:0", "functions.get:0", ""]):
        said += [ToolStarted(index, id, "get"), ToolEnded(index)]
    for whole in (message(written(said)), rendered(said)):
        assert [block["id"] for block in whole["content"]] == ["functions_get_0", "toolu_1_1", "toolu_1_2"]


def test_late_usage_is_in_the_last_delta() -> None:
    usage = Usage(fresh=6, cache_read=4, cache_write=3, output=5, reasoning=2)
    told = message(written([TextDelta("hi"), Finished(Stop.END), Consumed(usage)]))
    assert told["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([Finished(Stop.END)], ("end_turn", None)),
        ([Finished(Stop.LENGTH)], ("max_tokens", None)),
        ([Finished(Stop.FILTER)], ("refusal", None)),
        ([Finished(Stop.CONTEXT)], ("model_context_window_exceeded", None)),
        ([Finished(Stop.SEQUENCE, "X")], ("stop_sequence", "X")),
        ([Finished(Stop.SEQUENCE)], ("stop_sequence", "END")),
        ([Finished(Stop.TOOL_CALLS)], ("end_turn", None)),
        ([ToolStarted(0, "a", "f"), ToolEnded(0), Finished(Stop.END)], ("tool_use", None)),
        ([RefusalDelta("No."), Finished(Stop.END)], ("refusal", None)),
    ],
)
def test_stop_reasons_are_written(said: list[Delta], expected: tuple[str, str | None]) -> None:
    asked = Conversation(model="m", turns=(), settings=Settings(stop=("END",)))
    for whole in (message(written(said, asked)), rendered(said, asked)):
        assert (whole["stop_reason"], whole["stop_sequence"]) == expected


def test_further_choices_are_left_out() -> None:
    said: list[Delta] = [TextDelta("one"), TextDelta("two", choice=1), Finished(Stop.END), Finished(Stop.END, choice=1)]
    assert message(written(said))["content"] == [{"type": "text", "text": "one"}]


def test_an_image_leaves_a_short_text_in_its_place() -> None:
    said: list[Delta] = [ImageMade(Source("image/png", data="aQ==")), Finished(Stop.END)]
    assert message(written(said))["content"] == rendered(said)["content"] == [{"type": "text", "text": "[image]"}]


def test_a_source_is_cited_on_the_text_before_it() -> None:
    said: list[Delta] = [TextDelta("hi"), Cited("https://k/", "K"), Finished(Stop.END)]
    for whole in (message(written(said)), rendered(said)):
        (citation,) = whole["content"][0]["citations"]
        assert (citation["url"], citation["title"]) == ("https://k/", "K")


def test_an_error_ends_a_stream_at_any_point() -> None:
    writer = ResponseWriter(id="1", model="m", created=0, conversation=ASKED)
    writer.feed(TextDelta("half"))
    (event,) = events(writer.error(Fault(status=529, message="Busy"), "req_1"))
    assert event["error"] == {"type": "overloaded_error", "message": "Busy"}


def test_an_answer_without_choices_is_an_empty_message() -> None:
    empty = render_answer(Answer(choices=[]), id="1", model="m", created=0, conversation=ASKED)
    assert empty["content"] == []
    assert empty["stop_reason"] == "end_turn"


# What is seldom there.


def test_a_call_without_a_name_is_none() -> None:
    said, fault = read(
        stream(
            start(0, type="tool_use", id="a", name=7),
            more(0, "input_json_delta", partial_json="{}"),
            stop(0),
            start(1, type="redacted_thinking", data=7),
            stop(1),
            reason("end_turn"),
            {"type": "message_stop"},
        )
    )
    assert fault is None
    assert not any(isinstance(delta, ToolStarted | ToolArguments | ThinkingEnded) for delta in said)


def test_a_citation_without_an_address_and_a_signature_that_is_no_text_say_nothing() -> None:
    said, fault = read(
        stream(
            start(0, type="text", text="hi"),
            more(0, "citations_delta", citation={"url": 7}),
            stop(0),
            start(1, type="thinking", thinking=""),
            more(1, "signature_delta", signature=7),
            stop(1),
            reason("end_turn"),
            {"type": "message_stop"},
        )
    )
    assert fault is None
    assert not any(isinstance(delta, Cited | ThinkingEnded) for delta in said)


def test_empty_texts_and_thoughts_make_no_block() -> None:
    said: list[Delta] = [TextDelta(""), ThinkingDelta(""), TextDelta("hi"), Finished(Stop.END)]
    blocks = message(written(said))["content"]
    assert blocks == [{"type": "text", "text": "hi"}]


def test_a_call_starts_once_and_what_belongs_to_none_is_dropped() -> None:
    said: list[Delta] = [
        ToolStarted(0, "a", "f"),
        ToolStarted(0, "a", "f"),
        ToolArguments(9, "x"),
        ToolEnded(9),
        ToolArguments(0, "{}"),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]
    (block,) = message(written(said))["content"]
    assert (block["id"], block["input"]) == ("a", {})


def test_a_thought_that_ends_beside_a_text_leaves_it_open() -> None:
    told = written([TextDelta("a"), ThinkingEnded(None), TextDelta("b"), Finished(Stop.END)])
    assert message(told)["content"] == [{"type": "text", "text": "ab"}]


def test_a_redacted_thought_is_whole_without_words() -> None:
    said: list[Delta] = [ThinkingEnded(Signature("up", "redacted", "E")), TextDelta("a"), Finished(Stop.END)]
    assert [block["type"] for block in rendered(said)["content"]] == ["redacted_thinking", "text"]


def test_arguments_that_are_nested_too_deeply_to_be_written_are_none() -> None:
    assert object_text(too_deep()) == "{}"
