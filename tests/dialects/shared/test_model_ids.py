"""Ids read from the lists of models that vendors send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.dialects.shared.model_ids import MAX_ID_LENGTH, MAX_IDS, read_ids
from tests.support.model_lists import anthropic_list, gemini_list, openai_list

NAMES = st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=MAX_ID_LENGTH), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("id", "name", "data", "models", "supportedGenerationMethods")), inner)
    ),
    max_leaves=30,
)


@given(NAMES)
def test_ids_are_read_from_every_vendors_list_in_order_and_once(names: list[str]) -> None:
    bare = json.dumps([{"id": name} for name in names]).encode()
    for body in (openai_list(*names), anthropic_list(*names), gemini_list(*names), bare):
        assert read_ids(body) == tuple(dict.fromkeys(names))


@given(JSON_VALUES)
def test_any_json_is_ids_or_no_list(value: object) -> None:
    found = read_ids(json.dumps(value).encode())
    assert found is None or all(0 < len(id) <= MAX_ID_LENGTH and id.isprintable() for id in found)


@given(st.binary())
def test_any_bytes_are_ids_or_no_list(body: bytes) -> None:
    assert read_ids(body) is None or isinstance(json.loads(body), dict | list)


def test_nesting_without_end_is_no_list() -> None:
    assert read_ids(b"[" * 100_000) is None


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"id": "a" * MAX_ID_LENGTH}, True),
        ({"id": "a" * (MAX_ID_LENGTH + 1)}, False),
        ({"id": ""}, False),
        ({"id": "a\nb"}, False),
        ({"id": "a\ud800"}, False),
        ({"id": 7}, False),
        ("a", False),
        ({"name": "models/a", "supportedGenerationMethods": ["embedContent"]}, True),
        ({"name": "models/a", "supportedGenerationMethods": ["predict"]}, True),
        ({"name": "models/a", "supportedGenerationMethods": ["bidiGenerateContent", 7, []]}, False),
        ({"name": "models/a"}, True),
        ({"name": ["models/a"]}, False),
    ],
)
def test_ids_that_cannot_be_asked_for_are_left_out(entry: object, found: bool) -> None:
    assert len(read_ids(json.dumps({"data": [entry]}).encode()) or ()) == found


def test_a_list_has_an_end() -> None:
    found = read_ids(openai_list(*(f"m{index}" for index in range(MAX_IDS + 5))))
    assert found == tuple(f"m{index}" for index in range(MAX_IDS))
