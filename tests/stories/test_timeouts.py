"""Every deadline of an exchange, told with a clock that only moves when the story says so."""

from __future__ import annotations

import json

import pytest

from agcore import (
    AbortUpstream,
    RequestData,
    RequestEnd,
    SendData,
    SendEnd,
    Sent,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.config.values import Timeouts
from agcore.machines.timers import Timer, Timers
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI_ARRAY, RESPONSES, STREAMS, Dialogue
from agcore_sim.story import EPOCH, JSON, SSE, Story
from tests.support.dialogues import asked, config, ids, receiving, streaming


def elapsed(story: Story) -> float | None:
    """The deadline in seconds since the story began."""
    deadline = story.exchange.deadline
    return None if deadline is None else deadline - EPOCH


def message(story: Story) -> str:
    found = json.loads(story.body)["error"]["message"]
    assert isinstance(found, str)
    return found


def test_a_request_whose_body_stalls_is_a_408() -> None:
    story = receiving(CHAT)
    assert elapsed(story) == 60
    story.wait(59)
    story.tell(RequestData(b"{"))
    assert elapsed(story) == 119
    story.wait(60)
    assert (story.status, message(story)) == (408, "the request body stalled for 60 s")


def test_the_body_has_no_deadline_once_it_is_complete() -> None:
    story = receiving(CHAT)
    story.tell(RequestData(CHAT.request(CHAT.model, stream=False)))
    story.tell(RequestEnd())
    story.tell(UpstreamConnected(1, reused=False))
    assert elapsed(story) == 570


def test_a_connection_that_does_not_come_is_a_504_naming_the_host() -> None:
    story = asked(CHAT, stream=False)
    assert elapsed(story) == 10
    effects = story.wait(10)
    assert AbortUpstream(1) in effects
    assert (story.status, message(story)) == (504, "no connection to openai.example:443 within 10 s")


def test_a_head_that_does_not_come_is_a_504() -> None:
    story = asked(CHAT, stream=False)
    story.wait(3)
    story.tell(UpstreamConnected(1, reused=False))
    assert elapsed(story) == 573
    story.wait(570)
    remedy = "raise timeouts.first_byte, or first_byte of the provider, if it needs longer"
    assert (story.status, message(story)) == (504, f"openai did not answer within 570 s; {remedy}")


def test_a_body_that_stalls_is_a_504_and_each_piece_resets_the_clock() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, JSON))
    assert elapsed(story) == 300
    story.wait(299)
    story.tell(UpstreamData(1, b"{"))
    assert elapsed(story) == 599
    story.wait(300)
    assert (story.status, message(story)) == (504, "openai sent nothing for 300 s")


def test_an_error_answer_that_stalls_is_still_that_error() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 429, (*JSON, (b"retry-after", b"7"))))
    story.tell(UpstreamData(1, b'{"error"'))
    effects = story.wait(301)
    assert AbortUpstream(1) in effects
    assert (story.status, story.headers[b"retry-after"]) == (429, b"7")


def test_an_answer_that_is_late_in_all_is_a_504_however_it_dawdles() -> None:
    setup = config(timeouts=Timeouts(first_byte=500, request=600))
    story = asked(CHAT, stream=False, setup=setup)
    story.tell(UpstreamConnected(1, reused=True))
    story.wait(400)
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
    story.tell(UpstreamConnected(2, reused=False))
    assert elapsed(story) == 600
    effects = story.wait(200)
    assert AbortUpstream(2) in effects
    assert (story.status, message(story)) == (504, "no answer within 600 s")


def test_a_whole_answer_that_has_begun_has_no_total_limit() -> None:
    story = asked(CHAT, stream=False, setup=config(timeouts=Timeouts(request=400)))
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, JSON))
    for index in range(4):
        story.tell(UpstreamData(1, CHAT.answer[index : index + 1]))
        story.wait(200)
    assert not story.finished
    story.tell(UpstreamData(1, CHAT.answer[4:]))
    story.tell(UpstreamEnd(1))
    assert (story.status, story.body) == (200, CHAT.answer)


def test_a_moving_stream_has_no_total_limit() -> None:
    story = streaming(CHAT, setup=config(timeouts=Timeouts(request=400)))
    story.tell(UpstreamData(1, CHAT.announcements))
    for _ in range(5):
        story.tell(UpstreamData(1, CHAT.content))
        story.wait(200)
    assert not story.finished


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_a_silent_stream_is_opened_and_kept_alive_in_its_dialects_own_way(dialogue: Dialogue) -> None:
    story = asked(dialogue, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(9.999)
    assert story.effects[-1:] != [SendData(dialogue.keepalive)]
    story.wait(0.001)
    assert (story.status, story.body, story.exchange.state) == (200, dialogue.keepalive, State.OPENED)
    assert story.headers[b"x-agcore-provider"] == dialogue.dialect.encode()
    story.wait(15)
    assert story.body == dialogue.keepalive * 2
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, dialogue.stream))
    story.tell(UpstreamEnd(1))
    plain = streaming(dialogue)
    plain.tell(UpstreamData(1, dialogue.stream))
    plain.tell(UpstreamEnd(1))
    assert story.body == dialogue.keepalive * 2 + plain.body
    assert story.row["outcome"] == "ok"


def test_a_stream_that_opens_while_a_whole_answer_comes_in_has_no_headers_of_it() -> None:
    story = asked(CHAT, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    # The answer may come to nothing, and another one instead.
    story.tell(UpstreamHead(1, 200, (*JSON, (b"retry-after-ms", b"50"))))
    story.tell(UpstreamData(1, CHAT.answer[:9]))
    story.wait(10)
    assert story.exchange.state is State.OPENED
    assert b"retry-after-ms" not in story.headers
    assert story.headers[b"x-agcore-provider"] == b"openai"


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_a_stream_that_falls_silent_after_content_is_kept_alive_and_then_broken_off(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, dialogue.announcements + dialogue.content))
    before = story.body
    story.wait(14.999)
    assert story.body == before
    story.wait(285)
    assert story.body == before + dialogue.keepalive * 19
    story.wait(1)
    assert story.row["outcome"] == "error"
    assert b"sent nothing for 300 s" in story.body
    assert SendEnd() in story.effects


def test_an_array_that_was_kept_alive_and_failed_is_still_json() -> None:
    story = asked(GEMINI_ARRAY, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(10)
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, GEMINI_ARRAY.announcements))
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    first, error = json.loads(story.body)
    assert first["modelVersion"] == "up-gemini"
    assert error["error"]["code"] == 502


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_held_announcements_go_out_when_the_stream_opens_and_that_commits(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.wait(1)
    story.tell(UpstreamData(1, dialogue.announcements))
    story.wait(8.5)
    assert not story.body
    story.wait(0.5)
    assert story.exchange.state is State.COMMITTED
    assert story.body.startswith(dialogue.keepalive)
    assert len(story.body) > len(dialogue.keepalive)


def test_announcements_of_an_open_stream_go_out_five_seconds_after_they_came() -> None:
    story = streaming(ANTHROPIC)
    story.wait(12)
    story.tell(UpstreamData(1, ANTHROPIC.announcements))
    story.wait(3)
    story.tell(UpstreamData(1, ANTHROPIC.keepalive))
    story.wait(1.9)
    assert (story.exchange.state, story.body) == (State.OPENED, ANTHROPIC.keepalive)
    story.wait(0.1)
    assert story.exchange.state is State.COMMITTED
    assert story.body == ANTHROPIC.keepalive + ANTHROPIC.announcements + ANTHROPIC.keepalive


def test_content_before_the_end_of_the_hold_takes_the_announcements_along() -> None:
    story = streaming(RESPONSES)
    story.tell(UpstreamData(1, RESPONSES.announcements))
    story.wait(4)
    assert not story.body
    story.tell(UpstreamData(1, RESPONSES.content))
    assert story.body == RESPONSES.announcements + RESPONSES.content
    assert story.wait(10) == []


def test_too_many_announcements_are_not_held() -> None:
    story = streaming(CHAT)
    story.tell(UpstreamData(1, CHAT.announcements))
    assert not story.body
    story.tell(UpstreamData(1, b": " + b"x" * 300_000 + b"\n\n"))
    assert story.exchange.state is State.COMMITTED
    assert len(story.body) > 300_000


@pytest.mark.parametrize("dialogue", [each for each in DIALOGUES if each.terminal], ids=ids)
def test_an_upstream_that_does_not_end_after_the_last_event_is_given_a_second(dialogue: Dialogue) -> None:
    story = streaming(dialogue)
    story.tell(UpstreamData(1, dialogue.stream))
    before = story.body
    story.wait(0.5)
    story.tell(UpstreamData(1, dialogue.content))
    assert story.exchange.wants(1)
    assert AbortUpstream(1) in story.wait(0.5)
    assert story.finished
    assert story.body == before
    assert story.row["outcome"] == "ok"


def test_nothing_is_kept_alive_after_the_last_event() -> None:
    story = streaming(ANTHROPIC, setup=config(timeouts=Timeouts(ping=0.3)))
    story.tell(UpstreamData(1, ANTHROPIC.stream))
    story.wait(0.5)
    story.tell(Written(None))
    story.wait(0.5)
    assert story.finished
    assert story.body == ANTHROPIC.stream


def test_a_slow_client_is_not_taken_for_an_idle_upstream() -> None:
    story = streaming(CHAT)
    story.tell(UpstreamData(1, CHAT.announcements + CHAT.content))
    assert elapsed(story) == 15
    story.now += 14
    story.tell(Written(None))
    assert elapsed(story) == 29
    story.wait(290)
    story.tell(Written(None))
    story.wait(299)
    assert not story.finished
    story.wait(1)
    assert story.row["outcome"] == "error"


def test_a_slow_upload_delays_the_wait_for_the_head() -> None:
    story = asked(CHAT, stream=False)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(100)
    story.tell(Written(1))
    assert elapsed(story) == 600


def test_a_write_while_nothing_is_timed_arms_nothing() -> None:
    story = asked(CHAT, stream=False)
    story.tell(Written(1))
    assert elapsed(story) == 10


def test_a_late_timeout_fires_everything_that_is_due_and_leaves_no_deadline_behind() -> None:
    story = streaming(CHAT)
    story.tell(UpstreamData(1, CHAT.announcements))
    story.now += 16
    effects = story.exchange.handle_timeout(now=story.now)
    assert [type(effect).__name__ for effect in effects] == ["SendHead", "SendData", "SendData"]
    assert story.exchange.state is State.COMMITTED
    deadline = story.exchange.deadline
    assert deadline is not None
    assert deadline > story.now


def test_timers_fire_one_at_a_time_earliest_first() -> None:
    timers = Timers()
    assert (timers.next, timers.pop_due(1e9)) == (None, None)
    timers[Timer.IDLE] = 5
    timers[Timer.PING] = 3
    timers[Timer.OPEN] = 9
    assert (timers.next, Timer.PING in timers, timers[Timer.OPEN]) == (3, True, 9)
    assert timers.pop_due(2.9) is None
    assert [timers.pop_due(6), timers.pop_due(6), timers.pop_due(6)] == [Timer.PING, Timer.IDLE, None]
    timers[Timer.BODY] = 9
    assert timers.pop_due(9) is Timer.OPEN, "of two that are due at once, the one that was armed first"
    timers[Timer.IDLE] = 7
    timers.disarm(Timer.OPEN, Timer.BODY)
    assert timers.next == 7
    timers.clear()
    assert timers.next is None
