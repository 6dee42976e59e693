"""Clients of Responses and Messages at servers that imitate these (docs/wire/lookalikes.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore import UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead, load_config
from agcore_sim.story import SSE, Story, gateway
from tests.support import grammar_openai_responses as grammar

USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]}
FUNCTION: dict[str, Any] = {
    "type": "function",
    "name": "f",
    "description": "d",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "d",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}
SPACE: dict[str, Any] = {"type": "namespace", "name": "mcp__db", "description": "d", "tools": [FUNCTION]}
CODEX: dict[str, Any] = {
    "model": "grok-4.5",
    "instructions": "You are Codex.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        USER,
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "own"},
        {
            "type": "custom_tool_call",
            "call_id": "c1",
            "name": "apply_patch",
            "input": "*** Begin",
            "status": "completed",
        },
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
        {"type": "function_call", "call_id": "c2", "name": "f", "namespace": "mcp__db", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "row"},
    ],
    "tools": [FUNCTION, PATCH, SPACE, {"type": "web_search"}, {"type": "image_generation"}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "client_metadata": {"a": "b"},
}


def story(provider: str, model: str = "grok-4.5") -> Story:
    return Story(gateway(load_config(f'[[providers]]\n{provider}\nkeys = ["k"]\nmodels = ["{model}"]\n')))


def sent(asked: Story) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(asked.requests[1].body or b"{}")
    return body


XAI = 'preset = "xai"'


def test_codex_reaches_xai_in_words_that_it_knows() -> None:
    asked = story(XAI)
    asked.open("POST", "/v1/responses", body=json.dumps(CODEX).encode())
    body = sent(asked)
    assert asked.requests[1].target == b"/v1/responses"
    assert [(tool["type"], tool.get("name")) for tool in body["tools"]] == [
        ("function", "f"),
        ("function", "apply_patch"),
        ("function", "mcp__db__f"),
        ("web_search", None),
    ]
    assert "start: x" in body["tools"][1]["parameters"]["properties"]["input"]["description"]
    assert [item["type"] for item in body["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "function_call",
        "function_call_output",
    ]
    assert body["instructions"] == "You are Codex.\n\nBe brief."
    assert body["input"][1] == {"type": "reasoning", "summary": [], "encrypted_content": "own"} | (
        {"id": "rs_1"} if "id" in body["input"][1] else {}
    )
    assert json.loads(body["input"][2]["arguments"]) == {"input": "*** Begin"}
    assert body["input"][4]["name"] == "mcp__db__f"
    assert body["reasoning"] == {"effort": "high"}
    assert "client_metadata" not in body


def test_custom_calls_and_namespaces_are_restored_in_the_answer() -> None:
    asked = story(XAI)
    asked.open("POST", "/v1/responses", body=json.dumps(CODEX).encode())
    call = {"type": "function_call", "id": "fc_1", "call_id": "c9", "name": "apply_patch", "arguments": ""}
    whole = {**call, "arguments": '{"input":"*** Begin"}', "status": "completed"}
    other = {"type": "function_call", "id": "fc_2", "call_id": "c8", "name": "mcp__db__f", "arguments": ""}
    answer = {"id": "resp_1", "object": "response", "status": "completed", "model": "grok-4.5", "output": [whole]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": call},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"input":"*** Beg'},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": 'in"}'},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.output_item.added", "output_index": 1, "item": other},
        {"type": "response.output_item.done", "output_index": 1, "item": {**other, "arguments": "{}"}},
        {"type": "response.completed", "response": {**answer, "output": [whole, {**other, "arguments": "{}"}]}},
    ]
    asked.tell(UpstreamConnected(1, reused=False))
    asked.tell(UpstreamHead(1, 200, SSE))
    asked.tell(UpstreamData(1, b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)))
    asked.tell(UpstreamEnd(1))
    output = grammar.check(asked.body)["output"]
    assert [(item["type"], item["name"], item.get("namespace")) for item in output] == [
        ("custom_tool_call", "apply_patch", None),
        ("function_call", "f", "mcp__db"),
    ]
    assert output[0]["input"] == "*** Begin"


def test_what_a_look_alike_knows_passes_byte_for_byte() -> None:
    body = b'{ "model":"grok-4.5", "input" : "hi",\n "tools":[{"type":"function","name":"f","parameters":{}}] }'
    asked = story(XAI)
    asked.open("POST", "/v1/responses", body=body)
    assert asked.requests[1].body == body


def test_members_that_are_refused_are_taken_out_of_what_passes() -> None:
    body = b'{ "model":"grok-4.5", "input" : "hi", "reasoning": {"effort":"low","summary":"auto"}, "text":{"verbosity":"low"} }'
    asked = story(XAI)
    asked.open("POST", "/v1/responses", body=body)
    assert asked.requests[1].body == b'{ "model":"grok-4.5", "input" : "hi", "reasoning": {"effort":"low"} }'
    asked.upstream_answers(200, b'{"id":"resp_1","object":"response","status":"completed","output":[]}')
    assert b"reasoning.summary" in asked.headers[b"x-agcore-losses"]


def test_openai_itself_and_servers_nobody_knows_get_everything_as_it_is() -> None:
    for provider in (
        'preset = "openai"',
        'name = "x"\ndialect = "openai_responses"\nbase_url = "https://x.example/v1"',
    ):
        asked = story(provider, "gpt-5.5")
        body = json.dumps({**CODEX, "model": "gpt-5.5"}).encode()
        asked.open("POST", "/v1/responses", body=body)
        assert asked.requests[1].body == body


def test_a_compaction_at_a_look_alike_is_a_summary() -> None:
    asked = story(XAI)
    asked.open("POST", "/v1/responses/compact", body=json.dumps({"model": "grok-4.5", "input": [USER]}).encode())
    assert asked.requests[1].target == b"/v1/responses"


CLAUDE_CODE: dict[str, Any] = {
    "model": "deepseek-v4-pro",
    "max_tokens": 9000,
    "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": []},
    "metadata": {"user_id": '{"device_id":"a b"}'},
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "eager_input_streaming": True}],
    "messages": [
        {"role": "user", "content": "q"},
        {"role": "system", "content": "MCP instructions"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
    ],
}
DEEPSEEK = 'name = "deepseek"\ndialect = "anthropic"\nbase_url = "https://api.deepseek.com/anthropic"'


def test_claude_code_reaches_deepseek_in_words_that_it_knows() -> None:
    asked = story(DEEPSEEK, "deepseek-v4-pro")
    asked.open(
        "POST", "/v1/messages", headers=((b"anthropic-version", b"2023-06-01"),), body=json.dumps(CLAUDE_CODE).encode()
    )
    body = sent(asked)
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "q"},
                {"type": "text", "text": "<system-reminder>\nMCP instructions\n</system-reminder>"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": " ", "signature": ""},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
            ],
        },
        CLAUDE_CODE["messages"][3],
    ]
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert body["thinking"] == {"type": "adaptive"}
    assert body["system"] == CLAUDE_CODE["system"]
    assert "context_management" not in body
    assert len(body["metadata"]["user_id"]) == 64


def test_thinking_that_is_off_demands_none() -> None:
    asked = story(DEEPSEEK, "deepseek-v4-pro")
    off = {**CLAUDE_CODE, "thinking": {"type": "disabled"}}
    asked.open("POST", "/v1/messages", body=json.dumps(off).encode())
    assert sent(asked)["messages"][1] == CLAUDE_CODE["messages"][2]


def test_a_message_that_a_look_alike_knows_passes_byte_for_byte() -> None:
    body = b'{ "model":"deepseek-v4-pro", "max_tokens":9, "messages":[ {"role":"user","content":"hi"} ], "x_new": 1 }'
    asked = story(DEEPSEEK, "deepseek-v4-pro")
    asked.open("POST", "/v1/messages", body=body)
    assert asked.requests[1].body == body


def test_what_anthropics_tools_did_is_told_to_a_look_alike() -> None:
    ran = [
        {"type": "server_tool_use", "id": "s1", "name": "code_execution", "input": {"code": "1+1"}},
        {
            "type": "code_execution_tool_result",
            "tool_use_id": "s1",
            "content": {
                "type": "code_execution_result",
                "stdout": "TWO",
                "stderr": "",
                "return_code": 0,
                "content": [],
            },
        },
        {"type": "text", "text": "two"},
    ]
    zai = 'name = "zai"\ndialect = "anthropic"\nbase_url = "https://api.z.ai/api/anthropic"'
    asked = story(zai, "glm-5.3")
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": ran},
        {"role": "user", "content": "go on"},
    ]
    asked.open(
        "POST", "/v1/messages", body=json.dumps({"model": "glm-5.3", "max_tokens": 9, "messages": messages}).encode()
    )
    body = sent(asked)
    kinds = {block["type"] for each in body["messages"] for block in each["content"] if isinstance(block, dict)}
    assert kinds <= {"text", "tool_use", "tool_result"}
    assert "TWO" in json.dumps(body)


def test_tokens_are_counted_of_what_is_sent() -> None:
    asked = story(DEEPSEEK, "deepseek-v4-pro")
    asked.open("POST", "/v1/messages/count_tokens", body=json.dumps(CLAUDE_CODE).encode())
    assert all(each["role"] != "system" for each in sent(asked)["messages"])


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "qwen3"])
def test_resellers_pass_claude_on(model: str) -> None:
    asked = story('name = "openrouter"\ndialect = "anthropic"\nbase_url = "https://openrouter.ai/api"', model)
    body = json.dumps({**CLAUDE_CODE, "model": model}).encode()
    asked.open("POST", "/v1/messages", body=body)
    assert (asked.requests[1].body == body) is model.startswith("claude")


def test_what_is_edited_out_is_refused_where_nothing_may_be_lost() -> None:
    told = '[proxy]\non_loss = "reject"\n[[providers]]\npreset = "xai"\nkeys = ["k"]\nmodels = ["grok-4.5"]\n'
    asked = Story(gateway(load_config(told)))
    body = {"model": "grok-4.5", "input": "hi", "reasoning": {"summary": "auto"}}
    asked.open("POST", "/v1/responses", body=json.dumps(body).encode())
    assert not asked.requests
    assert asked.status == 400
    assert b"reasoning.summary" in asked.body
