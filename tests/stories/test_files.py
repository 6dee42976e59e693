"""Files of this machine: what the exchange asks of a driver, and what it makes of the answers."""

from __future__ import annotations

import pytest

from agcore import (
    AbortClient,
    ClientGone,
    FileRead,
    FileRefused,
    Finish,
    LocalProtocolError,
    ReadFile,
    SendHead,
    State,
)
from agcore_sim.dialogues import CHAT
from tests.support.dialogues import asked, receiving
from tests.support.file_reader import LIMIT, PATHS, ROOTS, reading


def test_each_file_that_is_asked_for_has_a_number_of_its_own() -> None:
    wanted = [effect for effect in reading().effects if isinstance(effect, ReadFile)]
    assert wanted == [ReadFile(1, PATHS[0], ROOTS, LIMIT), ReadFile(2, PATHS[1], ROOTS, LIMIT)]


def test_files_are_told_to_the_operation_in_whatever_order_they_come() -> None:
    story = reading()
    story.tell(FileRead(2, b"second"))
    story.tell(FileRefused(1, "is larger than 9 bytes"))
    assert story.status == 200
    assert story.body == b"2: second\n1: is larger than 9 bytes\n"
    assert story.row["outcome"] == "ok"


def test_a_file_counts_once() -> None:
    story = reading()
    story.tell(FileRead(1, b"first"))
    assert story.tell(FileRead(1, b"again")) == []
    assert story.tell(FileRefused(1, "again")) == []
    assert story.exchange.state is State.COMMITTED


def test_a_file_that_nobody_asked_for_is_dropped() -> None:
    assert asked(CHAT, stream=True).tell(FileRead(1, b"x")) == []
    assert reading().tell(FileRefused(7, "x")) == []


def test_no_file_can_be_reported_before_the_request_is_complete() -> None:
    with pytest.raises(LocalProtocolError, match="FileRead is not legal while receiving"):
        receiving(CHAT).tell(FileRead(1, b"x"))


def test_reports_after_the_end_are_dropped() -> None:
    story = reading()
    effects = story.tell(ClientGone())
    assert isinstance(effects[-1], Finish)
    assert story.tell(FileRead(1, b"x")) == []
    assert story.tell(FileRefused(2, "x")) == []


def test_files_that_never_come_count_as_refused_after_a_while() -> None:
    story = reading()
    story.tell(FileRead(2, b"second"))
    assert not story.finished
    story.wait(29)
    assert not story.finished
    story.wait(1)
    assert story.body.replace(b": hm\n\n", b"") == b"2: second\n1: was not read within 30 s\n"
    assert story.finished


def test_one_timeout_refuses_all_files_and_stops_when_the_exchange_does() -> None:
    story = reading()
    story.wait(30)
    assert story.finished
    assert story.body.endswith(b"1: was not read within 30 s\n2: was not read within 30 s\n")


def test_no_deadline_stays_when_all_files_are_there() -> None:
    story = reading()
    story.tell(FileRead(1, b""))
    assert story.finished
    assert story.exchange.deadline is None


def test_a_fault_after_content_breaks_the_stream() -> None:
    story = reading()
    story.tell(FileRead(1, b"first"))
    story.tell(FileRead(2, b""))
    assert [type(effect) for effect in story.effects if isinstance(effect, SendHead | AbortClient)] == [
        SendHead,
        AbortClient,
    ]
