"""Anthropic requests, read and written."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from agcore.conversation import compaction
from agcore.conversation.foreign_parts import translated
from agcore.conversation.losses import Losses
from agcore.conversation.repair import repair_history
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Foreign,
    HostedTool,
    Image,
    Invalid,
    Output,
    Part,
    Reasoning,
    Refusal,
    Settings,
    Signature,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from agcore.dialects.anthropic.request_reader import ThreadUnsupported, parse_request
from agcore.dialects.anthropic.request_writer import render_request
from agcore.dialects.anthropic.tools_writer import RESPOND
from agcore.models.known import profile

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n.").decode()
PDF = base64.b64encode(b"%PDF-1.4\n").decode()
USER = Turn("user", (Text("hi"),))
SCHEMA = {"type": "object", "properties": {"t": {"type": "number", "minimum": 1}}, "required": ["t"]}
GET = Tool("get", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}})


def parsed(body: dict[str, Any], losses: Losses | None = None) -> Conversation:
    full: dict[str, object] = {"max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **body}
    return parse_request(full, model="m", stream=False, losses=losses if losses is not None else Losses())


def parts(*blocks: dict[str, Any], role: str = "user") -> tuple[Part, ...]:
    return parsed({"messages": [{"role": role, "content": list(blocks)}]}).turns[0].parts


def asked(*turns: Turn, **members: Any) -> Conversation:
    return Conversation(model="m", turns=turns or (USER,), **members)


def rendered(
    conversation: Conversation, *, model: str = "claude-opus-4-5", losses: Losses | None = None
) -> dict[str, Any]:
    found = losses if losses is not None else Losses()
    ordered = repair_history(conversation, losses=found)
    return render_request(ordered, model=model, profile=profile(model), signer="up", losses=found)


def content(*said: Part, role: Any = "user") -> list[dict[str, Any]]:
    """The blocks of one message."""
    turns = (USER, Turn(role, said)) if role == "assistant" else (Turn(role, said),)
    blocks: list[dict[str, Any]] = rendered(asked(*turns))["messages"][-1]["content"]
    return blocks


def lost(conversation: Conversation, *, model: str = "claude-opus-4-5") -> dict[str, str]:
    losses = Losses()
    rendered(conversation, model=model, losses=losses)
    return {loss.path: loss.weight for loss in losses}


# Reading.


def test_the_golden_history_is_read() -> None:
    conversation = parsed(
        {
            "system": [{"type": "text", "text": "S"}],
            "max_tokens": 8192,
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "", "signature": "EpoB"},
                        {"type": "tool_use", "id": "call_a", "name": "get", "input": {"city": "Paris"}},
                        {"type": "tool_use", "id": "call_b", "name": "get", "input": {"city": "Rome"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_a", "content": "18C"},
                        {"type": "tool_result", "tool_use_id": "call_b", "content": "timeout", "is_error": True},
                        {"type": "text", "text": "be brief"},
                    ],
                },
            ],
        }
    )
    assert conversation.settings.max_output == 8192
    assert conversation.turns == (
        Turn("system", (Text("S"),)),
        Turn("user", (Text("weather?"),)),
        Turn(
            "assistant",
            (
                Thinking("", Signature("", "thinking", "EpoB")),
                ToolCall("call_a", "get", '{"city":"Paris"}'),
                ToolCall("call_b", "get", '{"city":"Rome"}'),
            ),
        ),
        Turn(
            "user",
            (
                ToolResult("call_a", (Text("18C"),)),
                ToolResult("call_b", (Text("timeout"),), is_error=True),
                Text("be brief"),
            ),
        ),
    )


def test_system_messages_stay_where_they_stand() -> None:
    turns = parsed(
        {"system": "S", "messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "French now"}]}
    ).turns
    assert [turn.role for turn in turns] == ["system", "user", "system"]


def test_the_attribution_line_of_claude_code_is_left_out() -> None:
    losses = Losses()
    blocks = [{"type": "text", "text": "x-anthropic-billing-header: cc=1"}, {"type": "text", "text": "S"}]
    assert parsed({"system": blocks}, losses).turns[0].parts == (Text("S"),)
    assert [(loss.path, loss.weight) for loss in losses] == [("system[0]", "note")]


def test_cache_markers_are_kept() -> None:
    marker = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert parts({"type": "text", "text": "a", **marker}, {"type": "text", "text": "b", "cache_control": {}}) == (
        Text("a", "1h"),
        Text("b", "default"),
    )


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "-_-_"}, Source("image/png", data="+/+/")),
        ({"type": "base64", "media_type": "image/png", "data": "aG k"}, Source("image/png", data="aGk=")),
        ({"type": "url", "url": "https://x/"}, Source(url="https://x/")),
        ({"type": "file", "file_id": "file_1"}, Source(file_id="file_1")),
    ],
)
def test_image_sources_are_read(source: dict[str, Any], meant: Source) -> None:
    assert parts({"type": "image", "source": source}) == (Image(meant),)


def test_documents_of_every_kind_are_read() -> None:
    text = Source("text/plain", data=base64.b64encode(b"code 7").decode())
    image = {"type": "image", "source": {"type": "url", "url": "https://x/"}}
    assert parts(
        {"type": "document", "source": {"type": "base64", "data": PDF}, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "code 7"}},
        {"type": "document", "source": {"type": "content", "content": "code 7"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "code 7"}, image]}},
    ) == (
        Document(Source("application/pdf", data=PDF), "a.pdf"),
        Document(text),
        Document(text),
        Document(text),
        Image(Source(url="https://x/")),
    )


def test_search_results_are_read_as_text() -> None:
    block = {
        "type": "search_result",
        "title": "T",
        "source": "https://x/",
        "content": [{"type": "text", "text": "found"}],
    }
    assert parts(block) == (Text("T\nhttps://x/\nfound"),)


def test_tool_results_are_read_in_every_form() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert parts(
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "shot"}, image]},
        {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "tool_reference", "tool_name": "get"}]},
    ) == (
        ToolResult("a", ()),
        ToolResult("b", (Text("shot"), Image(Source("image/png", data=PNG)))),
        ToolResult("c", (Text("tool: get"),)),
    )


def test_carriers_are_opened_where_they_stand() -> None:
    reasoning = Signature("openai", "reasoning", "gAAA", "rs_1")
    redacted, call = Signature("up", "redacted", "RED"), Signature("google", "call", "S")
    assert parts(
        {"type": "thinking", "thinking": "a", "signature": carrier(reasoning)},
        {"type": "redacted_thinking", "data": carrier(redacted)},
        {"type": "redacted_thinking", "data": "native"},
        {"type": "thinking", "thinking": "b", "signature": carrier(call)},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        {"type": "tool_use", "id": "d", "name": "f", "input": {}},
        {"type": "thinking", "thinking": "unsigned", "signature": ""},
        role="assistant",
    ) == (
        Thinking("a", reasoning),
        Thinking("", redacted),
        Thinking("", Signature("", "redacted", "native")),
        Thinking("b"),
        ToolCall("c", "f", "{}", signature=call),
        ToolCall("d", "f", "{}"),
        Thinking("unsigned"),
    )


def test_what_only_anthropic_knows_is_foreign() -> None:
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    emulated = ToolCall("srvtoolu_1", "web_search", "{}")
    assert parts(block, role="assistant") == (Foreign("anthropic", "server_tool_use", block, (emulated,)),)


def test_tools_are_read() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    conversation = parsed(
        {
            "tools": [
                {"name": "get", "description": "Weather", "input_schema": GET.parameters, "strict": False},
                {"type": "bash_20250124", "name": "bash"},
                search,
            ]
        }
    )
    assert conversation.tools[0] == msgspec.structs.replace(GET, strict=False)
    assert conversation.tools[1].name == "bash"
    assert set(conversation.tools[1].parameters["properties"]) == {"command", "restart"}
    assert conversation.hosted_tools == (HostedTool("anthropic", "web_search", search),)


def test_the_summary_of_a_compaction_stands_for_what_was_said_before_it() -> None:
    block = {"type": "compaction", "content": "We met.", "cache_control": {"type": "ephemeral"}}
    messages: list[Any] = [
        {"role": "user", "content": "long ago"},
        {"role": "assistant", "content": [{"type": "text", "text": "lost"}, block, {"type": "text", "text": "so"}]},
        {"role": "user", "content": "go on"},
    ]
    assert parsed({"system": "S", "messages": messages}).turns == (
        Turn("system", (Text("S"),)),
        Turn("user", (Text(compaction.restored("We met."), cache="default"),)),
        Turn("assistant", (Text("so"),)),
        Turn("user", (Text("go on"),)),
    )


def test_a_compaction_that_failed_says_nothing() -> None:
    assert parts({"type": "compaction", "content": None}, {"type": "text", "text": "a"}, role="assistant") == (
        Text("a"),
    )


def test_a_choice_that_names_a_hosted_tool_forces_that() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    choice = {"type": "tool", "name": "web_search", "disable_parallel_tool_use": True}
    conversation = parsed(
        {"tools": [search, {"type": "web_fetch_20250910", "name": "web_fetch"}], "tool_choice": choice}
    )
    assert [tool.forced for tool in conversation.hosted_tools] == [True, False]
    assert (conversation.tool_choice, conversation.parallel_calls) == (None, False)
    own = {"name": "web_search", "input_schema": {"type": "object"}}
    conversation = parsed({"tools": [search, own], "tool_choice": choice})
    assert [tool.forced for tool in conversation.hosted_tools] == [False]
    assert conversation.tool_choice == ToolChoice("required", ("web_search",))
    conversation = parsed({"tools": [search], "tool_choice": {"type": "tool", "name": "unheard_of"}})
    assert conversation.tool_choice == ToolChoice("required", ("unheard_of",))


def test_a_strict_tool_with_optional_parameters_is_not_strict_elsewhere() -> None:
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"], "additionalProperties": False}
    losses = Losses()
    (tool,) = parsed({"tools": [{"name": "f", "input_schema": schema, "strict": True}]}, losses).tools
    assert tool.strict is False
    assert [loss.path for loss in losses] == ["tools[0].strict"]
    needed = {**schema, "required": ["a", "b"]}
    (tool,) = parsed({"tools": [{"name": "f", "input_schema": needed, "strict": True}]}).tools
    assert tool.strict is True


@pytest.mark.parametrize(
    ("choice", "meant", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "get"}, ToolChoice("required", ("get",)), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_tool_choices_are_read(choice: dict[str, Any], meant: ToolChoice, parallel: bool | None) -> None:
    conversation = parsed({"tool_choice": choice})
    assert (conversation.tool_choice, conversation.parallel_calls) == (meant, parallel)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget=2048, visible=True)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
            Reasoning(budget=2048, visible=False),
        ),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "adaptive"}}, Reasoning(effort="auto", visible=True)),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            Reasoning(effort="high", visible=True),
        ),
        ({"output_config": {"effort": "max"}}, Reasoning(effort="max")),
    ],
)
def test_reasoning_controls_are_read(body: dict[str, Any], meant: Reasoning | None) -> None:
    assert parsed(body).reasoning == meant


@pytest.mark.parametrize(
    "wrap", [lambda form: {"output_config": {"format": form}}, lambda form: {"output_format": form}]
)
def test_structured_output_is_read_in_both_spellings(wrap: Any) -> None:
    assert parsed(wrap({"type": "json_schema", "schema": SCHEMA})).output == Output(schema=SCHEMA)


def test_settings_are_read() -> None:
    body = {
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 40.0,
        "stop_sequences": ["END", ""],
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
    }
    assert parsed(body).settings == Settings(
        max_output=64, temperature=0.3, top_p=0.9, top_k=40, stop=("END",), user="u", service_tier="default"
    )


def test_what_only_anthropic_reads_is_told_where_it_stands() -> None:
    losses = Losses()
    tool = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True, "input_examples": [{"a": 1}]}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "context": "c"}
    parsed(
        {
            **user(document),
            "tools": [tool],
            "output_config": {"effort": "high", "task_budget": {"total": 9}},
            "thinking": {"type": "enabled", "budget_tokens": 32},
        },
        losses,
    )
    assert {loss.path for loss in losses} == {
        "messages[0].content[0].context",
        "tools[0].defer_loading",
        "tools[0].input_examples",
        "output_config.effort",
        "output_config.task_budget",
    }


def test_what_has_no_place_elsewhere_is_recorded() -> None:
    losses = Losses()
    parsed({"container": "c", "mcp_servers": [{}], "context_management": {"edits": []}, "unheard_of": 1}, losses)
    weights = {loss.path: loss.weight for loss in losses}
    assert weights == {
        "container": "refuse",
        "mcp_servers": "refuse",
        "context_management": "note",
        "unheard_of": "note",
    }


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused_in_the_form_that_makes_runners_resend(thread: dict[str, str]) -> None:
    with pytest.raises(ThreadUnsupported) as caught:
        parsed({"thread": thread})
    assert caught.value.vendor is not None
    assert caught.value.vendor.error["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "critic", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        (user("hi"), "messages[0].content[0]"),
        (user({}), "messages[0].content[0].type"),
        (user({"type": "text"}), "messages[0].content[0].text"),
        (user({"type": "image", "source": {}}), "messages[0].content[0].source.type"),
        (
            user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}),
            "messages[0].content[0].source.data",
        ),
        (user({"type": "tool_use", "id": "a", "name": "f", "input": {}}), "messages[0].content[0]"),
        (user({"type": "tool_result"}), "messages[0].content[0].tool_use_id"),
        (assistant({"type": "tool_result", "tool_use_id": "a"}), "messages[0].content[0]"),
        (assistant({"type": "tool_use", "name": "f", "input": {}}), "messages[0].content[0].id"),
        (assistant({"type": "tool_use", "id": "a", "name": "f", "input": "{}"}), "messages[0].content[0].input"),
        ({"system": 1}, "system"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"temperature": "hot"}, "temperature"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_format": {"type": "json_object"}}, "output_format"),
        ({"metadata": {"user_id": 1}}, "metadata.user_id"),
        (assistant({"type": "tool_use", "id": "a", "input": {}}), "messages[0].content[0].name"),
        (assistant({"type": "tool_use", "id": "", "name": "f", "input": {}}), "messages[0].content[0].id"),
        (
            user({"type": "tool_result", "tool_use_id": "a", "is_error": "no"}),
            "messages[0].content[0].is_error",
        ),
        ({"tools": [{"type": 1, "name": "f"}]}, "tools[0].type"),
        ({"tools": [{"name": "f", "input_schema": {}, "description": 1}]}, "tools[0].description"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"service_tier": 1}, "service_tier"),
        ({"output_config": "high"}, "output_config"),
    ],
)
def test_what_the_api_would_refuse_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(body)
    assert caught.value.param == param


# Writing.


def test_the_golden_history_is_written() -> None:
    conversation = asked(
        Turn("system", (Text("S"),)),
        Turn("user", (Text("weather?"),)),
        Turn(
            "assistant",
            (
                Thinking("", Signature("up", "thinking", "EpoB")),
                ToolCall("call_a", "get", '{"city":"Paris"}'),
                ToolCall("call_b", "get", '{"city":"Rome"}'),
            ),
        ),
        Turn("user", (ToolResult("call_b", (Text("timeout"),), is_error=True), ToolResult("call_a", (Text("18C"),)))),
        Turn("user", (Text("be brief"),)),
        settings=Settings(max_output=8192),
    )
    assert rendered(conversation) == {
        "model": "claude-opus-4-5",
        "max_tokens": 8192,
        "system": [{"type": "text", "text": "S"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "EpoB"},
                    {"type": "tool_use", "id": "call_a", "name": "get", "input": {"city": "Paris"}},
                    {"type": "tool_use", "id": "call_b", "name": "get", "input": {"city": "Rome"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_a", "content": "18C"},
                    {"type": "tool_result", "tool_use_id": "call_b", "content": "timeout", "is_error": True},
                    {"type": "text", "text": "be brief"},
                ],
            },
        ],
    }


def test_max_tokens_is_always_sent() -> None:
    assert rendered(asked(), model="claude-opus-4-5")["max_tokens"] == 64_000
    assert rendered(asked(), model="someone-elses")["max_tokens"] == 8_192


def test_leading_instructions_are_system_blocks_and_later_ones_stay_in_place() -> None:
    turns = (
        Turn("system", (Text("One", "1h"),)),
        Turn("developer", (Text("Two"),)),
        USER,
        Turn("assistant", (ToolCall("a", "get", "{}"),)),
        Turn("user", (ToolResult("a", (Text("18C"),)),)),
        Turn("system", (Text("French now"),)),
        Turn("user", (Text("go on"),)),
    )
    request = rendered(asked(*turns))
    assert request["system"] == [
        {"type": "text", "text": "One", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "Two"},
    ]
    assert [block.get("text", block["type"]) for block in request["messages"][2]["content"]] == [
        "tool_result",
        "<system-reminder>\nFrench now\n</system-reminder>",
        "go on",
    ]


def test_the_first_message_is_the_users() -> None:
    conversation = asked(Turn("assistant", (Text("Hello."),)), USER)
    assert [message["role"] for message in rendered(conversation)["messages"]] == ["user", "assistant", "user"]
    assert lost(conversation)["messages"] == "warn"


def test_instructions_alone_get_a_user_message() -> None:
    (message,) = rendered(asked(Turn("system", (Text("S"),))))["messages"]
    assert message == {"role": "user", "content": [{"type": "text", "text": "."}]}


def test_blank_texts_are_not_sent() -> None:
    assert content(Text(" \n"), Text("a")) == [{"type": "text", "text": "a"}]
    turns = (
        USER,
        Turn("assistant", (Text("\n"), ToolCall("a", "f", ""))),
        Turn("user", (ToolResult("a", (Text(" "),)),)),
    )
    assert rendered(asked(*turns))["messages"][1:] == [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
    ]


def test_a_prefill_does_not_end_in_white_space() -> None:
    assert content(Text("{ \n"), role="assistant") == [{"type": "text", "text": "{"}]


def test_models_without_prefill_are_asked_to_continue() -> None:
    conversation = asked(USER, Turn("assistant", (Text("{"),)))
    assert rendered(conversation, model="claude-opus-4-7")["messages"][-1]["role"] == "user"
    assert lost(conversation, model="claude-opus-4-7")["messages"] == "warn"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Refusal("No."), {"type": "text", "text": "No."}),
        (ToolCall("a", "f", '{"x'), {"type": "tool_use", "id": "a", "name": "f", "input": {"_raw": '{"x'}}),
        (ToolCall("a", "f", "+x", custom=True), {"type": "tool_use", "id": "a", "name": "f", "input": {"input": "+x"}}),
        (Thinking("", Signature("up", "redacted", "RED")), {"type": "redacted_thinking", "data": "RED"}),
        (Foreign("anthropic", "compaction", {"type": "compaction"}), {"type": "compaction"}),
    ],
)
def test_parts_of_the_assistant_are_written(part: Part, block: dict[str, Any]) -> None:
    assert rendered(asked(USER, Turn("assistant", (part,)), USER))["messages"][1]["content"] == [block]


@pytest.mark.parametrize(
    "thought",
    [
        Thinking("secret"),
        Thinking("secret", Signature("", "thinking", "E")),
        Thinking("secret", Signature("openai", "reasoning", "gAAA")),
        Thinking("secret", Signature("up", "call", "S")),
    ],
)
def test_thinking_that_the_upstream_did_not_sign_is_left_out(thought: Thinking) -> None:
    conversation = asked(USER, Turn("assistant", (thought, Text("A"))), USER)
    assert rendered(conversation)["messages"][1]["content"] == [{"type": "text", "text": "A"}]
    assert lost(conversation) == {"messages[1].content[0]": "note"}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(Source("image/jpeg", data=PNG)),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ),
        (Image(Source(url="https://x/")), {"type": "image", "source": {"type": "url", "url": "https://x/"}}),
        (Image(Source(file_id="file_1")), {"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        (
            Document(Source("", data=PDF), "a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "a.pdf",
            },
        ),
        (
            Document(Source("text/markdown", data=base64.b64encode(b"# x").decode())),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "# x"}},
        ),
        (
            Document(Source("image/png", data=PNG), "a.png"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ),
    ],
)
def test_media_are_written(part: Part, block: dict[str, Any]) -> None:
    assert content(part) == [block]


@pytest.mark.parametrize(
    "part",
    [
        Audio(Source("audio/wav", data="aGk=")),
        Image(Source("image/tiff", data="aGk=")),
        Image(Source(url="gs://bucket/x")),
        Document(Source("application/zip", data=base64.b64encode(b"PK\x03\x04\xff").decode())),
    ],
)
def test_media_that_the_api_does_not_take_are_refused(part: Part) -> None:
    assert lost(asked(Turn("user", (Text("a"), part)))) == {"messages[0].content[1]": "refuse"}


def test_results_keep_their_images() -> None:
    result = ToolResult("a", (Text("shot"), Image(Source("image/png", data=PNG))), cache="5m")
    request = rendered(asked(USER, Turn("assistant", (ToolCall("a", "f", "{}"),)), Turn("user", (result,))))
    (block,) = request["messages"][2]["content"]
    assert [inner["type"] for inner in block["content"]] == ["text", "image"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "5m"}


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters_has_a_schema(parameters: Any) -> None:
    (tool,) = rendered(asked(tools=(Tool("now", parameters=parameters),)))["tools"]
    assert tool == {"name": "now", "input_schema": {"type": "object", "properties": {}}}


def test_a_schema_goes_up_as_it_is() -> None:
    (tool,) = rendered(asked(tools=(GET,)))["tools"]
    assert tool == {"name": "get", "description": "Weather", "input_schema": GET.parameters}


@pytest.mark.parametrize(
    ("tier", "served"),
    [("default", "standard_only"), ("priority", "auto"), ("fast", "auto"), ("auto", None), ("flex", None)],
)
def test_a_tier_is_better_than_the_usual_one_or_not(tier: str, served: str | None) -> None:
    assert rendered(asked(settings=Settings(service_tier=tier))).get("service_tier") == served


def test_a_schema_has_an_object_at_its_root() -> None:
    one, two = {"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}
    (tool,) = rendered(asked(tools=(Tool("f", parameters={"anyOf": [one, two], "required": []}),)))["tools"]
    assert tool["input_schema"] == {
        "type": "object",
        "required": [],
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    }


def test_strict_tools_keep_to_the_subset_that_can_be_promised() -> None:
    strict = asked(tools=(Tool("f", parameters=SCHEMA, strict=True),))
    (tool,) = rendered(strict)["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    assert "minimum" not in tool["input_schema"]["properties"]["t"]
    (tool,) = rendered(strict, model="claude-opus-4-1")["tools"]
    assert "strict" not in tool
    assert tool["input_schema"] == SCHEMA


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    (tool,) = rendered(asked(tools=(Tool("patch", custom=True, grammar=("lark", "start: x")),)))["tools"]
    assert tool["input_schema"]["required"] == ["input"]
    assert "start: x" in tool["input_schema"]["properties"]["input"]["description"]


def test_web_search_is_run_by_the_upstream() -> None:
    hosted = asked(hosted_tools=(HostedTool("openai_responses", "web_search", {}),))
    assert rendered(hosted)["tools"][0]["name"] == "web_search"
    assert "tools" not in rendered(hosted, model="someone-elses")
    assert lost(hosted, model="someone-elses") == {"tools": "warn"}


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("required", ("get",)), None, {"type": "tool", "name": "get"}),
    ],
)
def test_tool_choices_are_written(choice: ToolChoice | None, parallel: bool | None, expected: Any) -> None:
    members = {"tool_choice": choice, "parallel_calls": parallel}
    assert rendered(asked(tools=(GET,), **members)).get("tool_choice") == expected
    assert "tool_choice" not in rendered(asked(**members))


def test_a_choice_among_some_tools_leaves_the_others_out() -> None:
    tools = (GET, Tool("now"), Tool("other"))
    request = rendered(asked(tools=tools, tool_choice=ToolChoice("auto", ("get", "now"))))
    assert [tool["name"] for tool in request["tools"]] == ["get", "now"]
    assert request["tool_choice"] == {"type": "auto"}


def test_structured_output_is_asked_for_in_the_models_way() -> None:
    conversation = asked(output=Output(schema=SCHEMA))
    assert rendered(conversation)["output_config"]["format"]["type"] == "json_schema"
    older = rendered(conversation, model="claude-opus-4-1")
    assert "output_config" not in older
    assert older["tools"][0]["input_schema"] == SCHEMA
    assert older["tool_choice"] == {"type": "tool", "name": RESPOND, "disable_parallel_tool_use": True}
    assert rendered(asked(output=Output(schema=SCHEMA), tools=(GET,)), model="claude-opus-4-1")["tool_choice"] == {
        "type": "any"
    }
    assert (
        "JSON Schema"
        in rendered(asked(output=Output(schema={"type": "array"})), model="claude-opus-4-1")["system"][0]["text"]
    )


def test_any_json_object_is_asked_for_in_words() -> None:
    conversation = asked(Turn("system", (Text("S"),)), USER, output=Output())
    assert "JSON object" in rendered(conversation)["system"][-1]["text"]
    assert lost(conversation) == {"response_format": "warn"}


def test_sampling_is_what_the_model_takes() -> None:
    settings = Settings(temperature=1.8, top_p=0.5, top_k=7, stop=("END", " "), user="u")
    request = rendered(asked(settings=settings))
    assert (request["temperature"], request["top_k"], request["stop_sequences"]) == (1, 7, ["END"])
    assert "top_p" not in request
    assert request["metadata"] == {"user_id": "u"}
    newer = rendered(asked(settings=settings), model="claude-opus-4-7")
    assert not {"temperature", "top_p", "top_k"} & set(newer)
    assert lost(asked(settings=settings), model="claude-opus-4-7") == {
        "temperature": "warn",
        "top_p": "warn",
        "top_k": "warn",
        "stop": "warn",
    }


def test_settings_without_a_word_are_recorded() -> None:
    settings = Settings(
        seed=1, presence_penalty=0.5, logit_bias={"5": 1}, choices=2, metadata={"k": "v"}, cache_key="k", logprobs=True
    )
    request = rendered(asked(settings=settings))
    assert set(request) == {"model", "max_tokens", "messages", "cache_control"}
    assert lost(asked(settings=settings)) == {
        "logprobs": "refuse",
        "seed": "warn",
        "presence_penalty": "warn",
        "logit_bias": "warn",
        "metadata": "note",
        "cache_key": "note",
    }


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        ("claude-opus-4-5", Reasoning(effort="low"), {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("claude-opus-4-5", Reasoning(budget=100), {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("claude-opus-4-5", Reasoning(effort="none"), {}),
        ("claude-opus-4-5", Reasoning(budget=0), {}),
        ("claude-opus-4-5", Reasoning(effort="auto"), {}),
        (
            "claude-opus-4-6",
            Reasoning(effort="xhigh", visible=True),
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        ("claude-opus-4-6", Reasoning(effort="none"), {"thinking": {"type": "disabled"}}),
        ("claude-opus-4-7", Reasoning(effort="none"), {"output_config": {"effort": "low"}}),
        ("claude-opus-4-7", Reasoning(budget=-1), {"thinking": {"type": "adaptive"}}),
        (
            "claude-opus-4-7",
            Reasoning(budget=30_000),
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        ),
        (
            "claude-opus-4-7",
            Reasoning(effort="minimal", visible=False),
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
        ),
        ("claude-3-haiku-20240307", Reasoning(effort="high"), {}),
        ("someone-elses", Reasoning(effort="minimal"), {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("someone-elses", None, {}),
    ],
)
def test_reasoning_is_asked_for_in_the_models_way(
    model: str, reasoning: Reasoning | None, expected: dict[str, Any]
) -> None:
    request = rendered(asked(reasoning=reasoning), model=model)
    assert {name: request[name] for name in ("thinking", "output_config") if name in request} == expected


def test_thinking_within_a_budget_is_off_where_the_last_step_lost_its_own() -> None:
    step = Turn("assistant", (ToolCall("a", "get", "{}"),))
    result = Turn("user", (ToolResult("a", (Text("18C"),)),))
    conversation = asked(USER, step, result, reasoning=Reasoning(effort="high"))
    assert "thinking" not in rendered(conversation)
    assert lost(conversation)["reasoning"] == "warn"
    signed = Turn("assistant", (Thinking("", Signature("up", "thinking", "E")), ToolCall("a", "get", "{}")))
    assert "thinking" in rendered(asked(USER, signed, result, reasoning=Reasoning(effort="high")))


def test_no_more_than_four_cache_markers_are_sent() -> None:
    turns = [Turn("system", (Text("S", "1h"),)), Turn("user", tuple(Text(str(at), "5m") for at in range(4)))]
    conversation = asked(*turns, tools=(Tool("f", cache="default"),))
    assert json.dumps(rendered(conversation)).count("cache_control") == 4
    assert lost(conversation) == {"cache_control": "note"}


def test_no_marker_of_an_hour_follows_a_shorter_one() -> None:
    first, second = content(Text("a", "5m"), Text("b", "1h"))
    assert first["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert second["cache_control"] == {"type": "ephemeral"}


# Both ways.


def test_what_is_read_is_written_again() -> None:
    body = {
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "get", "input": {"city": "R"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": True},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ],
            },
        ],
        "tools": [{"name": "get", "description": "Weather", "input_schema": GET.parameters}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {"t": {"type": "number"}}, "additionalProperties": False},
            }
        },
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
    }
    assert rendered(parsed(body)) == {"model": "claude-opus-4-5", **body}


# What is seldom there.


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (
            {"messages": [{"role": "system", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "", "name": "f", "input": {}}]}
                ]
            },
            "messages[0].content[0].id",
        ),
    ],
)
def test_a_block_that_lacks_something_is_refused_with_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(body)
    assert caught.value.param == param


def test_a_redacted_thought_without_data_says_nothing() -> None:
    block = {"type": "redacted_thinking", "data": ""}
    said = [block, {"type": "text", "text": "hi"}]
    assert parts(*said, role="assistant") == (Text("hi"),)


def test_a_screen_is_described_with_its_size() -> None:
    tool = {"type": "computer_20250124", "name": "computer", "display_width_px": 800, "display_height_px": 600}
    (read,) = parsed({"tools": [tool]}).tools
    assert read.description.endswith("The screen is 800 x 600 pixels.")


def test_instructions_hold_nothing_but_texts() -> None:
    turn = Turn("system", (Text("S"), Image(Source("image/png", data=PNG))))
    assert rendered(asked(turn, USER))["system"] == [{"type": "text", "text": "S"}]
    assert list(lost(asked(turn, USER))) == ["messages[0].content[1]"]


def test_another_vendors_part_stays_behind() -> None:
    turn = Turn("assistant", (Text("hi"), Foreign("gemini", "executableCode", {"code": "1"})))
    assert rendered(asked(USER, turn))["messages"][1]["content"] == [{"type": "text", "text": "hi"}]
    assert list(lost(asked(USER, turn))) == ["messages[1].content[1]"]


def test_a_result_without_sound_and_without_an_empty_document_is_written() -> None:
    empty = Document(Source("text/plain", data=base64.b64encode(b" ").decode()))
    result = ToolResult("a", (Audio(Source("audio/wav", data="AAAA")), empty, Text("18C")))
    call = Turn("assistant", (ToolCall("a", "get", "{}"),))
    written = rendered(asked(USER, call, Turn("user", (result,))))["messages"][2]["content"][0]
    assert written["content"] == "18C"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (base64.b64encode(b"RIFF....WEBP").decode(), "image/webp"),
        ("no base64", "image/gif"),
        (base64.b64encode(b"RIFF....WAVE").decode(), "image/gif"),
    ],
)
def test_a_picture_is_called_what_its_bytes_say(data: str, media_type: str) -> None:
    (block,) = content(Image(Source("image/gif", data=data)))
    assert block["source"]["media_type"] == media_type


def test_an_own_hosted_tool_comes_back_as_it_was() -> None:
    tool = {"type": "bash_20250124", "name": "bash"}
    assert rendered(asked(hosted_tools=(HostedTool("anthropic", "bash", tool),)))["tools"] == [tool]


def test_alternatives_at_the_top_of_a_schema_become_its_properties() -> None:
    branch = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {"anyOf": [branch, True, {"type": "null"}], "properties": {"b": {"type": "number"}}}
    (tool,) = rendered(asked(tools=(Tool("f", "", schema),)))["tools"]
    assert set(tool["input_schema"]["properties"]) == {"a", "b"}


def test_the_strongest_effort_is_the_strongest_that_there_is() -> None:
    like = msgspec.structs.replace(profile("claude-opus-4-5"), reasoning="adaptive", efforts=("low", "medium"))
    body = render_request(
        asked(reasoning=Reasoning(effort="max")), model="m", profile=like, signer="up", losses=Losses()
    )
    assert body["output_config"]["effort"] == "medium"


def test_bytes_that_are_no_base64_at_all_say_nothing_of_their_type() -> None:
    (block,) = content(Image(Source("image/jpg", data="é")))
    assert block["source"]["media_type"] == "image/jpeg"


def test_an_own_part_may_be_the_last_one() -> None:
    turn = Turn("assistant", (Foreign("anthropic", "server_tool_use", {"type": "server_tool_use", "id": "s"}),))
    assert rendered(asked(USER, turn))["messages"][-1]["content"] == [{"type": "server_tool_use", "id": "s"}]


def test_a_limit_that_nobody_named_is_raised_without_a_word() -> None:
    conversation = asked(reasoning=Reasoning(budget=60_000))
    assert rendered(conversation, model="claude-opus-4-5")["max_tokens"] > 60_000
    assert "max_output" not in lost(conversation)


def test_a_picture_without_an_address_is_refused() -> None:
    with pytest.raises(Invalid):
        parts({"type": "image", "source": {"type": "url", "url": ""}})


def test_thinking_that_needs_more_than_the_usual_limit_raises_it_without_a_word() -> None:
    like = msgspec.structs.replace(profile("claude-opus-4-5"), max_output_tokens=4000, max_budget=0)
    losses = Losses()
    body = render_request(asked(reasoning=Reasoning(budget=9000)), model="m", profile=like, signer="up", losses=losses)
    assert body["thinking"]["budget_tokens"] < body["max_tokens"]
    assert "max_output" not in {loss.path for loss in losses}


def changing(*blocks: Any, tools: Any = (), **members: Any) -> dict[str, Any]:
    """A request whose tools change in its course."""
    messages = [{"role": "user", "content": "hi"}, {"role": "system", "content": list(blocks), **members}]
    return {"tools": list(tools), "messages": messages}


def addition(tool: Any) -> dict[str, Any]:
    return {"type": "tool_addition", "tool": tool}


def removal(tool: Any) -> dict[str, Any]:
    return {"type": "tool_removal", "tool": tool}


def reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "name": name}


def definition(name: str, **members: Any) -> dict[str, Any]:
    return {"type": "tool_definition", "definition": {"name": name, "input_schema": SCHEMA, **members}}


def declared(*names: str, **members: Any) -> list[dict[str, Any]]:
    return [{"name": name, "input_schema": SCHEMA, **members} for name in names]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([addition(definition("new")), removal(reference("get_weather"))], ["time", "new"]),
        ([removal(reference("get_weather")), addition(reference("get_weather"))], ["get_weather", "time"]),
        ([addition(definition("time", description="better"))], ["get_weather", "time"]),
        ([addition(definition("new")), removal(reference("new"))], ["get_weather", "time"]),
        ([removal(reference("unheard_of"))], ["get_weather", "time"]),
        ([], ["get_weather", "time"]),
    ],
)
def test_the_tools_are_those_that_there_are_at_the_end(changes: list[Any], left: list[str]) -> None:
    said = parsed(changing(*changes, tools=declared("get_weather", "time")))
    assert [tool.name for tool in said.tools] == left
    (repaired,) = repair_history(said, losses=Losses()).turns
    assert repaired.role == "user", "a system message with nothing but changes vanishes"


def test_a_tool_that_was_removed_is_not_demanded() -> None:
    losses, demand = Losses(), {"type": "tool", "name": "time"}
    body = changing(removal(reference("time")), tools=declared("get_weather", "time"))
    assert parsed({**body, "tool_choice": demand}, losses).tool_choice is None
    assert {loss.path for loss in losses} == {"tool_choice"}
    body = changing(removal(reference("get_weather")), tools=declared("get_weather", "time"))
    kept = parsed({**body, "tool_choice": demand}).tool_choice
    assert kept is not None
    assert kept.names == ("time",)


def test_the_last_definition_of_a_tool_counts() -> None:
    change = addition(definition("time", description="better"))
    assert parsed(changing(change, tools=declared("time"))).tools[0].description == "better"


def test_a_deferred_tool_that_is_added_is_there_and_unknown_ones_are_reported() -> None:
    losses = Losses()
    tools = declared("later", defer_loading=True)
    said = parsed(changing(addition(reference("later")), addition(reference("never")), tools=tools), losses)
    assert [tool.name for tool in said.tools] == ["later"]
    assert {loss.path for loss in losses} == {"tools[0].defer_loading", "messages[1].content[1]"}


def test_tools_that_anthropic_runs_come_and_go_too() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    servers = {"type": "mcp_toolset", "mcp_server_name": "s"}
    added = addition({"type": "tool_definition", "definition": search})
    said = parsed(changing(added, addition({"type": "tool_definition", "definition": servers})))
    assert [tool.kind for tool in said.hosted_tools] == ["web_search", "mcp_toolset"]
    assert not parsed(changing(added, removal(reference("web_search")))).hosted_tools
    losses = Losses()
    asked_for = {"type": "mcp_toolset_reference", "server_name": "s"}
    assert parsed(changing(removal(asked_for), tools=[servers]), losses).hosted_tools
    assert [loss.path for loss in losses] == ["messages[1].content[0].tool"]


def test_a_compaction_brings_the_changes_of_what_it_compacted() -> None:
    block = {"type": "compaction", "content": "We met.", "tool_changes": [removal(reference("time"))]}
    body = {"tools": declared("time", "date"), "messages": [{"role": "assistant", "content": [block]}]}
    assert [tool.name for tool in parsed(body).tools] == ["date"]


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (addition(None), "messages[1].content[0].tool.type"),
        (addition({"type": "tool_definition"}), "messages[1].content[0].tool.definition.input_schema"),
        (removal(definition("f")), "messages[1].content[0].tool.type"),
        (removal({"type": "tool_reference"}), "messages[1].content[0].tool.name"),
        ({"type": "image"}, "messages[1].content[0]"),
    ],
)
def test_a_change_that_is_none_is_refused_by_its_place(block: Any, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(changing(block))
    assert caught.value.param == place
    compaction = {"type": "compaction", "content": "C", "tool_changes": [{"type": "text", "text": "t"}]}
    with pytest.raises(Invalid) as caught:
        parsed({"messages": [{"role": "user", "content": [compaction]}]})
    assert caught.value.param == "messages[0].content[0].tool_changes[0].type"


def test_the_last_effort_of_a_message_counts_before_the_requests_own() -> None:
    def later(effort: str) -> dict[str, Any]:
        return {"role": "system", "output_config": {"effort": effort}}

    user = {"role": "user", "content": "hi"}
    body = {"messages": [user, later("low"), user, later("max")], "output_config": {"effort": "high"}}
    said = parsed(body)
    assert said.reasoning == Reasoning(effort="max")
    assert [turn.role for turn in said.turns] == ["user", "user"]
    with pytest.raises(Invalid) as caught:
        parsed({"messages": [user, later("huge")]})
    assert caught.value.param == "messages[1].output_config.effort"


def test_a_reminder_for_one_turn_is_gone_when_the_user_spoke_again() -> None:
    user, reminder = {"role": "user", "content": "hi"}, {"role": "system", "content": "R"}
    passing = {**reminder, "clear_at": "next_user_message"}
    losses = Losses()
    said = parsed({"messages": [user, passing, {"role": "assistant", "content": "a"}, user, passing]}, losses)
    assert [turn.role for turn in said.turns] == ["user", "assistant", "user", "system"]
    assert [(loss.path, loss.weight) for loss in losses] == [("messages[1]", "note")]
    lasting = {**reminder, "clear_at": "never"}
    assert [turn.role for turn in parsed({"messages": [user, lasting, user]}).turns] == ["user", "system", "user"]


@pytest.mark.parametrize(
    ("call", "result", "name", "said", "failed"),
    [
        (
            {"type": "mcp_tool_use", "name": "find", "server_name": "docs"},
            {"type": "mcp_tool_result", "content": [{"type": "text", "text": "MCPRES"}], "is_error": False},
            "docs__find",
            "MCPRES",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "web_search"},
            {
                "type": "web_search_tool_result",
                "content": [
                    {"type": "web_search_result", "title": "T", "url": "https://a.example", "encrypted_content": "E"}
                ],
            },
            "web_search",
            "title: T\nurl: https://a.example",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "web_fetch"},
            {
                "type": "web_fetch_tool_result",
                "content": {
                    "type": "web_fetch_result",
                    "url": "https://a.example",
                    "content": {
                        "type": "document",
                        "title": "Page",
                        "source": {"type": "text", "media_type": "text/plain", "data": "FETCHED"},
                    },
                },
            },
            "web_fetch",
            "url: https://a.example\ntitle: Page\nFETCHED",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "web_fetch"},
            {
                "type": "web_fetch_tool_result",
                "content": {
                    "type": "web_fetch_result",
                    "content": {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    },
                },
            },
            "web_fetch",
            "[application/pdf]",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "bash_code_execution"},
            {
                "type": "bash_code_execution_tool_result",
                "content": {
                    "type": "bash_code_execution_result",
                    "stdout": "OUT",
                    "stderr": "",
                    "return_code": 0,
                    "content": [{"type": "bash_code_execution_output", "file_id": "file_1"}],
                },
            },
            "bash_code_execution",
            "stdout: OUT\nreturn_code: 0\nfile_1",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "text_editor_code_execution"},
            {
                "type": "text_editor_code_execution_tool_result",
                "content": {"type": "text_editor_code_execution_create_result", "is_file_update": False},
            },
            "text_editor_code_execution",
            "false",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "tool_search_tool_regex"},
            {
                "type": "tool_search_tool_result",
                "content": {
                    "type": "tool_search_tool_search_result",
                    "tool_references": [{"type": "tool_reference", "tool_name": "get"}],
                },
            },
            "tool_search_tool_regex",
            "get",
            False,
        ),
        (
            {"type": "server_tool_use", "name": "code_execution"},
            {
                "type": "code_execution_tool_result",
                "content": {"type": "code_execution_tool_result_error", "error_code": "unavailable"},
            },
            "code_execution",
            "unavailable",
            True,
        ),
    ],
)
def test_what_anthropics_tools_did_is_told_as_a_call_and_its_result(
    call: dict[str, Any], result: dict[str, Any], name: str, said: str, failed: bool
) -> None:
    content = [
        {"type": "text", "text": "I look."},
        {"id": "srv_1", "input": {"q": 1}, **call},
        {"tool_use_id": "srv_1", **result},
        {"type": "text", "text": "So."},
    ]
    conversation = parsed({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]})
    assert translated(conversation, dialect="anthropic") == conversation
    assert translated(conversation, dialect="gemini").turns[1:] == (
        Turn("assistant", (Text("I look."), ToolCall("srv_1", name, '{"q":1}'))),
        Turn("user", (ToolResult("srv_1", (Text(said),), is_error=failed),)),
        Turn("assistant", (Text("So."),)),
    )


def test_a_result_that_says_nothing_is_empty() -> None:
    (part,) = parts({"type": "mcp_tool_result", "tool_use_id": "a"})
    assert isinstance(part, Foreign)
    assert part.parts == (ToolResult("a", ()),)


def test_a_file_for_a_container_is_told_of_and_marks_for_anthropic_are_notes() -> None:
    losses = Losses()
    blocks = [
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "mcp_tool_listing", "mcp_server_name": "s", "tools": []},
    ]
    said = parsed({"messages": [{"role": "user", "content": blocks}]}, losses)
    assert translated(said, dialect="gemini").turns[0].parts == (
        Text("[file file_1, in the container of the code execution]"),
    )
    assert {loss.path: loss.weight for loss in losses} == {
        "messages[0].content[0]": "warn",
        "messages[0].content[1]": "note",
    }


def test_a_marker_on_a_call_goes_along() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "r"}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    sent = rendered(parsed({"messages": messages}))["messages"]
    assert isinstance(sent, list)
    assert sent[1]["content"] == [call]


EPHEMERAL = {"type": "ephemeral"}


def test_a_wish_to_cache_is_one_word_for_anthropic() -> None:
    for settings in (Settings(cache="default"), Settings(cache_key="k")):
        assert rendered(asked(settings=settings))["cache_control"] == EPHEMERAL
    assert rendered(asked(settings=Settings(cache="1h", cache_key="k")))["cache_control"] == {**EPHEMERAL, "ttl": "1h"}
    assert "cache_control" not in rendered(asked())


def test_whoever_marks_a_place_gets_no_other_one_for_a_key() -> None:
    marked = Turn("user", (Text("hi", cache="default"),))
    request = rendered(asked(marked, settings=Settings(cache_key="k")))
    assert "cache_control" not in request
    assert json.dumps(request).count("cache_control") == 1
    assert lost(asked(marked, settings=Settings(cache_key="k"))) == {"cache_key": "note"}
    tool = msgspec.structs.replace(GET, cache="default")
    assert "cache_control" not in rendered(asked(tools=(tool,), settings=Settings(cache_key="k")))


def test_a_wish_to_cache_counts_among_the_markers() -> None:
    turn = Turn("user", tuple(Text(str(at), cache="default") for at in range(4)))
    assert json.dumps(rendered(asked(turn, settings=Settings(cache="default")))).count("cache_control") == 4


def test_who_imitates_anthropic_gets_the_last_block_marked() -> None:
    known = profile("claude-sonnet-4-6")
    imitation = msgspec.structs.replace(known, upstream=msgspec.structs.replace(known.upstream, lookalike=True))

    def sent(*turns: Turn, **wish: str) -> list[Any]:
        conversation = asked(*turns, settings=Settings(**(wish or {"cache": "default"})))
        request = render_request(conversation, model="m", profile=imitation, signer="anthropic", losses=Losses())
        assert "cache_control" not in request
        messages = request["messages"]
        assert isinstance(messages, list)
        return list(messages[-1]["content"])

    assert sent(USER) == [{"type": "text", "text": "hi", "cache_control": EPHEMERAL}]
    longer = Turn("user", (Text("hi", cache="1h"),))
    assert sent(longer)[-1]["cache_control"] == {**EPHEMERAL, "ttl": "1h"}
    assert sent(USER, cache_key="k")[-1]["cache_control"] == EPHEMERAL


def test_nobody_else_is_asked_to_cache_for_a_key() -> None:
    conversation = asked(settings=Settings(cache_key="k"))
    request = render_request(conversation, model="m", profile=profile("unheard-of"), signer="", losses=Losses())
    assert "cache_control" not in json.dumps(request)


def test_a_thought_that_says_and_signs_nothing_is_none_and_system_blocks_are_texts() -> None:
    assert parts({"type": "thinking", "thinking": "", "signature": ""}, role="assistant") == ()
    with pytest.raises(Invalid) as caught:
        parsed({"system": [{"type": "image"}]})
    assert caught.value.param == "system[0]"
