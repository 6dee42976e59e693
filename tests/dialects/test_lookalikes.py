"""What servers that imitate a dialect are sent (docs/wire/lookalikes.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.json_splice import parse
from agcore.conversation.losses import Losses
from agcore.dialects.lookalikes import adapted, edits, is_foreign
from agcore.models.vendor_profile import VendorProfile

Json = dict[str, Any]
IMITATES = VendorProfile(lookalike=True)
SEARCHES = VendorProfile(lookalike=True, known_tools=("web_search",))
FUNCTION = {"type": "function", "name": "f", "parameters": {}}
USER = {"type": "message", "role": "user", "content": "q"}


def changed(dialect: str, body: Json, upstream: VendorProfile = IMITATES) -> tuple[Json, list[str]]:
    """The members that change, and the paths of the losses."""
    losses = Losses()
    found = edits(dialect, parse(json.dumps(body).encode()), upstream, losses)
    members = {name: None if value is None else json.loads(value) for name, value in found.items()}
    before = dict(body)
    written = adapted(dialect, before, upstream, Losses())
    assert before == body, "an argument was changed"
    assert written == {
        name: value for name, value in (body | members).items() if value is not None or name not in members
    }
    return members, [loss.path for loss in losses]


def foreign(dialect: str, body: Json, upstream: VendorProfile = IMITATES) -> bool:
    return is_foreign(dialect, parse(json.dumps(body).encode()), upstream)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"input": "hi"}, False),
        ({"input": [USER, {"role": "user", "content": "q"}], "tools": [FUNCTION]}, False),
        ({"tools": [{"type": "custom", "name": "x"}]}, True),
        ({"tools": [{"type": "namespace", "name": "x", "tools": []}]}, True),
        ({"tools": [{"type": "web_search"}]}, True),
        ({"tools": [{"type": "custom"}], "previous_response_id": "resp_1"}, False),
        ({"input": [{"type": "custom_tool_call", "call_id": "c"}]}, True),
        ({"input": [{"type": "web_search_call", "id": "w"}]}, True),
        ({"input": [{"type": "function_call", "name": "f", "namespace": "n"}]}, True),
        ({"input": [{"type": "function_call", "name": "f", "namespace": None}]}, False),
        ({"input": [{"type": 7}]}, True),
        ({"input": [{"type": "compaction_trigger"}]}, True),
    ],
)
def test_a_responses_request_is_foreign_by_its_tools_and_items(body: Json, found: bool) -> None:
    assert foreign("openai_responses", body) is found
    assert not foreign("openai_responses", body, VendorProfile())


def test_tools_and_items_that_a_look_alike_knows_are_not_foreign() -> None:
    body = {"tools": [{"type": "web_search"}], "input": [{"type": "web_search_call", "id": "w"}, USER]}
    assert not foreign("openai_responses", body, SEARCHES)
    assert changed("openai_responses", body, SEARCHES) == ({}, [])


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"tools": [{**FUNCTION, "defer_loading": True}]}, {"tools": [FUNCTION]}),
        (
            {"tools": [{"type": "file_search"}], "tool_choice": "auto", "parallel_tool_calls": True},
            {"tools": None, "tool_choice": None, "parallel_tool_calls": None},
        ),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "f"}}, {}),
        ({"tools": [FUNCTION], "tool_choice": {"type": "file_search"}}, {"tool_choice": "auto"}),
        ({"tools": [FUNCTION, {"type": "web_search"}], "tool_choice": {"type": "web_search"}}, {}),
        (
            {
                "tools": [FUNCTION, {**FUNCTION, "name": "g"}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "g"}],
                },
            },
            {"tools": [{**FUNCTION, "name": "g"}], "tool_choice": "required"},
        ),
        (
            {
                "input": [
                    {"type": "reasoning", "summary": [], "content": None, "x": 1},
                    {**USER, "phase": "final"},
                    "odd",
                ]
            },
            {"input": [{"type": "reasoning", "summary": []}, USER, "odd"]},
        ),
        ({"input": [{"role": "system", "content": "a"}, USER]}, {"instructions": "a", "input": [USER]}),
        (
            {
                "instructions": "i",
                "input": [{"role": "developer", "content": [{"type": "input_text", "text": "a"}]}, USER],
            },
            {"instructions": "i\n\na", "input": [USER]},
        ),
        (
            {"input": [USER, {"role": "developer", "content": "late"}]},
            {
                "input": [
                    USER,
                    {
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "<system-reminder>\nlate\n</system-reminder>"}],
                    },
                ]
            },
        ),
        (
            {"input": [{"role": "developer", "content": [{"type": "input_image", "image_url": "u"}]}]},
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "u"}]}]},
        ),
        ({"previous_response_id": "resp_1", "input": [{**USER, "phase": "x"}]}, {}),
    ],
)
def test_a_responses_request_is_edited(body: Json, members: Json) -> None:
    assert changed("openai_responses", body, SEARCHES)[0] == members


def test_a_look_alike_that_takes_the_systems_messages_gets_them() -> None:
    upstream = VendorProfile(lookalike=True, leading_system="many", late_system="in_place", developer_role=True)
    items = [{"role": "developer", "content": "a"}, USER, {"role": "developer", "content": "b"}]
    assert changed("openai_responses", {"instructions": "i", "input": items}, upstream) == ({}, [])


def test_what_was_written_anew_has_functions_only() -> None:
    body: Json = {
        "tools": [{"type": "custom", "name": "x", "format": {"type": "text"}}, FUNCTION],
        "tool_choice": {"type": "custom", "name": "x"},
        "input": [
            {"type": "custom_tool_call", "call_id": "c", "name": "x", "input": "a"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "b"},
            {"type": "item_reference", "id": "i"},
        ],
    }
    losses = Losses()
    got = adapted("openai_responses", body, IMITATES, losses)
    tool, _ = got["tools"]  # type: ignore[misc]
    assert (tool["type"], tool["name"], tool["parameters"]["required"]) == ("function", "x", ["input"])
    assert got["tool_choice"] == {"type": "function", "name": "x"}
    assert got["input"] == [
        {"type": "function_call", "call_id": "c", "name": "x", "arguments": '{"input":"a"}'},
        {"type": "function_call_output", "call_id": "c", "output": "b"},
    ]
    assert [loss.path for loss in losses] == ["input"]
    kept = VendorProfile(lookalike=True, known_tools=("custom",))
    assert adapted("openai_responses", {**body, "input": body["input"][:2]}, kept, Losses()) == {
        **body,
        "input": body["input"][:2],
    }


# Members


def test_members_that_are_refused_go_at_any_server() -> None:
    upstream = VendorProfile(refused_members=("include", "text.verbosity", "text.format", "reasoning.summary", "odd.x"))
    body = {
        "include": ["x"],
        "text": {"verbosity": "low", "format": {}, "more": 1},
        "reasoning": {"summary": "auto"},
        "odd": 1,
    }
    members, paths = changed("openai_responses", body, upstream)
    assert members == {"include": None, "text": {"more": 1}, "reasoning": None}
    assert paths == ["include", "text.verbosity", "text.format", "reasoning.summary"]
    assert changed("gemini", {"a": 1}, upstream) == ({}, [])


def test_what_cannot_be_read_passes() -> None:
    members = parse(b'{"input": [1e999]}')
    assert not is_foreign("openai_responses", members, IMITATES)
    assert edits("openai_responses", members, IMITATES, Losses()) == {}


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        ("openai_chat", lambda schema: {"type": "function", "function": {"name": "f", "parameters": schema}}),
        ("openai_responses", lambda schema: {"type": "function", "name": "f", "parameters": schema}),
        ("anthropic", lambda schema: {"name": "f", "input_schema": schema}),
    ],
)
def test_moonshot_gets_its_flavour_of_schemas_though_the_rest_passes(dialect: str, tool: Any) -> None:
    upstream = VendorProfile(schemas="moonshot")
    given = {
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/A"}},
        "definitions": {"A": {"type": "string"}},
    }
    members = parse(json.dumps({"tools": [tool(given), "odd"]}).encode())
    found = edits(dialect, members, upstream, Losses())
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert json.loads(found["tools"] or b"") == [tool(plain), "odd"]
    assert edits(dialect, parse(json.dumps({"tools": [tool(plain)]}).encode()), upstream, Losses()) == {}
    assert edits(dialect, parse(b'{"tools": 7}'), upstream, Losses()) == {}


# Messages

ASK = {"role": "user", "content": "q"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}
LATE = {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}
REMINDER = {"type": "text", "text": "<system-reminder>\ns\n</system-reminder>", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([ASK, CALL, {"role": "user", "content": [RESULT]}, LATE, {"role": "system", "content": "s"}], False),
        ([{"role": "system", "content": [{"type": "tool_addition"}]}], True),
        ([{"role": "assistant", "content": [{"type": "mcp_tool_use"}]}], True),
        ([{"role": "user", "content": [{**RESULT, "content": [{"type": "tool_reference"}]}]}], True),
        ([{"role": "assistant", "content": [{"type": "server_tool_use"}]}], True),
        ("odd", False),
    ],
)
def test_a_messages_request_is_foreign_by_its_blocks(messages: Any, found: bool) -> None:
    assert foreign("anthropic", {"messages": messages}) is found


def test_a_messages_request_that_asks_to_compact_is_foreign() -> None:
    assert foreign("anthropic", {"messages": [], "compaction": {"type": "summarize"}})
    assert not foreign("anthropic", {"messages": [], "compaction": None})


def test_a_search_is_not_foreign_where_there_is_one() -> None:
    ran = [{"type": "server_tool_use"}, {"type": "web_search_tool_result", "content": [{"type": "web_search_result"}]}]
    body = {
        "messages": [{"role": "assistant", "content": ran}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    }
    assert not foreign("anthropic", body, SEARCHES)
    assert changed("anthropic", body, SEARCHES) == ({}, [])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ASK, LATE], [{"role": "user", "content": [{"type": "text", "text": "q"}, REMINDER]}]),
        ([LATE, ASK], [{"role": "user", "content": [REMINDER, {"type": "text", "text": "q"}]}]),
        ([LATE], [{"role": "user", "content": [REMINDER]}]),
        (
            [ASK, CALL, LATE, {"role": "user", "content": [RESULT, {"type": "text", "text": "more"}]}],
            [ASK, CALL, {"role": "user", "content": [RESULT, REMINDER, {"type": "text", "text": "more"}]}],
        ),
        (
            [ASK, {"role": "assistant", "content": "a"}, LATE, {"role": "assistant", "content": "b"}],
            [
                ASK,
                {"role": "assistant", "content": "a"},
                {"role": "user", "content": [REMINDER]},
                {"role": "assistant", "content": "b"},
            ],
        ),
        ([ASK, {"role": "system", "content": ""}], [ASK]),
        (
            [ASK, CALL, LATE, {"role": "user", "content": [RESULT]}],
            [ASK, CALL, {"role": "user", "content": [RESULT, REMINDER]}],
        ),
        (
            ["odd", {"role": "user", "content": [RESULT]}, LATE, LATE],
            ["odd", {"role": "user", "content": [RESULT, REMINDER, REMINDER]}],
        ),
        (
            [
                ASK,
                {
                    "role": "assistant",
                    "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}],
                },
            ],
            [ASK, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}],
        ),
    ],
)
def test_the_systems_messages_are_the_users_text(messages: list[Any], expected: list[Any]) -> None:
    found = changed("anthropic", {"messages": messages})[0]
    assert found.get("messages", messages) == expected


def test_the_system_speaks_where_it_is_let() -> None:
    upstream = VendorProfile(lookalike=True, late_system="in_place")
    assert changed("anthropic", {"messages": [ASK, LATE]}, upstream) == ({}, [])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a", [{"type": "text", "text": "a"}]),
        (
            [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "a"}],
            [{"type": "text", "text": "a"}],
        ),
        ([{"type": "thinking", "thinking": "t", "signature": "s"}], None),
    ],
)
def test_thinking_is_there_where_it_is_demanded(content: Any, expected: Any) -> None:
    upstream = VendorProfile(lookalike=True, reasoning_content="demanded")
    body: Json = {"messages": [ASK, {"role": "assistant", "content": content}, "odd"]}
    found = changed("anthropic", body, upstream)[0]
    unknown = {"type": "thinking", "thinking": " ", "signature": ""}
    assert found.get("messages", [0, {"content": None}])[1]["content"] == (expected and [unknown, *expected])
    assert changed("anthropic", {**body, "thinking": {"type": "disabled"}}, upstream) == ({}, [])


@pytest.mark.parametrize(
    ("limit", "thinking", "lost"),
    [
        (32_000, {"type": "enabled", "budget_tokens": 16_000}, []),
        (9_000, {"type": "enabled", "budget_tokens": 8_999}, []),
        (1_024, None, ["thinking"]),
        (None, {"type": "enabled", "budget_tokens": 16_000}, []),
    ],
)
def test_adaptive_thinking_has_a_budget_where_that_is_all_that_is_known(
    limit: int | None, thinking: Json | None, lost: list[str]
) -> None:
    upstream = VendorProfile(lookalike=True, adaptive_thinking=False)
    body = {"thinking": {"type": "adaptive"}, "max_tokens": limit}
    assert changed("anthropic", body, upstream) == ({"thinking": thinking}, lost)
    assert changed("anthropic", body, IMITATES) == ({}, [])


@pytest.mark.parametrize(
    ("body", "members", "lost"),
    [
        (
            {"tools": [{"name": "f", "input_schema": {}, "strict": True, "type": "custom"}]},
            {"tools": [{"name": "f", "input_schema": {}, "type": "custom"}]},
            [],
        ),
        (
            {"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": {"type": "auto"}},
            {"tools": None, "tool_choice": None},
            ["tools.bash_20250124", "tool_choice"],
        ),
        (
            {
                "tools": [{"name": "f"}, {"type": "bash_20250124", "name": "bash"}],
                "tool_choice": {"type": "tool", "name": "bash"},
            },
            {"tools": [{"name": "f"}], "tool_choice": None},
            ["tools.bash_20250124", "tool_choice"],
        ),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "tool", "name": "f"}}, {}, []),
        ({"tools": ["odd"]}, {"tools": None}, ["tools.None"]),
    ],
)
def test_tools_that_anthropic_runs_are_left_out(body: Json, members: Json, lost: list[str]) -> None:
    assert changed("anthropic", body) == (members, lost)


@pytest.mark.parametrize(("user", "hashed"), [("a-b_1", False), ('{"a":1}', True), (7, False)])
def test_user_ids_are_words_where_they_have_to_be(user: object, hashed: bool) -> None:
    body = {"metadata": {"user_id": user}}
    found, _ = changed("anthropic", body, VendorProfile(lookalike=True, user_ids="words"))
    assert bool(found) is hashed
    assert changed("anthropic", body) == ({}, [])


@pytest.mark.parametrize(
    ("choice", "manner", "members", "lost"),
    [
        # "Thinking mode does not support this tool_choice" (deepseek-ai/DeepSeek-V3#1376)
        ({"type": "tool", "name": "f"}, "not_while_thinking", {"thinking": {"type": "disabled"}}, ["thinking"]),
        ({"type": "any"}, "not_while_thinking", {"thinking": {"type": "disabled"}}, ["thinking"]),
        (
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            "refused",
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            ["tool_choice"],
        ),
        ({"type": "auto"}, "refused", {}, []),
        ({"type": "any"}, "taken", {}, []),
        ({"type": "any"}, "by_word", {}, []),
    ],
)
def test_a_forced_call_excludes_thinking_where_a_look_alike_says_so(
    choice: Json, manner: Any, members: Json, lost: list[str]
) -> None:
    body = {"tools": [{"name": "f", "input_schema": {}}], "tool_choice": choice, "messages": []}
    assert changed("anthropic", body, VendorProfile(lookalike=True, forced_tool=manner)) == (members, lost)


def test_no_thoughts_are_demanded_where_a_forced_call_switched_thinking_off() -> None:
    upstream = VendorProfile(lookalike=True, forced_tool="not_while_thinking", reasoning_content="demanded")
    body = {
        "tools": [{"name": "f", "input_schema": {}}],
        "tool_choice": {"type": "any"},
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    }
    assert changed("anthropic", body, upstream)[0] == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(("dialect", "lookalike"), [("anthropic", True), ("openai_chat", False)])
def test_fixed_sampling_is_left_out_of_what_passes(dialect: str, lookalike: bool) -> None:
    # "invalid temperature: only 1 is allowed for this model" (MoonshotAI/kimi-code#686)
    upstream = VendorProfile(lookalike=lookalike, sampling="fixed", schemas="moonshot")
    losses = Losses()
    body = b'{"temperature":0,"top_p":1,"top_k":null,"messages":[{"role":"user","content":"a"}]}'
    assert edits(dialect, parse(body), upstream, losses) == {"temperature": None, "top_p": None}
    assert [loss.path for loss in losses] == ["temperature"]


DEMANDS = VendorProfile(reasoning_content="demanded")
CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
THOUGHT: Json = {"role": "assistant", "content": "a", "reasoning_content": "t"}
EMPTY: Json = {"role": "assistant", "content": "a", "reasoning_content": ""}


def test_a_chat_clients_messages_have_thoughts_where_those_are_demanded() -> None:
    members, lost = changed("openai_chat", {"messages": [ASK, CALLED, THOUGHT, EMPTY]}, DEMANDS)
    assert members == {"messages": [ASK, {**CALLED, "reasoning_content": " "}, THOUGHT, EMPTY]}
    assert lost == []


@pytest.mark.parametrize(
    "off",
    [
        {"thinking": {"type": "disabled"}},
        {"enable_thinking": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"thinking": False}},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"enabled": False}},
        {"reasoning_effort": "none"},
    ],
)
def test_a_chat_client_that_does_without_thinking_needs_no_thoughts(off: Json) -> None:
    assert changed("openai_chat", {"messages": [ASK, CALLED], **off}, DEMANDS) == ({}, [])


@pytest.mark.parametrize("body", [{"messages": [ASK, THOUGHT]}, {"messages": "odd"}, {"messages": ["odd"]}, {}])
def test_a_chat_request_that_lacks_no_thought_passes(body: Json) -> None:
    assert changed("openai_chat", body, DEMANDS) == ({}, [])


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"tools": [FUNCTION], "messages": [ASK]}, True),
        ({"functions": [FUNCTION], "messages": [ASK]}, True),
        ({"messages": [ASK, CALLED]}, True),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "r"}]}, True),
        ({"tools": [], "messages": [ASK, "odd"]}, False),
        ({"messages": "odd"}, False),
    ],
)
def test_a_chat_request_is_foreign_by_its_tools_where_none_are_taken(body: Json, found: bool) -> None:
    assert foreign("openai_chat", body, VendorProfile(tools=False)) is found
    assert not foreign("openai_chat", body)


@pytest.mark.parametrize(
    ("manner", "body", "members", "lost"),
    [
        ("none", {"tools": [FUNCTION]}, {"reasoning_effort": "none"}, ["reasoning_effort"]),
        ("none", {"functions": [{"name": "f"}], "reasoning_effort": "high"}, {"reasoning_effort": "none"}, ["reasoning_effort"]),
        ("none", {"tools": [FUNCTION], "reasoning_effort": "none"}, {}, []),
        ("none", {"reasoning_effort": "high"}, {}, []),
        ("left_out", {"tools": [FUNCTION], "reasoning_effort": "high"}, {"reasoning_effort": None}, ["reasoning_effort"]),
        ("left_out", {"tools": [FUNCTION]}, {}, []),
        ("taken", {"tools": [FUNCTION], "reasoning_effort": "high"}, {}, []),
    ],
)  # fmt: skip
def test_an_effort_that_excludes_functions_is_left_out_of_what_passes(
    manner: Any, body: Json, members: Json, lost: list[str]
) -> None:
    upstream = VendorProfile(tools_with_effort_on_chat=manner)
    assert upstream.is_particular is (manner != "taken")
    assert changed("openai_chat", body, upstream) == (members, lost)


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"max_tokens": 9}, {"max_tokens": None, "max_completion_tokens": 9}),
        ({"max_tokens": 9, "max_completion_tokens": 8}, {"max_tokens": None, "max_completion_tokens": 8}),
        ({"max_completion_tokens": 8}, {}),
    ],
)
def test_a_limit_has_the_name_that_the_server_knows(body: Json, members: Json) -> None:
    upstream = VendorProfile(limit_on_chat="max_completion_tokens")
    assert upstream.is_particular
    assert changed("openai_chat", body, upstream) == (members, [])
