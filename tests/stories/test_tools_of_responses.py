"""Tools that Responses clients run themselves, at every vendor: offered, called, and their results told.

Format: docs/wire/tools.md#tools-that-the-client-runs-under-a-type-of-their-own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore import UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, Dialogue
from agcore_sim.story import SSE, Story, gateway
from tests.support import grammar_openai_responses as grammar
from tests.support.dialogues import config, ids

OTHERS = pytest.mark.parametrize("up", [CHAT, ANTHROPIC, GEMINI], ids=ids)
PNG = "data:image/png;base64,iVBORw0K"
SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Searches 130 tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "number"}}},
}
FOUND = {
    "type": "namespace",
    "name": "mcp__db",
    "description": "Databases",
    "tools": [{"type": "function", "name": "query", "description": "Runs SQL.", "parameters": {"type": "object"}}],
}
USER = {"role": "user", "content": "q"}
CLICK = {"type": "click", "x": 1, "y": 2}

KINDS: dict[str, tuple[dict[str, Any], str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "tool_search": (
        SEARCH,
        "tool_search",
        {"query": "sql"},
        {"type": "tool_search_call", "execution": "client", "arguments": {"query": "sql"}},
        {"type": "tool_search_output", "execution": "client", "status": "completed", "tools": [FOUND]},
    ),
    "shell": (
        {"type": "shell", "environment": {"type": "local"}},
        "shell",
        {"commands": ["ls"]},
        {"type": "shell_call", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "output": [{"stdout": "RES", "stderr": "", "outcome": {"type": "timeout"}}]},
    ),
    "local_shell": (
        {"type": "local_shell"},
        "local_shell",
        {"command": ["ls"]},
        {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "local_shell_call_output", "output": "RES"},
    ),
    "apply_patch": (
        {"type": "apply_patch"},
        "apply_patch",
        {"operation": {"type": "update_file", "path": "a", "diff": "+x"}},
        {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": "+x"}},
        {"type": "apply_patch_call_output", "status": "completed", "output": "RES"},
    ),
    "computer": (
        {"type": "computer"},
        "computer",
        {"actions": [CLICK, {"type": "screenshot"}]},
        {
            "type": "computer_call",
            "actions": [{**CLICK, "button": "left"}, {"type": "screenshot"}],
            "pending_safety_checks": [],
        },
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PNG}},
    ),
    "computer_use_preview": (
        {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "browser"},
        "computer",
        {"action": {"type": "type", "text": "hi"}},
        {"type": "computer_call", "action": {"type": "type", "text": "hi"}, "pending_safety_checks": []},
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PNG}},
    ),
    "custom": (
        {"type": "custom", "name": "run", "description": "Runs code."},
        "run",
        {"input": "1+1"},
        {"type": "custom_tool_call", "name": "run", "input": "1+1"},
        {"type": "custom_tool_call_output", "output": "RES"},
    ),
    "namespace": (
        FOUND,
        "mcp__db__query",
        {"sql": "x"},
        {"type": "function_call", "name": "query", "namespace": "mcp__db", "arguments": '{"sql":"x"}'},
        {"type": "function_call_output", "output": "RES"},
    ),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def ask(up: Dialogue, **body: Any) -> Story:
    story = Story(gateway(config()))
    story.open("POST", "/v1/responses", body=json.dumps({"model": up.model, **body}).encode())
    return story


def sent(story: Story) -> Any:
    body = story.requests[1].body
    assert isinstance(body, bytes), story.text()
    return json.loads(body)


def offered(up: Dialogue, request: Any) -> dict[str, Any]:
    """The functions that an upstream is offered, by name."""
    if up is CHAT:
        return {tool["function"]["name"]: tool["function"] for tool in request.get("tools", ())}
    if up is ANTHROPIC:
        return {tool["name"]: tool for tool in request.get("tools", ())}
    return {each["name"]: each for tool in request.get("tools", ()) for each in tool["functionDeclarations"]}


def calling(up: Dialogue, name: str, arguments: Any, *, stream: bool) -> bytes:
    """An upstream's answer that calls a function."""
    text = json.dumps(arguments, separators=(",", ":"))
    if up is CHAT:
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": text}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "delta" if stream else "message": said, "finish_reason": "tool_calls"}
        body = {"id": "a", "object": "chat.completion", "choices": [choice]}
        return b"data: " + json.dumps(body).encode() + b"\n\ndata: [DONE]\n\n" if stream else json.dumps(body).encode()
    if up is GEMINI:
        part = {"functionCall": {"id": "c1", "name": name, "args": arguments}}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        body = {"candidates": [candidate]}
        return b"data: " + json.dumps(body).encode() + b"\r\n\r\n" if stream else json.dumps(body).encode()
    block = {"type": "tool_use", "id": "c1", "name": name, "input": arguments}
    message = {"type": "message", "role": "assistant", "content": [block], "stop_reason": "tool_use", "usage": {}}
    if not stream:
        return json.dumps(message).encode()
    events = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": text},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}},
        {"type": "message_stop"},
    ]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@OTHERS
@EVERY_KIND
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_offered_called_and_answered(up: Dialogue, kind: str, stream: bool) -> None:
    tool, name, arguments, item, output = KINDS[kind]
    story = ask(up, input=[USER], tools=[tool], tool_choice="auto", stream=stream)
    function = offered(up, sent(story))[name]
    assert function["description"]
    answer = calling(up, name, arguments, stream=stream)
    if stream:
        story.tell(UpstreamConnected(1, reused=False))
        story.tell(UpstreamHead(1, 200, SSE))
        story.tell(UpstreamData(1, answer))
        story.tell(UpstreamEnd(1))
        response = grammar.check(story.body)
    else:
        story.upstream_answers(200, answer)
        response = json.loads(story.body)
    (called,) = response["output"]
    assert {member: called[member] for member in item} == item
    assert called["call_id"]
    assert called["status"] == "completed"

    # The client runs it and sends both back.
    result = {**output, "call_id": called["call_id"]}
    asked = sent(ask(up, input=[USER, called, result], tools=[tool]))
    told = json.dumps(asked)
    assert json.dumps(arguments)[1:-1].split(":")[0].strip('"') in told
    if kind == "tool_search":
        assert "mcp__db__query" in offered(up, asked)
        assert "- mcp__db__query: Runs SQL." in told
    elif name == "computer":
        assert "iVBORw0K" in told
    else:
        assert "RES" in told


@OTHERS
def test_a_search_has_the_description_and_the_parameters_that_the_client_gives_it(up: Dialogue) -> None:
    function = offered(up, sent(ask(up, input=[USER], tools=[SEARCH])))["tool_search"]
    assert function["description"] == "Searches 130 tools."
    schema = function.get("parameters") or function.get("input_schema") or function["parametersJsonSchema"]
    assert set(schema["properties"]) == {"query", "limit"}


@OTHERS
def test_a_search_that_the_vendor_runs_has_nothing_to_search_where_every_tool_is_offered(up: Dialogue) -> None:
    deferred = {"type": "function", "name": "f", "parameters": None, "defer_loading": True}
    story = ask(up, input=[USER], tools=[{"type": "tool_search"}, deferred])
    assert list(offered(up, sent(story))) == ["f"]
    story.upstream_answers(200, up.answer)
    told = dict(story.headers)[b"x-agcore-losses"]
    assert told == b"tools[0]=dropped; tools[1].defer_loading=sent at once"


@OTHERS
def test_what_openai_searched_by_itself_is_told_as_a_call_and_its_result(up: Dialogue) -> None:
    call = {"type": "tool_search_call", "id": "ts_1", "call_id": None, "execution": "server", "arguments": {"q": 1}}
    output = {"type": "tool_search_output", "id": "to_1", "call_id": None, "execution": "server", "tools": [FOUND]}
    asked = sent(ask(up, input=[USER, call, output, USER], tools=[{"type": "tool_search"}, FOUND]))
    assert list(offered(up, asked)) == ["mcp__db__query"]
    assert "- mcp__db__query: Runs SQL." in json.dumps(asked)
    assert "interrupted" not in json.dumps(asked)
