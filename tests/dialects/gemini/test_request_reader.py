"""Gemini requests as clients send them, read into conversations."""

from __future__ import annotations

from typing import Any

import pytest

from agcore.conversation.foreign_parts import translated
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Document,
    Foreign,
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
from agcore.dialects.gemini.carriers import google_carrier
from agcore.dialects.gemini.contents_writer import SKIP_SIGNATURE
from tests.support.gemini_requests import (
    ONE_HISTORY,
    PNG,
    asked,
    call,
    hi,
    model,
    parse,
    render,
    user,
)


def test_the_golden_history_reads_as_turns_and_is_written_as_it_was() -> None:
    conversation = parse(ONE_HISTORY)
    assert conversation.turns == (
        Turn("system", (Text("S"),)),
        hi(Text("weather?")),
        Turn(
            "assistant", (ToolCall("call_1", "get", '{"city":"Paris"}'), ToolCall("call_2", "get", '{"city":"Rome"}'))
        ),
        hi(
            ToolResult("call_1", (Text("18C"),), name="get"),
            ToolResult("call_2", (Text("timeout"),), is_error=True, name="get"),
            Text("be brief"),
        ),
    )
    assert render(conversation) == ONE_HISTORY


FULL = {
    "systemInstruction": {"role": "user", "parts": [{"text": "Be a pirate."}]},
    "contents": [
        {
            "role": "user",
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoAAAA_-8"}}, {"text": "Look"}],
        },
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"id": "x", "name": "look", "args": {"max_items": 3}},
                    "thoughtSignature": SKIP_SIGNATURE,
                }
            ],
        },
        {
            "role": "function",
            "parts": [
                {
                    "functionResponse": {
                        "id": "x",
                        "name": "look",
                        "response": {"some_key": 1},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                    }
                }
            ],
        },
    ],
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "look",
                    "description": "d",
                    "parametersJsonSchema": {"type": "object", "properties": {"max_items": {"type": "integer"}}},
                }
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
    "generationConfig": {
        "temperature": 0.25,
        "topP": 0.5,
        "topK": 40.0,
        "candidateCount": 2,
        "maxOutputTokens": "99",
        "stopSequences": ["END", ""],
        "presencePenalty": 1,
        "frequencyPenalty": 0.5,
        "seed": 7,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"title": "T", "type": "object"},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048},
    },
    "serviceTier": "flex",
    "labels": {"team_name": "a"},
}
FREE = ("args", "response", "parametersJsonSchema", "responseJsonSchema", "labels")


def snaked(value: Any, free: bool = False) -> Any:
    if isinstance(value, dict):
        out = {}
        for name, item in value.items():
            snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
            out[name if free else snake] = snaked(item, free or name in FREE)
        return out
    return [snaked(item, free) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("body", [FULL, snaked(FULL)], ids=["camel", "snake"])
def test_every_field_is_read_in_both_spellings(body: dict[str, Any]) -> None:
    losses = Losses()
    conversation = parse(body, losses)
    assert conversation.turns == (
        Turn("system", (Text("Be a pirate."),)),
        hi(Image(Source("image/png", data=PNG), detail="low"), Text("Look")),
        Turn("assistant", (ToolCall("x", "look", '{"max_items":3}'),)),
        hi(ToolResult("x", (Text('{"some_key":1}'), Image(Source("image/png", data=PNG))), name="look")),
    )
    schema = {"type": "object", "properties": {"max_items": {"type": "integer"}}}
    assert conversation.tools == (Tool("look", "d", schema),)
    assert conversation.hosted_tools == (HostedTool("gemini", "web_search", {}),)
    assert conversation.tool_choice == ToolChoice("required", ("look",))
    assert conversation.reasoning == Reasoning(budget=2048, visible=True)
    assert conversation.output == Output(schema={"title": "T", "type": "object"}, name="T")
    assert conversation.settings == Settings(
        max_output=99,
        temperature=0.25,
        top_p=0.5,
        top_k=40,
        stop=("END",),
        seed=7,
        presence_penalty=1,
        frequency_penalty=0.5,
        logprobs=True,
        top_logprobs=3,
        choices=2,
        metadata={"team_name": "a"},
        service_tier="flex",
    )
    assert not list(losses)


def test_a_request_of_a_token_count_is_read_like_the_request_itself() -> None:
    assert parse({"generateContentRequest": {"model": "models/x", **ONE_HISTORY}}) == parse(ONE_HISTORY)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": "hi"}, "contents"),
        (asked({"role": "assistant", "parts": []}), "contents[0].role"),
        (asked(user({"text": 1})), "contents[0].parts[0].text"),
        (
            asked(user({"inline_data": {"mime_type": "image/png", "data": "%"}})),
            "contents[0].parts[0].inline_data.data",
        ),
        (asked(user({"text": "x"}), generation_config={"top_k": "many"}), "generation_config.top_k"),
        (asked(user({"text": "x"}), generationConfig={"candidateCount": 9}), "generationConfig.candidateCount"),
        (
            asked(
                user({"text": "x"}), generationConfig={"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}
            ),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            asked(user({"text": "x"}), generationConfig={"thinkingConfig": {"thinkingLevel": "HUGE"}}),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            asked(user({"text": "x"}), generationConfig={"thinkingConfig": {"thinkingBudget": -2}}),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (
            asked(user({"text": "x"}), tools=[{"functionDeclarations": [{"name": "f", "parameters": "none"}]}]),
            "tools[0].functionDeclarations[0].parameters",
        ),
        (asked(user({"functionResponse": {"name": "f", "response": {}}})), "contents[0].parts[0].functionResponse"),
        (asked(user(call("a"))), "contents[0].parts[0].functionCall"),
        (asked(model({"functionCall": {"name": "f", "args": 1}})), "contents[0].parts[0].functionCall.args"),
        (asked(model({"functionCall": {"args": {}}})), "contents[0].parts[0].functionCall.name"),
        (
            asked(model(call("a"), {"functionResponse": {"name": "f", "response": {}}})),
            "contents[0].parts[1].functionResponse",
        ),
        (
            asked(model(call("a")), user({"functionResponse": {"name": "f", "response": 1}})),
            "contents[1].parts[0].functionResponse.response",
        ),
        (asked(user({"fileData": {"mimeType": "image/png"}})), "contents[0].parts[0].fileData.fileUri"),
        (asked(user({"inlineData": {"data": PNG}})), "contents[0].parts[0].inlineData"),
        (asked(user({"inlineData": {"mimeType": 1, "data": PNG}})), "contents[0].parts[0].inlineData.mimeType"),
        (asked(model({"text": "x", "thought": "yes"})), "contents[0].parts[0].thought"),
        (asked(user({"text": "x"}), generationConfig={"topP": True}), "generationConfig.topP"),
        (asked(user({"text": "x"}), generationConfig={"maxOutputTokens": 0}), "generationConfig.maxOutputTokens"),
        (
            asked(user({"text": "x"}), toolConfig={"functionCallingConfig": {"mode": "MUST"}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (asked(user({"text": "x"}), tools=[{"functionDeclarations": [{}]}]), "tools[0].functionDeclarations[0].name"),
    ],
)
def test_what_google_would_refuse_is_invalid(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(body)
    assert caught.value.param == param


def test_results_find_their_calls_by_id_then_by_order_then_by_name() -> None:
    first = [call("", "f", {"n": 1}), call("", "g"), call("", "f", {"n": 2}), call("own", "f")]
    results = [("own", "f", "4"), ("", "f", "1"), ("", "f", "2"), ("odd", "g", "g")]
    answers = [
        {"functionResponse": {"id": id, "name": name, "response": {"output": text}}} for id, name, text in results
    ]
    turns = parse(asked(user({"text": "x"}), model(*first), user(*answers))).turns
    ids = [part.id for part in turns[1].parts if isinstance(part, ToolCall)]
    assert ids == ["call_1", "call_2", "call_3", "own"]
    assert [(part.call_id, part.content[0].text) for part in turns[2].parts if isinstance(part, ToolResult)] == [
        ("own", "4"),
        ("call_1", "1"),
        ("call_3", "2"),
        ("call_2", "g"),
    ]


def test_an_id_used_twice_names_two_calls() -> None:
    step = [model(call("1")), user({"functionResponse": {"id": "1", "name": "f", "response": {"output": "x"}}})]
    turns = parse(asked(user({"text": "x"}), *step, *step)).turns
    ids = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    assert ids == ["1", "call_1"]
    assert [part.call_id for turn in turns for part in turn.parts if isinstance(part, ToolResult)] == ids


def test_minted_ids_keep_clear_of_those_that_are_there() -> None:
    turns = parse(asked(user({"text": "x"}), model(call(""), call("call_1")))).turns
    assert [part.id for part in turns[1].parts if isinstance(part, ToolCall)] == ["call_2", "call_1"]


def test_neighbouring_model_contents_are_one_turn() -> None:
    thought = {"text": "a", "thought": True}
    turns = parse(asked(user({"text": "x"}), model(thought), model(thought), model({"text": "y"}))).turns
    assert turns[1] == Turn("assistant", (Thinking("aa"), Text("y")))


@pytest.mark.parametrize(
    ("response", "text", "failed"),
    [
        ({"output": "x"}, "x", False),
        ({"error": "x"}, "x", True),
        ({"error": {"a": 1}}, '{"a":1}', True),
        ({"output": "x", "more": 1}, '{"output":"x","more":1}', False),
        ({"result": [1]}, '{"result":[1]}', False),
        ({"output": None}, "", False),
        ({}, "", False),
    ],
)
def test_results_are_texts(response: dict[str, Any], text: str, failed: bool) -> None:
    turns = parse(
        asked(user({"text": "x"}), model(call("a")), user({"functionResponse": {"name": "f", "response": response}}))
    ).turns
    assert turns[2].parts == (ToolResult("a", (Text(text),) if text else (), failed, name="f"),)


def test_media_are_told_apart_by_type() -> None:
    data = {"audio/wav": Audio, "video/mp4": Video, "application/pdf": Document, "image/webp": Image}
    for kind, expected in data.items():
        (part,) = parse(asked(user({"inlineData": {"mimeType": kind, "data": "AAAA"}}))).turns[0].parts
        assert isinstance(part, expected)
    (part,) = parse(asked(user({"fileData": {"fileUri": "https://e.com/a.pdf?x=1"}}))).turns[0].parts
    assert part == Document(Source("application/pdf", url="https://e.com/a.pdf?x=1"))


@pytest.mark.parametrize(
    "body",
    [
        asked(user({"text": "x"}), cachedContent="cachedContents/a"),
        asked(user({"fileData": {"fileUri": "gs://b/a.pdf", "mimeType": "application/pdf"}})),
        asked(user({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}})),
        asked(user({"text": "x"}), tools=[{"mcpServers": [{}]}]),
        asked(user({"text": "x"}), generationConfig={"responseModalities": ["AUDIO"]}),
    ],
)
def test_what_only_google_has_is_refused(body: dict[str, Any]) -> None:
    losses = Losses()
    parse(body, losses)
    assert len(losses.at_least("refuse")) == 1


def test_what_others_cannot_do_is_told_by_its_path() -> None:
    losses = Losses()
    form = [{"text": {"mimeType": "text/plain"}, "image": {}}]
    conversation = parse(
        asked(
            user({"text": "x"}),
            systemInstruction={"parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
            tools=[{"functionDeclarations": [{"name": "f", "response": {"type": "OBJECT"}}]}],
            generationConfig={"responseMimeType": "text/x.enum", "responseFormat": form},
        ),
        losses,
    )
    assert conversation.output is None
    assert {loss.path for loss in losses} == {
        "systemInstruction.parts[1].inlineData",
        "tools[0].functionDeclarations[0].response",
        "generationConfig.responseFormat[0].image",
    }


def test_a_thinking_level_that_says_nothing_is_none() -> None:
    config = {"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "includeThoughts": True}}
    assert parse(asked(user({"text": "x"}), generationConfig=config)).reasoning == Reasoning(visible=True)


def test_an_instruction_may_be_a_mere_text() -> None:
    assert parse(asked(user({"text": "x"}), systemInstruction="Be brief.")).turns[0].role == "system"
    assert parse(asked(user({"text": "x"}), systemInstruction="")).turns[0].role == "user"


def test_what_nobody_misses_is_noted() -> None:
    losses = Losses()
    parse(
        asked(
            user({"text": "x", "videoMetadata": {}}),
            safetySettings=[],
            store=True,
            generationConfig={"audioTimestamp": True},
        ),
        losses,
    )
    assert [loss.path for loss in losses] == [
        "generationConfig.audioTimestamp",
        "contents[0].parts[0].videoMetadata",
        "safetySettings",
        "store",
    ]
    assert {loss.weight for loss in losses} == {"note"}


def test_googles_schemas_become_json_schema() -> None:
    schema = {"type": "OBJECT", "properties": {"age": {"type": "INTEGER"}}}
    conversation = parse(
        asked(
            user({"text": "x"}),
            generationConfig={"responseSchema": schema},
            tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        )
    )
    plain = {"type": "object", "properties": {"age": {"type": "integer"}}}
    assert conversation.output == Output(schema=plain)
    assert conversation.tools == (Tool("f", "", plain),)
    form = [{"text": {"mime_type": "application/json", "json_schema": plain}}]
    assert parse(asked(user({"text": "x"}), generationConfig={"responseFormat": form})).output == Output(schema=plain)


def test_signatures_without_a_carrier_are_nobodys_and_the_skipping_word_is_none() -> None:
    turns = parse(
        asked(
            user({"text": "x"}),
            model({**call("a"), "thoughtSignature": "c2ln"}, {"text": "", "thoughtSignature": "c2ln"}),
        )
    ).turns
    assert turns[1].parts == (
        ToolCall("a", "f", "{}", signature=Signature("", "call", "c2ln")),
        Thinking("", Signature("", "text", "c2ln")),
    )
    for word in (SKIP_SIGNATURE, "skip/thought/signature/validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="):
        turns = parse(asked(user({"text": "x"}), model({**call("a"), "thoughtSignature": word}))).turns
        assert turns[1].parts == (ToolCall("a", "f", "{}"),)


def test_a_thoughts_signature_on_a_call_returns_to_its_thought() -> None:
    for kind in ("thinking", "reasoning", "redacted"):
        signature = Signature("openai", kind, "d", id="rs_1")
        signed = {**call("a"), "thoughtSignature": google_carrier(signature).replace("+", "-").replace("/", "_")}
        alone = parse(asked(user({"text": "x"}), model(signed))).turns[1].parts
        assert alone == (Thinking("", signature), ToolCall("a", "f", "{}"))
        joined = parse(asked(user({"text": "x"}), model({"text": "t", "thought": True}, signed))).turns[1].parts
        expected = (Thinking("t"), Thinking("", signature)) if kind == "redacted" else (Thinking("t", signature),)
        assert joined == (*expected, ToolCall("a", "f", "{}"))


def test_a_nesting_that_is_too_deep_is_invalid() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(Invalid):
        parse(asked(user({"text": "x"}), model({"functionCall": {"name": "f", "args": deep}})))


def test_what_google_ran_itself_is_kept_for_google() -> None:
    ran = {"language": "PYTHON", "code": "1"}
    (turn,) = parse(asked(model({"executableCode": ran}), user({"text": "x"}))).turns[:1]
    emulated = ToolCall("call_1", "code_execution", '{"code":"1","language":"python"}')
    assert turn.parts == (Foreign("gemini", "executableCode", ran, (emulated,)),)


def test_what_google_ran_itself_is_told_to_others_as_calls_and_results() -> None:
    said = model(
        {"text": "I compute."},
        {"executable_code": {"language": "PYTHON", "code": "1", "id": "a"}},
        {"executableCode": {"language": "PYTHON", "code": "2"}},
        {"code_execution_result": {"outcome": "OUTCOME_FAILED", "output": "no", "id": "a"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "RES"}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}, "id": "s"}},
        {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}, "id": "s"}},
        {"toolCall": {}},
        {"toolResponse": {}},
        {"codeExecutionResult": {"output": "late"}},
        {"text": "So."},
    )
    history = parse(asked(user({"text": "x"}), said, user({"executableCode": {"code": "3"}})))
    assert translated(history, dialect="gemini") == history
    told = translated(history, dialect="anthropic")
    assert [(turn.role, turn.parts) for turn in told.turns[1:]] == [
        (
            "assistant",
            (
                Text("I compute."),
                ToolCall("call_1", "code_execution", '{"code":"1","language":"python"}'),
                ToolCall("call_2", "code_execution", '{"code":"2","language":"python"}'),
            ),
        ),
        (
            "user",
            (ToolResult("call_1", (Text("no"),), is_error=True), ToolResult("call_2", (Text("RES"),))),
        ),
        ("assistant", (ToolCall("call_3", "google_search_web", '{"q":"x"}'),)),
        ("user", (ToolResult("call_3", (Text('{"found":1}'),)),)),
        ("assistant", (ToolCall("call_4", "tool", "{}"),)),
        ("user", (ToolResult("call_4", ()),)),
        ("assistant", (Text("[result]\nlate"), Text("So."))),
        ("user", (Text("[code_execution]\n3"),)),
    ]


def test_one_object_stands_for_a_list_of_it_anywhere() -> None:
    declared = {"name": "f", "parameters": {"type": "OBJECT"}}
    one = {
        "system_instruction": {"parts": {"text": "You are a cat"}},
        "contents": {"parts": {"text": "Hello"}},
        "tools": {"function_declarations": declared},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": "f"}},
        "generationConfig": {"stopSequences": "END", "responseModalities": "TEXT"},
        "safetySettings": {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"},
    }
    many = {
        "system_instruction": {"parts": [{"text": "You are a cat"}]},
        "contents": [{"parts": [{"text": "Hello"}]}],
        "tools": [{"function_declarations": [declared]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"stopSequences": ["END"], "responseModalities": ["TEXT"]},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    }
    assert parse(one) == parse(many)
    called = asked(model(call("f")), user({"functionResponse": {"name": "f", "response": {}, "parts": {}}}))
    assert parse(called).turns[1].parts == (ToolResult("f", (), name="f"),)
    with pytest.raises(Invalid) as caught:
        parse({"contents": {"parts": {"text": 1}}})
    assert caught.value.param == "contents.parts.text"


def test_a_part_in_another_dialects_form_is_read_and_one_in_nobodys_refused() -> None:
    url = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    assert parse(asked(user(url))).turns[0].parts == (Image(Source(url="https://a.example/x.png")),)
    for part in ({"type": "hologram"}, {"smell": "rose"}):
        with pytest.raises(Invalid) as caught:
            parse(asked(user(part)))
        assert caught.value.param is not None
        assert caught.value.param.startswith("contents[0].parts[0]")
    assert not parse(asked(user({"text": "x"}), model({"partMetadata": {"a": 1}}))).turns[1].parts


def test_a_thought_without_words_and_without_a_signature_is_none() -> None:
    turns = parse(asked(user({"text": "x"}), model({"text": "", "thought": True}, {"text": "hi"}))).turns
    assert turns[1].parts == (Text("hi"),)


def test_a_video_of_youtubes_needs_no_type() -> None:
    uri = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    (turn,) = parse(asked(user({"fileData": {"fileUri": uri}}))).turns
    assert turn.parts == (Video(Source(media_type="video/*", url=uri)),)


def test_settings_of_tools_that_nobody_else_has_are_noted() -> None:
    losses = Losses()
    conversation = parse(asked(user({"text": "x"}), toolConfig={"retrievalConfig": {"languageCode": "de"}}), losses)
    assert conversation.tool_choice is None
    assert [(loss.path, loss.weight) for loss in losses] == [("toolConfig.retrievalConfig", "note")]


def test_a_form_that_nobody_else_writes_is_lost() -> None:
    losses = Losses()
    body = asked(user({"text": "x"}), generationConfig={"responseMimeType": "text/x.enum"})
    assert parse(body, losses).output is None
    assert [loss.path for loss in losses] == ["generationConfig.responseMimeType"]
    forms = asked(user({"text": "x"}), generationConfig={"responseFormat": [{"image": {}}]})
    parse(forms, losses)
    assert "generationConfig.responseFormat[0].image" in [loss.path for loss in losses]


def test_a_file_that_is_null_is_none() -> None:
    assert parse(asked(user({"fileData": None}, {"text": "x"}))).turns == (Turn("user", (Text("x"),)),)


def test_a_result_of_another_name_belongs_to_no_call() -> None:
    answered = {"functionResponse": {"name": "g", "response": {"output": "1"}}}
    with pytest.raises(Invalid):
        parse(asked(model(call("", name="f")), user(answered)))


def test_a_result_may_have_parts_that_hold_nothing() -> None:
    answered = {"functionResponse": {"name": "f", "response": {"output": "1"}, "parts": [{"videoMetadata": {}}]}}
    turns = parse(asked(model(call("a")), user(answered))).turns
    assert turns[-1].parts[0].content == (Text("1"),)  # type: ignore[union-attr]


def test_results_of_one_id_go_to_its_calls_in_turn_and_those_of_a_name_to_the_latest_step_that_waits() -> None:
    answers = [user({"functionResponse": {"id": "1", "name": "f", "response": {"output": text}}}) for text in "ab"]
    turns = parse(asked(user({"text": "x"}), model(call("1"), call("1")), *answers)).turns
    results = [part for turn in turns for part in turn.parts if isinstance(part, ToolResult)]
    assert [(each.call_id, each.content) for each in results] == [("1", (Text("a"),)), ("call_1", (Text("b"),))]

    def named(text: str) -> dict[str, Any]:
        return user({"functionResponse": {"name": "f", "response": {"output": text}}})

    turns = parse(
        asked(user({"text": "x"}), model(call("")), user({"text": "y"}), model(call("")), named("a"), named("b"))
    ).turns
    results = [part for turn in turns for part in turn.parts if isinstance(part, ToolResult)]
    assert [each.call_id for each in results] == ["call_2", "call_1"]
