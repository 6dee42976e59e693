"""Failover, one rule after the other, in simulated time."""

from __future__ import annotations

import json

import msgspec
import pytest

from agcore import Gateway
from agcore.config.values import Timeouts
from agcore.protocol.inputs import Sent, Stage, UpstreamConnected, UpstreamFailed
from agcore_sim.dialogues import ANTHROPIC, CHAT, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, SECRET, Story, rows
from agcore_sim.world import World
from tests.support.failover import CLIENTS, ask, tried, world

LIMITS = (Act.RATE, Act.TINY_RATE, Act.BARE_RATE)

HARD = (Act.REVOKED, Act.FORBIDDEN, Act.POOR)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", CLIENTS, ids=lambda dialogue: dialogue.dialect)
@pytest.mark.parametrize(
    "act", [act for act in Act if act not in (Act.ANSWER, Act.INVALID, Act.MISSING, Act.CUTS_CONTENT)]
)
def test_the_next_key_answers_in_the_same_request(act: Act, dialogue: Dialogue, stream: bool) -> None:
    this = world({"a1": [act]})
    story = ask(this, dialogue, stream=stream)
    expected = ["a1", "b1"] if act is Act.REFUSES else ["a1", "a2"]  # nobody is reachable there, with whatever key
    assert tried(this) == expected
    assert story.status == 200
    assert story.headers[b"x-agcore-attempts"] == (b"1" if act is Act.HANGS and stream else b"2")
    assert story.row["failed"]


@pytest.mark.parametrize("act", [Act.INVALID])
def test_the_requests_own_fault_is_told_at_once(act: Act) -> None:
    this = world({"a1": [act]})
    assert ask(this, CHAT, stream=True).status == 400
    assert tried(this) == ["a1"]


def test_what_a_provider_does_not_have_is_asked_elsewhere_and_not_with_its_other_keys() -> None:
    this = world({"a1": [Act.MISSING]})
    story = ask(this, CHAT, stream=False)
    assert (tried(this), story.status, story.headers[b"x-agcore-provider"]) == (["a1", "b1"], 200, b"b")


def test_where_everybody_lacks_it_the_last_404_is_told_with_the_trail() -> None:
    this = world({key: [Act.MISSING] for key in ("a1", "b1", "c1")})
    story = ask(this, CHAT, stream=False)
    assert story.status == 404
    assert b"tried a#1: 404, b#1: 404, c#1: 404" in story.body


@pytest.mark.parametrize("act", LIMITS)
def test_all_limited_is_a_429_at_once_with_the_soonest_reset(act: Act) -> None:
    this = world({"a1": [Act.RATE], "a2": [Act.RATE], "b1": [act], "c1": [Act.RATE]})
    first = ask(this, CHAT, stream=False)
    assert (first.status, first.now) == (429, EPOCH)
    assert int(first.headers[b"retry-after"]) <= 30
    second = ask(this, ANTHROPIC, stream=True, at=0.5)
    assert (second.status, second.now, len(this.upstreams.served)) == (429, EPOCH + 0.5, 4)
    assert int(second.headers[b"retry-after"]) == {Act.RATE: 30, Act.TINY_RATE: 1}.get(
        act, int(second.headers[b"retry-after"])
    )
    assert b"every key that could answer is limited" in second.body
    assert b"scripted" in second.body  # the vendor's own words stay


def test_a_limited_key_is_used_again_when_its_time_is_over() -> None:
    this = world(
        {"a1": [Act.RATE, Act.ANSWER], "a2": [Act.RATE, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1", "a2")}
    )
    assert ask(this, CHAT, stream=False).status == 429
    assert ask(this, CHAT, stream=False, at=29).status == 429
    assert ask(this, CHAT, stream=False, at=30.1).status == 200
    assert len(this.upstreams.served) == 3


def test_a_single_key_with_trouble_is_tried_again_after_short_pauses() -> None:
    this = world({"a1": [Act.FAILS, Act.BUSY, Act.EMPTY, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1",)})
    story = ask(this, CHAT, stream=True)
    assert (story.status, story.row["outcome"], len(this.upstreams.served)) == (200, "ok", 4)
    assert 0.5 < story.now - EPOCH < 5


def test_after_the_last_attempt_nobody_waits() -> None:
    this = world({"a1": [Act.FAILS]}, attempts=2, steps=(("a",),), keys={"a": ("a1",)})
    story = ask(this, CHAT, stream=True)
    assert (story.status, len(this.upstreams.served)) == (500, 2)
    assert story.now == this.upstreams.served[-1].at
    assert (story.headers[b"retry-after"], b"x-should-retry" in story.headers) == (b"2", False)


def test_a_wait_that_is_too_long_is_told_and_not_waited() -> None:
    this = world({"a1": [Act.BUSY_LONG]}, steps=(("a",),), keys={"a": ("a1",)})
    story = ask(this, CHAT, stream=False)
    assert (story.status, story.now, story.headers[b"retry-after"]) == (503, EPOCH, b"20")


@pytest.mark.parametrize("act", HARD)
def test_a_refused_key_is_quarantined_while_another_one_works(act: Act) -> None:
    this = world({"a1": [act]})
    for number in range(5):
        assert ask(this, CHAT, stream=False, at=number).status == 200
    assert tried(this) == ["a1", *["a2"] * 5]


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}',
        b'[{"error": {"code": 400, "message": "no", "details": [{"reason": "API_KEY_INVALID"}]}}]',
        b'{"error": {"message": "no", "code": "invalid_api_key"}}',
    ],
    ids=["xai", "google", "openai"],
)
def test_a_400_that_means_a_bad_key_is_no_fault_of_the_request(body: bytes) -> None:
    this = world({}, steps=(("a",),), keys={"a": ("a1", "a2")})
    story = Story(this.gateway)
    story.open("POST", CHAT.target("m", stream=False), body=CHAT.request("m", stream=False))
    story.upstream_answers(400, body)
    story.upstream_answers(200, CHAT.answer)
    assert (story.status, story.row["key"]) == (200, "a#2")
    assert any(row.kind == "warning" and "a#1" in str(row.fields) for row in rows(story.effects))


def test_what_a_client_wrote_is_not_held_against_the_key_that_was_to_carry_it() -> None:
    """OpenRouter answers moderation with a 403."""
    this = world({}, steps=(("a",),), keys={"a": ("a1", "a2")})
    story = Story(this.gateway)
    story.open("POST", CHAT.target("m", stream=False), body=CHAT.request("m", stream=False))
    flagged = {"reasons": ["violence"], "flagged_input": "..."}
    error = {"code": 403, "message": "Your input was flagged", "metadata": flagged}
    story.upstream_answers(403, json.dumps({"error": error}).encode())
    assert (story.status, len(story.requests)) == (403, 1)
    assert ask(this, CHAT, stream=False).row["key"] == "a#1"  # where its conversation is


@pytest.mark.parametrize("keys", [("a1",), ("a1", "a2")])
def test_a_client_is_told_not_to_ask_again_by_itself_where_no_key_is_good(keys: tuple[str, ...]) -> None:
    this = world({key: [Act.REVOKED] for key in keys}, steps=(("a",),), keys={"a": keys})
    story = ask(this, ANTHROPIC, stream=True)
    assert (story.status, story.headers[b"x-should-retry"], len(this.upstreams.served)) == (424, b"false", len(keys))
    assert [name for name, _ in story.head.headers].count(b"x-should-retry") == 1


def test_where_the_budget_ends_before_the_keys_the_next_request_is_served_by_another() -> None:
    this = world({"a1": [Act.REVOKED]}, attempts=1, steps=(("a",),), keys={"a": ("a1", "a2")})
    first, second = (ask(this, CHAT, stream=False) for _ in range(2))
    assert (first.status, second.status) == (424, 200)
    assert first.headers[b"x-should-retry"] == b"false"  # as with every refused credential


def test_an_only_key_that_was_refused_is_asked_again_and_the_vendor_speaks_for_itself() -> None:
    this = world({"a1": [Act.REVOKED, Act.REVOKED, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1",)})
    stories = [ask(this, CHAT, stream=False, at=number) for number in range(3)]
    assert [story.status for story in stories] == [424, 424, 200]
    assert b"a#1" in stories[0].body
    assert len(this.upstreams.served) == 3


def test_a_quarantined_key_is_probed_by_one_request_in_a_while_and_a_success_ends_it() -> None:
    keys = {"a": ("a1",), "b": ("b1",)}
    this = world({"a1": [Act.POOR, Act.POOR, Act.ANSWER]}, steps=(("a",), ("b",)), keys=keys)
    moments = (0, 100, 200, 400, 500, 1100, 1101)
    for moment in moments:
        assert ask(this, CHAT, stream=False, at=moment).status == 200
    assert tried(this) == ["a1", "b1", "b1", "b1", "a1", "b1", "b1", "a1", "a1"]


def test_trouble_that_is_an_error_event_after_an_early_opening_fails_over_too() -> None:
    this = world({"a1": [Act.HANGS]}, attempts=2)
    story = ask(this, ANTHROPIC, stream=True)
    assert (story.status, story.row["outcome"], tried(this)) == (200, "ok", ["a1", "a2"])
    assert story.body.startswith(ANTHROPIC.keepalive)
    assert story.body.count(b"event: message_stop") == 1


@pytest.mark.parametrize("dialogue", CLIENTS, ids=lambda dialogue: dialogue.dialect)
def test_after_content_the_stream_ends_in_the_clients_own_error(dialogue: Dialogue) -> None:
    this = world({"a1": [Act.CUTS_CONTENT]})
    story = ask(this, dialogue, stream=True)
    assert (story.status, story.row["outcome"], tried(this)) == (200, "error", ["a1"])
    assert b"the connection closed within the answer" in story.body


def test_a_stale_connection_takes_from_the_attempts_to_come() -> None:
    this = world({}, attempts=2, steps=(("a",),), keys={"a": ("a1",)})
    story = Story(this.gateway)
    story.open("POST", CHAT.target("m", stream=False), body=CHAT.request("m", stream=False))
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"))
    story.tell(UpstreamConnected(2, reused=True))
    story.tell(UpstreamFailed(2, Stage.HEAD, Sent.ALL, True, "closed"))
    assert (story.status, list(story.requests)) == (502, [1, 2])


def test_the_time_for_all_attempts_has_one_end() -> None:
    this = world({key: [Act.HANGS] for key in ("a1", "a2", "b1", "c1")}, attempts=20)
    setup = msgspec.structs.replace(this.gateway.config, timeouts=Timeouts(first_byte=120, request=300))
    this = World(Gateway(setup, secret=SECRET, now=EPOCH), this.upstreams)
    story = ask(this, CHAT, stream=False)
    assert (story.status, story.now) == (504, EPOCH + 300)
    assert b"tried a#1: 504, a#2: 504" in story.body


def test_images_are_asked_again_after_a_refusal_only() -> None:
    body = b'{"model": "m", "prompt": "a cat"}'
    for status, again in ((429, True), (503, True), (401, True), (500, False), (502, False)):
        this = world({}, steps=(("a",),), keys={"a": ("a1", "a2")})
        story = Story(this.gateway)
        story.open("POST", "/v1/images/generations", body=body)
        story.upstream_answers(status, b"{}")
        assert (len(story.requests) == 2) == again, status
        assert story.finished != again
