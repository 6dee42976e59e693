"""The demo provider: what it says, and that the official SDKs and the stream grammar take every answer."""

from __future__ import annotations

import base64
import bisect
import importlib
import json
import math
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import anthropic
import httpx2
import msgspec
import openai
import pydantic
import pytest
from google import genai
from google.genai import types as gemini_types
from hypothesis import given
from hypothesis import strategies as st

from agcore.demo.provider import MODEL, DemoAnswer, demo_answer

TAG = "[agcore demo]"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
    "required": ["city", "days", "unit"],
}
ARGUMENTS = {"city": "demo", "days": 1, "unit": "C"}
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
FLAT_TOOL = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
CLAUDE_TOOL = {"name": "weather", "input_schema": PARAMETERS}
GEMINI_TOOL = {"functionDeclarations": [{"name": "weather", "parametersJsonSchema": PARAMETERS}]}
USER = {"role": "user", "content": "hello there"}
ASKING = {"role": "user", "content": "use the tool"}


class Answer(pydantic.BaseModel):
    name: str
    count: int
    kind: Literal["small", "large"]
    tags: list[str]


def post(path: str, body: Any) -> DemoAnswer:
    return demo_answer("POST", path.encode(), (), body if isinstance(body, bytes) else json.dumps(body).encode())


def text_of(reply: DemoAnswer) -> bytes:
    return b"".join(chunk.data for chunk in reply.chunks)


def json_of(reply: DemoAnswer) -> Any:
    return json.loads(text_of(reply))


def events_of(reply: DemoAnswer) -> list[Any]:
    lines = text_of(reply).decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


def chat(**fields: Any) -> Any:
    return {"model": "m", "messages": [USER], **fields}


def claude(**fields: Any) -> Any:
    return {"model": "m", "max_tokens": 500, "messages": [USER], **fields}


def gemini(**fields: Any) -> Any:
    return {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}], **fields}


# The official SDKs, over an in-process transport


class DemoTransport(httpx2.BaseTransport):
    """Carries an SDK's requests to `demo_answer` and the chunks back, without their delays."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = tuple((name.lower(), value) for name, value in request.headers.raw)
        reply = demo_answer(request.method, request.url.raw_path, headers, request.read())
        return httpx2.Response(reply.status, headers=reply.headers, content=(chunk.data for chunk in reply.chunks))


@pytest.fixture
def oai():
    http = httpx2.Client(transport=DemoTransport())
    with openai.OpenAI(api_key="k", base_url="http://demo/v1", max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
def ant():
    http = httpx2.Client(transport=DemoTransport())
    with anthropic.Anthropic(api_key="k", base_url="http://demo", max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture
def goo():
    options = gemini_types.HttpOptions(base_url="http://demo", client_args={"transport": DemoTransport()})
    with genai.Client(api_key="k", http_options=options) as client:
        yield client


class TestOpenAIChat:
    def test_says_that_it_is_a_demo_and_what_it_understood(self, oai):
        got = oai.chat.completions.create(model="gpt-x", messages=[USER])
        assert (
            got.choices[0].message.content == f"{TAG} This is gpt-x over OpenAI Chat Completions. You said: hello there"
        )
        assert got.choices[0].finish_reason == "stop"
        assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
        assert got.usage.completion_tokens == len(got.choices[0].message.content.split())

    def test_helper_stream_ends_in_the_same_message_as_the_whole_answer(self, oai):
        asked = {"model": "m", "messages": [USER], "reasoning_effort": "low"}
        plain = oai.chat.completions.create(**asked).choices[0].message
        with oai.chat.completions.stream(**asked) as stream:
            streamed = stream.get_final_completion()
        message = streamed.choices[0].message
        assert (message.role, message.content) == ("assistant", plain.content)
        assert message.reasoning_content == plain.reasoning_content == "Reasoning was asked for. The answer is text."
        assert streamed.usage is None

    def test_calls_the_offered_tool_and_then_quotes_its_result(self, oai):
        asked = {"model": "m", "messages": [ASKING], "tools": [CHAT_TOOL]}
        plain = oai.chat.completions.create(**asked).choices[0]
        assert plain.finish_reason == "tool_calls"
        assert plain.message.content is None
        with oai.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            final = stream.get_final_completion()
        assert [json.loads(event.arguments) for event in done] == [ARGUMENTS]
        assert json.loads(plain.message.tool_calls[0].function.arguments) == ARGUMENTS
        assert final.usage.total_tokens == final.usage.prompt_tokens + final.usage.completion_tokens
        result = {"role": "tool", "tool_call_id": plain.message.tool_calls[0].id, "content": "21 degrees"}
        turn = [USER, plain.message.model_dump(exclude_none=True), result]
        last = oai.chat.completions.create(model="m", messages=turn, tools=[CHAT_TOOL]).choices[0]
        assert last.finish_reason == "stop"
        assert last.message.content.endswith("The tool returned: 21 degrees")

    def test_structured_output_parses_into_the_asked_model(self, oai):
        got = oai.chat.completions.parse(model="m", messages=[USER], response_format=Answer)
        assert got.choices[0].message.parsed == Answer(name="demo", count=1, kind="small", tags=[])
        with oai.chat.completions.stream(model="m", messages=[USER], response_format=Answer) as stream:
            assert stream.get_final_completion().choices[0].message.parsed == got.choices[0].message.parsed

    def test_legacy_completions_answer_every_prompt(self, oai):
        got = oai.completions.create(model="m", prompt=["one", "two"], n=2)
        assert [choice.text.rsplit(" ", 1)[1] for choice in got.choices] == ["one", "one", "two", "two"]
        streamed = ["", ""]
        for chunk in oai.completions.create(model="m", prompt=["one", "two"], stream=True):
            streamed[chunk.choices[0].index] += chunk.choices[0].text
        assert streamed == [got.choices[0].text, got.choices[2].text]

    def test_embeddings_are_unit_vectors_equal_in_both_encodings(self, oai):
        coded = oai.embeddings.create(model="m", input=["a", "b"])
        plain = oai.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
        assert [item.embedding for item in coded.data] == [item.embedding for item in plain.data]
        assert plain.data[0].embedding != plain.data[1].embedding
        sized = oai.embeddings.create(model="m", input=[[1, 2], [3]], dimensions=21).data
        assert [len(item.embedding) for item in sized] == [21, 21]
        assert math.isclose(sum(x * x for x in sized[0].embedding), 1.0, rel_tol=1e-6)

    def test_model_list_and_errors_are_read_by_the_sdk(self, oai):
        assert [model.id for model in oai.models.list()] == [MODEL]
        with pytest.raises(openai.BadRequestError, match="'messages' must not be empty") as caught:
            oai.chat.completions.create(model="m", messages=[])
        assert caught.value.param == "messages"
        assert caught.value.request_id.startswith("req_")
        with pytest.raises(openai.NotFoundError, match="does not serve /v1/files"):
            oai.files.list()


class TestOpenAIResponses:
    def test_reasoning_text_and_usage_stream_as_the_whole_response(self, oai):
        asked = {"model": "m", "input": "hello there", "reasoning": {"effort": "low"}}
        asked["include"] = ["reasoning.encrypted_content"]
        plain = oai.responses.create(**asked)
        with oai.responses.stream(**asked) as stream:
            final = stream.get_final_response()
        assert final.output_text == plain.output_text == f"{TAG} This is m over OpenAI Responses. You said: hello there"
        assert [item.type for item in final.output] == ["reasoning", "message"]
        assert final.output[0].encrypted_content
        assert plain.output[0].encrypted_content
        assert final.usage == plain.usage
        assert plain.usage.output_tokens_details.reasoning_tokens == len(plain.output[0].summary[0].text.split())

    def test_counts_the_input_as_the_usage_does(self, oai):
        counted = oai.responses.input_tokens.count(model="m", input="hello there", instructions="be brief")
        used = oai.responses.create(model="m", input="hello there", instructions="be brief").usage
        assert counted.input_tokens == used.input_tokens == 4

    def test_calls_functions_and_quotes_their_output(self, oai):
        with oai.responses.stream(model="m", input="use weather, please", tools=[FLAT_TOOL]) as stream:
            [call] = stream.get_final_response().output
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", ARGUMENTS)
        output = {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": [{"type": "input_text", "text": "21"}],
        }
        turn = [USER, call.model_dump(exclude_none=True), output]
        assert oai.responses.create(model="m", input=turn, tools=[FLAT_TOOL]).output_text.endswith("returned: 21")

    def test_calls_custom_tools_and_tools_inside_namespaces(self, oai):
        nested = {"type": "namespace", "name": "ns", "description": "d", "tools": [FLAT_TOOL]}
        tools = [{"type": "web_search"}, nested, {"type": "custom", "name": "free"}]
        [call] = oai.responses.create(model="m", input="any tool", tools=tools).output
        assert (call.namespace, call.name) == ("ns", "weather")
        choice = {"type": "custom", "name": "free"}
        with oai.responses.stream(model="m", input="hello", tools=tools, tool_choice=choice) as stream:
            [call] = stream.get_final_response().output
        assert (call.type, call.name, call.input) == ("custom_tool_call", "free", "demo")

    def test_structured_output_parses_into_the_asked_model(self, oai):
        got = oai.responses.parse(model="m", input="hello", text_format=Answer)
        assert got.output_parsed == Answer(name="demo", count=1, kind="small", tags=[])

    def test_token_limit_ends_in_incomplete(self, oai):
        got = oai.responses.create(model="m", input="hello", max_output_tokens=2)
        assert (got.status, got.incomplete_details.reason, got.output_text) == ("incomplete", "max_output_tokens", TAG)
        kinds = [
            event.type for event in oai.responses.create(model="m", input="hello", max_output_tokens=2, stream=True)
        ]
        assert kinds[-1] == "response.incomplete"

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("previous_response_id", "resp_1", "previous_response_not_found"),
            ("conversation", "conv_1", None),
            ("background", True, None),
        ],
    )
    def test_refuses_what_needs_stored_state(self, oai, field, value, code):
        with pytest.raises(openai.BadRequestError) as caught:
            oai.responses.create(model="m", input="hello", **{field: value})
        assert (caught.value.param, caught.value.code) == (field, code)


class TestAnthropic:
    def test_thinking_and_text_stream_as_the_whole_message(self, ant):
        asked = {"model": "m", "max_tokens": 4000, "messages": [USER]}
        asked["thinking"] = {"type": "enabled", "budget_tokens": 2000}
        plain = ant.messages.create(**asked)
        with ant.messages.stream(**asked) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == ["thinking", "text"]
        assert final.content[0].thinking == plain.content[0].thinking == "Reasoning was asked for. The answer is text."
        assert final.content[0].signature
        assert plain.content[0].signature
        assert final.content[1].text == plain.content[1].text
        assert final.content[1].text == f"{TAG} This is m over Anthropic Messages. You said: hello there"
        assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", plain.usage.output_tokens)

    def test_calls_the_tool_and_quotes_the_result(self, ant):
        asked = {"model": "m", "max_tokens": 400, "tools": [{"type": "bash_20250124", "name": "bash"}, CLAUDE_TOOL]}
        with ant.messages.stream(**asked, messages=[ASKING]) as stream:
            final = stream.get_final_message()
        [call] = final.content
        assert (final.stop_reason, call.type, call.input) == ("tool_use", "tool_use", ARGUMENTS)
        assert ant.messages.create(**asked, messages=[ASKING]).content[0].input == ARGUMENTS
        result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "21"}]}
        turn = [USER, {"role": "assistant", "content": final.content}]
        turn.append({"role": "user", "content": [result, {"type": "text", "text": "a reminder"}]})
        assert ant.messages.create(**asked, messages=turn).content[0].text.endswith("The tool returned: 21")

    def test_structured_output_parses_into_the_asked_model(self, ant):
        got = ant.messages.parse(model="m", max_tokens=400, messages=[USER], output_format=Answer)
        assert got.parsed_output == Answer(name="demo", count=1, kind="small", tags=[])

    def test_token_limit_ends_in_max_tokens_and_zero_says_nothing(self, ant):
        got = ant.messages.create(model="m", max_tokens=2, messages=[USER])
        assert (got.content[0].text, got.stop_reason, got.usage.output_tokens) == (TAG, "max_tokens", 2)
        got = ant.messages.create(model="m", max_tokens=0, messages=[USER])
        assert (got.content, got.stop_reason, got.usage.output_tokens) == ([], "max_tokens", 0)

    def test_counts_tokens_and_lists_models(self, ant):
        counted = ant.messages.count_tokens(model="m", messages=[USER]).input_tokens
        assert counted == ant.messages.create(model="m", max_tokens=9, messages=[USER]).usage.input_tokens == 3
        assert [model.id for model in ant.models.list()] == [MODEL]

    def test_refuses_threads_so_that_tool_runners_send_the_history(self, ant):
        with pytest.raises(anthropic.BadRequestError) as caught:
            ant.messages.create(model="m", max_tokens=9, messages=[USER], extra_body={"thread": {"type": "create"}})
        assert caught.value.body["error"]["details"]["error_code"] == "thread_unsupported_request"
        assert caught.value.request_id == caught.value.body["request_id"]


class TestGemini:
    def test_thoughts_and_text_stream_as_the_whole_answer(self, goo):
        thinking = {"thinking_config": {"include_thoughts": True}}
        plain = goo.models.generate_content(model="m", contents="hello there", config=thinking)
        chunks = list(goo.models.generate_content_stream(model="m", contents="hello there", config=thinking))
        assert plain.text == f"{TAG} This is m over Gemini generateContent. You said: hello there"
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
        for thought in (True, None):
            assert "".join(part.text for part in parts if part.thought == thought) == "".join(
                part.text for part in plain.candidates[0].content.parts if part.thought == thought
            )
        assert chunks[-1].usage_metadata == plain.usage_metadata
        assert [bool(chunk.candidates[0].finish_reason) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]

    def test_calls_the_function_and_quotes_the_response(self, goo):
        config = {"tools": [{"function_declarations": [{"name": "weather", "parameters_json_schema": PARAMETERS}]}]}
        plain = goo.models.generate_content(model="m", contents="a tool", config=config)
        [chunk] = goo.models.generate_content_stream(model="m", contents="a tool", config=config)
        assert plain.function_calls == chunk.function_calls
        assert plain.function_calls[0].args == ARGUMENTS
        assert plain.candidates[0].content.parts[0].thought_signature
        response = gemini_types.Part.from_function_response(name="weather", response={"output": "21"})
        turn = ["hello", plain.candidates[0].content, gemini_types.Content(role="user", parts=[response])]
        assert goo.models.generate_content(model="m", contents=turn, config=config).text.endswith('{"output":"21"}')

    def test_structured_output_parses_into_the_asked_model(self, goo):
        config = {"response_mime_type": "application/json", "response_schema": Answer}
        got = goo.models.generate_content(model="m", contents="hello", config=config)
        assert got.parsed == Answer(name="demo", count=1, kind="small", tags=[])

    def test_token_limit_ends_in_max_tokens(self, goo):
        got = goo.models.generate_content(model="m", contents="hello", config={"max_output_tokens": 2})
        assert (got.text, got.candidates[0].finish_reason.name) == (TAG, "MAX_TOKENS")

    def test_counts_tokens_and_lists_models(self, goo):
        counted = goo.models.count_tokens(model="m", contents="hello there").total_tokens
        used = goo.models.generate_content(model="m", contents="hello there").usage_metadata.prompt_token_count
        assert counted == used
        assert [model.name for model in goo.models.list()] == [f"models/{MODEL}"]

    def test_errors_are_read_by_the_sdk(self, goo):
        with pytest.raises(genai.errors.ClientError) as caught:
            goo.models.embed_content(model="m", contents="hello")
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


# Streams against the grammar


GENERATIONS: dict[str, tuple[str, str, Any]] = {
    "chat": ("openai_chat", "/v1/chat/completions", chat(n=2, stream=True)),
    "completions": ("openai_completions", "/v1/completions", {"model": "m", "prompt": ["a", "b"], "stream": True}),
    "responses": ("openai_responses", "/v1/responses", {"model": "m", "input": "hello there", "stream": True}),
    "messages": ("anthropic", "/v1/messages", claude(stream=True)),
    "gemini": ("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", gemini()),
    "gemini-array": ("gemini", "/v1beta/models/m:streamGenerateContent", gemini()),
}
USAGE = {"stream_options": {"include_usage": True}}
CUSTOM_CHAT = {"tools": [{"type": "custom", "custom": {"name": "free"}}]}
VARIANTS: dict[str, dict[str, list[Any]]] = {
    "chat": {
        "tool": [{"tools": [CHAT_TOOL]}, {"tools": [CHAT_TOOL], "reasoning_effort": "high", **USAGE}, CUSTOM_CHAT],
        "reasoning": [{"reasoning_effort": "high"}],
        "limit": [{"max_tokens": at, "reasoning_effort": "low"} for at in (1, 9)]
        + [{"max_tokens": 1, "tools": [CHAT_TOOL]}],
        "json": [{"response_format": {"type": "json_object"}}],
    },
    "completions": {"usage": [USAGE], "limit": [{"max_tokens": 3}]},
    "responses": {
        "tool": [{"tools": [FLAT_TOOL]}, {"tools": [{"type": "custom", "name": "free"}]}],
        "reasoning": [{"reasoning": {"summary": "auto"}}, {"reasoning": {"effort": "low"}, "tools": [FLAT_TOOL]}],
        "limit": [{"max_output_tokens": at, "reasoning": {"effort": "low"}} for at in (1, 9)],
        "nothing": [{"max_output_tokens": 1, "tools": [FLAT_TOOL]}],
    },
    "messages": {
        "tool": [{"tools": [CLAUDE_TOOL]}, {"tools": [CLAUDE_TOOL], "thinking": {"type": "adaptive"}}],
        "limit": [{"max_tokens": at, "thinking": {"type": "adaptive"}} for at in (0, 1, 9)],
    },
    "gemini": {
        "tool": [{"tools": [GEMINI_TOOL]}],
        "reasoning": [{"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}],
        "limit": [{"generationConfig": {"maxOutputTokens": 1}}],
        "nothing": [{"generation_config": {"max_output_tokens": "1"}, "tools": [GEMINI_TOOL]}],
        "several": [{"generationConfig": {"candidateCount": 3}}],
    },
}
VARIANTS["gemini-array"] = VARIANTS["gemini"]
GEMINI_ASKS = {"contents": [{"role": "user", "parts": [{"text": "use the tool"}]}]}
ASKED = {
    "chat": {"messages": [ASKING]},
    "responses": {"input": [ASKING]},
    "messages": {"messages": [ASKING]},
    "gemini": GEMINI_ASKS,
    "gemini-array": GEMINI_ASKS,
}
"""What the user says where tools are offered, so that one is called."""
STREAMS = [
    pytest.param(dialect, path, body | change | (ASKED[name] if "tools" in change else {}), id=f"{name}-{kind}-{at}")
    for name, (dialect, path, body) in GENERATIONS.items()
    for kind, changes in {"text": [{}], **VARIANTS[name]}.items()
    for at, change in enumerate(changes)
]


@pytest.fixture(scope="session")
def grammar(request) -> SimpleNamespace:
    folder = Path(request.config.rootpath).parent / "shared" / "gauntlet"
    if not (folder / "grammar.py").is_file():
        pytest.skip(f"the stream grammar is not at {folder.name}/grammar.py beside the checkout")
    sys.path.insert(0, str(folder))
    try:
        modules: list[ModuleType] = [importlib.import_module(name) for name in ("grammar", "fold")]
    finally:
        sys.path.remove(str(folder))
    return SimpleNamespace(check=modules[0].check, answer=modules[1].Answer)


@pytest.mark.parametrize(("dialect", "path", "body"), STREAMS)
def test_every_stream_is_legal(grammar, dialect, path, body):
    reply = post(path, body)
    headers = [(name.decode(), value.decode()) for name, value in reply.headers]
    assert grammar.check(dialect, grammar.answer(reply.status, headers, text_of(reply)), body) == []


@pytest.mark.parametrize(
    ("name", "count"),
    [("chat", 26), ("completions", 22), ("responses", 12), ("messages", 12), ("gemini", 12), ("gemini-array", 12)],
)
def test_streams_have_no_length_and_come_word_by_word_at_a_visible_pace(name, count):
    _, path, body = GENERATIONS[name]
    reply = post(path, body)
    assert reply.status == 200
    assert b"content-length" not in dict(reply.headers)
    assert [chunk.delay for chunk in reply.chunks if chunk.delay] == [0.03] * count


@pytest.mark.parametrize(("dialect", "path", "body"), STREAMS)
def test_the_same_request_gets_the_same_bytes(dialect, path, body):
    assert post(path, body) == post(path, body)


def test_whole_answers_are_one_chunk_at_once_with_its_length():
    reply = post("/v1/messages", claude())
    assert [chunk.delay for chunk in reply.chunks] == [0.0]
    assert dict(reply.headers)[b"content-length"] == str(len(reply.chunks[0].data)).encode()


def test_a_different_body_gets_different_ids():
    assert json_of(post("/v1/messages", claude()))["id"] != json_of(post("/v1/messages", claude(max_tokens=501)))["id"]


def test_a_very_long_answer_is_streamed_in_larger_pieces():
    schema = {"const": "word " * 5000}
    asked = chat(stream=True, response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    reply = post("/v1/chat/completions", asked)
    assert sum(chunk.delay for chunk in reply.chunks) < 15
    said = "".join(event["choices"][0]["delta"].get("content", "") for event in events_of(reply))
    assert json.loads(said) == schema["const"]


# What it reads


def said(reply: DemoAnswer) -> str:
    return json_of(reply)["choices"][0]["message"]["content"].partition(": ")[2]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([USER, {"role": "assistant", "content": "hi"}], "hello there"),
        ([{"role": "user", "content": "  hello  "}, {"role": "system", "content": "x"}], "hello"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "x"}],
                }
            ],
            "b",
        ),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "(nothing)"),
        ([{"role": "user", "content": None}], "(nothing)"),
        ([{"role": "system", "content": "x"}], "(nothing)"),
        ([{"role": "user", "content": "x" * 300}], "x" * 200 + "…"),
        ([USER, {"role": "tool", "content": ""}], "(nothing)"),
        ([USER, {"role": "tool", "content": "r"}, {"role": "developer", "content": "x"}], "r"),
    ],
)
def test_echoes_the_last_text_of_the_user_or_the_result_of_the_tool(messages, expected):
    assert said(post("/v1/chat/completions", chat(messages=messages))) == expected


SECOND = {"type": "function", "function": {"name": "second"}}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        (None, "weather"),
        ("auto", "weather"),
        ("required", "weather"),
        ("none", None),
        ({"type": "function", "function": {"name": "second"}}, "second"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [SECOND]}}, "second"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "web_search"}]}}, None),
        ({"type": "web_search"}, None),
    ],
)
def test_tool_choice_decides_which_tool_is_called(choice, called):
    asked = chat(messages=[ASKING], tools=[{"type": "web_search"}, CHAT_TOOL, SECOND], tool_choice=choice)
    message = json_of(post("/v1/chat/completions", asked))["choices"][0]["message"]
    names = [call["function"]["name"] for call in message.get("tool_calls", [])]
    assert names == ([called] if called else [])


@pytest.mark.parametrize(
    ("said", "choice", "called"),
    [
        ("hello there", None, []),
        ("hello there", "auto", []),
        ("hello there", "required", ["weather"]),
        ("hello there", {"type": "function", "function": {"name": "second"}}, ["second"]),
        ("what is a toolbox?", None, []),
        ("Call second!", None, ["second"]),
        ("Use a tool.", None, ["weather"]),
        ("use a tool", "none", []),
    ],
)
def test_no_tool_is_called_unless_it_is_asked_for(said, choice, called):
    """N7: agents offer a shell with whatever they ask, and ran what the demo made up."""
    asked = chat(messages=[{"role": "user", "content": said}], tools=[CHAT_TOOL, SECOND], tool_choice=choice)
    message = json_of(post("/v1/chat/completions", asked))["choices"][0]["message"]
    assert [call["function"]["name"] for call in message.get("tool_calls", [])] == called


def test_what_must_be_called_is_called_in_every_dialect():
    assert (
        json_of(post("/v1/messages", claude(tools=[CLAUDE_TOOL], tool_choice={"type": "any"})))["content"][0]["type"]
        == "tool_use"
    )
    config = {"functionCallingConfig": {"mode": "ANY"}}
    got = json_of(post("/v1beta/models/m:generateContent", gemini(tools=[GEMINI_TOOL], toolConfig=config)))
    assert "functionCall" in got["candidates"][0]["content"]["parts"][0]


def test_tool_choice_of_responses_names_tools_without_nesting():
    tools = [FLAT_TOOL, {"type": "function", "name": "second"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "second"}]}
    asked = {"model": "m", "input": "x", "tools": tools, "tool_choice": choice}
    assert json_of(post("/v1/responses", asked))["output"][0]["name"] == "second"


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ({"type": "none"}, None),
        ({"type": "tool", "name": "second"}, "second"),
        ({"type": "any"}, "weather"),
        (None, "weather"),
    ],
)
def test_tool_choice_of_anthropic(choice, called):
    tools = [CLAUDE_TOOL, {"name": "second", "input_schema": {}}]
    asked = claude(messages=[ASKING], tools=tools, tool_choice=choice)
    content = json_of(post("/v1/messages", asked))["content"]
    assert [block.get("name") for block in content] == [called]


@pytest.mark.parametrize(
    ("config", "called"),
    [({"mode": "NONE"}, []), ({"mode": "ANY", "allowed_function_names": ["second"]}, ["second"]), ({}, ["weather"])],
)
def test_function_calling_config_of_gemini_in_either_spelling(config, called):
    tools = [GEMINI_TOOL, {"function_declarations": [{"name": "second"}]}]
    said = [{"role": "user", "parts": [{"text": "a tool"}]}]
    asked = gemini(contents=said, tools=tools, tool_config={"function_calling_config": config})
    parts = json_of(post("/v1beta/models/m:generateContent", asked))["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in parts if "functionCall" in part] == called


def test_the_answer_after_a_tool_still_keeps_to_the_asked_schema():
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": PARAMETERS}}
    asked = chat(messages=[USER, {"role": "tool", "content": "r"}], tools=[CHAT_TOOL], response_format=form)
    assert json.loads(json_of(post("/v1/chat/completions", asked))["choices"][0]["message"]["content"]) == ARGUMENTS


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING"}, "demo"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "format": "unheard-of"}, "demo"),
        ({"type": ["null", "integer"]}, None),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "number", "minimum": 0, "maximum": 9}, 1),
        ({"type": "boolean"}, True),
        ({"const": 7}, 7),
        ({"enum": []}, "demo"),
        ({"properties": {"a": {}}, "required": ["a"], "anyOf": [{"required": ["b"]}]}, {"a": "demo"}),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "minItems": "2"}, []),
        ({"type": "object", "required": ["a", 1], "properties": 3}, {"a": "demo"}),
        ({"type": "object", "properties": {"a": {}}}, {}),
        ({"$ref": "#/$defs/x%7E1y", "$defs": {"x/y": {"type": "boolean"}}}, True),
        ({"$ref": "#/nowhere/at/all"}, None),
    ],
)
def test_structured_answers_are_the_least_that_the_schema_asks_for(schema, expected):
    asked = {"model": "m", "input": "x", "text": {"format": {"type": "json_schema", "schema": schema}}}
    content = json_of(post("/v1/responses", asked))["output"][0]["content"]
    assert json.loads(content[0]["text"]) == expected


def test_endless_schemas_have_an_end():
    node = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    tool = {"type": "function", "name": "f", "parameters": node}
    [call] = json_of(post("/v1/responses", {"model": "m", "input": "call f", "tools": [tool]}))["output"]
    assert set(json.loads(call["arguments"])) == {"a", "b"}


def test_a_tool_whose_schema_is_no_object_is_called_without_arguments():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}
    [call] = json_of(post("/v1/chat/completions", chat(messages=[ASKING], tools=[tool])))["choices"][0]["message"][
        "tool_calls"
    ]
    assert call["function"]["arguments"] == "{}"


@pytest.mark.parametrize(("limit", "expected"), [(8, 8), (8.0, 8), ("8", 8), (0, None), (-1, None), (None, None)])
def test_token_limits_are_read_in_all_their_spellings(limit, expected):
    asked = gemini(generationConfig={"maxOutputTokens": limit})
    got = json_of(post("/v1beta/models/m:generateContent", asked))
    assert got["candidates"][0]["finishReason"] == ("MAX_TOKENS" if expected else "STOP")
    assert expected is None or got["usageMetadata"]["candidatesTokenCount"] == expected


def test_json_mode_of_gemini_without_a_schema_is_still_json():
    asked = gemini(generationConfig={"responseMimeType": "application/json"})
    parts = json_of(post("/v1/models/tuned%3Ax%3AgenerateContent", asked))["candidates"][0]["content"]["parts"]
    assert json.loads(parts[0]["text"])["demo"].startswith(f"{TAG} This is tuned:x over")


def test_count_tokens_of_gemini_takes_a_whole_request_too():
    inner = gemini(system_instruction={"parts": [{"text": "be brief"}]})
    for body in (inner, {"generateContentRequest": inner}):
        assert json_of(post("/v1beta/models/m:countTokens", body)) == {"totalTokens": 5}


def test_nothing_counts_as_one_token():
    assert json_of(post("/v1/messages/count_tokens", {"messages": [1, None]})) == {"input_tokens": 1}


def test_float32_base64_is_little_endian():
    asked = {"model": "m", "input": [1, 2, 3], "dimensions": 3}
    [plain] = json_of(post("/v1/embeddings", asked))["data"]
    [coded] = json_of(post("/v1/embeddings", asked | {"encoding_format": "base64"}))["data"]
    assert list(struct.unpack("<3f", base64.b64decode(coded["embedding"]))) == plain["embedding"]


def test_a_response_repeats_the_request():
    asked = {"model": "m", "input": [USER], "temperature": 0.5, "metadata": {"a": "b"}, "tools": None}
    got = json_of(post("/v1/responses", asked))
    assert (got["temperature"], got["metadata"], got["tools"], got["top_p"]) == (0.5, {"a": "b"}, [], 1.0)


# Routes and refusals


@pytest.mark.parametrize(
    ("path", "headers", "shape"),
    [
        ("/v1/models", {}, "data"),
        ("/v1/models", {"anthropic_version": "2026-10-21"}, "first_id"),
        ("/v1/models", {"x_goog_api_key": "k"}, "models"),
        ("/v1/models", {"x_goog_api_client": "genai"}, "models"),
        ("/v1/models?key=k", {}, "models"),
        ("/v1beta/models?pageSize=5", {}, "models"),
    ],
)
def test_the_model_list_has_the_shape_that_the_headers_ask_for(path, headers, shape):
    fields = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    assert shape in json_of(demo_answer("GET", path.encode(), fields, b""))


OPENAI_ERROR, ANTHROPIC_ERROR, GEMINI_ERROR = "openai", "anthropic", "gemini"


def error_shape(reply: DemoAnswer) -> str:
    body = json_of(reply)
    if isinstance(body, list):
        [body] = body
    if body.get("type") == "error":
        assert isinstance(body["error"]["type"], str)
        return ANTHROPIC_ERROR
    assert isinstance(body["error"]["message"], str)
    return GEMINI_ERROR if body["error"]["code"] == reply.status else OPENAI_ERROR


@pytest.mark.parametrize(
    ("method", "path", "shape"),
    [
        ("GET", "/", OPENAI_ERROR),
        ("GET", "/v1/chat/completions", OPENAI_ERROR),
        ("POST", "/v1/images/generations", OPENAI_ERROR),
        ("POST", "/a:b", OPENAI_ERROR),
        ("POST", "/v2/models/m:generateContent", OPENAI_ERROR),
        ("POST", "/v1/messages/batches", ANTHROPIC_ERROR),
        ("POST", "/v1/models/m:predict", GEMINI_ERROR),
        ("POST", "/v1beta/other/m:generateContent", GEMINI_ERROR),
        ("POST", "/v1beta/models/:generateContent", GEMINI_ERROR),
        ("GET", "/v1beta/models/m:generateContent", GEMINI_ERROR),
    ],
)
def test_anything_else_is_not_found_in_the_shape_of_its_path(method, path, shape):
    reply = demo_answer(method, path.encode(), (), b"{}")
    assert (reply.status, error_shape(reply)) == (404, shape)


ROUTES = [
    ("/v1/chat/completions", OPENAI_ERROR),
    ("/v1/completions", OPENAI_ERROR),
    ("/v1/responses", OPENAI_ERROR),
    ("/v1/responses/input_tokens", OPENAI_ERROR),
    ("/v1/embeddings", OPENAI_ERROR),
    ("/v1/messages", ANTHROPIC_ERROR),
    ("/v1/messages/count_tokens", ANTHROPIC_ERROR),
    ("/v1/models/m:generateContent", GEMINI_ERROR),
    ("/v1beta/models/m:streamGenerateContent", GEMINI_ERROR),
    ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_ERROR),
    ("/v1alpha/tunedModels/m:countTokens", GEMINI_ERROR),
]


@pytest.mark.parametrize(("path", "shape"), ROUTES)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"a":"\xff"}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400_in_the_dialects_shape(path, shape, body):
    reply = post(path, body)
    assert (reply.status, error_shape(reply)) == (400, shape)


def test_only_a_growing_array_has_its_error_inside_an_array():
    assert isinstance(json_of(post("/v1beta/models/m:streamGenerateContent", b"")), list)
    assert isinstance(json_of(post("/v1beta/models/m:streamGenerateContent?alt=sse", b"")), dict)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", chat(model="")),
        ("/v1/chat/completions", chat(model="m" * 257)),
        ("/v1/chat/completions", chat(messages=["x"])),
        ("/v1/chat/completions", chat(messages=[{"role": "user", "content": 5}])),
        ("/v1/chat/completions", chat(messages=[{"role": 1, "content": "x"}])),
        ("/v1/chat/completions", chat(stream="yes")),
        ("/v1/chat/completions", chat(stream=1)),
        ("/v1/chat/completions", chat(n=0)),
        ("/v1/chat/completions", chat(max_tokens=1.5)),
        ("/v1/chat/completions", chat(max_tokens=True)),
        ("/v1/chat/completions", chat(tools={})),
        ("/v1/chat/completions", chat(tools=[{"type": "function", "function": {}}])),
        ("/v1/chat/completions", chat(tools=[CHAT_TOOL], tool_choice={"type": "function", "function": {"name": "no"}})),
        ("/v1/completions", {"model": "m"}),
        ("/v1/completions", {"model": "m", "prompt": ["a", 1]}),
        ("/v1/completions", {"model": "m", "prompt": [[]]}),
        ("/v1/completions", {"model": "m", "prompt": ["a"] * 129}),
        ("/v1/completions", {"model": "m", "prompt": ["a"] * 100, "n": 2}),
        ("/v1/responses", {"model": "m", "input": []}),
        ("/v1/embeddings", {"model": "m", "input": "x", "dimensions": 0}),
        ("/v1/embeddings", {"model": "m", "input": "x", "encoding_format": "int8"}),
        ("/v1/embeddings", {"model": "m", "input": []}),
        ("/v1/messages", {"model": "m", "messages": [USER]}),
        ("/v1/messages", claude(max_tokens=-1)),
        ("/v1beta/models/m:generateContent", {"contents": []}),
    ],
)
def test_what_is_ill_typed_where_it_matters_is_a_400(path, body):
    assert post(path, body).status == 400


def test_json_that_can_be_read_but_not_written_again_is_a_400():
    def nested(depth: int) -> bytes:
        return b'{"model":"m","input":"x","metadata":' + b"[" * depth + b"]" * depth + b"}"

    def too_deep(depth: int) -> bool:
        try:
            msgspec.json.decode(nested(depth))
        except RecursionError:
            return True
        return False

    limit = bisect.bisect_left(range(1_000_000), True, key=too_deep)
    statuses = [post("/v1/responses", nested(depth)).status for depth in range(limit - 60, limit + 5)]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 400}


VOCABULARY = """
    model messages input prompt contents parts text role user tool content type function custom name tools stream
    tool_choice allowed_tools functionResponse function_response response functionDeclarations generationConfig
    responseMimeType application/json responseSchema max_tokens $ref # #/$defs/a $defs properties required items enum
    object array thinking enabled output_config format json_schema schema reasoning effort include metadata n
    namespace tool_result
"""
WORDS = st.sampled_from(VOCABULARY.split())
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=30,
)
USUAL = {"model": "m", "max_tokens": 9, "messages": [USER], "input": "x", "prompt": "x", **gemini()}


@given(
    route=st.sampled_from(ROUTES), body=VALUES | st.dictionaries(WORDS, VALUES, max_size=6).map(lambda odd: USUAL | odd)
)
def test_any_json_gets_an_answer(route, body):
    path, shape = route
    reply = post(path, body)
    assert reply.status in (200, 400)
    assert reply.status == 200 or error_shape(reply) == shape


@given(st.sampled_from(["GET", "POST", "PUT"]), st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_get_an_answer(method, target, body):
    assert demo_answer(method, target, (), body).status in (200, 400, 404)
