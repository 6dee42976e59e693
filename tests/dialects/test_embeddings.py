"""The two vendors' halves of embeddings: what one wrote, the other reads alike."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from agcore.conversation.embeddings import EmbeddingRequest, Embeddings
from agcore.conversation.losses import Losses
from agcore.conversation.values import Invalid
from agcore.dialects.base import PathParts
from agcore.dialects.gemini import embeddings as gemini
from agcore.dialects.openai import embeddings as openai
from agcore.dialects.tasks import Destination, WrittenAnswer
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

OPENAI: Final = "/v1/embeddings"
ONE: Final = "/v1beta/models/MODEL:embedContent"
BATCH: Final = "/v1beta/models/MODEL:batchEmbedContents"
AT: Final = Destination(b"/v1", "m", profile("m"), PathParts("v1beta"))

floats32 = st.floats(allow_nan=False, allow_infinity=False, width=32)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def written(answer: WrittenAnswer) -> Any:
    return json.loads(answer.body)


@given(st.lists(floats32, min_size=1, max_size=50))
@example([0.0, -0.0, 3.4028234663852886e38, 1.401298464324817e-45])
def test_vectors_of_32_bit_floats_come_through_base64_unchanged(vector: list[float]) -> None:
    coded = openai.packed(vector)
    assert openai.unpacked(coded) == vector
    assert len(base64.b64decode(coded)) == 4 * len(vector)
    assert struct.unpack_from("<f", base64.b64decode(coded)) == (vector[0],)


@given(st.lists(st.floats(min_value=-1e38, max_value=1e38), min_size=1, max_size=9))
def test_base64_and_floats_of_one_answer_differ_by_rounding_only(vector: list[float]) -> None:
    found = gemini.read_answer({"embeddings": [{"values": vector}]}, EmbeddingRequest(("a",)), AT)
    assert isinstance(found, Embeddings)
    plain, coded = (
        written(openai.write_answer(found, EmbeddingRequest(("a",), packed=packed), model="m", created=0))["data"]
        for packed in (False, True)
    )
    assert isinstance(plain, list)
    assert isinstance(coded, list)
    assert plain[0]["embedding"] == vector
    for exact, rounded in zip(vector, openai.unpacked(coded[0]["embedding"]), strict=True):
        assert math.isclose(exact, rounded, rel_tol=2**-24, abs_tol=2**-149)


@given(st.lists(texts, min_size=1, max_size=9), st.none() | st.integers(1, 4096))
def test_a_request_means_the_same_in_both_shapes(inputs: list[str], dimensions: int | None) -> None:
    losses = Losses()
    request = EmbeddingRequest(tuple(inputs), dimensions)
    (google,) = map(json.loads, gemini.write_requests(request, AT, losses))
    assert gemini.read_request(google, path=BATCH, model="m", losses=losses) == request
    (plain,) = map(json.loads, openai.write_requests(request, AT, losses))
    assert openai.read_request(plain, path=OPENAI, model="m", losses=losses) == request
    assert len(losses) == 0


@given(st.lists(st.lists(floats32, min_size=1, max_size=4), min_size=1, max_size=5), st.booleans(), st.integers(1, 99))
def test_an_answer_means_the_same_in_both_shapes(vectors: list[list[float]], packed: bool, tokens: int) -> None:
    request = EmbeddingRequest(("a",) * len(vectors), packed=packed)
    given = Embeddings(tuple(vectors), Usage(fresh=tokens))
    google = written(gemini.write_answer(given, request, model="m", created=0))
    assert gemini.read_answer(google, request, AT) == given
    plain = written(openai.write_answer(given, request, model="m", created=0))
    assert openai.read_answer(plain, request, AT) == given


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
request_names = st.sampled_from(["input", "dimensions", "encoding_format", "content", "parts", "text", "requests"])
answer_names = st.sampled_from(["data", "embedding", "index", "embeddings", "values", "usage", "usageMetadata"])


def _shaped(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    inner = st.recursive(
        json_values,
        lambda more: st.dictionaries(names, more, max_size=3) | st.lists(more, max_size=2),
        max_leaves=6,
    )
    return st.dictionaries(names, inner, max_size=4)


@given(_shaped(request_names), st.booleans())
def test_whatever_a_client_sends_is_read_or_refused(body: dict[str, Any], batch: bool) -> None:
    for parse in (
        lambda: openai.read_request(body, path=OPENAI, model="m", losses=Losses()),
        lambda: gemini.read_request(body, path=BATCH if batch else ONE, model="m", losses=Losses()),
    ):
        try:
            request = parse()
        except Invalid:
            continue
        assert request.texts
        assert all(request.texts)


@given(_shaped(answer_names))
def test_whatever_an_upstream_answers_is_read_or_a_502(answer: dict[str, Any]) -> None:
    for read in (openai.read_answer, gemini.read_answer):
        found = read(answer, EmbeddingRequest(("a",)), AT)
        if isinstance(found, Fault):
            assert (found.status, found.code) == (502, "upstream_invalid_answer")
        else:
            assert len(found.vectors) == 1
            assert openai.packed(found.vectors[0])
