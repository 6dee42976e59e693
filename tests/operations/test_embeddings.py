"""Embeddings between OpenAI's clients and Gemini's upstreams, and the other way round, through the gateway."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, Final

import pytest

from agcore.config.values import Config, Endpoint, ModelRule, Provider, Proxy, Secret
from agcore.protocol.http import Origin
from agcore_sim.story import JSON, Story, gateway

KEY: Final = "sk-vectors-0123456789abcdef"
OPENAI: Final = "/v1/embeddings"
ONE: Final = "/v1beta/models/MODEL:embedContent"
BATCH: Final = "/v1beta/models/MODEL:batchEmbedContents"
VECTORS: Final = [[0.1, -0.5], [1.0, 2.0]]


def _endpoint(dialect: str) -> Endpoint:
    prefix, auth = (b"/v1", "bearer") if dialect == "openai" else (b"", "x-goog-api-key")
    return Endpoint(dialect, Origin("https", f"{dialect}.example", 443), prefix, auth)


def _provider(name: str, *dialects: str) -> Provider:
    endpoints = {dialect: _endpoint(dialect) for dialect in dialects}
    return Provider(name=name, endpoints=endpoints, keys=(Secret(KEY),), models=(f"{name}-*",))


CONFIG: Final = Config(
    providers=(
        _provider("open", "openai"),
        _provider("google", "gemini"),
        _provider("both", "gemini", "openai"),
        _provider("words", "anthropic"),
    ),
    models=(
        ModelRule("to-google", ((("google", "google/vectors 1"),),)),
        ModelRule("to-open", ((("open", "open-vectors"),),)),
        ModelRule("to-either", ((("words", "words-1"),), (("google", "google-1"),), (("open", "open-1"),))),
    ),
)


def ask(target: str, body: object, *, model: str, headers: Any = (), config: Config = CONFIG) -> Story:
    """A story up to the upstream's request."""
    story = Story(gateway(config))
    text = json.dumps(body).encode()
    story.open("POST", target.replace("MODEL", model), headers=(*JSON, *headers), body=text)
    return story


def asked(story: Story) -> Any:
    body = story.requests[1].body
    assert isinstance(body, bytes)
    return json.loads(body)


def answered(story: Story) -> Any:
    assert story.status == 200, story.body
    return json.loads(story.body)


def error(story: Story) -> Any:
    return json.loads(story.body)["error"]


def content(*parts: str) -> dict[str, Any]:
    return {"parts": [{"text": part} for part in parts]}


def google_answers(story: Story, *vectors: list[float], **more: Any) -> None:
    answer = {"embeddings": [{"values": vector} for vector in vectors], **more}
    story.upstream_answers(200, json.dumps(answer).encode())


def openai_answers(story: Story, *vectors: list[float] | str, **more: Any) -> None:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    answer = {"object": "list", "data": data, "model": "m", **more}
    story.upstream_answers(200, json.dumps(answer).encode())


# OpenAI's clients, Gemini's upstream.


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_an_openai_client_gets_a_gemini_upstreams_vectors_as_it_asked_for_them(encoding: str | None) -> None:
    body = {"model": "to-google", "input": ["one", "two"], "dimensions": 2, "encoding_format": encoding}
    story = ask(OPENAI, body, model="", headers=((b"user-agent", b"me"), (b"openai-beta", b"x")))
    request = story.requests[1]
    assert request.target == b"/v1beta/models/google/vectors%201:batchEmbedContents"
    fields = dict(request.headers)
    assert fields[b"x-goog-api-key"] == KEY.encode()
    assert fields[b"user-agent"] == b"me"
    assert b"openai-beta" not in fields
    each = {"model": "models/google/vectors 1", "outputDimensionality": 2}
    assert asked(story) == {"requests": [{**each, "content": content(text)} for text in ("one", "two")]}
    google_answers(story, *VECTORS)
    answer = answered(story)
    assert (answer["object"], answer["model"]) == ("list", "to-google")
    assert [(each["object"], each["index"]) for each in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    vectors: Any = [each["embedding"] for each in answer["data"]]
    if encoding == "base64":
        vectors = [list(struct.unpack("<2f", base64.b64decode(vector))) for vector in vectors]
    assert vectors == [pytest.approx(vector) for vector in VECTORS]
    assert story.headers[b"x-agcore-provider"] == b"google"
    assert b"x-agcore-losses" not in story.headers
    assert story.gateway.buffered == 0


def test_tokens_that_nobody_counted_are_estimated_and_labelled_so() -> None:
    few, many = ask(OPENAI, {"model": "to-google", "input": "a"}, model=""), None
    google_answers(few, [1.0])
    many = ask(OPENAI, {"model": "to-google", "input": ["a word or two " * 9]}, model="")
    google_answers(many, [1.0])
    usages = [answered(story)["usage"] for story in (few, many)]
    assert 1 <= usages[0]["prompt_tokens"] < usages[1]["prompt_tokens"]
    assert all(usage["total_tokens"] == usage["prompt_tokens"] for usage in usages)
    assert few.headers[b"x-agcore-count"] == b"estimate"
    assert "usage" not in few.row


def test_tokens_that_the_upstream_counted_are_told_as_they_are() -> None:
    story = ask(OPENAI, {"model": "to-google", "input": "a"}, model="")
    google_answers(story, [1.0], usageMetadata={"promptTokenCount": 41})
    assert answered(story)["usage"] == {"prompt_tokens": 41, "total_tokens": 41}
    assert b"x-agcore-count" not in story.headers
    usage: Any = story.row["usage"]
    assert (usage["fresh"], usage["output"]) == (41, 0)


def test_what_gemini_does_not_know_is_a_note_in_header_and_row() -> None:
    body = {"model": "to-google", "input": "a", "user": "u-1", "x_new": 1, "y_new": None}
    for on_loss in ("warn", "reject"):
        config = Config(providers=CONFIG.providers, models=CONFIG.models, proxy=Proxy(on_loss=on_loss))
        story = ask(OPENAI, body, model="", config=config)
        google_answers(story, [1.0])
        assert story.headers[b"x-agcore-losses"] == b"user=dropped; x_new=dropped"
        losses: Any = story.row["losses"]
        assert [(loss["path"], loss["weight"]) for loss in losses] == [("user", "note"), ("x_new", "note")]


@pytest.mark.parametrize(
    ("change", "param", "word"),
    [
        ({"input": None}, "input", "empty"),
        ({"input": []}, "input", "empty"),
        ({"input": ""}, "input", "empty"),
        ({"input": ["a", ""]}, "input[1]", "empty"),
        ({"input": [1, 2]}, "input", "token ids"),
        ({"input": [[1, 2], [3]]}, "input", "token ids"),
        ({"input": ["a", 7]}, "input", "token ids"),
        ({"input": 7}, "input", "string"),
        ({"input": True}, "input", "string"),
        ({"input": [True]}, "input", "string"),
        ({"input": [None]}, "input", "string"),
        ({"input": {"text": "a"}}, "input", "string"),
        ({"dimensions": 0}, "dimensions", "at least 1"),
        ({"dimensions": "8"}, "dimensions", "integer"),
        ({"dimensions": True}, "dimensions", "integer"),
        ({"encoding_format": "int8"}, "encoding_format", "base64"),
        ({"encoding_format": 1}, "encoding_format", "string"),
    ],
)
def test_an_openai_request_that_cannot_be_carried_is_a_400_that_says_why(
    change: dict[str, object], param: str, word: str
) -> None:
    story = ask(OPENAI, {"model": "to-google", "input": "a", **change}, model="")
    assert (story.status, error(story)["param"]) == (400, param)
    assert word in error(story)["message"]
    assert story.requests == {}


# Gemini's clients, OpenAI's upstream.


def test_what_is_nested_too_deeply_to_be_translated_is_a_400() -> None:
    story = Story(gateway(CONFIG))
    deep = b"[" * 100_000 + b"]" * 100_000
    story.open("POST", OPENAI, body=b'{"model": "to-google", "input": %b}' % deep)
    assert (story.status, story.requests) == (400, {})
    assert "nested too deeply" in error(story)["message"]


def test_a_gemini_batch_is_one_openai_request() -> None:
    each = {"model": "models/to-open", "outputDimensionality": 2}
    body = {"requests": [{**each, "content": content("one")}, {**each, "content": content("two")}]}
    story = ask(BATCH, body, model="to-open", headers=((b"x-goog-api-client", b"x"),))
    request = story.requests[1]
    assert request.target == b"/v1/embeddings"
    fields = dict(request.headers)
    assert fields[b"authorization"] == b"Bearer " + KEY.encode()
    assert fields[b"user-agent"] == b"agcore"
    assert b"x-goog-api-client" not in fields
    expected = {"model": "open-vectors", "input": ["one", "two"], "encoding_format": "float", "dimensions": 2}
    assert asked(story) == expected
    openai_answers(story, *VECTORS, usage={"prompt_tokens": 5, "total_tokens": 5})
    assert answered(story) == {
        "embeddings": [{"values": vector} for vector in VECTORS],
        "usageMetadata": {"promptTokenCount": 5},
    }
    usage: Any = story.row["usage"]
    assert usage["fresh"] == 5


@pytest.mark.parametrize("target", [ONE, ONE.replace("v1beta", "v1")])
def test_one_content_gets_one_vector(target: str) -> None:
    story = ask(target, {"content": content("one")}, model="to-open")
    assert asked(story)["input"] == ["one"]
    openai_answers(story, [1.0, 2.0])
    assert answered(story) == {"embedding": {"values": [1.0, 2.0]}}


def test_both_spellings_of_googles_fields_are_read() -> None:
    story = ask(ONE, {"model": "to-open", "content": content("a"), "output_dimensionality": "3"}, model="to-open")
    assert asked(story)["dimensions"] == 3


def test_what_openai_does_not_know_is_noted_once() -> None:
    each = {"content": {"role": "user", **content("a", "b")}, "task_type": "RETRIEVAL_DOCUMENT", "title": "t"}
    story = ask(BATCH, {"requests": [each, each], "xNew": 1}, model="to-open")
    assert asked(story)["input"] == ["a\nb", "a\nb"]
    openai_answers(story, [1.0], [1.0])
    assert story.headers[b"x-agcore-losses"].decode().split("; ") == [
        "requests[0].content=joined by line breaks",
        "requests[0].task_type=dropped",
        "requests[0].title=dropped",
        "requests[1].content=joined by line breaks",
        "xNew=dropped",
    ]


@pytest.mark.parametrize(
    ("target", "body", "param"),
    [
        (ONE, {}, "content"),
        (ONE, {"content": None}, "content"),
        (ONE, {"content": "a"}, "content"),
        (ONE, {"content": {"parts": []}}, "content"),
        (ONE, {"content": content("", "")}, "content"),
        (ONE, {"content": {"parts": ["a"]}}, "content.parts"),
        (ONE, {"content": {"parts": [{"text": 1}]}}, "content.parts[0].text"),
        (ONE, {"content": {"parts": [{"text": "a"}, {"inlineData": {"data": "QQ=="}}]}}, "content.parts[1]"),
        (ONE, {"content": content("a"), "outputDimensionality": 0}, "outputDimensionality"),
        (ONE, {"content": content("a"), "outputDimensionality": 1.5}, "outputDimensionality"),
        (ONE, {"content": content("a"), "model": "models/other"}, "model"),
        (ONE, {"content": content("a"), "model": 1}, "model"),
        (BATCH, {"requests": [{"content": content("a")}], "model": "models/other"}, "model"),
        (BATCH, {"requests": [{"content": content("a"), "model": "models/other"}]}, "requests[0].model"),
        (BATCH, {}, "requests"),
        (BATCH, {"requests": []}, "requests"),
        (BATCH, {"requests": {}}, "requests"),
        (BATCH, {"requests": [{"content": content("a")}, {}]}, "requests[1].content"),
        (
            BATCH,
            {"requests": [{"content": content("a"), "outputDimensionality": 2}, {"content": content("b")}]},
            "requests[1].outputDimensionality",
        ),
    ],
)
def test_a_gemini_request_that_cannot_be_carried_is_a_400_that_says_why(
    target: str, body: dict[str, object], param: str
) -> None:
    story = ask(target, body, model="to-open")
    assert (story.status, error(story)["status"]) == (400, "INVALID_ARGUMENT")
    assert param in error(story)["message"]
    assert story.requests == {}


# Which provider is asked.


@pytest.mark.parametrize("target", [OPENAI, BATCH])
def test_a_provider_that_speaks_both_is_asked_in_the_clients_shape(target: str) -> None:
    body = b'{ "model":"both-1", "input" : [1, 2], "requests":[{"x" :1.50}]}'
    story = Story(gateway(CONFIG))
    story.open("POST", target.replace("MODEL", "both-1"), headers=JSON, body=body)
    assert story.requests[1].body == body
    assert story.requests[1].target == target.replace("MODEL", "both-1").encode()
    said = b'{ "x" :1.50, "data": [{"embedding": [1]}], "usageMetadata": {"promptTokenCount": 3}}'
    story.upstream_answers(200, said)
    assert story.body == said
    usage: Any = story.row["usage"]
    assert usage["fresh"] == 3


@pytest.mark.parametrize("target", [OPENAI, ONE])
def test_the_first_provider_that_has_embeddings_is_asked(target: str) -> None:
    story = ask(target, {"model": "to-either", "input": "a", "content": content("a")}, model="to-either")
    assert dict(story.requests[1].headers)[b"host"] == b"gemini.example"


@pytest.mark.parametrize("target", [OPENAI, ONE, BATCH])
def test_a_provider_without_embeddings_is_a_400_that_names_it(target: str) -> None:
    story = ask(target, {"model": "words-1", "input": "a"}, model="words-1")
    assert story.status == 400
    assert "'words', which speaks anthropic only" in error(story)["message"]
    assert story.requests == {}
    assert ask(target, {"model": "nobody", "input": "a"}, model="nobody").status == 404


# Answers that are none.


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"embeddings": []}',
        b'{"embeddings": [{"values": []}]}',
        b'{"embeddings": [{}]}',
        b'{"embeddings": ["\\ud800"]}',
        b'{"embeddings": [{"values": ["1"]}]}',
        b'{"embeddings": [{"values": [null]}]}',
        b'{"embeddings": [{"values": [NaN]}]}',
        b'{"embeddings": [{"values": [1e39]}]}',
        b'{"embeddings": [{"values": [1e999]}]}',
        b'{"embeddings": [{"values": [1]}, {"values": [1]}]}',
    ],
)
def test_an_answer_without_the_vectors_that_were_asked_for_is_a_502(body: bytes) -> None:
    story = ask(OPENAI, {"model": "to-google", "input": "a"}, model="")
    story.upstream_answers(200, body)
    assert (story.status, error(story)["code"]) == (502, "upstream_invalid_answer")


@pytest.mark.parametrize("indices", [(0, 0), (1, 2), (-1, 0), ("a", "b"), (0.5, 1)])
def test_vectors_whose_order_is_unclear_are_a_502(indices: tuple[object, object]) -> None:
    story = ask(BATCH, {"requests": [{"content": content("a")}] * 2}, model="to-open")
    data = [{"index": index, "embedding": [1.0]} for index in indices]
    story.upstream_answers(200, json.dumps({"data": data}).encode())
    assert (story.status, error(story)["status"]) == (502, "UNAVAILABLE")


def test_vectors_are_put_in_the_order_of_their_indices() -> None:
    story = ask(BATCH, {"requests": [{"content": content("a")}] * 2}, model="to-open")
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    story.upstream_answers(200, json.dumps({"data": data}).encode())
    assert answered(story) == {"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}


def test_an_upstream_may_answer_in_base64_and_without_indices() -> None:
    story = ask(ONE, {"content": content("a")}, model="to-open")
    story.upstream_answers(200, json.dumps({"data": [{"embedding": "AACAPwAAAMA="}]}).encode())
    assert answered(story) == {"embedding": {"values": [1.0, -2.0]}}


@pytest.mark.parametrize("coded", ["", "AAA=", "AAAAAAA=", "*", "AACAPw", "AADAfw==", "é"])
def test_what_is_no_base64_of_finite_floats_is_a_502(coded: str) -> None:
    story = ask(ONE, {"content": content("a")}, model="to-open")
    openai_answers(story, coded)
    assert story.status == 502


def test_an_upstreams_error_keeps_its_status_in_the_clients_shape() -> None:
    story = ask(OPENAI, {"model": "to-google", "input": "a"}, model="")
    body = b'{"error": {"code": 429, "message": "slow down %b", "status": "RESOURCE_EXHAUSTED"}}' % KEY.encode()
    story.upstream_answers(429, body, headers=(*JSON, (b"retry-after", b"7")))
    assert (story.status, story.headers[b"retry-after"]) == (429, b"7")
    assert error(story)["message"].startswith("slow down")
    assert KEY.encode() not in story.body
    story = ask(ONE, {"content": content("a")}, model="to-open")
    story.upstream_answers(200, b'{"error": {"message": "no", "code": 422}}')
    assert (story.status, error(story)["code"], error(story)["message"]) == (422, 422, "no")
