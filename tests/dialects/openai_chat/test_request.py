from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    HostedTool,
    Image,
    Invalid,
    Output,
    Reasoning,
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
from agcore.dialects.openai_chat.request_reader import parse_request
from agcore.dialects.openai_chat.request_writer import render_request
from agcore.models.known import profile
from agcore.models.profiles import Profile

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HI: list[Any] = [{"role": "user", "content": "hi"}]
UNKNOWN = Profile(model="some-model", display_name="Some model")
ONE_HISTORY: list[Any] = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "get", "arguments": '{"city":"Paris"}'}},
            {"id": "call_b", "type": "function", "function": {"name": "get", "arguments": '{"city":"Rome"}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_a", "content": "18C"},
    {"role": "tool", "tool_call_id": "call_b", "content": "Error: timeout"},
    {"role": "user", "content": "be brief"},
]


def parsed(losses: Losses | None = None, /, **body: Any) -> Conversation:
    body = {"messages": HI, **body}
    return parse_request(body, model="m", stream=False, losses=Losses() if losses is None else losses)


def written(
    conversation: Conversation, *, model: str = "", signer: str = "up", losses: Losses | None = None
) -> dict[str, Any]:
    known = profile(model, dialect="openai_chat") if model else UNKNOWN
    return render_request(
        conversation, model="up-model", profile=known, signer=signer, losses=Losses() if losses is None else losses
    )


def talk(*turns: Turn, **rest: Any) -> Conversation:
    return Conversation(model="m", turns=turns or (Turn("user", (Text("hi"),)),), **rest)


def weights(losses: Losses) -> dict[str, str]:
    return {loss.path: loss.weight for loss in losses}


def test_the_seed_history_reads_into_turns_with_calls_and_results() -> None:
    turns = parsed(messages=ONE_HISTORY).turns
    assert turns == (
        Turn("system", (Text("S"),)),
        Turn("user", (Text("weather?"),)),
        Turn(
            "assistant",
            (ToolCall("call_a", "get", '{"city":"Paris"}'), ToolCall("call_b", "get", '{"city":"Rome"}')),
        ),
        Turn("user", (ToolResult("call_a", (Text("18C"),)),)),
        Turn("user", (ToolResult("call_b", (Text("Error: timeout"),)),)),
        Turn("user", (Text("be brief"),)),
    )


def test_the_seed_history_comes_out_as_it_went_in() -> None:
    assert written(parsed(messages=ONE_HISTORY))["messages"] == ONE_HISTORY


def test_results_and_text_of_one_turn_become_tool_messages_and_then_a_user_message() -> None:
    turn = Turn(
        "user",
        (ToolResult("a", (Text("18C"),)), ToolResult("b", (Text("timeout"),), is_error=True), Text("be brief")),
    )
    assert written(talk(turn))["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "18C"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: timeout"},
        {"role": "user", "content": "be brief"},
    ]


def test_a_picture_in_a_tool_result_follows_in_a_user_message_of_its_own() -> None:
    picture = Image(Source("image/png", data=PNG))
    turn = Turn("user", (ToolResult("a", (Text("here"), picture)), Text("well?")))
    losses = Losses()
    tool, moved, user = written(talk(turn), losses=losses)["messages"]
    assert tool == {"role": "tool", "tool_call_id": "a", "content": "here"}
    assert moved["role"] == "user"
    assert moved["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert user == {"role": "user", "content": "well?"}
    assert weights(losses) == {"messages[0].content[0].content[1]": "note"}


def test_an_image_url_may_be_a_bare_string_and_its_real_type_wins() -> None:
    content = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": f"data:image/jpeg;base64,{PNG}"}]
    (turn,) = parsed(messages=[{"role": "user", "content": content}]).turns
    assert turn.parts == (Text("?"), Image(Source("image/png", data=PNG)))


def test_media_survive_a_round_trip() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "https://images.example.com/cat.jpg", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZF", "format": "wav"}},
        {"type": "file", "file": {"filename": "p.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}},
        {"type": "text", "text": "all of it"},
    ]
    messages = [{"role": "user", "content": content}]
    assert written(parsed(messages=messages))["messages"] == messages


def test_a_text_document_becomes_text_under_its_title() -> None:
    turn = Turn("user", (Document(Source("text/plain", data="Q29kZSA3"), title="note"), Text("?")))
    content = written(talk(turn))["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "note\n\nCode 7"}


@pytest.mark.parametrize(
    "part",
    [
        Video(Source(file_id="file_1")),
        Audio(Source("audio/ogg", data="AAAA")),
        Document(Source(url="https://example.com/a.pdf")),
        Document(Source(file_id="file_1")),
        Image(Source(file_id="file_1")),
    ],
)
def test_media_that_chat_cannot_take_refuse(part: Any) -> None:
    losses = Losses()
    written(talk(Turn("user", (part, Text("?")))), losses=losses)
    assert weights(losses) == {"messages[0].content[0]": "refuse"}


def test_a_video_is_for_models_of_other_vendors_than_openai() -> None:
    turn = Turn("user", (Video(Source("video/mp4", data="AAAA")), Text("?")))
    losses = Losses()
    shown = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    for model in ("glm-4.6v", ""):
        assert written(talk(turn), model=model, losses=losses)["messages"][0]["content"][0] == shown
    assert weights(losses) == {}
    written(talk(turn), model="gpt-5", losses=losses)
    assert weights(losses) == {"messages[0].content[0]": "refuse"}


def test_the_same_reasoning_in_three_fields_counts_once() -> None:
    message = {
        "role": "assistant",
        "content": "A",
        "reasoning_content": "T",
        "reasoning": "T",
        "reasoning_details": [{"type": "reasoning.text", "text": "T"}],
    }
    (turn,) = parsed(messages=[message]).turns
    assert turn.parts == (Thinking("T"), Text("A"))


def test_carriers_open_into_signatures_at_the_thought_or_call_they_belong_to() -> None:
    thinking = Signature("anthropic", "thinking", "s1")
    redacted = Signature("anthropic", "redacted", "s2")
    call, of_text = Signature("gemini", "call", "s3"), Signature("gemini", "text", "s4")
    message = {
        "role": "assistant",
        "content": "A",
        "reasoning_content": "T",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "T", "signature": carrier(thinking)},
            {"type": "reasoning.encrypted", "data": carrier(redacted)},
            {"type": "reasoning.encrypted", "data": carrier(of_text)},
        ],
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": carrier(call)}},
            }
        ],
    }
    (turn,) = parsed(messages=[message]).turns
    assert turn.parts == (
        Thinking("T", thinking),
        Thinking("", redacted),
        Text("A"),
        Thinking("", of_text),
        ToolCall("c1", "f", "{}", signature=call),
    )


def test_a_call_signature_among_the_details_belongs_to_the_next_call() -> None:
    signature = Signature("gemini", "call", "s")
    message = {
        "role": "assistant",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": carrier(signature)}],
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}],
    }
    assert parsed(messages=[message]).turns[0].parts == (ToolCall("c1", "f", "", signature=signature),)


def test_a_signature_without_carrier_is_nobodys() -> None:
    message = {"role": "assistant", "reasoning_details": [{"type": "reasoning.text", "text": "T", "signature": "x"}]}
    assert parsed(messages=[message]).turns[0].parts == (Thinking("T", Signature("", "thinking", "x")),)


def test_only_the_signers_own_signatures_go_upstream() -> None:
    own, foreign = Signature("up", "call", "mine"), Signature("other", "thinking", "theirs")
    turn = Turn("assistant", (Thinking("SECRET", foreign), ToolCall("c1", "f", "{}", signature=own)))
    losses = Losses()
    (message,) = written(talk(turn), losses=losses)["messages"]
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "mine"}}
    assert "SECRET" not in json.dumps(message)
    assert message["content"] is None
    assert weights(losses) == {"messages[0].content[0]": "note"}


def test_vendors_that_want_thoughts_back_get_them_beside_the_content() -> None:
    turn = Turn("assistant", (Thinking("PLAN"), ToolCall("c1", "f", "{}")))
    (message,) = written(talk(turn), model="deepseek-v4-pro")["messages"]
    assert message["reasoning_content"] == "PLAN"
    assert message["content"] is None


def test_an_assistant_turn_of_dropped_thoughts_leaves_no_message() -> None:
    turns = (Turn("user", (Text("a"),)), Turn("assistant", (Thinking("T"),)), Turn("user", (Text("b"),)))
    assert [message["role"] for message in written(talk(*turns))["messages"]] == ["user", "user"]


def test_old_style_functions_read_as_tools_and_their_calls_pair_by_name() -> None:
    conversation = parsed(
        functions=[{"name": "f"}],
        function_call={"name": "f"},
        messages=[
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "ok"},
        ],
    )
    assert conversation.tools == (Tool("f"),)
    assert conversation.tool_choice == ToolChoice("required", ("f",))
    call, result = conversation.turns[0].parts[0], conversation.turns[1].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"name": "f", "description": "d", "input_schema": {"type": "object"}},
    ],
)
def test_tools_are_read_in_three_spellings_and_written_with_properties(tool: dict[str, Any]) -> None:
    conversation = parsed(tools=[tool])
    assert conversation.tools == (Tool("f", "d", {"type": "object"}),)
    function = written(conversation)["tools"][0]["function"]
    assert function == {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}


def test_a_tool_without_parameters_is_written_without_them() -> None:
    assert written(talk(tools=(Tool("f"),)))["tools"] == [{"type": "function", "function": {"name": "f"}}]


CUSTOM = {
    "type": "custom",
    "custom": {"name": "patch", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}},
}


def test_custom_tools_go_to_openai_as_they_are() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    conversation = parsed(tools=[CUSTOM], messages=messages)
    assert conversation.tools == (Tool("patch", custom=True, grammar=("lark", "start: x")),)
    body = written(conversation, model="gpt-5.2")
    assert body["tools"] == [CUSTOM]
    assert body["messages"] == messages


def test_custom_tools_become_functions_elsewhere() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": '+"x"\n'}}
    conversation = parsed(tools=[CUSTOM], messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])
    body = written(conversation)
    function = body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: x" in function["parameters"]["properties"]["input"]["description"]
    written_call = body["messages"][0]["tool_calls"][0]
    assert written_call["type"] == "function"
    assert json.loads(written_call["function"]["arguments"]) == {"input": '+"x"\n'}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tool_choices_keep_their_force(choice: object, expected: object) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert written(parsed(tools=tools, tool_choice=choice))["tool_choice"] == expected


def test_allowed_tools_stay_a_list_at_openai_and_filter_the_tools_elsewhere() -> None:
    allowed = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": n}} for n in "fg"]},
    }
    tools = [{"type": "function", "function": {"name": name}} for name in "efg"]
    conversation = parsed(tools=tools, tool_choice=allowed)
    own = written(conversation, model="gpt-5.2")
    assert own["tool_choice"] == allowed
    assert len(own["tools"]) == 3
    other = written(conversation)
    assert other["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in other["tools"]] == ["f", "g"]


def test_a_tool_choice_without_tools_is_left_out() -> None:
    body = written(parsed(tool_choice="auto", parallel_tool_calls=False))
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & body.keys()


def test_hosted_tools_are_a_loss_but_the_others_stay() -> None:
    hosted = HostedTool("openai_responses", "web_search", {"type": "web_search"})
    losses = Losses()
    body = written(talk(tools=(Tool("f"),), hosted_tools=(hosted,)), losses=losses)
    assert len(body["tools"]) == 1
    assert weights(losses) == {"tools.web_search": "warn"}


def test_a_forced_hosted_tool_that_is_missing_refuses_the_request() -> None:
    hosted = HostedTool("anthropic", "web_search", {"type": "web_search_20250305", "name": "web_search"}, forced=True)
    losses = Losses()
    written(talk(hosted_tools=(hosted,)), losses=losses)
    assert weights(losses) == {"tools.web_search": "refuse"}


@pytest.mark.parametrize(
    ("model", "searches"),
    [("gpt-4o-search-preview-2025-03-11", True), ("gpt-5-search-api", True), ("gpt-4.1-research-tuned", False)],
)
def test_only_openais_models_for_it_are_asked_to_search(model: str, searches: bool) -> None:
    hosted = HostedTool("anthropic", "web_search", {"type": "web_search_20250305", "name": "web_search"})
    assert ("web_search_options" in written(talk(hosted_tools=(hosted,)), model=model)) is searches


def test_nothing_that_was_not_asked_for_is_sent() -> None:
    assert written(talk()) == {"model": "up-model", "messages": HI}


def test_a_stream_always_asks_for_usage() -> None:
    body = written(talk(stream=True))
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5.2", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-oss-120b", "max_tokens"),
        ("deepseek-v4-pro", "max_tokens"),
        ("", "max_tokens"),
    ],
)
def test_the_limit_takes_the_name_that_the_model_knows(model: str, name: str) -> None:
    body = written(talk(settings=Settings(max_output=55)), model=model)
    assert {key: body[key] for key in body if key.startswith("max")} == {name: 55}


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 12.0}, 12),
    ],
)
def test_limits_are_read_with_the_newer_name_first_and_none_at_zero(fields: dict[str, Any], limit: int | None) -> None:
    assert parsed(**fields).settings.max_output == limit


def test_developer_is_a_role_of_openais_own_models_only() -> None:
    conversation = talk(Turn("developer", (Text("D"),)), Turn("user", (Text("u"),)))
    assert written(conversation, model="gpt-5.2")["messages"][0]["role"] == "developer"
    assert written(conversation)["messages"][0]["role"] == "system"


def test_reasoning_models_of_openai_are_spared_what_they_refuse() -> None:
    settings = Settings(
        temperature=0.3, top_p=1, stop=("E",), presence_penalty=0.5, logit_bias={"5": 1}, top_k=3, verbosity="low"
    )
    losses = Losses()
    body = written(talk(settings=settings), model="gpt-5", losses=losses)
    assert body == {"model": "up-model", "messages": HI, "verbosity": "low"}
    assert weights(losses).keys() == {"temperature", "stop", "presence_penalty", "logit_bias", "top_k"}


def test_more_stop_sequences_than_chat_takes_refuse() -> None:
    losses = Losses()
    written(talk(settings=Settings(stop=tuple("abcde"))), losses=losses)
    assert weights(losses) == {"stop": "refuse"}


def test_sampling_survives_a_round_trip() -> None:
    fields = {"temperature": 0.3, "top_p": 0.9, "stop": ["END"], "seed": 7, "n": 2, "frequency_penalty": 0.5}
    body = written(parsed(**fields))
    assert {key: body[key] for key in fields} == fields


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        ("", Reasoning(effort="high"), {"reasoning_effort": "high"}),
        ("", Reasoning(budget=4096), {"reasoning_effort": "medium"}),
        ("", Reasoning(effort="none"), {}),
        ("", Reasoning(budget=-1), {}),
        ("gpt-5", Reasoning(effort="max"), {"reasoning_effort": "high"}),
        ("gpt-5.1", Reasoning(budget=0), {"reasoning_effort": "none"}),
        ("gpt-4o", Reasoning(effort="high"), {}),
        ("deepseek-v4-pro", Reasoning(effort="none"), {"thinking": {"type": "disabled"}}),
        ("deepseek-v4-pro", Reasoning(effort="max"), {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("qwen-plus", Reasoning(budget=500), {"enable_thinking": True, "thinking_budget": 500}),
    ],
)
def test_reasoning_is_asked_for_in_the_models_way(model: str, reasoning: Reasoning, expected: dict[str, Any]) -> None:
    body = written(talk(reasoning=reasoning), model=model)
    assert {key: body[key] for key in body if key not in ("model", "messages")} == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "low"}, Reasoning(effort="low")),
        ({"reasoning": {"max_tokens": 100}}, Reasoning(budget=100, visible=True)),
        ({"reasoning": {"effort": "high", "exclude": True}}, Reasoning(effort="high", visible=False)),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget=2048)),
        ({}, None),
    ],
)
def test_reasoning_is_read_in_the_words_of_several_servers(fields: dict[str, Any], expected: object) -> None:
    assert parsed(**fields).reasoning == expected


def test_a_schema_is_nested_under_a_legal_name() -> None:
    schema = {"type": "object", "title": "My answer!", "properties": {}}
    written_format = written(talk(output=Output(schema=schema)))["response_format"]
    assert written_format == {"type": "json_schema", "json_schema": {"name": "My_answer", "schema": schema}}
    again = parsed(response_format=written_format).output
    assert again == Output(schema=schema, name="My_answer")


def test_any_json_is_json_object() -> None:
    assert written(parsed(response_format={"type": "json_object"}))["response_format"] == {"type": "json_object"}


def test_a_long_user_id_is_hashed_to_what_openai_takes() -> None:
    assert written(talk(settings=Settings(user="u-1")))["user"] == "u-1"
    assert len(written(talk(settings=Settings(user="x" * 65)))["user"]) == 64


def test_members_nobody_knows_are_losses() -> None:
    losses = Losses()
    parsed(losses, store=True, modalities=["text", "audio"], wibble=1, prediction=None)
    assert weights(losses) == {"store": "note", "modalities": "refuse", "wibble": "warn"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": HI, "temperature": "hot"}, "temperature"),
        ({"messages": HI, "n": 0}, "n"),
        ({"messages": HI, "stop": [1]}, "stop[0]"),
        ({"messages": HI, "tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"messages": HI, "tool_choice": "maybe"}, "tool_choice"),
        ({"messages": HI, "response_format": {"type": "yaml"}}, "response_format.type"),
        ({"messages": HI, "reasoning_effort": "lots"}, "reasoning_effort"),
    ],
)
def test_what_openai_would_refuse_is_refused_with_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_request(body, model="m", stream=False, losses=Losses())
    assert caught.value.param == param


def test_a_responses_body_on_the_chat_route_is_read_as_one() -> None:
    body: dict[str, Any] = {"input": "Say hi", "stream_options": {"include_usage": True}}
    conversation = parse_request(body, model="m", stream=True, losses=Losses())
    assert conversation.turns == (Turn("user", (Text("Say hi"),)),)
    assert conversation.include_usage
    assert conversation.stream


def test_files_are_told_apart_by_their_type_and_videos_are_read() -> None:
    content = [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": PNG}},
        {"type": "file", "file": {"file_data": "data:audio/wav;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:video/mp4;base64,AAAA"}},
        {"type": "video_url", "video_url": {"url": "https://e.com/a.mp4"}},
        "bare",
    ]
    (turn,) = parsed(messages=[{"role": "user", "content": content}]).turns
    assert turn.parts == (
        Document(Source(file_id="file-1")),
        Image(Source("image/png", data=PNG)),
        Audio(Source("audio/wav", data="AAAA")),
        Video(Source("video/mp4", data="AAAA")),
        Video(Source(url="https://e.com/a.mp4")),
        Text("bare"),
    )


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "not a url"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}, "image_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "*", "format": "wav"}}, "input_audio.data"),
        ({"type": "file", "file": {}}, "file.file_data"),
    ],
)
def test_media_that_are_none_are_invalid(part: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(messages=[{"role": "user", "content": [part]}])
    assert caught.value.param == f"messages[0].content[0].{param}"


def test_base64_of_the_url_safe_alphabet_becomes_standard() -> None:
    content = [{"type": "input_audio", "input_audio": {"data": "-_ -\n_", "format": "mp3"}}]
    (turn,) = parsed(messages=[{"role": "user", "content": content}]).turns
    assert turn.parts == (Audio(Source("audio/mpeg", data="+/+/")),)


def test_instructions_are_text_alone() -> None:
    content = [{"type": "text", "text": "S"}, {"type": "image_url", "image_url": "https://e.com/a.png"}]
    losses = Losses()
    assert parsed(losses, messages=[{"role": "system", "content": content}]).turns[0].parts == (Text("S"),)
    assert weights(losses) == {"messages[0].content": "warn"}


def test_cache_markers_are_read_in_two_spellings_and_dropped_with_a_note() -> None:
    content = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ]
    conversation = parsed(messages=[{"role": "user", "content": content}])
    assert conversation.turns[0].parts == (Text("a", cache="1h"), Text("b", cache="default"))
    losses = Losses()
    assert "cache" not in json.dumps(written(conversation, losses=losses))
    assert {loss.weight for loss in losses} == {"note"}


MARK = {"cache_control": {"type": "ephemeral"}}


def test_markers_of_messages_tools_and_the_whole_request_are_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    conversation = parsed(
        messages=[
            {"role": "system", "content": "S", **MARK},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], **MARK},
            {"role": "assistant", "content": "look", "tool_calls": [call], **MARK},
            {"role": "tool", "tool_call_id": "c", "content": "r", **MARK},
            {"role": "user", "content": [{"type": "text", "text": "c", "cache_control": {"ttl": "1h"}}], **MARK},
        ],
        tools=[
            {"type": "function", "function": {"name": "f"}, **MARK},
            {"type": "custom", "custom": {"name": "g"}, **MARK},
            {"type": "function", "function": {"name": "h", **MARK}},
        ],
        cache_control={"type": "ephemeral", "ttl": "1h"},
    )
    assert [part for turn in conversation.turns for part in turn.parts] == [
        Text("S", cache="default"),
        Text("a"),
        Text("b", cache="default"),
        Text("look"),
        ToolCall("c", "f", "{}", cache="default"),
        ToolResult("c", (Text("r"),), cache="default"),
        Text("c", cache="1h"),
    ]
    assert [tool.cache for tool in conversation.tools] == ["default"] * 3
    assert conversation.settings.cache == "1h"


def test_markers_on_what_cannot_be_marked_are_notes() -> None:
    losses = Losses()
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}, **MARK}
    messages = [{"role": "user", "content": [sound]}, {"role": "assistant", "content": "", "tool_calls": [], **MARK}]
    parsed(losses, messages=messages)
    assert weights(losses) == {
        "messages[0].content[0].cache_control": "note",
        "messages[1].cache_control": "note",
    }


def test_openrouter_caches_claude_where_anything_is_marked() -> None:
    def sent(vendor: str, model: str, **members: Any) -> dict[str, Any]:
        conversation = parsed(messages=[{"role": "user", "content": "hi"}], **members)
        known = profile(model, vendor=vendor, dialect="openai_chat")
        return render_request(conversation, model=model, profile=known, signer="", losses=Losses())

    claude = "anthropic/claude-sonnet-4.6"
    assert sent("openrouter", claude, **MARK)["cache_control"] == {"type": "ephemeral"}
    assert sent("openrouter", claude, cache_control={"ttl": "1h"})["cache_control"]["ttl"] == "1h"
    assert sent("openrouter", claude, prompt_cache_key="k")["cache_control"] == {"type": "ephemeral"}
    tools = [{"type": "function", "function": {"name": "f"}, **MARK}]
    assert sent("openrouter", claude, tools=tools)["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in sent("openrouter", claude)
    assert "cache_control" not in sent("openrouter", "qwen/qwen3", **MARK)
    assert "cache_control" not in sent("", "claude-sonnet-4-6", **MARK)


def test_what_was_said_aloud_is_lost_with_a_word() -> None:
    losses = Losses()
    parsed(losses, messages=[{"role": "assistant", "content": "x", "audio": {"id": "audio_1"}}])
    assert weights(losses) == {"messages[0].audio": "warn"}


def test_refusals_are_parts_at_openai_and_text_elsewhere() -> None:
    message = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    conversation = parsed(messages=[message])
    assert written(conversation, model="gpt-5.2")["messages"] == [message]
    assert written(conversation)["messages"] == [{"role": "assistant", "content": "No."}]
    assert parsed(messages=[{"role": "assistant", "content": None, "refusal": "No."}]).turns == conversation.turns


def test_own_thoughts_go_back_in_their_details() -> None:
    parts = (Thinking("T", Signature("up", "thinking", "s1")), Thinking("", Signature("up", "reasoning", "s2", "rs_1")))
    (message,) = written(talk(Turn("assistant", (*parts, Text("A")))))["messages"]
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "T", "signature": "s1"},
        {"type": "reasoning.encrypted", "data": "s2", "id": "rs_1"},
    ]


def test_a_model_that_sees_nothing_gets_a_remark_for_a_picture() -> None:
    losses = Losses()
    turn = Turn("user", (ToolResult("c", (Image(Source("image/png", data=PNG)),)),))
    (message,) = written(talk(turn), model="deepseek-v4-pro", losses=losses)["messages"]
    assert message["role"] == "tool"
    assert "cannot see" in message["content"]
    assert weights(losses) == {"messages[0].content[0].content[0]": "warn"}


def test_a_failed_tool_without_words_still_says_that_it_failed() -> None:
    (message,) = written(talk(Turn("user", (ToolResult("c", (), is_error=True),))))["messages"]
    assert message["content"].startswith("Error: ")


def test_labels_go_to_openai_alone() -> None:
    settings = Settings(cache_key="k", service_tier="standard_only", verbosity="low", metadata={"a": "b"})
    body = written(talk(settings=settings), model="gpt-5.2")
    assert {key: body[key] for key in ("prompt_cache_key", "service_tier", "verbosity")} == {
        "prompt_cache_key": "k",
        "service_tier": "default",
        "verbosity": "low",
    }
    losses = Losses()
    assert written(talk(settings=settings), losses=losses).keys() == {"model", "messages"}
    assert weights(losses) == {
        "metadata": "note",
        "prompt_cache_key": "note",
        "service_tier": "note",
        "verbosity": "warn",
    }


def test_tools_of_other_vendors_and_web_search_are_hosted() -> None:
    conversation = parsed(tools=[{"type": "web_search_preview"}], web_search_options={"search_context_size": "low"})
    assert [tool.kind for tool in conversation.hosted_tools] == ["web_search", "web_search"]
    body = written(parsed(web_search_options={"search_context_size": "low"}), model="gpt-4o-search-preview")
    assert body["web_search_options"] == {"search_context_size": "low"}


def test_nothing_at_all_is_still_a_message() -> None:
    assert written(Conversation(model="m", turns=()))["messages"] == [{"role": "user", "content": ""}]


# What is seldom there.


def test_effort_may_be_switched_as_openrouter_does() -> None:
    assert parsed(reasoning={"enabled": True}).reasoning == Reasoning(effort="auto", visible=True)
    assert parsed(reasoning={"enabled": False}).reasoning == Reasoning(effort="none", visible=True)


def test_a_format_that_is_text_is_none() -> None:
    assert parsed(response_format={"type": "text"}).output is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": 1}}]}, "tools[0].function.parameters"),
        ({"tool_choice": {"type": "nobody"}}, "tool_choice.type"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "x"}]}]},
            "messages[0].tool_calls[0].type",
        ),
    ],
)
def test_what_chat_does_not_know_is_refused_with_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(**body)
    assert caught.value.param == param


def test_a_result_finds_the_latest_call_of_its_name_among_others() -> None:
    first, second = ({"role": "assistant", "function_call": {"name": name, "arguments": "{}"}} for name in ("f", "g"))
    result = {"role": "function", "name": "f", "content": "1"}
    turns = parsed(messages=[first, second, result, {"role": "function", "name": "h", "content": "2"}]).turns
    called = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    answered = [part.call_id for turn in turns for part in turn.parts if isinstance(part, ToolResult)]
    assert answered[0] == called[0]
    assert answered[1] not in called


def test_a_model_that_takes_no_tools_gets_none() -> None:
    losses = Losses()
    like = msgspec.structs.replace(UNKNOWN, tools=False, structured_output=False, efforts=(), reasoning="effort")
    conversation = talk(
        tools=(Tool("f"),),
        output=Output(schema={"type": "object"}, description="D"),
        reasoning=Reasoning(effort="none"),
    )
    body = render_request(conversation, model="m", profile=like, signer="up", losses=losses)
    assert "tools" not in body
    assert body["response_format"] == {"type": "json_object"}
    assert {"tools", "response_format", "reasoning"} <= set(weights(losses))


def test_a_described_schema_keeps_its_description() -> None:
    body = written(talk(output=Output(schema={"type": "object"}, description="D")))
    assert body["response_format"]["json_schema"]["description"] == "D"


def test_parts_that_have_no_place_in_a_turn_are_lost() -> None:
    losses = Losses()
    image = Image(Source("image/png", data=PNG))
    turns = (
        Turn("system", (image, Text("S"))),
        Turn("user", (Thinking("t"), Text("x"))),
        Turn("assistant", (image, Text("y"))),
        Turn("assistant", (ToolCall("a", "f", "{}"),)),
        Turn("user", (ToolResult("a", (Video(Source("video/mp4", data="AA")), Text("1"))),)),
    )
    body = written(talk(*turns), model="gpt-5", losses=losses)
    assert [message["content"] for message in body["messages"] if message["role"] != "tool"][:3] == ["S", "x", "y"]
    assert weights(losses)


def test_a_file_id_of_openais_own_goes_back_to_openai() -> None:
    document = Document(Source("application/pdf", file_id="file-1"))
    (message,) = written(talk(Turn("user", (document,))), model="gpt-5")["messages"]
    assert message["content"] == [{"type": "file", "file": {"file_id": "file-1"}}]


def test_a_call_keeps_its_own_signature_and_nothing_harmless_is_noted_where_it_is_off() -> None:
    losses = Losses()
    parsed(losses, store=False)
    assert not list(losses)


def test_a_thought_alone_is_a_message_with_no_words() -> None:
    turn = Turn("assistant", (Thinking("t", Signature("up", "reasoning", "E")),))
    messages = written(talk(Turn("user", (Text("x"),)), turn, Turn("user", (Text("y"),))))["messages"]
    assert [message.get("content") for message in messages][1] == ""


@pytest.mark.parametrize(
    ("model", "said"),
    [("mistral-large-latest", None), ("qwen-plus", False)],
)
def test_thinking_that_is_off_is_off_or_not_spoken_of(model: str, said: bool | None) -> None:
    losses = Losses()
    body = written(talk(reasoning=Reasoning(effort="none")), model=model, losses=losses)
    assert body.get("enable_thinking") is said
    assert not list(losses)


def test_a_model_that_cannot_switch_thinking_off_thinks() -> None:
    losses = Losses()
    known = msgspec.structs.replace(UNKNOWN, vendor="acme", reasoning="effort", efforts=("low",))
    render_request(talk(reasoning=Reasoning(effort="none")), model="m", profile=known, signer="up", losses=losses)
    assert weights(losses) == {"reasoning": "warn"}


def test_a_free_form_tool_without_a_grammar_takes_any_text() -> None:
    (tool,) = written(talk(tools=(Tool("f", custom=True),)), model="gpt-5")["tools"]
    assert tool == {"type": "custom", "custom": {"name": "f"}}


def test_a_file_may_be_named_as_in_responses() -> None:
    part = {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}
    (turn,) = parsed(messages=[{"role": "user", "content": [part]}]).turns
    assert isinstance(turn.parts[0], Image)


def test_data_that_is_no_base64_is_refused() -> None:
    with pytest.raises(Invalid):
        parsed(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_data": "é"}}]}])


def test_a_signature_beside_a_call_does_not_replace_its_own() -> None:
    own = {"google": {"thought_signature": "b3du"}}
    detail = {"type": "reasoning.encrypted", "data": carrier(Signature("up", "call", "other"))}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": own}
    (turn,) = parsed(messages=[{"role": "assistant", "tool_calls": [call], "reasoning_details": [detail]}]).turns
    (read,) = (part for part in turn.parts if isinstance(part, ToolCall))
    assert read.signature is not None
    assert read.signature.data == "b3du"


def test_a_system_prompt_beside_the_messages_may_be_null() -> None:
    assert [turn.role for turn in parsed(system=None).turns] == ["user"]
