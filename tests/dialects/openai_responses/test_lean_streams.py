"""Streams of servers that leave out what OpenAI's streams say: indices, ids, announcements, the output at the end.

Format: docs/wire/openai-responses.md#what-compatible-servers-leave-out.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from agcore.codecs.sse import encode
from agcore.conversation.assemble import assemble
from agcore.conversation.values import (
    Answer,
    Cited,
    Finished,
    Image,
    Refusal,
    Source,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    ToolStarted,
)
from agcore.dialects.openai_responses.answer_reader import read_answer
from agcore.protocol.fault import Fault
from tests.dialects.openai_responses.test_answer import CALL, CUSTOM, EVENTS, MESSAGE, REASONING, SAID, read, response
from tests.dialects.openai_responses.test_answer import stream as encoded

Event = dict[str, Any]


def without(events: list[Event], *names: str) -> list[Event]:
    """The events without members of these names, nor those of their items."""
    lean = []
    for event in events:
        kept = {name: value for name, value in event.items() if name not in names}
        if "id" in names and "item" in kept:
            kept["item"] = {name: value for name, value in kept["item"].items() if name != "id"}
        lean.append(kept)
    return lean


def numbered(events: list[Event]) -> list[Event]:
    """The events with the `item_id` that OpenAI gives each."""
    ids = ["rs_1", "msg_1", "fc_1", "ctc_1"]
    return [
        {"item_id": ids[event["output_index"]], **event} if "output_index" in event and "item" not in event else event
        for event in events
    ]


def told(events: list[Event]) -> Answer:
    said, fault = read(encoded(events))
    assert fault is None
    answer = assemble(said)
    for choice in answer.choices:  # a signature has the id of its item, which may be missing
        choice.parts = [Thinking(part.text) if isinstance(part, Thinking) else part for part in choice.parts]
    return answer


LEAN = [
    names
    for count in (1, 2, 3, 4)
    for names in itertools.combinations(("output_index", "content_index", "summary_index", "item_id", "id"), count)
]


@pytest.mark.parametrize("names", LEAN, ids="-".join)
def test_what_is_left_out_of_events_changes_nothing(names: tuple[str, ...]) -> None:
    events = without(numbered(EVENTS), *names)
    if "summary_index" in names:  # nothing tells the parts of a summary apart but their beginnings
        second = {"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}}
        at = next(place for place, event in enumerate(events) if event.get("delta") == "tw")
        events.insert(at, {**events[at], **second})
    assert told(events) == told(EVENTS)
    ended = {**EVENTS[-1], "response": response()}
    assert told([*events[:-1], ended]) == told(EVENTS)
    assert told([event for event in events if event["type"] != "response.created"]) == told(EVENTS)


def test_text_streams_without_indices_and_is_no_empty_success() -> None:
    events = [
        {"type": "response.created", "response": response(status="in_progress", usage=None)},
        {"type": "response.output_item.added", "item": {**MESSAGE, "content": []}},
        {"type": "response.content_part.added", "item_id": "msg_1", "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "hi "},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "there"},
        {"type": "response.completed", "response": response()},
    ]
    said, fault = read(encoded(events))
    assert fault is None
    assert [delta.text for delta in said if isinstance(delta, TextDelta)] == ["hi ", "there"]
    assert said[-1] == Finished(Stop.END)
    bare = [event for event in events if not event["type"].endswith("added")]
    assert told(without(bare, "item_id")) == told(events)
    events[-1] = {"type": "response.completed", "response": response(MESSAGE)}
    assert told(events) == told(bare) == told(without(bare, "item_id"))


def test_a_source_without_an_index_is_cited_for_the_text_before_it() -> None:
    annotation = {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 2}
    said, fault = read(
        encoded(
            [
                {"type": "response.output_text.delta", "delta": "hi"},
                {"type": "response.output_text.annotation.added", "annotation": annotation},
                {"type": "response.completed", "response": response()},
            ]
        )
    )
    assert fault is None
    assert Cited("https://e.com", "E", span=(0, 2)) in said


def test_thoughts_and_text_without_any_item_are_told_apart() -> None:
    events = [
        {"type": "response.reasoning_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.refusal.delta", "delta": "no"},
        {"type": "response.completed", "response": response()},
    ]
    assert told(events).choices[0].parts == [Thinking("hm"), Text("hi"), Refusal("no")]
    whole = [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}, {**MESSAGE, "id": None}]
    whole[1]["content"] = [{"type": "output_text", "text": "hi"}, {"type": "refusal", "refusal": "no"}]
    events[-1] = {"type": "response.completed", "response": response(*whole)}
    assert told(events).choices[0].parts == [Thinking("hm"), Text("hi"), Refusal("no")]


def test_items_that_all_have_one_index_are_told_apart_by_their_ids() -> None:
    events = [{**event, "output_index": 0} if "output_index" in event else event for event in numbered(EVENTS)]
    assert read(encoded(events)) == (SAID, None)


def test_an_item_whose_id_changes_from_event_to_event_is_one_item_by_its_index() -> None:
    """As GitHub's proxy of OpenAI seals ids anew in every event."""
    events = []
    for place, event in enumerate(EVENTS):
        item = {"item": {**event["item"], "id": f"{event['item']['id']}_{place}"}} if "item" in event else {}
        events.append({**event, **item, **({} if item else {"item_id": f"x{place}"})})
    assert told(events) == told(EVENTS)


def test_an_event_without_a_type_is_what_its_line_says() -> None:
    bare = [{name: value for name, value in event.items() if name != "type"} for event in EVENTS]
    pairs = zip(EVENTS, bare, strict=True)
    lines = b"".join(encode(json.dumps(event).encode(), event=named["type"]) for named, event in pairs)
    assert read(lines) == (SAID, None)


def test_arguments_before_their_call_wait_for_it() -> None:
    events = [
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": '{"a":1}'},
        {"type": "response.output_item.added", "item": {**CALL, "arguments": ""}},
        {"type": "response.output_item.done", "item": CALL},
        {"type": "response.completed", "response": response()},
    ]
    assert told(events).choices[0].parts == [ToolCall("call_1", "get", '{"a":1}')]


def test_calls_without_ids_or_indices_keep_their_own_arguments() -> None:
    events = without([event for event in EVENTS if event.get("output_index", 2) >= 2], "output_index", "id")
    parts = told(events).choices[0].parts
    assert parts[:2] == [ToolCall("call_1", "get", '{"a":1}'), ToolCall("call_2", "patch", "+x", custom=True)]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.text.delta", "delta": "a new way to say it"},
        {"type": "response.audio.delta", "delta": "AAAA"},
    ],
)
def test_content_that_cannot_be_read_is_a_fault_and_no_empty_success(event: Event) -> None:
    said, fault = read(encoded([EVENTS[0], event, {"type": "response.completed", "response": response()}]))
    assert fault is not None
    assert (fault.status, fault.message) == (502, "the upstream's stream told of content that cannot be read")
    assert not any(isinstance(delta, Finished) for delta in said)


def test_a_whole_answer_that_failed_half_way_is_a_fault() -> None:
    failed = read_answer(
        response(MESSAGE, status="failed", error={"code": "server_error", "message": "no"}), signer="me"
    )
    assert isinstance(failed, Fault)
    assert failed.message == "no"


def test_the_work_of_hosted_tools_is_nobodys_to_hear_and_no_fault() -> None:
    code = {"type": "response.code_interpreter_call_code.delta", "output_index": 0, "delta": "1+1"}
    said, fault = read(encoded([EVENTS[0], code, {"type": "response.completed", "response": response()}]))
    assert fault is None
    assert said[-1] == Finished(Stop.END)


def test_pictures_and_calls_come_without_indices_too() -> None:
    picture = {"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "status": "completed"}
    events = [
        {"type": "response.output_item.added", "item": {**picture, "result": None}},
        {"type": "response.output_item.done", "item": picture},
        {"type": "response.output_item.added", "item": CUSTOM},
        {"type": "response.completed", "response": response(picture, CUSTOM)},
    ]
    said, fault = read(encoded(events))
    assert fault is None
    assert [delta.name for delta in said if isinstance(delta, ToolStarted)] == ["patch"]
    assert told(events).choices[0].parts == [
        Image(Source("image/png", data="AAAA")),
        ToolCall("call_2", "patch", "+x", custom=True),
    ]


def test_a_thought_that_is_done_without_index_or_id_keeps_its_signature() -> None:
    events = without(EVENTS[:9], "output_index", "id", "summary_index")
    said, fault = read(encoded([*events, {"type": "response.completed", "response": response(REASONING)}]))
    assert fault is None
    (thought,) = assemble(said).choices[0].parts
    assert isinstance(thought, Thinking)
    assert thought.signature is not None
