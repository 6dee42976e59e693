"""Events as lines in `logging`."""

from __future__ import annotations

import json
import logging

import pytest

from agcore import LogRow
from agcore.config.values import Secret
from agcore.protocol.events import Draining, FirstContent, HeadRefused, Warned
from agcore_asgi.sinks import LogSink, show_on_stderr
from agcore_host.log_lines import fields_line, json_line


def test_access_rows_and_other_events_go_to_loggers_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="agcore")
    sink = LogSink()
    sink(HeadRefused("req_1", 1.0, 400, "no", 7))
    sink(Warned("odd"))
    sink(Draining(1, 2))
    sink(FirstContent("req_1", 1.0))
    assert caplog.record_tuples == [
        ("agcore.access", logging.INFO, "access id=req_1 status=400 outcome=error error=no bytes_out=7"),
        ("agcore", logging.WARNING, "warning message=odd"),
        ("agcore", logging.INFO, "drain grace=1 drain=2"),
    ]


def test_a_level_that_nobody_listens_to_is_not_rendered(caplog: pytest.LogCaptureFixture) -> None:
    def render(row: LogRow) -> str:
        raise AssertionError

    caplog.set_level(logging.WARNING, logger="agcore")
    LogSink(render)(HeadRefused("req_1", 1.0, 400, "no", 7))
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
    assert fields_line(LogRow("access", {"x": value})) == f"access x={shown}"


def test_a_row_can_be_json() -> None:
    row = LogRow("access", {"status": 200, "path": "/\n", "key": Secret("sk-abcdefghijklmnop")})
    assert json.loads(json_line(row)) == {
        "kind": "access",
        "status": 200,
        "path": "/\n",
        "key": "<Secret sk-a...mnop>",
    }
    assert "\n" not in json_line(row)


def test_rows_are_shown_where_nobody_has_configured_logging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N7: no server configures it for others, and a log that nobody sees is none."""
    logger, root = logging.getLogger("agcore"), logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    show_on_stderr()
    show_on_stderr()
    LogSink()(Warned("look here"))
    assert capsys.readouterr().err.count('warning message="look here"') == 1


@pytest.mark.parametrize("configured", ["level", "handler", "root"])
def test_who_has_configured_logging_is_not_talked_over(configured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logger, root = logging.getLogger("agcore"), logging.getLogger()
    own = [logging.NullHandler()]
    monkeypatch.setattr(root, "handlers", own if configured == "root" else [])
    monkeypatch.setattr(logger, "handlers", own if configured == "handler" else [])
    monkeypatch.setattr(logger, "level", logging.ERROR if configured == "level" else logging.NOTSET)
    before = (list(logger.handlers), logger.level)
    show_on_stderr()
    assert (logger.handlers, logger.level) == before
