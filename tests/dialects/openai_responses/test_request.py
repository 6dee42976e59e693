from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from agcore.conversation import compaction
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
    Video,
)
from agcore.dialects.openai_responses.request_reader import StateNotFound, parse_request
from agcore.dialects.openai_responses.request_writer import render_request
from agcore.dialects.openai_responses.typed_tools import call_of
from agcore.models.known import profile
from agcore.models.profiles import Profile
from tests.support.deltas import too_deep

PNG = base64.b64encode(b"\x89PNG").decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def parse(losses: Losses | None = None, **body: Any) -> Conversation:
    body = {"model": "m", "input": "x", **body}
    return parse_request(body, model="m", stream=False, losses=Losses() if losses is None else losses)


def turns(*items: Any) -> list[Turn]:
    return list(parse(input=list(items)).turns)


def render(conversation: Conversation, known: Profile | str = "gpt-5", losses: Losses | None = None) -> dict[str, Any]:
    known = profile(known) if isinstance(known, str) else known
    losses = Losses() if losses is None else losses
    return render_request(conversation, model="up", profile=known, signer="openai", losses=losses)


def asked(*said: Turn, **members: Any) -> Conversation:
    return Conversation(model="m", turns=said or (Turn("user", (Text("x"),)),), **members)


def paths(losses: Losses) -> dict[str, str]:
    return {loss.path: loss.weight for loss in losses}


def param_of(**body: Any) -> str | None:
    with pytest.raises(Invalid) as caught:
        parse(**body)
    return caught.value.param


class TestParseItems:
    def test_a_picture_nested_as_in_chat_is_read(self) -> None:
        part = {"type": "input_image", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        (turn,) = turns({"role": "user", "content": [part]})
        assert turn.parts == (Image(Source("image/png", data=PNG)),)

    def test_a_message_without_words_is_left_to_the_upstream(self) -> None:
        assert turns({"role": "user", "content": ""}) == []

    def test_a_string_is_a_users_turn(self) -> None:
        assert parse(input="hi").turns == (Turn("user", (Text("hi"),)),)

    def test_instructions_come_first_and_other_instructions_stay_in_place(self) -> None:
        said = parse(
            instructions="S",
            input=[
                {"role": "user", "content": "a"},
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D"}]},
                {"role": "system", "content": "T"},
            ],
        ).turns
        assert [turn.role for turn in said] == ["system", "user", "developer", "system"]
        assert [turn.parts for turn in said] == [(Text("S"),), (Text("a"),), (Text("D"),), (Text("T"),)]

    def test_messages_of_the_assistant_hold_text_and_refusals(self) -> None:
        content = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "no"}]
        said = turns({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
        assert said == [Turn("assistant", (Text("a"), Refusal("no")))]

    def test_empty_text_says_nothing(self) -> None:
        empty = [{"role": "assistant", "content": ""}, {"role": "assistant", "content": None}]
        assert turns(
            *empty, {"role": "user", "content": [{"type": "input_text", "text": ""}]}, {"role": "user", "content": "b"}
        ) == [Turn("user", (Text("b"),))]

    def test_calls_and_a_message_before_them_are_one_turn_once_repaired(self) -> None:
        said = parse(
            input=[
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "looking"},
                {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "b", "name": "f", "arguments": ""},
                {"role": "user", "content": "hurry"},
                {"type": "function_call_output", "call_id": "b", "output": "2"},
                {"type": "function_call_output", "call_id": "a", "output": "1"},
            ]
        )
        ordered = repair_history(said, losses=Losses()).turns
        assert [turn.role for turn in ordered] == ["user", "assistant", "user"]
        assert ordered[1].parts == (Text("looking"), ToolCall("a", "f", "{}"), ToolCall("b", "f", ""))
        assert ordered[2].parts == (
            ToolResult("a", (Text("1"),), name="f"),
            ToolResult("b", (Text("2"),), name="f"),
            Text("hurry"),
        )

    def test_outputs_may_be_rich(self) -> None:
        output = [
            {"type": "input_text", "text": "shot"},
            {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ]
        [turn] = turns({"type": "function_call_output", "call_id": "a", "output": output})
        assert turn.parts == (
            ToolResult(
                "a",
                (
                    Text("shot"),
                    Image(Source("image/png", data=PNG), "auto"),
                    Document(Source("application/pdf", data="JVBERg=="), "a.pdf"),
                ),
            ),
        )

    def test_an_output_without_an_id_answers_the_latest_open_call(self) -> None:
        call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
        assert turns(call, {"type": "function_call_output", "output": ""})[1].parts == (ToolResult("a", ()),)
        with pytest.raises(Invalid):
            turns({"type": "function_call_output", "output": ""})

    def test_custom_calls_hold_their_text(self) -> None:
        said = turns(
            {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "+x"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "ok"},
        )
        assert said[0].parts == (ToolCall("a", "patch", "+x", custom=True),)
        assert said[1].parts == (ToolResult("a", (Text("ok"),), custom=True),)

    def test_calls_of_a_namespace_go_by_their_flat_name(self) -> None:
        [turn] = turns({"type": "function_call", "call_id": "a", "name": "f", "namespace": "ns", "arguments": "{}"})
        assert turn.parts == (ToolCall("a", "ns__f", "{}"),)

    def test_typed_calls_and_outputs_are_calls_that_a_model_can_read(self) -> None:
        shell = {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None, "working_directory": "/w"}
        outcome = [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
        said = turns(
            {"type": "local_shell_call", "id": "lsh", "call_id": "a", "action": shell, "status": "completed"},
            {"type": "local_shell_call_output", "id": "lsh", "output": '{"stdout":"a"}'},
            {"type": "shell_call", "call_id": "b", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "b", "output": outcome},
            {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "p"}},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "failed"},
        )
        calls = [turn.parts[0] for turn in said[::2]]
        assert all(isinstance(call, ToolCall) for call in calls)
        assert [(call.id, call.name, json.loads(call.arguments)) for call in calls if isinstance(call, ToolCall)] == [
            ("a", "local_shell", {"command": ["ls"], "working_directory": "/w"}),
            ("b", "shell", {"commands": ["ls"]}),
            ("c", "apply_patch", {"operation": {"type": "delete_file", "path": "p"}}),
        ]
        assert [turn.parts[0] for turn in said[1::2]] == [
            ToolResult("a", (Text('{"stdout":"a"}'),)),
            ToolResult("b", (Text(msgspec.json.encode(outcome).decode()),)),
            ToolResult("c", (Text("The patch failed."),), is_error=True),
        ]

    def test_reasoning_without_a_carrier_is_nobodys(self) -> None:
        item = {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
            "encrypted_content": "gAAA",
        }
        assert turns(item) == [Turn("assistant", (Thinking("a\n\nb", Signature("", "reasoning", "gAAA", "rs_1")),))]

    @pytest.mark.parametrize("kind", ["thinking", "redacted", "reasoning", "text"])
    def test_a_carrier_is_opened(self, kind: Any) -> None:
        signed = Signature("anthropic", kind, "sig")
        assert turns({"type": "reasoning", "id": "rs_x_0", "summary": [], "encrypted_content": carrier(signed)}) == [
            Turn("assistant", (Thinking("", signed),))
        ]

    def test_the_signature_of_a_call_returns_to_that_call_only(self) -> None:
        signed = Signature("gemini", "call", "sig")
        said = turns(
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "t"}]},
            {"type": "reasoning", "id": "s", "summary": [], "encrypted_content": carrier(signed)},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        )
        assert [turn.parts[0] for turn in said] == [
            Thinking("t"),
            ToolCall("a", "f", "{}", signature=signed),
            ToolCall("b", "f", "{}"),
        ]

    def test_media_of_every_kind_is_read(self) -> None:
        [turn] = turns(
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "low"},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_image", "image_url": f"DATA:image/PNG;charset=x;base64,{PNG.rstrip('=')}"},
                    {"type": "input_file", "file_url": "https://e.com/a.pdf"},
                    {"type": "input_file", "file_data": "_-8", "filename": "a.txt"},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                ],
            }
        )
        assert turn.parts == (
            Image(Source(url="https://e.com/a.png"), "low"),
            Image(Source(file_id="file-1")),
            Image(Source("image/png", data=PNG)),
            Document(Source(url="https://e.com/a.pdf")),
            Document(Source("text/plain", data="/+8="), "a.txt"),
            Audio(Source("audio/mpeg", data="AAAA")),
        )

    def test_a_cache_breakpoint_is_kept(self) -> None:
        [turn] = turns(
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            }
        )
        assert turn.parts == (Text("a", cache="default"),)

    def test_a_made_picture_is_a_picture_of_the_assistant(self) -> None:
        [turn] = turns({"type": "image_generation_call", "id": "ig", "result": PNG, "status": "completed"})
        assert turn == Turn("assistant", (Image(Source("image/png", data=PNG)),))

    def test_items_that_only_the_vendor_knows_stay_what_they_are(self) -> None:
        item = {"type": "dream_call", "id": "ws", "status": "completed"}
        assert turns(item) == [Turn("assistant", (Foreign("openai_responses", "dream_call", item),))]

    def test_a_compacted_history_cannot_be_read_by_another(self) -> None:
        for item in (
            {"type": "compaction", "encrypted_content": "x"},
            {"type": "compaction_summary", "encrypted_content": "gw1.compaction.!"},
            {"type": "context_compaction", "encrypted_content": "x"},
            {"type": "compaction"},
        ):
            losses = Losses()
            parse(losses, input=[item, {"role": "user", "content": "q"}])
            assert paths(losses) == {"input[0]": "refuse"}

    def test_a_mark_of_codex_where_it_compacted_by_itself_says_nothing(self) -> None:
        losses = Losses()
        assert parse(losses, input=[{"type": "context_compaction"}, {"role": "user", "content": "q"}]).turns == (
            Turn("user", (Text("q"),)),
        )
        assert paths(losses) == {}

    def test_what_was_compacted_here_is_told_in_words(self) -> None:
        item = {"type": "compaction", "id": "cmp_1", "encrypted_content": compaction.carried("SUM")}
        assert turns(item) == [Turn("user", (Text(compaction.restored("SUM")),))]

    @pytest.mark.parametrize(
        ("item", "param"),
        [
            ({"type": "item_reference", "id": "msg_1"}, "input[0]"),
            ("text", "input[0]"),
            ({"type": 5}, "input[0].type"),
            ({"type": []}, "input[0].type"),
            ({"role": "tool", "content": "x"}, "input[0].tool_call_id"),
            ({"role": "critic", "content": "x"}, "input[0].role"),
            ({"role": "user", "content": 5}, "input[0].content"),
            ({"role": "user", "content": [5]}, "input[0].content[0]"),
            ({"role": "user", "content": [{"type": "input_smell"}]}, "input[0].content[0]"),
            ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text"),
            ({"role": "user", "content": [{"type": "input_image"}]}, "input[0].content[0].image_url"),
            (
                {"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]},
                "input[0].content[0].image_url",
            ),
            ({"role": "user", "content": [{"type": "input_file"}]}, "input[0].content[0].file_data"),
            (
                {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
                "input[0].content[0].input_audio.data",
            ),
            ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
            ({"type": "function_call", "call_id": "a", "arguments": "{}"}, "input[0].name"),
            ({"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}, "input[0].arguments"),
            ({"type": "function_call_output", "call_id": 5, "output": ""}, "input[0].call_id"),
            ({"type": "function_call_output", "call_id": "a", "output": {}}, "input[0].output"),
        ],
    )
    def test_what_is_no_item_is_refused_with_its_place(self, item: Any, param: str) -> None:
        assert param_of(input=[item]) == param


class TestConfigurationUpdates:
    def test_the_last_update_of_each_setting_holds_as_if_it_stood_at_the_top(self) -> None:
        schema = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
        losses = Losses()
        parsed = parse(
            losses,
            reasoning={"effort": "low", "summary": "auto"},
            text={"verbosity": "low", "format": {"type": "json_object"}},
            input=[
                {"type": "configuration_update", "reasoning": {"effort": "minimal"}, "text": {"format": schema}},
                {"role": "user", "content": "a"},
                {"type": "configuration_update", "id": "cu_1", "reasoning": {"effort": "high"}},
                {"role": "user", "content": "b"},
                {"type": "configuration_update", "text": None},
            ],
        )
        assert parsed.turns == (Turn("user", (Text("a"),)), Turn("user", (Text("b"),)))
        assert parsed.reasoning == Reasoning("high", visible=True)
        assert parsed.output == Output(SCHEMA, "n", strict=True)
        assert parsed.settings.verbosity == "low"
        assert paths(losses) == {}
        assert parsed.echo["reasoning"] == {"effort": "high", "summary": "auto"}

    def test_an_update_can_take_a_setting_back(self) -> None:
        parsed = parse(
            reasoning={"effort": "high"},
            text={"format": {"type": "json_object"}},
            input=[
                {"type": "configuration_update", "reasoning": {"effort": None}, "text": {"format": {"type": "text"}}}
            ],
        )
        assert (parsed.reasoning, parsed.output) == (None, None)

    def test_what_else_an_update_says_is_reported(self) -> None:
        losses = Losses()
        parse(
            losses,
            input=[
                {
                    "type": "configuration_update",
                    "model": "other",
                    "reasoning": {"effort": "low", "context": "all_turns"},
                    "text": {"format": {"type": "text"}, "voice": "x", "speed": None},
                }
            ],
        )
        assert paths(losses) == {"input[0].model": "warn", "reasoning.context": "note", "text.voice": "note"}

    @pytest.mark.parametrize(
        ("update", "param"),
        [
            ({"reasoning": 5}, "input[0].reasoning"),
            ({"text": []}, "input[0].text"),
            ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ],
    )
    def test_what_is_no_update_is_refused(self, update: dict[str, Any], param: str) -> None:
        assert param_of(input=[{"type": "configuration_update", **update}]) == param


class TestParseSettings:
    def test_an_earlier_response_is_not_known(self) -> None:
        with pytest.raises(StateNotFound) as caught:
            parse(previous_response_id="resp_1")
        assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
        with pytest.raises(StateNotFound):
            parse(conversation="conv_1")

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"input": None}, "input"),
            ({"input": []}, "input"),
            ({"input": 5}, "input"),
            ({"instructions": []}, "instructions"),
            ({"tools": {}}, "tools"),
            ({"tools": [{}]}, "tools[0]"),
            ({"tools": [{"type": "function"}]}, "tools[0].name"),
            ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
            ({"tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[0].strict"),
            ({"tools": [{"type": "custom", "name": "f", "format": {"type": "grammar"}}]}, "tools[0].format"),
            ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "x"}]}]}, "tools[0].tools[0]"),
            ({"tool_choice": "maybe"}, "tool_choice"),
            ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
            ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice"),
            ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
            ({"reasoning": "high"}, "reasoning"),
            ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
            ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
            ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
            ({"temperature": "hot"}, "temperature"),
            ({"max_output_tokens": 1.5}, "max_output_tokens"),
            ({"max_output_tokens": 0}, "max_output_tokens"),
            ({"metadata": []}, "metadata"),
            ({"include": "x"}, "include"),
        ],
    )
    def test_what_the_dialect_would_refuse_is_refused_with_its_place(self, body: Any, param: str) -> None:
        assert param_of(**body) == param

    @pytest.mark.parametrize(
        "body",
        [
            {"background": True},
            {"prompt": {"id": "p"}},
            {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        ],
    )
    def test_what_means_nothing_without_the_vendor_is_refused(self, body: Any) -> None:
        losses = Losses()
        parse(losses, **body)
        assert losses.at_least("refuse")

    def test_a_codex_request_is_understood_without_losses_that_matter(self) -> None:
        losses = Losses()
        said = parse(
            losses,
            instructions="S",
            input=[{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D"}]}],
            tools=[
                {"type": "function", "name": "shell", "description": "d", "strict": False, "parameters": SCHEMA},
                {
                    "type": "custom",
                    "name": "apply_patch",
                    "description": "e",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start"},
                },
                {"type": "web_search", "external_web_access": False},
                {
                    "type": "namespace",
                    "name": "ns",
                    "description": "g",
                    "tools": [{"type": "function", "name": "f", "parameters": None}],
                },
                {"type": "local_shell"},
            ],
            tool_choice="auto",
            parallel_tool_calls=True,
            reasoning={"effort": "medium", "summary": "auto"},
            store=False,
            include=["reasoning.encrypted_content"],
            prompt_cache_key="thread",
            text={"verbosity": "low"},
            client_metadata={"a": "b"},
            stream_options=None,
        )
        assert paths(losses) == {"client_metadata": "note", "tools[2]": "note", "tools[3].description": "note"}
        assert [(tool.name, tool.namespace, tool.custom, tool.grammar) for tool in said.tools] == [
            ("shell", "", False, None),
            ("apply_patch", "", True, ("lark", "start")),
            ("ns__f", "ns", False, None),
            ("local_shell", "", False, None),
        ]
        assert said.tools[3].parameters["required"] == ["command"]
        assert said.hosted_tools == ()  # a search elsewhere would go out to the web
        assert said.tool_choice == ToolChoice("auto")
        assert said.reasoning == Reasoning("medium", visible=True)
        assert said.settings == Settings(cache_key="thread", verbosity="low")
        assert said.parallel_calls is True

    @pytest.mark.parametrize(
        ("choice", "wanted"),
        [
            ("none", ToolChoice("none")),
            ("required", ToolChoice("required")),
            ({"type": "function", "name": "f"}, ToolChoice("required", ("f",))),
            ({"type": "custom", "name": "p"}, ToolChoice("required", ("p",))),
            ({"type": "shell"}, ToolChoice("required", ("shell",))),
            (
                {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "s"}],
                },
                ToolChoice("auto", ("f",)),
            ),
        ],
    )
    def test_tool_choices_are_read(self, choice: Any, wanted: ToolChoice) -> None:
        assert parse(tool_choice=choice, tools=[{"type": "shell"}]).tool_choice == wanted

    def test_a_namespace_is_chosen_as_all_of_its_tools(self) -> None:
        group = {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": name} for name in "ab"]}
        choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "namespace", "name": "n"}]}
        assert parse(tools=[group], tool_choice=choice).tool_choice == ToolChoice("required", ("n__a", "n__b"))

    @pytest.mark.parametrize("kind", ["shell", "tool_search", "computer"])
    def test_a_tool_that_the_client_does_not_run_cannot_be_forced(self, kind: str) -> None:
        losses = Losses()
        hosted = [
            {"type": "shell", "environment": {"type": "container_auto"}},
            {"type": "tool_search"},
            {"type": "function", "name": "computer", "parameters": None},
        ]
        assert parse(losses, tools=hosted, tool_choice={"type": kind}).tool_choice is None
        assert paths(losses)["tool_choice"] == "refuse"

    def test_settings_are_read(self) -> None:
        said = parse(
            max_output_tokens=7.0, temperature=1, top_p=0.5, user="u", safety_identifier="s", metadata={"a": "b"},
            service_tier="flex", include=["message.output_text.logprobs"], top_logprobs=2,
            text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
        )  # fmt: skip
        assert said.settings == Settings(
            max_output=7,
            temperature=1,
            top_p=0.5,
            user="s",
            metadata={"a": "b"},
            service_tier="flex",
            logprobs=True,
            top_logprobs=2,
        )
        assert said.output == Output(SCHEMA, "n", strict=True)
        assert parse(text={"format": {"type": "json_object"}}).output == Output()
        assert parse(text={"format": {"type": "text"}}).output is None

    def test_a_shell_in_a_container_is_the_vendors(self) -> None:
        said = parse(tools=[{"type": "shell", "environment": {"type": "container_auto"}}])
        assert (said.tools, len(said.hosted_tools)) == ((), 1)

    def test_tools_that_items_bring_along_are_tools(self) -> None:
        tool = {"type": "function", "name": "late", "parameters": SCHEMA}
        said = parse(
            input=[{"role": "user", "content": "q"}, {"type": "additional_tools", "role": "developer", "tools": [tool]}]
        )
        assert [tool.name for tool in said.tools] == ["late"]


class TestRender:
    def test_the_golden_history(self) -> None:
        history = asked(
            Turn("system", (Text("S"),)),
            Turn("user", (Text("weather?"),)),
            Turn(
                "assistant",
                (
                    Thinking("", Signature("openai", "reasoning", "own", "rs_1")),
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
        assert render(history) == {
            "model": "up",
            "instructions": "S",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "own"},
                {"type": "function_call", "call_id": "call_a", "name": "get", "arguments": '{"city":"Paris"}'},
                {"type": "function_call", "call_id": "call_b", "name": "get", "arguments": '{"city":"Rome"}'},
                {"type": "function_call_output", "call_id": "call_a", "output": "18C"},
                {"type": "function_call_output", "call_id": "call_b", "output": "Error: timeout"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "be brief"}]},
            ],
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }

    def test_later_instructions_stay_in_place(self) -> None:
        history = asked(
            Turn("system", (Text("a"), Text("b"))),
            Turn("developer", (Text("c"),)),
            Turn("user", (Text("q"),)),
            Turn("system", (Text("d"),)),
        )
        body = render(history)
        assert body["instructions"] == "a\n\nb"
        assert [(item["role"], item["content"][0]["text"]) for item in body["input"]] == [
            ("developer", "c"),
            ("user", "q"),
            ("developer", "d"),
        ]

    def test_instructions_alone_are_the_input(self) -> None:
        body = render(asked(Turn("system", (Text("a"),))))
        assert "instructions" not in body
        assert body["input"][0]["role"] == "developer"

    def test_what_the_assistant_said_is_output(self) -> None:
        [item] = render(asked(Turn("assistant", (Text("a"), Refusal("no")))))["input"]
        assert item == {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "no"}],
        }

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            Signature("", "reasoning", "x"),
            Signature("anthropic", "thinking", "x"),
            Signature("openai", "call", "x"),
        ],
    )
    def test_thoughts_of_others_stay_at_home(self, signature: Signature | None) -> None:
        losses = Losses()
        body = render(
            asked(Turn("user", (Text("q"),)), Turn("assistant", (Thinking("SECRET", signature), Text("a")))),
            losses=losses,
        )
        assert "SECRET" not in json.dumps(body)
        assert paths(losses) == {"turns[1].parts[0]": "note"}

    def test_a_thought_stands_right_before_what_came_of_it_or_not_at_all(self) -> None:
        def own(data: str) -> Thinking:
            return Thinking("t", Signature("openai", "reasoning", data))

        losses = Losses()
        body = render(
            asked(Turn("assistant", (own("1"), Text("a"), own("2"), ToolCall("c", "f", "{}"), own("3")))), losses=losses
        )
        assert [item.get("encrypted_content", item["type"]) for item in body["input"]] == [
            "1",
            "message",
            "2",
            "function_call",
        ]
        assert paths(losses) == {"turns[0].parts[4]": "note"}

    def test_rich_results_keep_their_pictures(self) -> None:
        result = ToolResult(
            "a",
            (Text("here"), Image(Source("image/png", data=PNG)), Document(Source("application/pdf", data="JVBERg=="))),
            is_error=True,
        )
        [item] = render(asked(Turn("user", (result,))))["input"]
        assert item["output"] == [
            {"type": "input_text", "text": "Error: here"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ]

    def test_an_empty_result_is_empty_text_and_empty_arguments_an_empty_object(self) -> None:
        history = asked(
            Turn("assistant", (ToolCall("a", "f", ""), ToolCall("b", "p", "", custom=True))),
            Turn("user", (ToolResult("a", ()), ToolResult("b", (), is_error=True, custom=True))),
        )
        call, custom, output, failed = render(history)["input"]
        assert call["arguments"] == "{}"
        assert custom == {"type": "custom_tool_call", "call_id": "b", "name": "p", "input": ""}
        assert output["output"] == ""
        assert failed == {"type": "custom_tool_call_output", "call_id": "b", "output": "Error"}

    def test_another_vendors_files_are_refused(self) -> None:
        losses = Losses()
        render(asked(Turn("user", (Image(Source(file_id="file_011")), Text("what is it?")))), losses=losses)
        assert [loss.weight for loss in losses] == ["refuse"]

    def test_a_text_document_is_text(self) -> None:
        document = Document(Source("text/plain", data=base64.b64encode("é".encode()).decode()), "notes")
        [item] = render(
            asked(Turn("user", (document, Image(Source(file_id="file-1")), Audio(Source("audio/wav", data="AAAA")))))
        )["input"]
        assert item["content"] == [
            {"type": "input_text", "text": "notes\n\né"},
            {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]

    def test_what_cannot_be_said_is_recorded(self) -> None:
        losses = Losses()
        render(
            asked(
                Turn(
                    "user",
                    (
                        Text("a", cache="5m"),
                        Video(Source("video/mp4", data="AA==")),
                        Audio(Source("audio/flac", data="AA==")),
                        Foreign("anthropic", "k", {}),
                    ),
                ),
                Turn("assistant", (Image(Source(data=PNG)), Text("b"))),
                settings=Settings(
                    stop=("x",),
                    seed=1,
                    top_k=2,
                    choices=2,
                    logprobs=True,
                    logit_bias={"1": 1},
                    presence_penalty=0.1,
                    frequency_penalty=0.1,
                ),
                hosted_tools=(HostedTool("anthropic", "code_execution", {}),),
            ),
            losses=losses,
        )
        assert paths(losses) == {
            "turns[0].parts[0].cache_control": "note",
            "turns[0].parts[1]": "refuse",
            "turns[0].parts[2]": "refuse",
            "turns[0].parts[3]": "warn",
            "turns[1].parts[0]": "warn",
            "tools.code_execution": "warn",
            **dict.fromkeys(
                ["top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "n"],
                "warn",
            ),
        }

    def test_tools_are_flat_and_say_whether_they_are_strict(self) -> None:
        tools = (
            Tool("f", "d", SCHEMA),
            Tool("g", parameters={"type": "object"}, strict=True),
            Tool("h"),
            Tool("p", custom=True, grammar=("lark", "start")),
            Tool("q", custom=True),
        )
        hosted = (HostedTool("anthropic", "web_search", {"type": "web_search_20250305"}),)
        empty = {"type": "object", "properties": {}}
        assert render(asked(tools=tools, hosted_tools=hosted))["tools"] == [
            {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False},
            {"type": "function", "name": "g", "parameters": empty, "strict": True},
            {"type": "function", "name": "h", "parameters": empty, "strict": False},
            {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "start"}},
            {"type": "custom", "name": "q", "format": {"type": "text"}},
            {"type": "web_search"},
        ]

    def test_a_forced_web_search_is_chosen_by_its_type(self) -> None:
        hosted = HostedTool(
            "anthropic", "web_search", {"type": "web_search_20250305", "name": "web_search"}, forced=True
        )
        assert render(asked(hosted_tools=(hosted,)))["tool_choice"] == {"type": "web_search"}
        losses = Losses()
        other = HostedTool("anthropic", "code_execution", {"name": "code_execution"}, forced=True)
        assert "tool_choice" not in render(asked(hosted_tools=(other,)), losses=losses)
        assert [loss.path for loss in losses.at_least("refuse")] == ["tools.code_execution"]

    @pytest.mark.parametrize(
        ("choice", "wanted"),
        [
            (ToolChoice("auto"), "auto"),
            (ToolChoice("none", ("f",)), "none"),
            (ToolChoice("required"), "required"),
            (ToolChoice("required", ("f",)), {"type": "function", "name": "f"}),
            (ToolChoice("required", ("p",)), {"type": "custom", "name": "p"}),
            (
                ToolChoice("auto", ("f",)),
                {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ),
        ],
    )
    def test_tool_choices_are_written(self, choice: ToolChoice, wanted: Any) -> None:
        tools = (Tool("f"), Tool("p", custom=True))
        body = render(asked(tools=tools, tool_choice=choice, parallel_calls=False))
        assert (body["tool_choice"], body["parallel_tool_calls"]) == (wanted, False)
        assert not render(asked(tool_choice=choice, parallel_calls=False)).keys() & {
            "tools",
            "tool_choice",
            "parallel_tool_calls",
        }

    @pytest.mark.parametrize(
        ("model", "reasoning", "wanted"),
        [
            ("gpt-5", Reasoning("low"), {"effort": "low"}),
            ("gpt-5", Reasoning("high", visible=True), {"effort": "high", "summary": "auto"}),
            ("gpt-5", Reasoning("xhigh"), {"effort": "high"}),
            ("gpt-5", Reasoning("none"), {"effort": "minimal"}),
            ("gpt-5.1", Reasoning("none"), {"effort": "none"}),
            ("gpt-5.1", Reasoning("minimal"), {"effort": "low"}),
            ("gpt-5", Reasoning("auto", visible=True), {"summary": "auto"}),
            ("gpt-5", Reasoning(budget=4096), {"effort": "medium"}),
            ("gpt-5", Reasoning(budget=31_999), {"effort": "high"}),
            ("gpt-5.1", Reasoning(budget=0), {"effort": "none"}),
            ("gpt-5", Reasoning(budget=-1), None),
            ("gpt-5", None, None),
            ("gpt-4.1", Reasoning("high"), None),
        ],
    )
    def test_reasoning_is_asked_for_as_the_model_takes_it(
        self, model: str, reasoning: Reasoning | None, wanted: Any
    ) -> None:
        assert render(asked(reasoning=reasoning), model).get("reasoning") == wanted

    def test_reasoning_is_encrypted_unless_the_vendor_refuses_to(self) -> None:
        assert "include" not in render(asked(), "gpt-4.1")
        assert "include" in render(asked(), "some-model")

    def test_output_is_flat_and_has_a_name(self) -> None:
        titled = {"title": "A Person!", **SCHEMA}
        assert render(asked(output=Output(titled)))["text"] == {
            "format": {"type": "json_schema", "name": "A_Person_", "schema": titled, "strict": False}
        }
        verbose = Settings(verbosity="low")
        assert render(asked(output=Output(SCHEMA, strict=True), settings=verbose))["text"] == {
            "format": {"type": "json_schema", "name": "response", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        }

    def test_json_is_mentioned_where_it_is_asked_for(self) -> None:
        body = render(asked(Turn("system", (Text("JSON"),)), Turn("user", (Text("x"),)), output=Output()))
        assert body["text"] == {"format": {"type": "json_object"}}
        assert [item["role"] for item in body["input"]] == ["developer", "user"]
        assert len(render(asked(Turn("user", (Text("as json"),)), output=Output()))["input"]) == 1

    def test_settings_are_written(self) -> None:
        settings = Settings(
            max_output=77, temperature=0.5, top_p=0.25, user="u", metadata={"a": "b"}, cache_key="k", service_tier="standard_only"
        )  # fmt: skip
        body = render(asked(settings=settings, stream=True), "gpt-4.1")
        assert {
            name: body[name]
            for name in (
                "max_output_tokens",
                "temperature",
                "top_p",
                "user",
                "metadata",
                "prompt_cache_key",
                "service_tier",
                "stream",
            )
        } == {
            "max_output_tokens": 77,
            "temperature": 0.5,
            "top_p": 0.25,
            "user": "u",
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "service_tier": "default",
            "stream": True,
        }

    def test_settings_that_the_model_or_vendor_refuses_are_fitted(self) -> None:
        losses = Losses()
        settings = Settings(max_output=1, temperature=0.5, user="u" * 65, metadata={"a": 1}, service_tier="batch")
        body = render(asked(settings=settings), "gpt-5", losses)
        assert body["max_output_tokens"] == 16
        assert len(body["user"]) == 64
        assert not body.keys() & {"temperature", "metadata", "service_tier"}
        assert paths(losses) == {
            "max_output_tokens": "warn",
            "temperature": "warn",
            "service_tier": "note",
            "metadata": "note",
        }


def test_a_request_that_is_parsed_and_rendered_says_the_same() -> None:
    history = [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "q"},
                {"type": "input_image", "image_url": "https://e.com/a", "detail": "low"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "own",
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]},
    ]
    carried = [
        {**item, "encrypted_content": carrier(Signature("openai", "reasoning", "own", "rs_1"))}
        if item["type"] == "reasoning"
        else item
        for item in history
    ]
    body = {
        "instructions": "S",
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        "max_output_tokens": 50,
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    losses = Losses()
    said = repair_history(parse(losses, **body, input=carried), losses=losses)
    assert render(said, losses=losses) == {"model": "up", "input": history, **body}
    assert len(losses) == 0


class TestWhatIsSeldomThere:
    def test_phases_and_pictures_in_instructions_are_lost(self) -> None:
        losses = Losses()
        picture = {"type": "input_image", "image_url": "https://a.example/x.png"}
        items = [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "S"}, picture]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "message", "role": "assistant", "phase": "final", "content": [{"type": "refusal", "refusal": ""}]},
        ]
        read = parse(losses, input=items)
        assert [turn.parts for turn in read.turns] == [(Text("S"),), (Text("x"),)]
        assert set(paths(losses)) == {"input[0].content", "input[2].phase"}

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"input": [{"type": "image_generation_call", "id": "i", "result": "%"}]}, "input[0].result"),
            (
                {
                    "input": [
                        {"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "%"}]}
                    ]
                },
                "input[0].content[0].file_data",
            ),
            ({"tools": [{"type": "namespace", "name": "n", "tools": 1}]}, "tools[0].tools"),
            ({"tools": [{"type": "function", "name": "f", "description": 1}]}, "tools[0].description"),
            (
                {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [1]}},
                "tool_choice.tools[0]",
            ),
        ],
    )
    def test_what_is_wrong_is_refused_with_its_place(self, body: Any, param: str) -> None:
        assert param_of(**body) == param

    def test_members_that_are_unknown_here_are_noted(self) -> None:
        losses = Losses()
        parse(
            losses,
            reasoning={"effort": "low", "mood": "good", "context": None},
            include=["smells"],
            tools=[
                {"type": "function", "name": "f", "colour": "red", "size": None},
                {"type": "function", "name": "f", "description": "another"},
            ],
        )
        assert {"reasoning.mood", "include[0]", "tools[0].colour", "tools[1]"} <= set(paths(losses))

    def test_a_schema_keeps_its_description(self) -> None:
        body = render(asked(output=Output(schema={"type": "object"}, description="D")))
        assert body["text"]["format"]["description"] == "D"

    def test_top_log_probabilities_may_be_left_open(self) -> None:
        body = render(asked(settings=Settings(logprobs=True)), "gpt-4o")
        assert "top_logprobs" not in body

    def test_instructions_with_more_than_text_stay_in_the_input(self) -> None:
        turn = Turn("system", (Text("S"), Image(Source("image/png", data="AAAA"))))
        assert not render(asked(turn, Turn("user", (Text("x"),)))).get("instructions")

    def test_a_model_that_is_not_known_to_reason_is_told_nothing(self) -> None:
        losses = Losses()
        assert "reasoning" not in render(asked(reasoning=Reasoning(effort="none")), "gpt-4o", losses)
        assert not paths(losses)
        like = msgspec.structs.replace(profile("gpt-5"), efforts=("none",))
        assert render(asked(reasoning=Reasoning(effort="high")), like)["reasoning"]["effort"] == "high"

    def test_a_json_object_is_asked_for_in_words_where_only_the_assistant_has_spoken(self) -> None:
        body = render(asked(Turn("assistant", (Text("x"),)), output=Output()))
        assert "JSON" in str(body["input"])


def test_a_grammar_that_is_none_is_refused() -> None:
    tool = {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": 7}}
    assert param_of(tools=[tool]) == "tools[0].format"


def test_a_video_has_no_place_here() -> None:
    losses = Losses()
    render(asked(Turn("user", (Video(Source("video/mp4", data="AA")), Text("x")))), losses=losses)
    assert list(paths(losses).values()) == ["refuse"]


def test_what_is_off_is_not_lost() -> None:
    losses = Losses()
    parse(losses, truncation="disabled", unheard_of=False, other=None)
    assert not list(losses)


def test_a_patch_without_an_operation_is_a_plain_call() -> None:
    assert call_of('{"operation": 7}', "apply_patch") is None
    assert call_of('{"operation": {"type": "delete_file"}}', "apply_patch") is None


def test_an_output_that_is_nested_too_deeply_is_refused() -> None:
    call = {"type": "shell_call", "call_id": "a", "action": {"commands": ["ls"]}}
    with pytest.raises(Invalid):
        parse(input=[call, {"type": "shell_call_output", "call_id": "a", "output": too_deep()}])


def test_a_form_of_a_custom_tool_that_is_none_is_refused() -> None:
    assert param_of(tools=[{"type": "custom", "name": "f", "format": 7}]) == "tools[0].format"


def test_markers_of_items_and_of_the_whole_request_are_read() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    said = parse(
        input=[
            {"role": "user", "content": "a", **mark},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", **mark},
            {"type": "function_call_output", "call_id": "c", "output": "r", **mark},
        ],
        tools=[
            {"type": "function", "name": "f", "parameters": None, **mark},
            {"type": "custom", "name": "g", **mark},
        ],
        **mark,
    )
    assert [part for turn in said.turns for part in turn.parts] == [
        Text("a", cache="default"),
        ToolCall("c", "f", "{}", cache="default"),
        ToolResult("c", (Text("r"),), cache="default"),
    ]
    assert [tool.cache for tool in said.tools] == ["default", "default"]
    assert said.settings.cache == "default"
