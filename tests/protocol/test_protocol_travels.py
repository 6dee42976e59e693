"""Everything that crosses the edge of the core can be written down as JSON and read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.protocol.effects import Effect, GatewayEffect
from agcore.protocol.events import Event
from agcore.protocol.inputs import Input
from agcore.protocol.state import Delta, Query, Reply

UNIONS = {
    "query": Query,
    "reply": Reply,
    "delta": Delta,
    "event": Event,
    "input": Input,
    "effect": Effect,
    "gateway effect": GatewayEffect,
}

KNOWN: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**63), 2**64 - 1),  # what JSON readers can hold
}


def members() -> Iterator[tuple[str, type]]:
    for name, union in UNIONS.items():
        for member in get_args(union):
            yield name, member


def values(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Every value of a Struct's class, by the types of its fields."""
    return st.builds(kind, **{field.name: a_value(field.type) for field in msgspec.structs.fields(kind)})


def a_value(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return values(kind)
    arguments = get_args(kind)
    if not arguments:
        return KNOWN[kind] if kind in KNOWN else st.from_type(kind)
    if getattr(kind, "__origin__", None) is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(a_value(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(a_value, arguments))
    if getattr(kind, "__origin__", None) is Literal:
        return st.sampled_from(arguments)
    return st.one_of(*(a_value(each) for each in arguments))


@pytest.mark.parametrize(("union", "member"), list(members()))
@given(data=st.data())
def test_every_member_of_a_union_is_read_back_as_it_was_written(union: str, member: type, data: st.DataObject) -> None:
    value = data.draw(values(member))
    read = msgspec.json.Decoder(UNIONS[union]).decode(msgspec.json.encode(value))
    assert type(read) is member
    assert read == value


def test_a_line_names_its_kind_and_holds_bytes_as_base64() -> None:
    assert msgspec.json.encode(get_args(Input)[0](b"\xff")) == b'{"type":"RequestData","data":"/w=="}'
