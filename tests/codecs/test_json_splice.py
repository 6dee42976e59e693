"""JSON members: edits change what they name and no other byte; what could mean two things is refused."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.json_splice import BodyError, Members, parse, splice

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


# What holds for every object


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


# Reading


def test_a_member_that_is_missing_has_no_text_and_the_default_value() -> None:
    members = parse(b'{"a": null}')
    assert "b" not in members
    assert members.raw("b") is None
    assert members.value("b") is None
    assert members.value("b", 7) == 7
    assert members.value("a", 7) is None


def test_a_bytearray_is_copied_so_that_later_changes_do_not_matter() -> None:
    buffer = bytearray(b'{"a": 1}')
    members = parse(buffer)
    buffer[6] = ord("2")
    assert members.body == b'{"a": 1}'
    assert members.value("a") == 1


def test_the_body_is_kept_as_the_same_object() -> None:
    body = b'{"a": 1}'
    assert parse(body).body is body


def test_a_value_that_cannot_be_held_is_a_body_error_that_names_it() -> None:
    members = parse(b'{"big": 1e999}')
    assert members.raw("big") == b"1e999"
    with pytest.raises(BodyError, match=r"`big` cannot be read: .*out of range"):
        members.value("big")


# Editing, by example


@pytest.mark.parametrize(
    ("text", "changes", "result"),
    [
        (b'{"a": 1, "b": 2}', {"a": b"9"}, b'{"a": 9, "b": 2}'),
        (b'{"a": 1, "b": 2}', {"b": b"9"}, b'{"a": 1, "b": 9}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"a": None}, b'{"b": 2, "c": 3}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"b": None}, b'{"a": 1, "c": 3}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"c": None}, b'{"a": 1, "b": 2}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"c": None, "a": None}, b'{"b": 2}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"b": None, "c": None}, b'{"a": 1}'),
        (b'{"a": 1, "b": 2, "c": 3}', {"b": None, "c": None, "a": b"9", "d": b"4"}, b'{"a": 9,"d":4}'),
        (b'{\n  "a": 1\n}\n', {"a": None}, b"{\n  \n}\n"),
        (b'{\n  "a": 1\n}\n', {"b": b"2", "a": None, "c": b"3"}, b'{\n  "b":2,"c":3\n}\n'),
        (b'{\n  "a": 1\n}\n', {"b": b"2"}, b'{\n  "a": 1,"b":2\n}\n'),
        (b"{}", {"a": b"1", "b": b"2"}, b'{"a":1,"b":2}'),
        (b" { } ", {"a": b"1"}, b' { "a":1} '),
        (b"{}", {'"\n\xe9': b"1"}, b'{"\\"\\n\xc3\xa9":1}'),
        (b'{"\\u0061": 1, "b": 2}', {"a": b"9"}, b'{"\\u0061": 9, "b": 2}'),
        (b'{"a": {"a": 1}, "x": "\\"a\\": 5"}', {"a": b"9"}, b'{"a": 9, "x": "\\"a\\": 5"}'),
        (b'{"a": 1.0e+2, "a ": [ ]}', {"b": None}, b'{"a": 1.0e+2, "a ": [ ]}'),
    ],
)
def test_edits_by_example(text: bytes, changes: dict[str, bytes | None], result: bytes) -> None:
    assert parse(text).edited(changes) == result


def test_members_can_be_edited_more_than_once() -> None:
    members = parse(b'{"a": 1}')
    assert members.edited({"a": b"2"}) == b'{"a": 2}'
    assert members.edited({"a": b"3"}) == b'{"a": 3}'
    assert members.raw("a") == b"1"


# Refusals, by example


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the body is empty; it must be a JSON object"),
        (b" \n", "the body is empty; it must be a JSON object"),
        (b"\xef\xbb\xbf{}", "the body starts with a byte order mark; JSON is sent as UTF-8 without one"),
        (b'{"a": "\xff"}', "the body is not UTF-8 at byte 7"),
        (b'{"\xc3": 1}', "the body is not UTF-8 at byte 2"),
        (b"[1]", "the body must be a JSON object, not an array"),
        (b' "x"', "the body must be a JSON object, not a string"),
        (b"-1", "the body must be a JSON object, not a number"),
        (b"true", "the body must be a JSON object, not true"),
        (b"null", "the body must be a JSON object, not null"),
        (b'{"a": 1,}', "the body is not valid JSON: trailing comma in object at byte 8"),
        (b'{"a": NaN}', "the body is not valid JSON: invalid character at byte 6"),
        (b"{} {}", "the body is not valid JSON: trailing characters at byte 4"),
        (b'{"a": "\\udc00"}', "the body is not valid JSON: invalid utf-16 surrogate pair at byte 13"),
        (
            b'{"a": 1',
            "the body is not valid JSON: it ends early, or a `\\u` escape lacks the other half of its surrogate pair",
        ),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "the body is nested too deeply"),
        (b'{"model": 1, "model": 2}', "`model` stands twice in the body"),
        (b'{"model": 1, "mode\\u006c": 1}', "`model` stands twice in the body"),
        (b'{"a": 12, "a": 1}', "`a` stands twice in the body"),
        (b'{"a": 1, "a": 12}', "`a` stands twice in the body"),
        (b'{"a": 1, "b": 2, "a": 1}', "`a` stands twice in the body"),
        (b'{"' + b"n" * 90 + b'": 1, "' + b"n" * 90 + b'": 1}', "`" + "n" * 80 + "…` stands twice in the body"),
    ],
)
def test_refusals_say_what_is_wrong_and_where(text: bytes, message: str) -> None:
    with pytest.raises(BodyError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_name_twice_below_the_top_level_is_left_to_the_member_it_stands_in() -> None:
    assert isinstance(parse(b'{"a": {"b": 1, "b": 2}}'), Members)


# Splicing, by example


def test_a_splice_reaches_into_nested_objects() -> None:
    event = b'{"type": "response.created", "response": {"model" : "big", "output": []}}'
    assert (
        splice(event, ("response", "model"), b'"alias"')
        == b'{"type": "response.created", "response": {"model" : "alias", "output": []}}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"message": 1}',
        b'{"message": ["model"]}',
        b'{"message": {}}',
        b'{"model": 1}',
        b'{"message": {"model": 1, "model": 2}}',
        b'{"message": {"model": 1}',
        b"[DONE]",
        b"",
    ],
)
def test_a_splice_along_a_path_that_is_not_there_is_none(text: bytes) -> None:
    assert splice(text, ("message", "model"), b"1") is None
