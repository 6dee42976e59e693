from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.values import (
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    Signature,
    Source,
    Started,
    Stop,
    Text,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
    Turn,
)
from agcore.dialects.openai_chat.answer_reader import ResponseReader, read_answer
from agcore.dialects.openai_chat.answer_writer import ResponseWriter, render_answer
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.grammar_openai_chat import check, chunks

CLIENT = Conversation(model="shown", turns=(Turn("user", (Text("hi"),)),))
ASKS_USAGE = Conversation(model="shown", turns=CLIENT.turns, include_usage=True)
OLD_STYLE = Conversation(model="shown", turns=CLIENT.turns, echo={"functions": [{"name": "f"}]})


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": "up", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def sse(*said: object) -> bytes:
    return b"".join(
        b"data: " + (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n\n" for each in said
    )


def read(data: bytes, *sizes: int, **options: Any) -> tuple[list[Delta], Fault | None]:
    """What a stream says when it comes in pieces of these sizes, and then the rest."""
    reader, decoder = ResponseReader(signer="up", **options), Decoder()
    said: list[Delta] = []
    for size in (*sizes, len(data)):
        piece, data = data[:size], data[size:]
        for frame in decoder.feed(piece):
            said += reader.feed(frame)
    last = decoder.close()
    if last is not None:
        said += reader.feed(last)
    return said + reader.end(), reader.fault


def stream(*said: object, **options: Any) -> list[Delta]:
    """The deltas of a stream that ends well, without its start."""
    found, fault = read(sse(*said, b"[DONE]"), **options)
    assert fault is None
    assert found[0] == Started("up")
    return found[1:]


def calling(*calls: dict[str, Any], finish: str = "tool_calls") -> list[Delta]:
    return stream(*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, finish))


def function(name: str | None, arguments: object, **rest: Any) -> dict[str, Any]:
    return {**rest, "function": {"name": name, "arguments": arguments}}


def test_text_and_usage_are_read() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    said = stream(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "hi "}),
        chunk({"content": "there"}),
        chunk({}, "stop"),
        {"id": "up", "choices": [], "usage": usage},
    )
    assert said == [
        TextDelta("hi "),
        TextDelta("there"),
        Finished(Stop.END),
        Consumed(Usage(fresh=6, cache_read=4, output=5)),
    ]


def test_usage_is_found_on_the_last_chunk_on_a_choice_and_at_groq() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    expected = Consumed(Usage(fresh=3, output=1))
    on_choice = {"id": "up", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]}
    for last in (chunk({}, "stop", usage=usage), on_choice, chunk({}, "stop", x_groq={"usage": usage})):
        assert stream(chunk({"content": "x"}), last)[-1] == expected


def test_calls_whose_deltas_alternate_keep_their_own_arguments() -> None:
    said = calling(
        function("f", '{"a":', index=0, id="c0"),
        function("f", '{"b":', index=1, id="c1"),
        function(None, "1}", index=0),
        function(None, "2}", index=1),
    )
    assert [call.arguments for call in assemble(said).choices[0].parts if hasattr(call, "arguments")] == [
        '{"a":1}',
        '{"b":2}',
    ]
    assert said[-1] == Finished(Stop.TOOL_CALLS)


def test_calls_without_index_are_told_apart_by_id() -> None:
    said = calling(
        function("f", '{"city":', id="call_a"),
        function(None, '"Paris"}', id="call_a"),
        function("f", '{"city":', id="call_b"),
        function("", '"Rome"}', id=""),
    )
    assert said == [
        ToolStarted(0, "call_a", "f"),
        ToolArguments(0, '{"city":'),
        ToolArguments(0, '"Paris"}'),
        ToolEnded(0),
        ToolStarted(1, "call_b", "f"),
        ToolArguments(1, '{"city":'),
        ToolArguments(1, '"Rome"}'),
        ToolEnded(1),
        Finished(Stop.TOOL_CALLS),
    ]


def test_whole_calls_without_index_or_id_are_told_apart_by_name() -> None:
    said = calling(function("f", {"a": 1}), function("f", {"a": 2}), finish="stop")
    assert [delta.text for delta in said if isinstance(delta, ToolArguments)] == ['{"a":1}', '{"a":2}']
    assert said[-1] == Finished(Stop.TOOL_CALLS)


def test_two_calls_under_one_index_are_two() -> None:
    said = calling(function("f", "{}", index=0, id="a"), function("g", "{}", index=0, id="b"))
    assert [delta.id for delta in said if isinstance(delta, ToolStarted)] == ["a", "b"]


def test_a_call_whose_name_comes_late_starts_with_it() -> None:
    said = calling(function(None, "{", index=0, id="a"), function("f", "}", index=0))
    assert said[:3] == [ToolStarted(0, "a", "f"), ToolArguments(0, "{"), ToolArguments(0, "}")]


def test_a_finish_of_tool_calls_without_any_is_a_natural_end() -> None:
    assert stream(chunk({"content": "x"}), chunk({}, "tool_calls"))[-1] == Finished(Stop.END)


def test_text_after_an_incomplete_call_waits_for_its_end() -> None:
    said = stream(
        chunk({"tool_calls": [function("f", "{", index=0, id="a")]}),
        chunk({"content": "so"}),
        chunk({"tool_calls": [function(None, "}", index=0)]}),
        chunk({}, "tool_calls"),
    )
    assert said[-3:] == [ToolEnded(0), TextDelta("so"), Finished(Stop.TOOL_CALLS)]


def test_old_style_calls_are_read() -> None:
    said = stream(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk({}, "function_call"),
    )
    assert said == [ToolStarted(0, "", "f"), ToolArguments(0, "{}"), ToolEnded(0), Finished(Stop.TOOL_CALLS)]


def test_custom_calls_are_read_as_they_are() -> None:
    native = calling({"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": "*** x"}})
    assert native[0] == ToolStarted(0, "a", "patch", custom=True)
    assert native[1] == ToolArguments(0, "*** x")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_read_in_either_field_and_end_at_the_text(name: str) -> None:
    said = stream(chunk({name: "First, "}), chunk({name: "think."}), chunk({"content": "Done."}), chunk({}, "stop"))
    assert said == [
        ThinkingDelta("First, "),
        ThinkingDelta("think."),
        ThinkingEnded(),
        TextDelta("Done."),
        Finished(Stop.END),
    ]


def test_the_same_thought_in_three_fields_counts_once() -> None:
    thought = {
        "reasoning": "T",
        "reasoning_content": "T",
        "reasoning_details": [{"type": "reasoning.text", "text": "T"}],
    }
    assert stream(chunk(thought), chunk({"content": "A"}), chunk({}, "stop"))[0:2] == [
        ThinkingDelta("T"),
        ThinkingEnded(),
    ]
    message = {"role": "assistant", "content": "A", **thought}
    said = read_answer({"id": "up", "choices": [{"message": message, "finish_reason": "stop"}]}, signer="up")
    assert not isinstance(said, Fault)
    assert said[1:3] == [ThinkingDelta("T"), ThinkingEnded()]


def test_signatures_belong_to_the_upstream_that_sent_them() -> None:
    details = [
        {"type": "reasoning.text", "text": "T1", "signature": "s1"},
        {"type": "reasoning.encrypted", "data": "s2", "id": "rs_1"},
    ]
    call = {**function("f", "{}", index=0, id="a"), "extra_content": {"google": {"thought_signature": "s3"}}}
    said = stream(chunk({"reasoning_details": details}), chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))
    assert said[:4] == [
        ThinkingDelta("T1"),
        ThinkingEnded(Signature("up", "thinking", "s1")),
        ThinkingEnded(Signature("up", "reasoning", "s2", id="rs_1")),
        ToolStarted(0, "a", "f", signature=Signature("up", "call", "s3")),
    ]


def test_refusals_pictures_citations_and_content_parts_are_read() -> None:
    message = {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "T"}]}, {"type": "text", "text": "A"}],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://e.com", "title": "E"}}],
    }
    assert stream(chunk(message, "stop")) == [
        ThinkingDelta("T"),
        ThinkingEnded(),
        TextDelta("A"),
        ImageMade(Source("image/png", data="iVBORw0KGgo=")),
        Cited("https://e.com", "E"),
        Finished(Stop.END),
    ]
    assert stream(chunk({"refusal": "No."}), chunk({}, "stop")) == [RefusalDelta("No."), Finished(Stop.REFUSAL)]


def test_surrogate_pairs_cut_in_two_are_joined() -> None:
    data = b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n'
    data += b'data: {"choices":[{"delta":{"content":"\\ude00b"},"finish_reason":"stop"}]}\n\n'
    said, _ = read(data)
    assert said[1:3] == [TextDelta("a"), TextDelta("\U0001f600b")]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("length", Stop.LENGTH), ("content_filter", Stop.FILTER), ("eos", Stop.END), ("sensitive", Stop.FILTER)],
)
def test_finish_reasons_of_many_servers_are_known(reason: str, stop: Stop) -> None:
    assert stream(chunk({"content": "x"}), chunk({}, reason))[-1] == Finished(stop)


def test_a_stream_without_its_end_is_cut_and_one_without_done_is_not() -> None:
    assert read(sse(chunk({"content": "half"})))[1] is not None
    assert read(sse(chunk({"content": "all"}), chunk({}, "stop")))[1] is None
    assert read(sse(chunk({"content": "all"}), chunk({}, "stop")).rstrip())[1] is None
    assert read(b"")[1] is not None
    assert read(sse(b"[DONE]"))[1] is not None


def test_done_ends_a_choice_that_gave_no_reason() -> None:
    assert stream(chunk({"content": "x"}))[-1] == Finished(Stop.END)


def test_one_of_two_choices_without_its_end_is_a_cut() -> None:
    assert read(sse(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, index=1)))[1] is not None


def test_errors_in_a_stream_are_faults_with_their_own_status() -> None:
    fault = read(sse(chunk({"content": "half"}), {"error": {"message": "boom", "type": "server_error", "code": 500}}))[
        1
    ]
    assert fault is not None
    assert (fault.status, fault.message) == (500, "boom")
    for broken in (b"no json", b"[1]", chunk({}, "error")):
        assert read(sse(chunk({"content": "half"}), broken))[1] is not None


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": "x"}, {"error": {"message": "no", "code": 402}}])
def test_whole_answers_without_choices_are_faults(answer: dict[str, object]) -> None:
    assert isinstance(read_answer(answer, signer="up"), Fault)


def test_whole_calls_without_ids_stay_apart() -> None:
    message = {"content": None, "tool_calls": [function("f", ""), function("f", "{bad"), "junk", function("g", None)]}
    said = read_answer({"choices": [{"message": message, "finish_reason": "stop"}]}, signer="up")
    assert not isinstance(said, Fault)
    (choice,) = assemble(said).choices
    assert [(part.name, part.arguments) for part in choice.parts if hasattr(part, "arguments")] == [
        ("f", ""),
        ("f", "{bad"),
        ("g", ""),
    ]
    assert choice.stop is Stop.TOOL_CALLS


def write(said: list[Delta], conversation: Conversation = CLIENT) -> bytes:
    writer = ResponseWriter(id="1f", model="shown", created=1, conversation=conversation)
    return b"".join(map(writer.feed, said)) + writer.end()


def render(said: list[Delta], conversation: Conversation = CLIENT) -> dict[str, Any]:
    return render_answer(assemble(said), id="1f", model="shown", created=1, conversation=conversation)


def test_text_is_written_with_its_role_once_and_usage_last() -> None:
    said = [Started("up"), TextDelta("hi"), Consumed(Usage(fresh=6, cache_read=4, output=5)), Finished(Stop.END)]
    written = check(write(said, ASKS_USAGE), include_usage=True)
    assert [each["choices"][0]["delta"] for each in written[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "hi"},
        {},
    ]
    assert written[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert (written[0]["id"], written[0]["model"], written[0]["created"]) == ("chatcmpl-1f", "shown", 1)


def test_usage_that_nobody_asked_for_is_hidden() -> None:
    check(write([TextDelta("hi"), Consumed(Usage(output=5)), Finished(Stop.END)]), include_usage=False)


def test_a_call_is_named_once_and_says_an_empty_object_for_nothing() -> None:
    said: list[Delta] = [ToolStarted(0, "c", "f"), ToolEnded(0), Finished(Stop.TOOL_CALLS)]
    written = check(write(said), include_usage=False)
    assert [each["choices"][0]["delta"] for each in written[1:3]] == [
        {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]
    assert written[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_calls_without_ids_get_ids_of_their_own() -> None:
    said: list[Delta] = []
    for index in range(2):
        said += [ToolStarted(index, "", "f"), ToolArguments(index, "{}"), ToolEnded(index)]
    said.append(Finished(Stop.TOOL_CALLS))
    check(write(said), include_usage=False)
    calls = render(said)["choices"][0]["message"]["tool_calls"]
    assert calls[0]["id"] != calls[1]["id"]


def test_an_error_follows_no_finish_reason() -> None:
    writer = ResponseWriter(id="1f", model="m", created=1, conversation=CLIENT)
    out = writer.feed(TextDelta("half")) + writer.feed(Finished(Stop.END))
    out += writer.error(Fault(status=502, message="gone"), "req_1")
    frames = [json.loads(frame[6:]) for frame in out.decode().removesuffix("\n\n").split("\n\n")]
    assert frames[-1]["error"]["message"] == "gone"
    assert all(frame["choices"][0]["finish_reason"] is None for frame in frames[:-1])


def test_old_style_clients_get_their_function_call() -> None:
    said: list[Delta] = [
        ToolStarted(0, "c", "f"),
        ToolArguments(0, '{"a":1}'),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]
    (choice,) = render(said, OLD_STYLE)["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    written = chunks(write(said, OLD_STYLE))
    assert [each["choices"][0]["delta"] for each in written[1:3]] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
    ]
    assert written[-1]["choices"][0]["finish_reason"] == "function_call"


def test_a_citation_says_what_it_is_for() -> None:
    answer = render([TextDelta("see e.com"), Cited("https://e.com", "E", span=(4, 9)), Finished(Stop.END)])
    (annotation,) = answer["choices"][0]["message"]["annotations"]
    assert (annotation["url_citation"]["start_index"], annotation["url_citation"]["end_index"]) == (4, 9)
    said, _ = read(sse(chunk({"content": "see e.com", "annotations": [annotation]}, "stop")))
    assert Cited("https://e.com", "E", span=(4, 9)) in said


def test_a_whole_answer_has_what_chat_clients_look_for() -> None:
    said: list[Delta] = [
        ThinkingDelta("T"),
        ThinkingEnded(),
        TextDelta("A"),
        Cited("https://e.com", "E"),
        ImageMade(Source("image/png", data="AAAA")),
        Finished(Stop.LENGTH),
    ]
    answer = render(said)
    assert "usage" not in answer
    message = answer["choices"][0]["message"]
    assert message == {
        "role": "assistant",
        "content": "A",
        "refusal": None,
        "reasoning_content": "T",
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {"url": "https://e.com", "title": "E", "start_index": 0, "end_index": 1},
            }
        ],
        "images": [{"index": 0, "type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    }
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("said", "content", "reason"),
    [
        ([ToolStarted(0, "c", "f"), ToolEnded(0), Finished(Stop.END)], None, "tool_calls"),
        ([Finished(Stop.LENGTH)], "", "length"),
        ([RefusalDelta("No."), Finished(Stop.REFUSAL)], None, "stop"),
        ([TextDelta("part"), Finished(Stop.REFUSAL)], "part", "content_filter"),
        ([TextDelta("x"), Finished(Stop.TOOL_CALLS)], "x", "stop"),
        ([TextDelta("x"), Finished(Stop.CONTEXT)], "x", "length"),
    ],
)
def test_content_and_finish_reason_say_how_an_answer_ended(said: list[Delta], content: str | None, reason: str) -> None:
    (choice,) = render(said)["choices"]
    assert choice["message"]["content"] == content
    assert choice["finish_reason"] == reason
    assert chunks(write(said))[-1]["choices"][0]["finish_reason"] == reason


# What is seldom there.


def test_what_follows_a_fault_or_the_end_is_not_read() -> None:
    reader = ResponseReader(signer="up")
    frames = Decoder().feed(sse(chunk({"content": "hi"}), chunk({}, "stop"), b"[DONE]", chunk({"content": "more"})))
    said = [delta for frame in frames for delta in reader.feed(frame)]
    assert [delta.text for delta in said if isinstance(delta, TextDelta)] == ["hi"]


def test_a_choice_of_an_absurd_number_is_none() -> None:
    assert stream(chunk({"content": "x"}, index=10**9), chunk({"content": "hi"}), chunk({}, "stop"))[0] == TextDelta(
        "hi"
    )


def test_a_picture_and_a_citation_without_an_address_say_nothing() -> None:
    odd = {"content": "hi", "images": [{"image_url": {"url": "x"}}, 7], "annotations": [{"url_citation": {}}, 7]}
    said = stream(chunk(odd), chunk({}, "stop"))
    assert [type(delta) for delta in said] == [TextDelta, Finished]


def test_what_belongs_to_no_call_and_what_follows_the_end_is_not_written() -> None:
    said: list[Delta] = [
        Started("up"),
        ToolStarted(0, "a", "f"),
        ToolStarted(0, "a", "f"),
        ToolArguments(9, "x"),
        ToolArguments(0, "{}"),
        ToolEnded(0),
        ToolArguments(0, "late"),
        Finished(Stop.TOOL_CALLS),
        TextDelta("late"),
    ]
    told = write(said)
    assert b"late" not in told
    assert told.count(b'"f"') == 1


def test_a_call_that_is_none_is_left_as_it_is() -> None:
    raw = chunk({"role": "assistant", "tool_calls": [7]}, None)
    assert read(sse(raw, chunk({"content": "a"}), chunk({}, "stop"), b"[DONE]"))[1] is None


def test_a_choice_that_is_over_says_no_more() -> None:
    said = stream(chunk({"content": "a"}, "stop"), chunk({"content": "late"}))
    assert [delta.text for delta in said if isinstance(delta, TextDelta)] == ["a"]


def test_a_choice_beyond_all_bounds_of_a_whole_answer_is_none() -> None:
    message = {"role": "assistant", "content": "a"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}, {"index": -1, "message": message}]
    said = read_answer({"id": "x", "choices": choices}, signer="up")
    assert not isinstance(said, Fault)
    assert [delta.text for delta in said if isinstance(delta, TextDelta)] == ["a"]
