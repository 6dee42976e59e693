"""Blocks, messages and tools of one dialect in a request of another: read by who knows them, or refused by place.

Cursor and others send Anthropic's blocks to Chat's path, frameworks send OpenAI's parts to Messages, and clients of
Chat and Responses mix the names of their parts up (docs/wire/clients.md#mixed).
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agcore import convert
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Conversation,
    Document,
    Image,
    Invalid,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from agcore.dialects import DIALECTS

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n.").decode()
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "RES"}]}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
MODELS: dict[Any, str] = {
    "openai_chat": "mistral-small-latest",
    "openai_responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-flash",
}


def parsed(dialect: Any, body: dict[str, Any], losses: Losses | None = None) -> Conversation:
    noted = Losses() if losses is None else losses
    return DIALECTS[dialect].client.parse_request(body, model="m", stream=False, losses=noted)


def chat(*messages: Any, **members: Any) -> Conversation:
    return parsed("openai_chat", {"messages": list(messages), **members})


def anthropic(*messages: Any, **members: Any) -> Conversation:
    return parsed("anthropic", {"max_tokens": 64, "messages": list(messages), **members})


CURSOR = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": [{"type": "text", "text": "look"}, USE]},
    {"role": "user", "content": [RESULT]},
]
OPENAI = [
    {"role": "user", "content": [{"type": "text", "text": "a"}]},
    {
        "role": "assistant",
        "content": "look",
        "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "ls", "arguments": '{"path":"."}'}}],
    },
    {"role": "tool", "tool_call_id": "toolu_1", "content": "RES"},
]
ITEMS = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "look", "tool_calls": OPENAI[1]["tool_calls"]},
    {"role": "tool", "tool_call_id": "toolu_1", "content": "RES"},
]
CARRIED = (
    Turn("user", (Text("a"),)),
    Turn("assistant", (Text("look"), ToolCall("toolu_1", "ls", '{"path":"."}'))),
    Turn("user", (ToolResult("toolu_1", (Text("RES"),)),)),
)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai_chat", {"messages": CURSOR}),
        ("openai_responses", {"input": ITEMS}),
        ("openai_responses", {"input": CURSOR}),
        ("anthropic", {"max_tokens": 64, "messages": OPENAI}),
    ],
)
def test_a_call_and_its_result_in_another_dialects_form_are_what_they_are(dialect: Any, body: dict[str, Any]) -> None:
    losses = Losses()
    assert parsed(dialect, body, losses).turns == CARRIED
    assert not list(losses)


@pytest.mark.parametrize("target", ["anthropic", "gemini", "openai_responses"])
def test_cursors_tools_calls_and_results_arrive(target: Any) -> None:
    body = {
        "model": "m",
        "messages": CURSOR,
        "tools": [{"name": "ls", "description": "Lists", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    }
    told = json.dumps(convert(body, source="openai", target=target, model=MODELS[target]).request)
    for word in ("RES", "ls", "Lists", "Be brief.", "look"):
        assert word in told
    if target == "anthropic":
        request = json.loads(told)
        assert request["messages"][1]["content"][1] == {**USE, "input": {"path": "."}}
        assert request["messages"][2]["content"][0] == {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": "RES",
        }
        assert request["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
        assert request["stop_sequences"] == ["END"]
        assert request["system"][0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize("target", ["openai", "gemini", "openai_responses"])
def test_openais_tools_calls_and_results_in_a_messages_request_arrive(target: Any) -> None:
    body = {
        "model": "m",
        "max_tokens": 64,
        "messages": OPENAI,
        "tools": [
            {"type": "function", "function": {"name": "ls", "description": "Lists", "parameters": SCHEMA}},
            {"type": "function", "name": "cat", "description": "Shows", "parameters": SCHEMA},
        ],
        "tool_choice": {"type": "function", "function": {"name": "ls"}},
    }
    model = "mistral-small-latest" if target == "openai" else MODELS[target]
    told = json.dumps(convert(body, source="anthropic", target=target, model=model).request)
    for word in ("RES", "ls", "Lists", "cat", "Shows", "look"):
        assert word in told


def test_every_block_of_anthropics_is_read_in_chat() -> None:
    said = chat(
        {"role": "user", "content": [PICTURE, {"type": "document", "source": {"type": "text", "data": "D"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": carrier(Signature("anthropic", "thinking", "s"))},
                {"type": "redacted_thinking", "data": "r"},
                {"type": "text", "text": "t"},
                USE,
            ],
            "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
        },
        {"role": "tool", "content": [RESULT]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": [RESULT, {**RESULT, "is_error": True}]},
    )
    assert said.turns == (
        Turn(
            "user",
            (
                Image(Source("image/png", data=PNG)),
                Document(Source("text/plain", data=base64.b64encode(b"D").decode())),
            ),
        ),
        Turn(
            "assistant",
            (
                Thinking("hm", Signature("anthropic", "thinking", "s")),
                Thinking("", Signature("", "redacted", "r")),
                Text("t"),
                ToolCall("toolu_1", "ls", '{"path":"."}'),
            ),
        ),
        Turn("user", (ToolResult("toolu_1", (Text("RES"),)),)),
        Turn("user", (ToolResult("toolu_1", (Text("RES"), Text("RES")), is_error=True),)),
    )


def test_every_part_of_openais_is_read_in_messages() -> None:
    said = anthropic(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "input_image", "image_url": "https://a.example/x.png"},
                {"type": "input_text", "text": "in"},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "QQ=="}},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "out"}, {"type": "refusal", "refusal": ""}]},
        {"role": "developer", "content": "dev"},
    )
    assert said.turns == (
        Turn(
            "user",
            (
                Image(Source("image/png", data=PNG)),
                Image(Source(url="https://a.example/x.png")),
                Text("in"),
                Document(Source("text/plain", data="QQ=="), "a.txt"),
            ),
        ),
        Turn("assistant", (Text("out"),)),
        Turn("developer", (Text("dev"),)),
    )


def test_chats_parts_are_read_in_responses_and_the_other_way_round() -> None:
    url = {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}}
    item = {"type": "input_image", "image_url": "https://a.example/x.png", "detail": "low"}
    file = {"type": "input_file", "file_url": "https://a.example/x.pdf"}
    expected = (Image(Source(url="https://a.example/x.png"), "low"), Document(Source(url="https://a.example/x.pdf")))
    assert parsed("openai_responses", {"input": [{"role": "user", "content": [url, file]}]}).turns[0].parts == expected
    assert chat({"role": "user", "content": [item, file]}).turns[0].parts == expected
    shot = {"type": "computer_screenshot", "image_url": "https://a.example/s.png"}
    assert chat({"role": "user", "content": [shot]}).turns[0].parts == (Image(Source(url="https://a.example/s.png")),)


def test_a_compaction_of_anthropics_is_its_summary_in_chat() -> None:
    content = [{"type": "compaction", "content": "We met."}, {"type": "compaction", "content": None}]
    losses = Losses()
    said = parsed("openai_chat", {"messages": [{"role": "user", "content": content}]}, losses)
    assert said.turns[0].parts == (Text("We met."),)
    assert [loss.path for loss in losses] == ["messages[0].content[1]"]


def test_thoughts_among_parts_are_thoughts() -> None:
    content = [{"type": "reasoning_text", "text": "hm"}, {"type": "summary_text", "text": ""}]
    assert chat({"role": "assistant", "content": content}).turns[0].parts == (Thinking("hm"),)


def test_a_result_may_hold_a_refusal_and_a_tools_reference() -> None:
    calls = OPENAI[1]
    held = [{"type": "refusal", "refusal": "no"}, {"type": "tool_reference", "tool_name": "cat"}]
    said = chat({"role": "user", "content": "a"}, calls, {"role": "tool", "tool_call_id": "toolu_1", "content": held})
    assert said.turns[2].parts == (ToolResult("toolu_1", (Text("no"), Text("tool: cat"))),)


@pytest.mark.parametrize(
    ("dialect", "role", "block", "param"),
    [
        ("openai_chat", "user", {"type": "hologram"}, "messages[0].content[0]"),
        ("openai_chat", "user", USE, "messages[0].content[0]"),
        ("openai_chat", "assistant", RESULT, "messages[0].content[0]"),
        ("openai_chat", "user", {"type": "tool_result"}, "messages[0].content[0].tool_use_id"),
        ("openai_chat", "user", {"type": "text"}, "messages[0].content[0].text"),
        ("openai_chat", "user", {**RESULT, "content": [{"type": "hologram"}]}, "messages[0].content[0].content[0]"),
        ("openai_chat", "user", {**RESULT, "content": [RESULT, {"type": "thinking", "thinking": "t"}]},
         "messages[0].content[0].content[1]"),
        ("anthropic", "user", {"type": "hologram"}, "messages[0].content[0]"),
        ("anthropic", "user", {"type": "image_url"}, "messages[0].content[0].image_url.url"),
        ("openai_responses", "user", {"type": "hologram"}, "input[0].content[0]"),
        ("openai_responses", "user", {"type": "image", "source": {}}, "input[0].content[0].source.type"),
    ],
)  # fmt: skip
def test_a_block_that_nobody_can_read_is_refused_by_its_place(
    dialect: Any, role: str, block: dict[str, Any], param: str
) -> None:
    history = "input" if dialect == "openai_responses" else "messages"
    with pytest.raises(Invalid) as caught:
        parsed(dialect, {"max_tokens": 64, history: [{"role": role, "content": [block]}]})
    assert caught.value.param == param


def test_a_file_for_a_container_is_no_result_of_a_tool() -> None:
    result = {"type": "function_call_output", "call_id": "c", "output": [{"type": "container_upload", "file_id": "f"}]}
    with pytest.raises(Invalid) as caught:
        parsed("openai_responses", {"input": [result]})
    assert caught.value.param == "input[0].output"


def test_anthropics_dated_tools_and_openais_choices_are_read_wherever_they_stand() -> None:
    said = chat({"role": "user", "content": "a"}, tools=[{"type": "bash_20250124", "name": "bash"}])
    assert said.tools[0].name == "bash"
    said = chat({"role": "user", "content": "a"}, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert said.hosted_tools[0].dialect == "anthropic"
    for choice in ("required", {"type": "required"}, {"type": "any"}):
        assert anthropic({"role": "user", "content": "a"}, tool_choice=choice).tool_choice == ToolChoice("required")


def test_old_style_calls_are_read_in_messages() -> None:
    said = anthropic(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "RES"},
    )
    call = said.turns[1].parts[0]
    assert isinstance(call, ToolCall)
    assert said.turns[2].parts == (ToolResult(call.id, (Text("RES"),), name="f"),)


def test_a_message_is_marked_at_the_last_part_that_can_be() -> None:
    content = [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    said = chat({"role": "user", "content": content, "cache_control": {"type": "ephemeral"}})
    assert said.turns[0].parts[0] == Text("x", cache="default")


def test_a_flat_custom_tool_is_read_in_chat() -> None:
    (tool,) = chat({"role": "user", "content": "x"}, tools=[{"type": "custom", "name": "t"}]).tools
    assert (tool.name, tool.custom) == ("t", True)


@pytest.mark.parametrize("target", ["openai", "openai_responses", "gemini"])
def test_a_marker_of_the_whole_request_is_a_note_where_caching_needs_none(target: Any) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    model = "mistral-small-latest" if target == "openai" else MODELS[target]
    converted = convert(
        {**body, "cache_control": {"type": "ephemeral"}}, source="anthropic", target=target, model=model
    )
    assert "cache_control" in [loss.path for loss in converted.losses]
