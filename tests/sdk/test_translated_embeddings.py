"""Embeddings through each frontend by the official SDKs, from upstreams that speak the other dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest
from google import genai
from google.genai import types

from tests.sdk.conftest import CLIENT_KEY, RETRY_AFTER
from tests.support.upstreams import Upstream

GOOGLES = "gemini/vendor-real"
"""An upstream that speaks Gemini only, whose vectors tell the length of each text."""


@pytest.fixture
def plain(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.fixture(params=["v1", "v1beta"])
def google(gateway_url: str, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=gateway_url, api_version=request.param)
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        yield client


def test_openais_sdk_gets_googles_vectors_in_its_usual_base64(plain: openai.OpenAI, upstream: Upstream) -> None:
    with plain.embeddings.with_streaming_response.create(model=GOOGLES, input="three") as raw:
        assert isinstance(json.loads(raw.read())["data"][0]["embedding"], str)
    answer = plain.embeddings.create(model=GOOGLES, input=["one", "three"], dimensions=2)
    assert [each.embedding for each in answer.data] == [[3.0, 0.5], [5.0, 0.5]]
    assert [each.index for each in answer.data] == [0, 1]
    assert answer.model == GOOGLES
    assert answer.usage.total_tokens == answer.usage.prompt_tokens > 0
    received = upstream.requests[-1]
    assert received.target == b"/v1beta/models/vendor-real:batchEmbedContents"
    assert [each["outputDimensionality"] for each in json.loads(received.body)["requests"]] == [2, 2]


def test_openais_sdk_gets_googles_vectors_as_floats(plain: openai.OpenAI) -> None:
    raw = plain.embeddings.with_raw_response.create(
        model=GOOGLES, input="three", encoding_format="float", user="somebody"
    )
    assert raw.parse().data[0].embedding == [5.0, 0.5]
    assert raw.headers["x-agcore-count"] == "estimate"
    assert raw.headers["x-agcore-losses"] == "user=dropped"


def test_openais_sdk_is_told_that_token_ids_cannot_cross(plain: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="token ids"):
        plain.embeddings.create(model=GOOGLES, input=[[1, 2], [3]])


def test_openais_sdk_is_told_that_anthropic_has_no_embeddings(plain: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="anthropic only"):
        plain.embeddings.create(model="anthropic-x", input="one")


def test_openais_sdk_is_told_that_google_is_busy(plain: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as caught:
        plain.embeddings.create(model="gemini-busy", input="one")
    assert caught.value.response.headers["retry-after"] == str(RETRY_AFTER)


def test_googles_sdk_gets_openais_vectors(google: genai.Client, plain: openai.OpenAI, upstream: Upstream) -> None:
    config = types.EmbedContentConfig(output_dimensionality=6, task_type="RETRIEVAL_QUERY", title="Numbers")
    answer = google.models.embed_content(model="chat-x", contents=["one", "three"], config=config)
    received = upstream.requests[-1]
    assert received.target == b"/v1/embeddings"
    assert json.loads(received.body) == {
        "model": "chat-x",
        "input": ["one", "three"],
        "encoding_format": "float",
        "dimensions": 6,
    }
    same = plain.embeddings.create(model="chat-x", input=["one", "three"], dimensions=6, encoding_format="float")
    assert [each.values for each in answer.embeddings or ()] == [each.embedding for each in same.data]
    assert answer.sdk_http_response is not None
    assert answer.sdk_http_response.headers is not None
    losses = answer.sdk_http_response.headers["x-agcore-losses"]
    assert losses == "requests[0].taskType=dropped; requests[0].title=dropped"


def test_googles_sdk_embeds_one_text(google: genai.Client) -> None:
    answer = google.models.embed_content(model="chat-x", contents="one")
    (embedding,) = answer.embeddings or ()
    assert len(embedding.values or ()) > 1
