"""Notes as lines in `logging`."""

from __future__ import annotations

import json
import logging

import pytest

from agcore.config.values import Secret
from agcore.protocol.effects import Note
from agcore_asgi.sinks import LogSink, json_line, text_line


def test_access_rows_and_other_notes_go_to_loggers_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="agcore")
    sink = LogSink()
    sink(Note("access", {"status": 200}))
    sink(Note("warning", {"message": "odd"}))
    sink(Note("drain", {}))
    assert caplog.record_tuples == [
        ("agcore.access", logging.INFO, "access status=200"),
        ("agcore", logging.WARNING, "warning message=odd"),
        ("agcore", logging.INFO, "drain"),
    ]


def test_a_level_that_nobody_listens_to_is_not_rendered(caplog: pytest.LogCaptureFixture) -> None:
    def render(note: Note) -> str:
        raise AssertionError

    caplog.set_level(logging.WARNING, logger="agcore")
    LogSink(render)(Note("access", {}))
    assert not caplog.records


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/v1/models", "/v1/models"),
        (1.5, "1.5"),
        (None, "None"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a\nb", '"a\\nb"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
    ],
)
def test_a_value_cannot_be_taken_for_more_than_one(value: object, shown: str) -> None:
    assert text_line(Note("access", {"x": value})) == f"access x={shown}"


def test_a_row_can_be_json() -> None:
    note = Note("access", {"status": 200, "path": "/\n", "key": Secret("sk-abcdefghijklmnop")})
    assert json.loads(json_line(note)) == {
        "kind": "access",
        "status": 200,
        "path": "/\n",
        "key": "<Secret sk-a...mnop>",
    }
    assert "\n" not in json_line(note)
