"""JSON text: read as it was written, or a ValueError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=9))
def test_json_comes_back_as_it_was(value: object) -> None:
    assert json_text.decode(json_text.encode(value)) == value


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=5))
def test_half_a_surrogate_pair_survives(text: str) -> None:
    wire = json.dumps({"a": text}).encode()
    assert json_text.decode(json_text.encode(json_text.decode(wire))) == json_text.decode(wire)


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        json_text.decode(data)
    except ValueError:
        return
    json.loads(data)


def test_what_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.decode(b"[" * 100_000 + b"]" * 100_000)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.encode(deep)
    while deep:
        deep = deep[0]  # type: ignore[assignment] # taken apart by hand: the collector would recurse
