"""Checks a stream of response events by rebuilding the response (docs/wire/openai-responses.md#stream)."""

from __future__ import annotations

from typing import Any

import msgspec

from agcore.codecs.sse import Decoder

TERMINAL = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
PART_TEXT = {"output_text": "text", "refusal": "refusal"}


def events_of(stream: bytes) -> list[dict[str, Any]]:
    decoder = Decoder()
    frames = decoder.feed(stream)
    assert decoder.close() is None
    events = []
    for frame in frames:
        assert frame.data is not None
        assert frame.id is None
        event = msgspec.json.decode(frame.data)
        assert event["type"] == frame.event
        events.append(event)
    return events


def check(stream: bytes) -> dict[str, Any]:
    """Fail for a stream that breaks a rule; return the response (or flat error) that it ends with."""
    events = events_of(stream)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    if events[0]["type"] == "error":
        assert len(events) == 1
        assert isinstance(events[0]["message"], str)
        assert events[0]["code"]
        return events[0]
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    for event in events[:2]:
        assert event["response"]["status"] == "in_progress"
        assert event["response"]["output"] == []
        assert event["response"]["usage"] is None
    final = events[-1]
    assert final["type"] in TERMINAL
    response: dict[str, Any] = final["response"]
    assert response["id"] == events[0]["response"]["id"]
    assert response["status"] == TERMINAL[final["type"]]
    assert (response["error"] is not None) == (response["status"] == "failed")
    assert (response["incomplete_details"] is not None) == (response["status"] == "incomplete")
    output: list[dict[str, Any]] = []
    rest = events[2:-1]
    while rest:
        added = rest.pop(0)
        assert added["type"] == "response.output_item.added"
        assert added["output_index"] == len(output)
        own: list[dict[str, Any]] = []
        while rest and rest[0]["type"] not in ("response.output_item.added", "response.output_item.done"):
            own.append(rest.pop(0))
        if not rest:
            assert response["status"] == "failed", "an item was never done"
            break
        done = rest.pop(0)
        assert done["type"] == "response.output_item.done"
        assert done["output_index"] == len(output)
        for event in own:
            assert event["output_index"] == len(output)
            assert event["item_id"] == added["item"]["id"]
        _item(added["item"], own, done["item"])
        output.append(done["item"])
    assert response["output"] == output
    assert len({item["id"] for item in output}) == len(output)
    calls = [item["call_id"] for item in output if "call_id" in item]
    assert len(set(calls)) == len(calls)
    return response


def _item(added: dict[str, Any], events: list[dict[str, Any]], done: dict[str, Any]) -> None:
    assert (added["type"], added["id"]) == (done["type"], done["id"])
    kind = done["type"]
    if kind == "message":
        assert added["content"] == []
        assert added["status"] == "in_progress"
        content: list[dict[str, Any]] = []
        while events:
            content.append(_part(events, len(content)))
        assert done["content"] == content
        assert content
    elif kind == "reasoning":
        assert added["summary"] == []
        assert "encrypted_content" not in added
        if not done["summary"]:
            assert events == []
            assert done["encrypted_content"]
            return
        names = [event["type"].removeprefix("response.reasoning_summary_") for event in events]
        assert names[0] == "part.added"
        assert names[-2:] == ["text.done", "part.done"]
        assert set(names[1:-2]) == {"text.delta"}
        assert {event["summary_index"] for event in events} == {0}
        text = "".join(event["delta"] for event in events[1:-2])
        assert events[-2]["text"] == text
        assert done["summary"] == [{"type": "summary_text", "text": text}] == [events[-1]["part"]]
    elif kind in ("function_call", "custom_tool_call"):
        member, name = (
            ("arguments", "function_call_arguments") if kind == "function_call" else ("input", "custom_tool_call_input")
        )
        assert added[member] == ""
        assert added["name"] == done["name"]
        assert added["call_id"] == done["call_id"]
        assert done["call_id"]
        assert [event["type"] for event in events[:-1]] == [f"response.{name}.delta"] * (len(events) - 1)
        assert events[-1]["type"] == f"response.{name}.done"
        assert events[-1][member] == done[member] == "".join(event["delta"] for event in events[:-1])
    elif kind == "compaction":
        assert [event["type"] for event in events] == ["response.compaction.compacting"]
        assert added["encrypted_content"] == ""
        assert done["encrypted_content"]
    elif kind == "image_generation_call":
        assert added["result"] is None
        assert done["result"]
    else:
        assert kind in ("local_shell_call", "shell_call", "apply_patch_call", "computer_call", "tool_search_call")
        assert {**added, "status": "completed"} == {**done, "status": "completed"}


def _part(events: list[dict[str, Any]], index: int) -> dict[str, Any]:
    added = events.pop(0)
    assert added["type"] == "response.content_part.added"
    assert added["content_index"] == index
    kind = added["part"]["type"]
    member = PART_TEXT[kind]
    assert added["part"][member] == ""
    text = ""
    annotations: list[Any] = []
    while events[0]["type"] in (f"response.{kind}.delta", "response.output_text.annotation.added"):
        event = events.pop(0)
        assert event["content_index"] == index
        if event["type"].endswith("delta"):
            assert event["delta"]
            text += event["delta"]
        else:
            assert event["annotation_index"] == len(annotations)
            annotations.append(event["annotation"])
    done, closed = events.pop(0), events.pop(0)
    assert done["type"] == f"response.{kind}.done"
    assert done[member] == text
    assert closed["type"] == "response.content_part.done"
    assert closed["content_index"] == done["content_index"] == index
    part: dict[str, Any] = closed["part"]
    assert part[member] == text
    if kind == "output_text":
        assert part["annotations"] == annotations
    return part
