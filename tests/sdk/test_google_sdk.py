"""The Google SDK, as a user runs it, through each frontend to an upstream of its own dialect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from tests.sdk.conftest import CLIENT_KEY
from tests.support.upstreams import Upstream

WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        )
    ]
)


@pytest.fixture(params=["v1", "v1beta"])
def client(gateway_url: str, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=gateway_url, api_version=request.param)
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        yield client


def test_content_is_generated_whole(client: genai.Client, upstream: Upstream) -> None:
    answer = client.models.generate_content(model="alias", contents="hello there")
    assert "hello there" in (answer.text or "")
    assert answer.model_version == "alias"
    assert b"/models/vendor-real:generateContent" in upstream.requests[-1].target


def test_content_is_streamed(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model="alias", contents="hello there"))
    assert len(chunks) > 2
    assert "hello there" in "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_a_function_is_called(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        tools=[WEATHER], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    answer = client.models.generate_content(model="vendor-x", contents="use get_weather", config=config)
    assert answer.function_calls[0].name == "get_weather"


def test_tokens_are_counted(client: genai.Client) -> None:
    assert client.models.count_tokens(model="alias", contents="one two three").total_tokens > 0


def test_contents_are_embedded_in_a_batch(client: genai.Client, upstream: Upstream) -> None:
    answer = client.models.embed_content(model="alias", contents=["one", "three"])
    assert [each.values for each in answer.embeddings or ()] == [[3.0, 0.5], [5.0, 0.5]]
    assert upstream.requests[-1].target.endswith(b"/models/vendor-real:batchEmbedContents")
    assert b"alias" not in upstream.requests[-1].body


def test_models_are_listed_and_found(client: genai.Client) -> None:
    assert "models/alias" in [model.name for model in client.models.list()]
    assert client.models.get(model="alias").name == "models/alias"


def test_an_unknown_model_is_not_found_in_googles_shape(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="nobody-has-this", contents="x")
    assert caught.value.code == 404
    assert caught.value.status == "NOT_FOUND"


def test_a_wrong_key_is_unauthenticated(gateway_url: str) -> None:
    options = types.HttpOptions(base_url=gateway_url)
    with genai.Client(api_key="wrong", http_options=options) as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="alias", contents="x")
    assert caught.value.code == 401
