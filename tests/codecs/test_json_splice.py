"""JSON members: edits change what they name and no other byte; what could mean two things is refused."""

from __future__ import annotations

import pytest

from agcore.codecs.json_splice import BodyError, Members, parse, splice

# What holds for every object


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
