"""The OpenAI SDK, as a user runs it, through each frontend to an upstream of its own dialect."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.sdk.conftest import CLIENT_KEY, UPSTREAM_KEY
from tests.support.upstreams import Upstream

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def test_chat_answers_whole(client: openai.OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model="vendor-x", messages=[{"role": "user", "content": "hello there"}])
    assert "hello there" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert upstream.requests[-1].fields[b"authorization"] == b"Bearer " + UPSTREAM_KEY.encode()
    assert not any(CLIENT_KEY.encode() in value for _, value in upstream.requests[-1].headers)


def test_chat_streams_without_usage_that_was_not_asked_for(client: openai.OpenAI, upstream: Upstream) -> None:
    chunks = list(
        client.chat.completions.create(model="vendor-x", messages=[{"role": "user", "content": "hi"}], stream=True)
    )
    assert "hi" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    assert b'"include_usage":true' in upstream.requests[-1].body


def test_chat_streams_with_usage_that_was_asked_for(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="vendor-x",
        messages=[{"role": "user", "content": "hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None


def test_chat_stream_helper_collects_a_tool_call(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="alias", messages=[{"role": "user", "content": "use get_weather"}], tools=[WEATHER]
    ) as stream:
        answer = stream.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.model == "alias"


def test_legacy_completions_answer_whole_and_as_a_stream(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="vendor-x", prompt="once upon", max_tokens=200)
    streamed = list(client.completions.create(model="vendor-x", prompt="once upon", max_tokens=200, stream=True))
    assert "once upon" in whole.choices[0].text
    assert "once upon" in "".join(chunk.choices[0].text for chunk in streamed if chunk.choices)


def test_responses_answer_whole(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="alias", input="hello there")
    assert "hello there" in answer.output_text
    assert answer.model == "alias"
    assert answer.status == "completed"


def test_responses_stream_helper_reaches_the_final_response(client: openai.OpenAI) -> None:
    with client.responses.stream(model="alias", input="hello there") as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert answer.model == "alias"


def test_responses_count_input_tokens(client: openai.OpenAI) -> None:
    assert client.responses.input_tokens.count(model="vendor-x", input="one two three").input_tokens > 0


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert "alias" in [model.id for model in client.models.list()]
    assert client.models.retrieve("alias").id == "alias"
    with pytest.raises(openai.NotFoundError, match="nobody-has-this"):
        client.models.retrieve("nobody-has-this")


def test_a_wrong_key_is_an_authentication_error(gateway_url: str) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway_url}/v1", api_key="sk-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="vendor-x", messages=[{"role": "user", "content": "x"}])


def test_an_unknown_model_is_not_found_and_has_a_request_id(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody-has-this", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"
    assert caught.value.request_id
