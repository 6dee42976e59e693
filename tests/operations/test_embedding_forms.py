"""Vectors leave in the form that was asked for, whatever form an upstream of the client's dialect gives them."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, Final

import pytest

from agcore_sim.story import Story, gateway
from tests.support.edges import setup

VECTOR: Final = [0.5, -1.0, 0.25]
PACKED: Final = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()


def ask(*, attempts: int = 1, **asked: Any) -> Story:
    story = Story(gateway(setup(), attempts=attempts))
    story.open("POST", "/v1/embeddings", body=json.dumps({"model": "my-media", "input": ["a", "b"], **asked}).encode())
    return story


def given(embedding: Any, **asked: Any) -> Any:
    story = ask(**asked)
    item = {"object": "embedding", "index": 1, "embedding": embedding, "x_new": 1}
    body = {"object": "list", "data": [item, {"index": 0, "embedding": embedding}], "model": "m", "x": 1.5}
    story.upstream_answers(200, json.dumps(body).encode())
    assert story.status == 200
    shown = json.loads(story.body)
    assert [each["index"] for each in shown["data"]] == [1, 0]
    assert shown["data"][0]["x_new"] == 1
    assert {**shown, "data": 0, "model": 0} == {**body, "data": 0, "model": 0}
    assert shown["data"][0]["embedding"] == shown["data"][1]["embedding"]
    return shown["data"][0]["embedding"]


def test_numbers_become_base64_where_that_was_asked() -> None:
    assert given(VECTOR, encoding_format="base64") == PACKED
    assert given([1, 0], encoding_format="base64") == base64.b64encode(struct.pack("<2f", 1, 0)).decode()


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}, {"encoding_format": None}])
def test_base64_becomes_numbers_where_those_were_asked(asked: dict[str, Any]) -> None:
    assert given(PACKED, **asked) == VECTOR


@pytest.mark.parametrize(
    ("asked", "vector"),
    [
        ({"encoding_format": "base64"}, PACKED),
        ({"encoding_format": "float"}, VECTOR),
        ({}, VECTOR),
        ({"encoding_format": "base64", "output_dtype": "int8"}, [1, -128]),
        ({"encoding_format": "base64", "output_dtype": "ubinary"}, "AQI="),
        ({"output_dtype": "int8"}, [1, -128]),
        ({"embedding_types": ["int8"]}, {"int8": [1]}),
        ({"encoding_format": "int8"}, [1, 2]),
        ({"encoding_format": 7}, [1, 2]),
        ({"encoding_format": "float"}, "no base64"),
        ({"encoding_format": "float"}, "AQI="),
        ({"encoding_format": "base64"}, ["a"]),
        ({"encoding_format": "base64"}, [1e300]),
        ({"encoding_format": "base64", "output_dtype": "float"}, PACKED),
    ],
)
def test_what_is_as_it_was_asked_or_no_vector_of_floats_is_not_touched(asked: dict[str, Any], vector: Any) -> None:
    assert given(vector, **asked) == vector


def test_an_answer_in_the_right_form_passes_byte_for_byte() -> None:
    story = ask(encoding_format="base64")
    body = b'{ "data" : [ {"embedding":"%b"}, 7 ] }' % PACKED.encode()
    story.upstream_answers(200, body)
    assert story.body == body


@pytest.mark.parametrize("status", [400, 422])
def test_a_form_that_is_refused_is_not_asked_for_again(status: int) -> None:
    story = ask(encoding_format="base64", attempts=2)
    story.upstream_answers(status, b'{"error": {"message": "encoding_format base64 is not supported"}}')
    assert list(story.requests) == [1, 2]
    body = story.requests[2].body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"model": "up-media", "input": ["a", "b"]}
    story.upstream_answers(200, json.dumps({"data": [{"embedding": VECTOR}]}).encode())
    assert json.loads(story.body)["data"] == [{"embedding": PACKED}]


def test_other_refusals_and_a_second_one_are_final() -> None:
    story = ask(encoding_format="base64", attempts=2)
    story.upstream_answers(400, b'{"error": {"message": "input is too long"}}')
    assert (story.status, list(story.requests)) == (400, [1])
    story = ask(encoding_format="base64", attempts=2)
    refusal = b'{"error": {"message": "no", "param": "encoding_format"}}'
    story.upstream_answers(400, refusal)
    story.upstream_answers(400, refusal)
    assert (story.status, list(story.requests)) == (400, [1, 2])
    story = ask(attempts=2)
    story.upstream_answers(400, refusal)
    assert (story.status, list(story.requests)) == (400, [1])


def test_an_answer_that_is_no_json_passes_as_it_is() -> None:
    story = ask(encoding_format="base64")
    story.upstream_answers(200, b"\0\1", headers=((b"content-type", b"application/octet-stream"),))
    assert story.body == b"\0\1"
