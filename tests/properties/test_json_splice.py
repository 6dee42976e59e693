"""JSON members: edits change what they name and no other byte, whatever the object."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.json_splice import BodyError, parse, splice

characters = st.characters(exclude_categories=["Cs"])

names = st.text(st.sampled_from('ab"\\/\n\x00é漢😀{}:, ') | characters, max_size=4)

space = st.text(" \t\n\r", max_size=3)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spellings(draw: st.DrawFn, name: str) -> str:
    """One of the ways to write `name` as a JSON string."""
    written = ""
    for character in name:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        units = character.encode("utf-16-be")
        escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        written += draw(st.sampled_from([plain, escaped]))
    return f'"{written}"'


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """One of the ways to write a random JSON value."""
    value = draw(values)
    return json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 1]))).encode()


class Member(NamedTuple):
    name: str
    key: bytes
    """The key and the colon, with the white space around that."""
    value: bytes
    comma: bytes
    """What separates it from the next member."""


class Object(NamedTuple):
    head: bytes
    members: list[Member]
    tail: bytes

    @property
    def text(self) -> bytes:
        return self.render(self.members)

    def render(self, members: list[Member], added: bytes = b"") -> bytes:
        inner = b"".join(m.key + m.value + (m.comma if m is not members[-1] else b"") for m in members)
        return self.head + inner + added + self.tail


@st.composite
def objects(draw: st.DrawFn) -> Object:
    members = [
        Member(
            name,
            f"{draw(spellings(name))}{draw(space)}:{draw(space)}".encode(),
            draw(texts()),
            f"{draw(space)},{draw(space)}".encode(),
        )
        for name in draw(st.lists(names, unique=True, max_size=5))
    ]
    return Object(
        f"{draw(space)}{{{draw(space)}".encode(), members, f"{draw(space) if members else ''}}}{draw(space)}".encode()
    )


@given(objects())
def test_members_are_found_and_decoded(case: Object) -> None:
    members = parse(case.text)
    assert members.body == case.text
    for member in case.members:
        assert member.name in members
        assert members.raw(member.name) == member.value
        assert members.value(member.name) == json.loads(member.value)


@given(objects(), st.data())
def test_an_edit_changes_the_members_it_names_and_no_other_byte(case: Object, data: st.DataObject) -> None:
    present = [member.name for member in case.members]
    some_name = st.sampled_from(present) | names if present else names
    changes: dict[str, bytes | None] = data.draw(st.dictionaries(some_name, st.none() | texts(), max_size=5))

    result = parse(case.text).edited(changes)

    expected: dict[str, Any] = json.loads(case.text)
    for name, value in changes.items():
        if value is None:
            expected.pop(name, None)
        else:
            expected[name] = json.loads(value)
    assert list(json.loads(result).items()) == list(expected.items())

    kept = [
        m._replace(value=changes.get(m.name) or m.value) for m in case.members if changes.get(m.name, b"") is not None
    ]
    added = [
        json.dumps(name, ensure_ascii=False).encode() + b":" + value
        for name, value in changes.items()
        if value is not None and name not in present
    ]
    assert result == case.render(kept, b",".join(([b""] if kept else []) + added))


@given(objects(), names)
def test_an_edit_that_changes_nothing_returns_the_very_same_object(case: Object, absent: str) -> None:
    members = parse(case.text)
    changes: dict[str, bytes | None] = {member.name: member.value for member in case.members}
    changes.setdefault(absent, None)
    assert members.edited(changes) is members.body
    assert members.edited({}) is members.body


@given(objects().filter(lambda case: bool(case.members)), texts(), st.data())
def test_a_name_that_stands_twice_is_refused_however_it_is_spelt(
    case: Object, value: bytes, data: st.DataObject
) -> None:
    twin = data.draw(st.sampled_from(case.members))
    again = Member(
        twin.name,
        data.draw(spellings(twin.name)).encode() + b":",
        data.draw(st.sampled_from([value, twin.value])),
        b",",
    )
    place = data.draw(st.integers(0, len(case.members)))
    text = case._replace(members=[*case.members[:place], again, *case.members[place:]]).text
    with pytest.raises(BodyError, match=r"stands twice in the body"):
        parse(text)


@given(
    st.binary(max_size=30)
    | st.lists(st.sampled_from([*(bytes([b]) for b in b'{}[]":,\\ \n0e-u'), b"\xff", b'"a"', b"null", b'{"a":'])).map(
        b"".join
    )
)
def test_any_bytes_are_an_object_or_a_body_error(text: bytes) -> None:
    check_any_bytes(text)


@given(objects(), st.data())
def test_a_damaged_object_is_an_object_or_a_body_error(case: Object, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(case.text)))
    end = data.draw(st.integers(start, min(start + 3, len(case.text))))
    check_any_bytes(case.text[:start] + data.draw(st.binary(max_size=2)) + case.text[end:])


def check_any_bytes(text: bytes) -> None:
    try:
        members = parse(text)
    except BodyError:
        return
    pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    assert len({name for name, _ in pairs}) == len(pairs)
    assert all(name in members for name, _ in pairs)


@given(st.lists(objects(), min_size=1, max_size=3), texts(), st.data())
def test_a_splice_replaces_one_nested_value_and_no_other_byte(
    levels: list[Object], value: bytes, data: st.DataObject
) -> None:
    path: list[str] = []
    old, new = data.draw(texts()), value
    for level in levels:
        taken = [member.name for member in level.members]
        name = next(name for name in ("model", "response", "é", "a", "b", "c") if name not in taken)
        key = data.draw(spellings(name)).encode() + b":"
        place = data.draw(st.integers(0, len(level.members)))
        before, after = level.members[:place], level.members[place:]
        # White space around the braces is no part of a value.
        old, new = (level.render([*before, Member(name, key, inner, b" , "), *after]).strip() for inner in (old, new))
        path.insert(0, name)
    assert splice(old, tuple(path), value) == new
