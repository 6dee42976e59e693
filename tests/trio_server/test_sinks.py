"""Notes as lines: what they look like, what cannot be forged, and what happens when nobody reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from agcore import LogRow
from agcore.protocol.events import Warned
from agcore_host.log_lines import json_line, text_line
from agcore_trio.sinks import ATOMIC, LogSink

ROW = {
    "id": "req_1",
    "method": "POST",
    "path": "/v1/chat/completions",
    "status": 200,
    "outcome": "ok",
    "seconds": 0.8124,
    "provider": "openai",
    "upstream_model": "gpt-4o-mini",
    "usage": {"fresh": 10, "cache_read": 1, "cache_write": 1, "output": 40, "reasoning": 5},
}
AT = 1_800_000_003.5


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_an_access_row_is_one_line_for_people(utc):
    line = "08:00:03 POST /v1/chat/completions 200 812ms openai/gpt-4o-mini in=12 out=40"
    assert text_line(LogRow("access", ROW), AT) == line


def test_a_row_without_an_upstream_says_less(utc):
    row = {"method": "GET", "path": "/healthz", "status": 200, "outcome": "ok", "seconds": 0.0004}
    assert text_line(LogRow("access", row), AT) == "08:00:03 GET /healthz 200 0ms"


def test_a_row_of_a_failure_says_why(utc):
    row = {**ROW, "status": 502, "outcome": "error", "error": "openai#1 refused", "usage": None}
    expected = '502 812ms openai/gpt-4o-mini id=req_1 outcome=error error="openai#1 refused"'
    assert text_line(LogRow("access", row), AT).endswith(expected)


def test_a_row_says_which_attempts_failed_before_the_key_that_answered(utc):
    row = {**ROW, "key": "openai#2", "attempts": 3, "failed": ["openai#1: 429", "home#1: unreachable"]}
    expected = 'in=12 out=40 key=openai#2 failed="openai#1: 429, home#1: unreachable"'
    assert text_line(LogRow("access", row), AT).endswith(expected)


@pytest.mark.usefixtures("utc")
def test_the_row_of_a_failure_has_what_joins_it_with_other_logs() -> None:
    """N2: its date, its ids, the client's key and the provider's."""
    ids = {"upstream_request_id": "req_v", "client_request_id": "mine", "client_key": "alice", "key": "openai#1"}
    row = {**ROW, **ids, "outcome": "error", "error": "no"}
    line = text_line(LogRow("access", row), AT)
    assert line.startswith("2027-01-15 08:00:03 POST ")
    joined = "id=req_1 upstream_request_id=req_v client_request_id=mine client_key=alice key=openai#1 outcome=error"
    assert line.endswith(f"{joined} error=no")
    assert "alice" not in text_line(LogRow("access", {**row, "outcome": "ok"}), AT)


def test_attempts_that_the_error_lists_are_not_repeated(utc):
    failed = ["openai#1: 429", "openai#2: 429"]
    row = {**ROW, "key": "openai#2", "failed": failed, "outcome": "error", "error": f"slow (tried {', '.join(failed)})"}
    expected = 'id=req_1 key=openai#2 outcome=error error="slow (tried openai#1: 429, openai#2: 429)"'
    assert text_line(LogRow("access", row), AT).endswith(f"out=40 {expected}")
    row = {**row, "failed": ["openai#1: 503"] * 3, "error": "busy (tried openai#1: 503 3 times)"}
    assert "failed=" not in text_line(LogRow("access", row), AT)


def test_a_stream_that_broke_after_a_failed_attempt_names_both(utc):
    row = {**ROW, "key": "openai#2", "failed": ["openai#1: 529"], "outcome": "error", "error": "ended early"}
    expected = 'id=req_1 key=openai#2 failed="openai#1: 529" outcome=error error="ended early"'
    assert text_line(LogRow("access", row), AT).endswith(f"out=40 {expected}")


def test_a_row_names_what_a_translation_lost_that_somebody_may_miss(utc):
    losses = [
        {"path": "top_k", "why": "no such setting", "action": "dropped", "weight": "warn"},
        {"path": "user", "why": "no such setting", "action": "dropped", "weight": "note"},
    ]
    assert text_line(LogRow("access", {**ROW, "losses": losses}), AT).endswith("out=40 lost=top_k")
    assert text_line(LogRow("access", {**ROW, "losses": losses[1:]}), AT).endswith("out=40")


def test_a_message_to_an_mcp_server_has_no_model_but_may_have_tools(utc):
    row = {"method": "POST", "path": "/mcp/x/mcp", "status": 200, "outcome": "ok", "seconds": 0.001}
    proxied = {**row, "provider": "x", "upstream_model": "", "key": "x#1"}
    assert text_line(LogRow("access", proxied), AT) == "08:00:03 POST /mcp/x/mcp 200 1ms x"
    called = {**row, "mcp": "x", "tools": ["analyze_image"]}
    assert text_line(LogRow("access", called), AT) == "08:00:03 POST /mcp/x/mcp 200 1ms tools=analyze_image"


def test_a_refusal_without_a_request_is_a_row_too(utc):
    row = {"id": "req_1", "status": 400, "outcome": "error", "error": "illegal request line"}
    assert (
        text_line(LogRow("access", row), AT)
        == '2027-01-15 08:00:03 - - 400 id=req_1 outcome=error error="illegal request line"'
    )


def test_any_other_note_is_its_kind_and_its_fields(utc):
    row = LogRow("warning", {"message": "two words", "count": 3, "none": None, "empty": ""})
    assert text_line(row, AT) == '08:00:03 warning message="two words" count=3 none=None empty=""'


def test_a_traceback_is_readable(utc):
    row = LogRow("error", {"message": "crash", "traceback": "Traceback:\n  File x\nValueError: y\n"})
    assert text_line(row, AT) == "08:00:03 error message=crash\n    Traceback:\n      File x\n    ValueError: y"


def test_a_json_row_has_the_time_the_kind_and_the_fields():
    assert json.loads(json_line(LogRow("access", ROW), AT)) == {"time": AT, "kind": "access", **ROW}


@pytest.mark.parametrize("evil", ["\n", "\r\n", "\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("field", ["method", "path", "provider", "upstream_model", "error", "outcome"])
@pytest.mark.parametrize("render", [text_line, json_line])
def test_no_value_can_forge_a_line_or_reach_the_terminal(render, field, evil):
    row = {**ROW, "outcome": "error", "error": "x", field: f"a{evil}12:00:00 GET /forged 200"}
    line = render(LogRow("access", row), AT)
    assert evil not in line
    assert len(line.splitlines()) == 1


def test_a_value_cannot_forge_a_field():
    line = text_line(LogRow("access", {**ROW, "outcome": "error", "error": 'x" in=1'}), AT)
    assert line.endswith('error="x\\" in=1"')


def test_surrogates_do_not_stop_the_log(pipe):
    reader, writer = pipe

    async def main() -> None:
        sink = LogSink(text_line, descriptor=writer)
        sink(Warned("/\udce9"))
        await sink.close()

    trio.run(main)
    assert b"/\\udce9" in os.read(reader, 1000)


async def test_rows_are_written_in_order(pipe, autojump_clock):
    reader, writer = pipe
    sink = LogSink(json_line, descriptor=writer, wall=lambda: AT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.run)
        for number in range(3):
            sink(Warned(str(number)))
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    rows = [json.loads(line) for line in os.read(reader, 1000).splitlines()]
    assert [row["message"] for row in rows] == ["0", "1", "2"]


async def test_what_is_left_is_written_at_the_end(pipe):
    reader, writer = pipe
    sink = LogSink(json_line, descriptor=writer)
    sink(Warned("last"))
    await sink.close()
    assert json.loads(os.read(reader, 1000))["message"] == "last"


async def test_a_pipe_that_nobody_reads_neither_blocks_nor_fills_the_memory(pipe):
    reader, writer = pipe
    sink = LogSink(json_line, descriptor=writer, max_rows=100)
    big = "x" * 10_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.run)
        for _ in range(300):
            sink(Warned(big))
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.1)
        # Once somebody reads, the rows that waited come, whole, and the count of those that were lost.
        data = b""
        with trio.move_on_after(5):
            while b"rows were dropped" not in data:
                await trio.lowlevel.wait_readable(reader)
                data += os.read(reader, ATOMIC)
        nursery.cancel_scope.cancel()
    lines = data.splitlines()
    assert all(json.loads(line)["kind"] == "warning" for line in lines[:-1])
    assert b"rows were dropped" in data


async def test_a_pipe_whose_reader_is_gone_does_not_stop_the_server(autojump_clock):
    reader, writer = os.pipe()
    os.close(reader)
    sink = LogSink(json_line, descriptor=writer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.run)
        for _ in range(3):
            sink(Warned("n"))
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    os.close(writer)
