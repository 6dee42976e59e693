"""Conversations written as requests for Google."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Audio,
    Conversation,
    Document,
    Foreign,
    HostedTool,
    Image,
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
from agcore.dialects.gemini.contents_writer import SKIP_SIGNATURE
from agcore.dialects.gemini.request_writer import render_request
from agcore.models.known import profile
from agcore.models.profiles import Profile
from tests.support.gemini_requests import (
    FLASH,
    OLD,
    PNG,
    PRO,
    hi,
    model,
    own,
    render,
    results,
    said,
    user,
)


def test_system_turns_lead_or_keep_their_place() -> None:
    turns = (
        Turn("system", (Text("one"),)),
        Turn("developer", (Text("two"),)),
        hi(),
        Turn("assistant", (Text("yo"),)),
        Turn("system", (Text("late"),)),
        hi(),
    )
    body = render(said(*turns))
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"][2] == user({"text": "<system-reminder>\nlate\n</system-reminder>"}, {"text": "hi"})


def test_a_user_speaks_first_and_somebody_speaks() -> None:
    losses = Losses()
    assert render(said(Turn("assistant", (Text("yo"),)), hi()), losses)["contents"] == [
        user({"text": "."}),
        model({"text": "yo"}),
        user({"text": "hi"}),
    ]
    assert render(said(Turn("system", (Text("S"),))), losses)["contents"] == [user({"text": "."})]
    assert len(losses.at_least("warn")) == 2


def test_own_signatures_return_to_their_parts_and_siblings_have_none() -> None:
    calls = (ToolCall("a", "f", "{}", signature=own("call", "c2ln")), ToolCall("b", "f", ""))
    body = render(
        said(
            hi(),
            Turn(
                "assistant",
                (Thinking("t", own("thinking", "dGg=")), Text("abc"), Thinking("", own("text", "dHg=", "2")), *calls),
            ),
            results("a", "b"),
        )
    )
    assert body["contents"][1] == model(
        {"text": "t", "thought": True, "thoughtSignature": "dGg="},
        {"text": "a"},
        {"text": "bc", "thoughtSignature": "dHg="},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {}}},
    )


def test_foreign_thoughts_stay_behind_and_their_calls_are_excused() -> None:
    losses = Losses()
    foreign = Signature("anthropic", "thinking", "Ep1")
    turns = [
        hi(),
        Turn("assistant", (Thinking("t", foreign), ToolCall("a", "f", "", signature=foreign), ToolCall("b", "f", ""))),
    ]
    body = render(said(*turns, results("a", "b")), losses)
    assert body["contents"][1] == model(
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SKIP_SIGNATURE},
        {"functionCall": {"name": "f", "args": {}}},
    )
    assert {loss.weight for loss in losses} == {"note"}
    assert "thoughtSignature" not in json.dumps(render(said(*turns, results("a", "b")), like=OLD))


def test_ids_go_to_gemini_only_where_gemini_gave_them() -> None:
    def ids(id: str) -> list[Any]:
        calls = (ToolCall("g1", "f", "", signature=own("call", "c2ln", id)), ToolCall("g2", "f", ""))
        body = render(said(hi(), Turn("assistant", calls), results("g1", "g2")))
        return [next(iter(part.values())).get("id") for content in body["contents"][1:] for part in content["parts"]]

    assert ids("g1") == ["g1", "g2", "g1", "g2"]
    assert ids("") == ids("other") == [None] * 4


@pytest.mark.parametrize(
    ("text", "failed", "response"),
    [
        ("18C", False, {"output": "18C"}),
        ('{"temp":18}', False, {"temp": 18}),
        ('{"error":"x"}', False, {"output": '{"error":"x"}'}),
        ("[1, 2]", False, {"output": "[1, 2]"}),
        ("{", False, {"output": "{"}),
        ("late", True, {"error": "late"}),
        ("", False, {"output": ""}),
        *[
            (text, False, {"output": text})
            for text in (
                '{"$ref":"#/$defs/A"}',
                '{"properties":{"a":{"items":[{"\\u0024ref":"#/$defs/A"}]}}}',
                '{"$defs":{"A":{"type":"string"}}}',
                '{"id":9007199254740993}',
                '{"ids":[1,[-9007199254740993]]}',
            )
        ],
        (
            '{"$schema":"x","ref":"$ref","n":[9007199254740992,1.5,true,null]}',
            False,
            {"$schema": "x", "ref": "$ref", "n": [2**53, 1.5, True, None]},
        ),
        ('{"$ref":"#"}', True, {"error": '{"$ref":"#"}'}),
    ],
)
def test_results_are_objects(text: str, failed: bool, response: dict[str, Any]) -> None:
    result = ToolResult("a", (Text(text),) if text else (), failed)
    body = render(said(hi(), Turn("assistant", (ToolCall("a", "f", ""),)), hi(result)))
    assert body["contents"][2] == user({"functionResponse": {"name": "f", "response": response}})


def test_pictures_in_results_go_along_inside_or_beside() -> None:
    result = ToolResult("a", (Text("here"), Image(Source("image/png", data=PNG))))
    conversation = said(hi(), Turn("assistant", (ToolCall("a", "f", ""),)), hi(result, Text("so?")))
    picture = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    answer = {"name": "f", "response": {"output": "here"}}
    assert render(conversation)["contents"][2] == user(
        {"functionResponse": {**answer, "parts": [picture]}}, {"text": "so?"}
    )
    assert render(conversation, like=OLD)["contents"][2] == user({"functionResponse": answer}, picture, {"text": "so?"})


def test_files_go_inline_and_addresses_are_refused_unless_google_reads_them() -> None:
    losses = Losses()
    parts = (
        Image(Source("", data=PNG)),
        Document(Source("text/plain", data="aGk="), "a.txt"),
        Audio(Source("audio/wav", data="AAAA")),
        Video(Source("video/*", url="https://youtu.be/x")),
    )
    assert render(said(hi(*parts)), losses)["contents"] == [
        user(
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"text": "a.txt\n\nhi"},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
            {"fileData": {"fileUri": "https://youtu.be/x"}},
        )
    ]
    assert not losses.at_least("warn")
    render(said(hi(Text("x"), Image(Source("image/png", url="https://e.com/a.png")))), losses)
    assert [loss.path for loss in losses.at_least("refuse")] == ["turns[0].parts[1]"]


def test_settings_take_their_google_names() -> None:
    settings = Settings(
        max_output=99,
        temperature=2.5,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        seed=7,
        choices=2,
        user="u",
        presence_penalty=1,
        logit_bias={"5": 1},
    )
    losses = Losses()
    body = render(said(hi(), settings=settings, output=Output(schema={"type": "object"})), losses)
    assert body["generationConfig"] == {
        "temperature": 2,
        "topP": 0.9,
        "topK": 40,
        "candidateCount": 2,
        "maxOutputTokens": 99,
        "stopSequences": ["END"],
        "seed": 7,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    assert {(loss.path, loss.weight) for loss in losses} == {
        ("temperature", "warn"),
        ("presence_penalty", "warn"),
        ("logit_bias", "warn"),
        ("user", "note"),
    }
    assert "generationConfig" not in render(said(hi()))


@pytest.mark.parametrize(
    ("tier", "served"),
    [("default", "standard"), ("flex", "flex"), ("priority", "priority"), ("fast", "priority"), ("auto", None)],
)
def test_a_service_tier_is_the_one_that_google_calls_so(tier: str, served: str | None) -> None:
    assert render(said(hi(), settings=Settings(service_tier=tier))).get("serviceTier") == served


def test_six_stop_sequences_are_refused() -> None:
    losses = Losses()
    render(said(hi(), settings=Settings(stop=tuple("abcdef"))), losses)
    assert [loss.path for loss in losses.at_least("refuse")] == ["stop"]


@pytest.mark.parametrize(
    ("reasoning", "like", "config"),
    [
        (Reasoning(effort="high", visible=True), FLASH, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        (Reasoning(effort="max"), FLASH, {"thinkingLevel": "HIGH"}),
        (Reasoning(effort="none"), FLASH, {"thinkingLevel": "MINIMAL"}),
        (Reasoning(budget=4096, visible=False), FLASH, {"thinkingLevel": "MEDIUM"}),
        (Reasoning(budget=-1), FLASH, None),
        (Reasoning(visible=True), FLASH, {"includeThoughts": True}),
        (Reasoning(effort="minimal"), profile("gemini-3.1-pro-preview"), {"thinkingLevel": "LOW"}),
        (Reasoning(effort="medium"), OLD, {"thinkingBudget": 8192}),
        (Reasoning(effort="max"), OLD, {"thinkingBudget": 24_576}),
        (Reasoning(budget=99_999), OLD, {"thinkingBudget": 24_576}),
        (Reasoning(effort="none", visible=True), OLD, {"thinkingBudget": 0}),
        (Reasoning(effort="none"), PRO, {"thinkingBudget": 128}),
        (Reasoning(effort="auto"), PRO, {"thinkingBudget": -1}),
        (Reasoning(effort="high", visible=True), profile("gemini-2.0-flash"), None),
        (None, FLASH, None),
    ],
)
def test_thinking_is_a_level_or_a_budget_never_both(
    reasoning: Reasoning | None, like: Profile, config: dict[str, Any] | None
) -> None:
    body = render(said(hi(), reasoning=reasoning), like=like)
    assert body.get("generationConfig", {}).get("thinkingConfig") == config


TOOLS = (
    Tool(
        "plain",
        "d",
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"const": 1}}},
        strict=True,
    ),
    Tool("none", parameters={"type": "object", "properties": {}, "additionalProperties": False}),
    Tool("free", custom=True, grammar=("lark", "start: x")),
)


def test_tools_are_declared_with_json_schema() -> None:
    losses = Losses()
    body = render(said(hi(), tools=TOOLS, tool_choice=ToolChoice("required", ("plain",)), parallel_calls=False), losses)
    field = {"type": "string", "description": "The whole input, in the lark grammar:\nstart: x"}
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "plain",
                    "description": "d",
                    "parametersJsonSchema": {"type": "object", "properties": {"a": {"enum": [1]}}},
                },
                {"name": "none"},
                {
                    "name": "free",
                    "parametersJsonSchema": {"type": "object", "properties": {"input": field}, "required": ["input"]},
                },
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["plain"]}}
    assert {(loss.path, loss.weight) for loss in losses} == {
        ("tools[0].strict", "note"),
        ("parallel_tool_calls", "warn"),
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none", ("plain",)), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("auto", ("plain",)), {"mode": "VALIDATED", "allowedFunctionNames": ["plain"]}),
    ],
)
def test_tool_choices_are_modes(choice: ToolChoice, config: dict[str, Any]) -> None:
    assert render(said(hi(), tools=TOOLS, tool_choice=choice))["toolConfig"] == {"functionCallingConfig": config}
    assert "toolConfig" not in render(said(hi(), tool_choice=choice))


def test_hosted_tools_are_googles_own_unless_there_are_functions() -> None:
    hosted = (
        HostedTool("openai_responses", "web_search", {"type": "web_search"}),
        HostedTool("gemini", "googleMaps", {"a": 1}),
    )
    assert render(said(hi(), hosted_tools=hosted))["tools"] == [{"googleSearch": {}}, {"googleMaps": {"a": 1}}]
    losses = Losses()
    assert len(render(said(hi(), hosted_tools=hosted, tools=TOOLS), losses)["tools"]) == 1
    assert [loss.path for loss in losses.at_least("warn")] == ["hosted_tools[0]", "hosted_tools[1]"]


def test_a_hosted_tool_that_is_forced_may_be_used_but_not_be_missing() -> None:
    hosted = (HostedTool("anthropic", "web_search", {"name": "web_search"}, forced=True),)
    losses = Losses()
    body = render(said(hi(), hosted_tools=hosted), losses)
    assert body["tools"] == [{"googleSearch": {}}]
    assert "toolConfig" not in body
    assert [(loss.path, loss.weight) for loss in losses] == [("tool_choice", "warn")]
    losses = Losses()
    render(said(hi(), hosted_tools=hosted, tools=TOOLS), losses)
    assert [loss.path for loss in losses.at_least("refuse")] == ["hosted_tools[0]"]


def test_arguments_become_an_object_whatever_they_are() -> None:
    calls = (ToolCall("a", "f", "{bad"), ToolCall("b", "f", "[1]"), ToolCall("c", "f", "ls", custom=True))
    body = render(said(hi(), Turn("assistant", calls), results("a", "b", "c")))
    assert [part["functionCall"]["args"] for part in body["contents"][1]["parts"]] == [
        {"_raw": "{bad"},
        {"_raw": "[1]"},
        {"input": "ls"},
    ]


def test_foreign_parts_return_to_gemini_and_go_nowhere_else() -> None:
    losses = Losses()
    parts = (Foreign("gemini", "executableCode", {"code": "1"}), Foreign("anthropic", "server_tool_use", {}))
    body = render(said(hi(), Turn("assistant", parts), hi()), losses)
    assert body["contents"][1] == model({"executableCode": {"code": "1"}})
    assert [loss.path for loss in losses] == ["turns[1].parts[1]"]


TEXT = st.sampled_from(["a", "b c", "é"])
STEPS = st.lists(
    st.one_of(
        TEXT.map(lambda text: [hi(Text(text)), Turn("assistant", (Text(text),))]),
        TEXT.map(
            lambda text: [
                hi(),
                Turn("assistant", (ToolCall("", "f", "{}"),)),
                hi(ToolResult("", (Text(text),))),
                Turn("assistant", (Text("ok"),)),
            ]
        ),
        TEXT.map(lambda text: [hi(), Turn("assistant", (Text("so"),)), Turn("system", (Text(text),))]),
    ),
    min_size=1,
    max_size=5,
)


@given(STEPS)
def test_a_further_turn_only_appends(steps: list[list[Turn]]) -> None:
    turns: list[Turn] = [Turn("system", (Text("S"),))]
    previous: list[Any] = []
    for number, step in enumerate(steps):
        turns += [Turn(turn.role, tuple(numbered(part, number) for part in turn.parts)) for turn in step]
        body = render(said(*turns))
        assert body == render(said(*copy.deepcopy(turns)))
        assert body["systemInstruction"] == {"parts": [{"text": "S"}]}
        contents = body["contents"]
        for before, after in zip(previous, contents, strict=False):
            assert after["role"] == before["role"]
            assert after["parts"][: len(before["parts"])] == before["parts"]
        assert len(contents) >= len(previous)
        previous = contents


def numbered(part: Any, number: int) -> Any:
    if isinstance(part, ToolCall):
        return ToolCall(f"c{number}", part.name, part.arguments)
    return ToolResult(f"c{number}", part.content) if isinstance(part, ToolResult) else part


def kept(conversation: Conversation, like: Profile) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that are sent, and what is lost of them."""
    losses = Losses()
    body = render(conversation, losses, like)
    return body.get("generationConfig", {}), {loss.path: loss.weight for loss in losses}


def test_settings_that_a_model_does_not_take_are_lost() -> None:
    like = msgspec.structs.replace(FLASH, sampling=False, top_k=False, max_output_tokens=50)
    settings = Settings(temperature=1, top_p=0.5, top_k=3, choices=9, max_output=99, seed=2**40, service_tier="gold")
    sent, lost = kept(said(hi(), settings=settings), like)
    assert sent["maxOutputTokens"] == 50
    assert not {"temperature", "topP", "topK", "seed", "candidateCount"} & set(sent)
    assert {"temperature", "top_p", "top_k", "n", "max_tokens", "seed", "service_tier"} <= set(lost)


def test_penalties_go_to_a_model_that_takes_them() -> None:
    like = msgspec.structs.replace(FLASH, penalties=True)
    sent, _ = kept(said(hi(), settings=Settings(presence_penalty=0.5, frequency_penalty=0.25, logprobs=True)), like)
    assert (sent["presencePenalty"], sent["frequencyPenalty"], sent["responseLogprobs"]) == (0.5, 0.25, True)
    assert "logprobs" not in sent


def test_before_gemini_3_structured_output_and_tools_exclude_each_other() -> None:
    conversation = said(hi(), tools=(Tool("f"),), output=Output(schema={"type": "object"}))
    sent, lost = kept(conversation, OLD)
    assert "responseMimeType" not in sent
    assert "response_format" in lost


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    like = msgspec.structs.replace(FLASH, reasoning="none")
    assert "reasoning" in kept(said(hi(), reasoning=Reasoning(effort="high")), like)[1]
    assert "reasoning" not in kept(said(hi(), reasoning=Reasoning(effort="none")), like)[1]


def test_parts_that_have_no_place_in_a_turn_are_lost() -> None:
    losses = Losses()
    turns = (Turn("system", (Image(Source("image/png", data=PNG)), Text("S"))), hi(Thinking("t"), Text("x")))
    body = render(said(*turns), losses)
    assert body["systemInstruction"] == {"parts": [{"text": "S"}]}
    assert body["contents"] == [user({"text": "x"})]
    assert [loss.path for loss in losses] == ["turns[0].parts[0]", "turns[1].parts[0]"]


def test_sound_of_a_bare_format_has_a_type() -> None:
    body = render(said(hi(Audio(Source("wav", data="AAAA")))))
    assert body["contents"] == [user({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})]


def test_a_hosted_tool_that_is_asked_for_twice_is_sent_once() -> None:
    tools = (HostedTool("gemini", "web_search", {}), HostedTool("gemini", "web_search", {}))
    assert render(said(hi(), hosted_tools=tools))["tools"] == [{"googleSearch": {}}]


def test_a_signature_of_a_call_without_its_call_goes_nowhere() -> None:
    turn = Turn("assistant", (Thinking("", own("call", "c2ln")), Text("a")))
    assert render(said(hi(), turn))["contents"][1] == model({"text": "a"})


def test_a_part_that_is_no_word_has_no_place_with_the_assistant() -> None:
    turn = Turn("assistant", (ToolResult("a", (Text("1"),)), Text("a")))  # type: ignore[arg-type]
    assert model({"text": "a"}) in render(said(hi(), turn))["contents"]


def test_a_server_that_knows_openapi_only_gets_schemas_of_that_kind() -> None:
    known = profile("gemini-3-flash")
    like = msgspec.structs.replace(known, upstream=msgspec.structs.replace(known.upstream, schemas="openapi"))
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    body = render(said(hi(), tools=(Tool("f", parameters=schema),), output=Output(schema)), like=like)
    expected = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}}
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "parameters": expected}]}]
    assert body["generationConfig"]["responseSchema"] == expected


def test_terms_of_other_vendors_hosted_tools_are_told_of() -> None:
    losses = Losses()
    search = HostedTool("anthropic", "web_search", {"type": "web_search_20250305", "allowed_domains": ["a.com"]})
    code = HostedTool("openai_responses", "code_execution", {"type": "code_interpreter", "container": {"type": "auto"}})
    conversation = Conversation(model="m", turns=(Turn("user", (Text("hi"),)),), hosted_tools=(search, code))
    known = profile("gemini-3-flash")
    body = render_request(conversation, model="m", profile=known, signer="google", losses=losses)
    assert body["tools"] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert [loss.path for loss in losses] == ["tools.web_search.allowed_domains", "tools.code_execution.container"]
