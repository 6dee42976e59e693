from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.conversation.losses import Losses
from agcore.conversation.values import Foreign, Image, Source, Text, ToolCall, ToolResult, Turn
from agcore.dialects.openai_responses.request_reader import parse_request

UNTOLD = (Text("Its result is not part of this history."),)


def turns(*items: Any, losses: Losses | None = None) -> list[Turn]:
    body: dict[str, object] = {"model": "m", "input": list(items)}
    return list(parse_request(body, model="m", stream=False, losses=Losses() if losses is None else losses).turns)


@pytest.mark.parametrize(
    ("item", "name", "arguments", "content", "failed"),
    [
        (
            {"type": "mcp_call", "name": "get", "server_label": "s", "arguments": '{"a":1}', "output": "MCPRES"},
            "mcp__s__get",
            {"a": 1},
            (Text("MCPRES"),),
            False,
        ),
        ({"type": "mcp_call", "name": "get", "server_label": "s"}, "mcp__s__get", {}, UNTOLD, False),
        (
            {"type": "mcp_call", "name": "get", "server_label": "s", "output": [{"text": "a"}]},
            "mcp__s__get",
            {},
            (Text('[{"text":"a"}]'),),
            False,
        ),
        (
            {"type": "mcp_call", "name": "get", "server_label": "s", "error": "no"},
            "mcp__s__get",
            {},
            (Text("no"),),
            True,
        ),
        (
            {"type": "mcp_call", "name": "get", "server_label": "s", "error": {"type": "http_error", "code": 500}},
            "mcp__s__get",
            {},
            (Text('{"type":"http_error","code":500}'),),
            True,
        ),
        (
            {
                "type": "mcp_list_tools",
                "server_label": "s",
                "tools": [{"name": "a", "description": "A."}, {"name": "b"}, 5],
            },
            "mcp_list_tools",
            {"server_label": "s"},
            (Text("- a: A.\n- b"),),
            False,
        ),
        (
            {"type": "mcp_list_tools", "server_label": "s", "tools": []},
            "mcp_list_tools",
            {"server_label": "s"},
            (Text("The server has no tools."),),
            False,
        ),
        (
            {"type": "mcp_list_tools", "server_label": "s", "tools": [], "error": "away"},
            "mcp_list_tools",
            {"server_label": "s"},
            (Text("away"),),
            True,
        ),
        (
            {
                "type": "code_interpreter_call",
                "code": "1+1",
                "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "https://e.com/a.png"}],
            },
            "code_interpreter",
            {"code": "1+1"},
            (Text("2"), Image(Source(url="https://e.com/a.png"))),
            False,
        ),
        (
            {"type": "code_interpreter_call", "code": "x", "outputs": [], "status": "failed"},
            "code_interpreter",
            {"code": "x"},
            (Text("There was no output."),),
            True,
        ),
        (
            {"type": "code_interpreter_call", "code": None, "outputs": None},
            "code_interpreter",
            {"code": ""},
            UNTOLD,
            False,
        ),
        (
            {
                "type": "web_search_call",
                "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": "https://e.com"}, {}]},
            },
            "web_search",
            {"type": "search", "query": "q"},
            (Text("https://e.com"),),
            False,
        ),
        ({"type": "web_search_call"}, "web_search", {}, UNTOLD, False),
        (
            {"type": "file_search_call", "queries": ["q"], "results": [{"filename": "a.txt", "text": "A"}]},
            "file_search",
            {"queries": ["q"]},
            (Text("a.txt:\nA"),),
            False,
        ),
        (
            {"type": "file_search_call", "queries": ["q"], "results": []},
            "file_search",
            {"queries": ["q"]},
            (Text("Nothing was found."),),
            False,
        ),
        ({"type": "file_search_call", "results": None}, "file_search", {"queries": []}, UNTOLD, False),
        (
            {
                "type": "image_generation_call",
                "result": None,
                "status": "failed",
                "revised_prompt": "a cat",
                "error": {"message": "blocked"},
            },
            "image_generation",
            {"prompt": "a cat"},
            (Text("blocked"),),
            True,
        ),
    ],
)
def test_what_openai_ran_is_a_call_and_its_result(
    item: dict[str, Any], name: str, arguments: Any, content: Any, failed: bool
) -> None:
    call, result = turns({"id": "x_1", **item})
    (called,) = call.parts
    assert isinstance(called, ToolCall)
    assert (call.role, called.id, called.name, json.loads(called.arguments)) == ("assistant", "x_1", name, arguments)
    assert result == Turn("user", (ToolResult("x_1", content, is_error=failed),))


@pytest.mark.parametrize(
    ("call", "output", "content"),
    [
        (
            {"type": "mcp_approval_request", "id": "a", "server_label": "s", "name": "rm", "arguments": "{}"},
            {"type": "mcp_approval_response", "id": "b", "approval_request_id": "a", "approve": True},
            (Text("Approved."),),
        ),
        (
            {"type": "mcp_approval_request", "id": "a", "server_label": "s", "name": "rm", "arguments": "{}"},
            {"type": "mcp_approval_response", "approval_request_id": "a", "approve": False, "reason": "too bold"},
            (Text("Not approved: too bold"),),
        ),
        (
            {"type": "multi_agent_call", "id": "m", "call_id": "a", "action": "spawn_agent", "arguments": '{"n":1}'},
            {"type": "multi_agent_call_output", "call_id": "a", "output": [{"type": "output_text", "text": "up"}]},
            (Text("up"),),
        ),
        (
            {"type": "multi_agent_call", "call_id": "a"},
            {"type": "multi_agent_call_output", "call_id": "a", "output": "up"},
            (Text("up"),),
        ),
        (
            {"type": "program", "id": "p", "call_id": "a", "code": "f()", "fingerprint": "x"},
            {"type": "program_output", "id": "q", "call_id": "a", "result": "R", "status": "completed"},
            (Text("R"),),
        ),
    ],
)
def test_what_is_answered_by_an_item_of_its_own_pairs_with_it(call: Any, output: Any, content: Any) -> None:
    asked, answered = turns(call, output)
    (made,) = asked.parts
    assert isinstance(made, ToolCall)
    assert made.id == "a"
    assert answered == Turn("user", (ToolResult("a", content),))


def test_a_program_that_did_not_end_failed() -> None:
    [turn] = turns({"type": "program_output", "call_id": "a", "result": "", "status": "incomplete"})
    assert turn == Turn("user", (ToolResult("a", (), is_error=True),))


def test_a_call_without_an_id_gets_one_from_its_place() -> None:
    user = {"role": "user", "content": "a"}
    said = turns(user, {"type": "web_search_call"}, user, {"type": "web_search_call"})
    assert [part.id for turn in said for part in turn.parts if isinstance(part, ToolCall)] == ["call_1", "call_4"]


def test_what_agents_say_to_each_other_is_told_and_what_is_sealed_is_reported() -> None:
    losses = Losses()
    content = [{"type": "input_text", "text": "Look here."}, {"type": "encrypted_content", "encrypted_content": "g"}]
    item = {"type": "agent_message", "author": "/root", "recipient": "/root/a", "content": content}
    assert turns(item, losses=losses) == [Turn("user", (Text("[Message from /root to /root/a]\n"), Text("Look here.")))]
    assert [(loss.path, loss.weight) for loss in losses] == [("input[0].content[1]", "warn")]

    (alone,) = turns({"type": "agent_message", "content": content[:1]})
    assert alone.parts[0] == Text("[Message]\n")


def test_outputs_without_ids_answer_the_first_open_call_of_their_tool() -> None:
    said = turns(
        {"type": "tool_search_call", "arguments": {}},
        {"type": "function_call", "call_id": "f1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "f2", "name": "f", "arguments": "{}"},
        {"type": "tool_search_output", "tools": []},
        {"type": "function_call_output", "name": "f", "output": "1"},
        {"type": "function_call_output", "output": "2"},
        {"type": "tool_search_output", "tools": []},
    )
    results = [part for turn in said for part in turn.parts if isinstance(part, ToolResult)]
    assert [result.call_id for result in results] == ["call_0", "f1", "f2", "tool_search_output"]


def test_an_item_that_nobody_knows_stays_what_it_is() -> None:
    item = {"type": "dream_call", "id": "d"}
    assert turns(item) == [Turn("assistant", (Foreign("openai_responses", "dream_call", item),))]
