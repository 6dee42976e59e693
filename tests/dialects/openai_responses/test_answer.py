from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder, encode
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
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
    Signature,
    Source,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    Tool,
    ToolArguments,
    ToolEnded,
    ToolStarted,
    Turn,
)
from agcore.dialects.openai_responses.answer_reader import ResponseReader, read_answer
from agcore.dialects.openai_responses.answer_writer import ResponseWriter, render_answer
from agcore.dialects.openai_responses.request_reader import parse_request
from agcore.protocol.fault import Fault, Vendor
from agcore.protocol.report import Usage
from tests.support import grammar_openai_responses as grammar
from tests.support.deltas import too_deep

PLAIN = Conversation(model="m", turns=())
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
    "encrypted_content": "gAAA",
}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hi there", "annotations": [], "logprobs": []}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get", "arguments": '{"a":1}'}
CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "patch", "input": "+x"}


def response(*output: dict[str, Any], status: str = "completed", **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_up",
        "object": "response",
        "status": status,
        "error": None,
        "output": list(output),
        "usage": USAGE,
        **members,
    }


EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": response(status="in_progress", usage=None)},
    {"type": "response.in_progress", "response": response(status="in_progress", usage=None)},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {"type": "reasoning", "id": "rs_1", "summary": []},
    },
    {
        "type": "response.reasoning_summary_part.added",
        "output_index": 0,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": ""},
    },
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "one"},
    {"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "one"},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "tw"},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "o"},
    {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
    {
        "type": "response.content_part.added",
        "output_index": 1,
        "content_index": 0,
        "part": {"type": "output_text", "text": ""},
    },
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "hi "},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "there"},
    {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "hi there"},
    {"type": "response.content_part.done", "output_index": 1, "content_index": 0, "part": MESSAGE["content"][0]},  # type: ignore[index]
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
    {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"a"'},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ":1}"},
    {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": '{"a":1}'},
    {"type": "response.output_item.done", "output_index": 2, "item": CALL},
    {"type": "response.output_item.added", "output_index": 3, "item": {**CUSTOM, "input": ""}},
    {"type": "response.custom_tool_call_input.done", "output_index": 3, "input": "+x"},
    {"type": "response.output_item.done", "output_index": 3, "item": CUSTOM},
    {"type": "response.completed", "response": response(REASONING, MESSAGE, CALL, CUSTOM)},
]
SIGNED = Signature("me", "reasoning", "gAAA", "rs_1")
SAID: list[Delta] = [
    Started("resp_up"),
    ThinkingDelta("one"),
    ThinkingDelta("\n\ntw"),
    ThinkingDelta("o"),
    ThinkingEnded(SIGNED),
    TextDelta("hi "),
    TextDelta("there"),
    ToolStarted(0, "call_1", "get"),
    ToolArguments(0, '{"a"'),
    ToolArguments(0, ":1}"),
    ToolEnded(0),
    ToolStarted(1, "call_2", "patch", custom=True),
    ToolArguments(1, "+x"),
    ToolEnded(1),
    Consumed(Usage(fresh=6, cache_read=4, output=5, reasoning=2)),
    Finished(Stop.TOOL_CALLS),
]


def stream(events: list[dict[str, Any]]) -> bytes:
    return b"".join(encode(json.dumps(event).encode(), event=event.get("type")) for event in events)


def read(*pieces: bytes) -> tuple[list[Delta], Fault | None]:
    reader, decoder = ResponseReader(signer="me"), Decoder()
    said: list[Delta] = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            said += reader.feed(frame)
            if reader.fault is not None:
                return said, reader.fault
    return said + reader.end(), reader.fault


def written(said: list[Delta], conversation: Conversation = PLAIN) -> bytes:
    writer = ResponseWriter(id="x", model="m", created=7, conversation=conversation)
    return b"".join([*(writer.feed(delta) for delta in said), writer.end()])


def client(**body: Any) -> Conversation:
    return parse_request({"model": "m", "input": "x", **body}, model="m", stream=True, losses=Losses())


class TestReader:
    def test_a_stream_becomes_deltas_and_done_events_repeat_nothing(self) -> None:
        assert read(stream(EVENTS)) == (SAID, None)

    def test_a_whole_answer_says_what_its_stream_says(self) -> None:
        said = read_answer(response(REASONING, MESSAGE, CALL, CUSTOM), signer="me")
        assert not isinstance(said, Fault)
        assert assemble(said) == assemble(SAID)

    @pytest.mark.parametrize(
        "kept",
        [
            ("response.created", "response.output_item.done", "response.completed"),
            ("response.created", "response.completed"),
            ("response.created", "response.output_item.added", "response.output_item.done", "response.completed"),
        ],
    )
    def test_items_whose_deltas_never_came_are_read_from_what_did(self, kept: tuple[str, ...]) -> None:
        said, fault = read(stream([event for event in EVENTS if event["type"] in kept]))
        assert fault is None
        assert assemble(said) == assemble(SAID)

    def test_items_are_known_by_their_ids_where_the_terminal_event_counts_otherwise(self) -> None:
        events = [
            {**event, **({"output_index": event["output_index"] + 1} if "output_index" in event else {})}
            for event in EVENTS
        ]
        assert read(stream(events)) == (SAID, None)

    def test_raw_thoughts_beside_a_summary_count_once(self) -> None:
        item = {**REASONING, "content": [{"type": "reasoning_text", "text": "one two"}]}
        said = read_answer(response(item), signer="me")
        assert not isinstance(said, Fault)
        assert [delta.text for delta in said if isinstance(delta, ThinkingDelta)] == ["one", "\n\ntwo"]

    def test_raw_thoughts_alone_are_thoughts(self) -> None:
        item = {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]}
        said = read_answer(response(item, MESSAGE), signer="me")
        assert isinstance(said, list)
        assert said[1:3] == [ThinkingDelta("raw"), ThinkingEnded()]

    def test_a_refusal_is_one(self) -> None:
        item = {**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}
        said = read_answer(response(item), signer="me")
        assert isinstance(said, list)
        assert said[1] == RefusalDelta("no")
        assert said[-1] == Finished(Stop.REFUSAL)

    def test_citations_and_pictures_are_read(self) -> None:
        annotation = {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 2}
        item = {**MESSAGE, "content": [{"type": "output_text", "text": "hi", "annotations": [annotation]}]}
        picture = {
            "type": "image_generation_call",
            "id": "ig",
            "status": "completed",
            "result": "AA==",
            "output_format": "webp",
        }
        said = read_answer(response(item, picture), signer="me")
        assert isinstance(said, list)
        cited = Cited("https://e.com", "E", span=(0, 2))
        assert said[1:4] == [TextDelta("hi"), cited, ImageMade(Source("image/webp", data="AA=="))]

    def test_what_a_citation_is_for_is_counted_from_the_begin_of_the_whole_answer(self) -> None:
        annotation = {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 1, "end_index": 3}
        first, second = (
            {**MESSAGE, "id": id, "content": [{"type": "output_text", "text": text, "annotations": annotations}]}
            for id, text, annotations in (("a", "hi", []), ("b", "yes", [annotation]))
        )
        said = read_answer(response(first, second), signer="me")
        assert isinstance(said, list)
        assert Cited("https://e.com", "E", span=(3, 5)) in said

    def test_a_namespaced_call_goes_by_its_flat_name(self) -> None:
        said = read_answer(response({**CALL, "namespace": "ns"}), signer="me")
        assert isinstance(said, list)
        assert said[1] == ToolStarted(0, "call_1", "ns__get")

    def test_hosted_tools_are_no_calls_of_the_client(self) -> None:
        said = read_answer(
            response({"type": "web_search_call", "id": "ws", "status": "completed"}, MESSAGE), signer="me"
        )
        assert isinstance(said, list)
        assert said[1] == TextDelta("hi there")
        assert said[-1] == Finished(Stop.END)

    @pytest.mark.parametrize(
        ("reason", "stop"),
        [
            ("max_output_tokens", Stop.LENGTH),
            ("content_filter", Stop.FILTER),
            ("something", Stop.LENGTH),
            (None, Stop.LENGTH),
        ],
    )
    def test_an_incomplete_answer_says_why(self, reason: str | None, stop: Stop) -> None:
        answer = response(MESSAGE, status="incomplete", incomplete_details={"reason": reason})
        said = read_answer(answer, signer="me")
        assert isinstance(said, list)
        assert said[-1] == Finished(stop)
        assert read(stream([EVENTS[0], {"type": "response.incomplete", "response": answer}]))[0] == said

    def test_a_failed_response_is_a_fault_with_its_code(self) -> None:
        failed = response(status="failed", error={"code": "context_length_exceeded", "message": "too long"})
        fault = read_answer(failed, signer="me")
        assert isinstance(fault, Fault)
        assert (fault.status, fault.code, fault.message) == (400, "context_length_exceeded", "too long")
        assert read(stream([EVENTS[0], {"type": "response.failed", "response": failed}]))[1] == fault

    @pytest.mark.parametrize(
        "event",
        [
            {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None},
            {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
            {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        ],
    )
    def test_an_error_event_is_a_fault_after_what_was_said(self, event: dict[str, Any]) -> None:
        said, fault = read(stream([*EVENTS[:12], event]))
        assert said[-1] == TextDelta("hi ")
        assert fault is not None
        assert (fault.status, fault.code, fault.message) == (429, "rate_limit_exceeded", "slow down")

    def test_an_end_without_a_terminal_event_is_a_fault(self) -> None:
        assert read(stream(EVENTS[:-1]))[1] is not None
        assert read(b"")[1] is not None
        assert read(b"data: nonsense\n\n")[1] is not None

    @pytest.mark.parametrize(
        "answer", [{}, {"status": "failed"}, {"error": {"message": "x"}}, {"output": [], "status": "queued"}]
    )
    def test_what_is_no_finished_response_is_a_fault(self, answer: dict[str, Any]) -> None:
        fault = read_answer(answer, signer="me")
        assert isinstance(fault, Fault)
        assert fault.message


class TestWriter:
    def test_the_canonical_answer_is_told_in_the_canonical_order(self) -> None:
        final = grammar.check(written(SAID))
        assert [item["type"] for item in final["output"]] == [
            "reasoning",
            "message",
            "function_call",
            "custom_tool_call",
        ]
        assert final["output"][0]["summary"][0]["text"] == "one\n\ntwo"
        assert opened(final["output"][0]["encrypted_content"]) == SIGNED
        assert final["output"][2]["call_id"] == "call_1"
        assert final["output"][3]["input"] == "+x"
        assert final["usage"] == {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 15,
        }
        assert [final["output"][0]["id"], final["output"][1]["id"], final["id"]] == ["rs_x_0", "msg_x_1", "resp_x"]

    def test_interleaved_arguments_are_told_one_call_after_the_other_and_the_first_one_live(self) -> None:
        writer = ResponseWriter(id="x", model="m", created=7, conversation=PLAIN)
        assert b"output_item.added" in writer.feed(ToolStarted(0, "a", "f"))
        assert writer.feed(ToolStarted(1, "b", "g")) == b""
        assert b"function_call_arguments.delta" in writer.feed(ToolArguments(0, "{"))
        assert writer.feed(ToolArguments(1, "{}")) == b""
        assert b"fc_x_1" in writer.feed(ToolEnded(0))

    @pytest.mark.parametrize(
        ("stop", "status", "reason"),
        [
            (Stop.END, "completed", None),
            (Stop.TOOL_CALLS, "completed", None),
            (Stop.SEQUENCE, "completed", None),
            (Stop.LENGTH, "incomplete", "max_output_tokens"),
            (Stop.CONTEXT, "incomplete", "max_output_tokens"),
            (Stop.FILTER, "incomplete", "content_filter"),
            (Stop.REFUSAL, "incomplete", "content_filter"),
        ],
    )
    def test_how_the_answer_stopped_is_the_responses_status(self, stop: Stop, status: str, reason: str | None) -> None:
        final = grammar.check(written([TextDelta("cut"), Finished(stop)]))
        assert final["status"] == status
        assert (final["incomplete_details"] or {}).get("reason") == reason

    def test_a_spoken_refusal_is_complete(self) -> None:
        final = grammar.check(written([RefusalDelta("no"), Finished(Stop.REFUSAL)]))
        assert final["status"] == "completed"
        assert final["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]

    def test_a_message_that_was_cut_is_incomplete(self) -> None:
        final = grammar.check(written([TextDelta("cut"), Finished(Stop.LENGTH)]))
        assert final["output"][0]["status"] == "incomplete"

    def test_a_calls_signature_stands_in_an_item_of_its_own_before_the_call(self) -> None:
        signed = Signature("gemini", "call", "sig")
        said = [ThinkingDelta("t"), ThinkingEnded(), ToolStarted(0, "a", "f", signature=signed), ToolEnded(0)]
        items = grammar.check(written(said))["output"]
        assert [item["type"] for item in items] == ["reasoning", "reasoning", "function_call"]
        assert opened(items[1]["encrypted_content"]) == signed
        assert items[2]["arguments"] == "{}"

    def test_a_stream_that_breaks_before_it_began_is_a_flat_error(self) -> None:
        writer = ResponseWriter(id="x", model="m", created=7, conversation=PLAIN)
        vendor = Vendor("openai", {"message": "long", "type": "t", "code": "context_length_exceeded", "param": "input"})
        final = grammar.check(writer.error(Fault(status=400, message="long", vendor=vendor), "r"))
        assert (final["code"], final["param"]) == ("context_length_exceeded", "input")

    def test_citations_are_annotations_of_the_text(self) -> None:
        final = grammar.check(written([TextDelta("hi"), Cited("https://e.com", "E"), Finished(Stop.END)]))
        assert final["output"][0]["content"][0]["annotations"] == [
            {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 2}
        ]

    def test_a_citation_stands_in_its_part_and_is_counted_from_its_begin(self) -> None:
        said: list[Delta] = [
            TextDelta("hi"),
            ToolStarted(0, "c", "f"),
            ToolEnded(0),
            TextDelta("yes"),
            Cited("https://e.com", "E", span=(3, 5)),
            Cited("https://f.com", "F", span=(0, 2)),
            Finished(Stop.END),
        ]
        final = grammar.check(written(said))
        spans = [(each["start_index"], each["end_index"]) for each in final["output"][2]["content"][0]["annotations"]]
        assert spans == [(1, 3), (0, 3)]

    def test_a_whole_answer_has_each_citation_at_its_text(self) -> None:
        said: list[Delta] = [
            TextDelta("hi"),
            ToolStarted(0, "c", "f"),
            ToolEnded(0),
            TextDelta("yes"),
            Cited("https://f.com", "F", span=(0, 2)),
            Cited("https://e.com", "E"),
            Finished(Stop.END),
        ]
        shown = render_answer(assemble(said), id="x", model="m", created=7, conversation=PLAIN)
        output: Any = shown["output"]
        annotated = [item["content"][0]["annotations"] for item in output if item["type"] == "message"]
        assert [[each["url"] for each in annotations] for annotations in annotated] == [
            ["https://f.com"],
            ["https://e.com"],
        ]

    def test_a_picture_without_data_is_shown_as_its_address(self) -> None:
        final = grammar.check(written([ImageMade(Source(url="https://e.com/a.png"))]))
        assert final["output"][0]["content"][0]["text"] == "![image](https://e.com/a.png)"

    def test_the_response_repeats_the_request(self) -> None:
        asked = client(
            instructions="S",
            temperature=0.5,
            metadata={"a": "b"},
            text={"verbosity": "low"},
            tool_choice="auto",
            store=False,
        )
        final = grammar.check(written([Finished(Stop.END)], asked))
        assert (final["instructions"], final["temperature"], final["metadata"]) == ("S", 0.5, {"a": "b"})
        assert final["text"] == {"format": {"type": "text"}, "verbosity": "low"}
        assert (final["tools"], final["parallel_tool_calls"], final["store"], final["model"]) == ([], True, False, "m")


def call(name: str, arguments: str, *, custom: bool = False) -> list[Delta]:
    return [
        ToolStarted(0, "c", name, custom=custom),
        ToolArguments(0, arguments),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]


class TestToolsOfTheClient:
    def test_a_custom_call_holds_its_text_as_it_came(self) -> None:
        asked = client(tools=[{"type": "custom", "name": "patch"}])
        text = '{"input":"x"}'
        assert grammar.check(written(call("patch", text, custom=True), asked))["output"][0]["input"] == text

    def test_a_namespaced_tool_gets_its_name_and_namespace_back(self) -> None:
        asked = client(
            tools=[{"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read"}]}]
        )
        item = grammar.check(written(call("mcp__files__read", "{}"), asked))["output"][0]
        assert (item["name"], item["namespace"]) == ("read", "mcp__files")

    @pytest.mark.parametrize(
        ("kind", "arguments", "members"),
        [
            (
                "local_shell",
                {"command": ["ls", "-l"], "timeout_ms": 5, "x": 1},
                {"action": {"type": "exec", "env": {}, "command": ["ls", "-l"], "timeout_ms": 5}},
            ),
            (
                "local_shell",
                {"command": "ls"},
                {"action": {"type": "exec", "env": {}, "command": ["bash", "-lc", "ls"]}},
            ),
            ("shell", {"commands": ["ls"]}, {"action": {"commands": ["ls"]}}),
            (
                "apply_patch",
                {"operation": {"type": "delete_file", "path": "a", "diff": None}},
                {"operation": {"type": "delete_file", "path": "a"}},
            ),
            (
                "apply_patch",
                {"operation": {"type": "create_file", "path": "a", "diff": "+x"}},
                {"operation": {"type": "create_file", "path": "a", "diff": "+x"}},
            ),
        ],
    )
    def test_a_typed_tool_gets_its_own_item(self, kind: str, arguments: Any, members: Any) -> None:
        asked = client(tools=[{"type": kind}])
        item = grammar.check(written(call(kind, json.dumps(arguments)), asked))["output"][0]
        assert item == {"type": f"{kind}_call", "id": "fc_x_0", "call_id": "c", **members, "status": "completed"}

    @pytest.mark.parametrize("arguments", ["", "{", "[]", '{"commands":[]}', '{"commands":[1]}'])
    def test_a_typed_tool_called_with_something_else_is_a_plain_call(self, arguments: str) -> None:
        item = grammar.check(written(call("shell", arguments), client(tools=[{"type": "shell"}])))["output"][0]
        assert (item["type"], item["name"], item["arguments"]) == ("function_call", "shell", arguments or "{}")

    def test_a_function_that_only_shares_the_name_stays_a_function(self) -> None:
        asked = client(
            tools=[{"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}}]
        )
        item = grammar.check(written(call("shell", '{"commands":["ls"]}'), asked))["output"][0]
        assert item["type"] == "function_call"


def test_an_answer_that_says_nothing_is_an_empty_response() -> None:
    whole = render_answer(Answer(choices=assemble([]).choices), id="x", model="m", created=7, conversation=PLAIN)
    assert (whole["status"], whole["output"], whole["usage"]) == ("completed", [], None)


def test_a_conversation_of_another_dialect_has_nothing_to_repeat() -> None:
    asked = Conversation(model="m", turns=(Turn("user", ()),), tools=(Tool("f"),))
    assert grammar.check(written([TextDelta("a")], asked))["instructions"] is None


class TestWhatIsSeldomThere:
    def test_what_follows_the_end_is_not_read(self) -> None:
        late = {"type": "response.output_text.delta", "output_index": 9, "content_index": 0, "delta": "late"}
        said, fault = read(stream([*EVENTS, late]))
        assert fault is None
        assert TextDelta("late") not in said

    def test_items_and_parts_of_odd_shapes_say_nothing(self) -> None:
        odd = response(
            7,  # type: ignore[arg-type]
            {
                **MESSAGE,
                "content": [7, {"type": "output_text", "text": "hi", "annotations": [7, {"type": "url_citation"}]}],
            },
            {"type": "reasoning", "id": "rs", "summary": [{"text": 7}, 7]},
            {"type": "image_generation_call", "id": "ig", "result": "%"},
            {**CALL, "arguments": 7},
        )
        said = read_answer(odd, signer="me")
        assert not isinstance(said, Fault)
        assert TextDelta("hi") in said
        assert not any(isinstance(delta, Cited | ImageMade | ToolArguments) for delta in said)

    def test_thoughts_that_were_never_ended_are_and_so_is_a_call(self) -> None:
        begun = EVENTS[:7]
        call = {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}}
        unknown = {"type": "response.smell.delta", "output_index": 0, "delta": "x"}
        said, fault = read(stream([*begun, unknown, call, {"type": "response.completed", "response": response()}]))
        assert fault is None
        assert ThinkingEnded() in said
        assert ToolEnded(0) in said

    def test_a_call_that_takes_anothers_place_ends_it(self) -> None:
        said: list[Delta] = [
            ToolStarted(0, "a", "f"),
            ToolArguments(0, "{}"),
            ToolStarted(0, "b", "f"),
            ToolArguments(0, "{}"),
            ToolEnded(0),
            Finished(Stop.TOOL_CALLS),
        ]
        final = grammar.check(written(said))
        assert [item["call_id"] for item in final["output"]] == ["a", "b"]


def test_a_request_that_is_nested_too_deeply_to_be_repeated_is_not() -> None:
    said: list[Delta] = [TextDelta("a"), Finished(Stop.END)]
    echo = Conversation(model="m", turns=(), echo={"metadata": too_deep()})
    assert grammar.check(written(said, echo))["metadata"] == {}


def test_a_refusal_is_not_cited_and_a_message_may_say_nothing() -> None:
    said: list[Delta] = [RefusalDelta("no"), Cited("https://a.example", "A"), Finished(Stop.REFUSAL)]
    (item,) = grammar.check(written(said))["output"]
    assert item["content"] == [{"type": "refusal", "refusal": "no"}]


def test_a_call_that_is_signed_ends_the_thought_before_it_and_is_signed_by_one_of_its_own() -> None:
    said: list[Delta] = [
        Started("r"),
        ThinkingDelta("hm"),
        ToolStarted(0, "c", "f", signature=Signature("gemini", "call", "EqQB")),
        ToolEnded(0),
        Finished(Stop.TOOL_CALLS),
    ]
    kinds = [
        event["item"]["type"]
        for event in map(
            json.loads, (line[6:] for line in written(said).decode().split("\n") if line.startswith("data: "))
        )
        if event["type"] == "response.output_item.done"
    ]
    assert kinds == ["reasoning", "reasoning", "function_call"]
