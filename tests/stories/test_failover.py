"""Keys, ways and attempts under random faults, in simulated time; and the rules one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agcore import Gateway
from agcore.config.values import ModelRule, Retry, Secret, Timeouts
from agcore.protocol.inputs import ClientGone, Sent, Stage, UpstreamConnected, UpstreamFailed
from tests.support.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue, config, provider
from tests.support.simulation import Act, World, opened
from tests.support.story import EPOCH, SECRET, Story, rows

REQUEST = 600.0
CLIENTS = [CHAT, RESPONSES, ANTHROPIC, GEMINI]
KEYS = {"a": ("a1", "a2"), "b": ("b1",), "c": ("c1",)}
DIALECTS = {"a.example": "openai", "b.example": "openai_responses", "c.example": "anthropic"}
LIMITS = (Act.RATE, Act.TINY_RATE, Act.BARE_RATE)
HARD = (Act.REVOKED, Act.FORBIDDEN, Act.POOR)


def world(
    script: Mapping[str, Sequence[Act]],
    *,
    attempts: int = 4,
    steps: Sequence[Sequence[str]] = (("a",), ("b",), ("c",)),
    keys: Mapping[str, Sequence[str]] = KEYS,
    **more: object,
) -> World:
    dialogues = {"a": CHAT, "b": RESPONSES, "c": ANTHROPIC}
    providers = tuple(
        attrs.evolve(provider(dialogues[name], name=name, keys=tuple(keys[name])), **more) for name in keys
    )
    rule = ModelRule("m", tuple(tuple((name, "up-" + dialogues[name].dialect) for name in step) for step in steps))
    setup = attrs.evolve(config(providers=providers), retry=Retry(attempts=attempts), models=(rule,))
    acts = {key: script.get(key, [Act.ANSWER]) for group in keys.values() for key in group}
    return World(Gateway(setup, secret=SECRET, now=EPOCH), acts, DIALECTS)


def tried(world: World) -> list[str]:
    return [each.key for each in world.served]


acts = st.lists(st.sampled_from(Act), min_size=1, max_size=5)
scripts = st.fixed_dictionaries({key: acts for group in KEYS.values() for key in group})
requests = st.lists(
    st.tuples(st.sampled_from(CLIENTS), st.booleans(), st.sampled_from([0.0, 0.3, 2.0, 40.0, 4000.0])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(scripts, requests, st.integers(1, 6))
def test_whatever_upstreams_do_attempts_time_and_honesty_have_bounds(
    script: dict[str, list[Act]], asked: list[tuple[Dialogue, bool, float]], attempts: int
) -> None:
    this = world(script, attempts=attempts)
    now = EPOCH
    for dialogue, stream, gap in asked:
        now += gap
        before = len(this.served)
        story = this.ask(dialogue, model="m", stream=stream, at=now)
        mine = this.served[before:]
        assert len(mine) == opened(story) <= attempts
        assert story.now - now <= REQUEST + 1
        answered = [each.act for each in mine if each.act is Act.ANSWER]
        assert not any(each.shown for each in mine), "sent again after content was shown"
        if answered:
            assert mine[-1].act is Act.ANSWER
            assert (story.status, story.ended) == (200, True)
            assert story.row["outcome"] == "ok"
        else:
            assert story.row["outcome"] == "error"
        if story.status == 429:
            assert int(story.headers[b"retry-after"]) >= 1
        assert this.gateway.buffered == 0
        now = story.now


@settings(max_examples=150, deadline=None)
@given(scripts, st.randoms(use_true_random=False), st.integers(2, 8))
def test_requests_side_by_side_leave_nothing_behind_however_each_of_them_ends(
    script: dict[str, list[Act]], random: Random, count: int
) -> None:
    """Some clients leave, some drivers give up, and the configuration loses a key while all of it is under way."""
    this = world(script, strategy="least_busy")
    live, now = [], EPOCH
    for _ in range(count):
        dialogue, stream = random.choice(CLIENTS), random.random() < 0.5
        live.append(this.begin(dialogue, model="m", stream=stream, at=now))
    without = attrs.evolve(this.gateway.config.providers[0], keys=(Secret("a2"),))
    while live := [story for story in live if not story.finished]:
        story = random.choice(live)
        story.now = now = max(now, story.now)
        fate = random.random()
        if fate < 0.03:
            story.tell(ClientGone())
        elif fate < 0.06:
            story.abandon()
        elif fate < 0.1:
            others = this.gateway.config.providers[1:]
            this.gateway.reconfigure(attrs.evolve(this.gateway.config, providers=(without, *others)), now=now)
        else:
            this.step(story)
        now = max(now, story.now)
    assert this.gateway.buffered == 0
    pool = this.gateway._services.ledger.pool
    assert pool._busy == {}


_REVOKED = [Act.REVOKED]
_AT_ONCE = [(CHAT, False, 0.0)] * 3


@settings(max_examples=200, deadline=None)
@example({**dict.fromkeys(("a1", "a2", "b1"), _REVOKED), "c1": [Act.REVOKED, Act.RATE]}, _AT_ONCE)
@example({**dict.fromkeys(("a1", "a2", "b1"), _REVOKED), "c1": [Act.FORBIDDEN, Act.RATE]}, _AT_ONCE)
@given(scripts, requests)
def test_a_limited_key_is_left_alone_until_it_opens(
    script: dict[str, list[Act]], asked: list[tuple[Dialogue, bool, float]]
) -> None:
    this = world(script)
    now = EPOCH
    for dialogue, stream, gap in asked:
        now = this.ask(dialogue, model="m", stream=stream, at=now + gap).now
    for place, each in enumerate(this.served):
        if each.act is Act.RATE:
            again = [later.at for later in this.served[place + 1 :] if later.key == each.key]
            assert all(at >= each.at + 30 for at in again), "a key was used within its named wait"


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries({key: acts for group in KEYS.values() for key in group}),
    st.sampled_from(["a2", "b1", "c1"]),
    st.sampled_from(CLIENTS),
    st.booleans(),
)
def test_a_way_that_answers_is_found_while_there_is_an_attempt_for_it(
    script: dict[str, list[Act]], good: str, dialogue: Dialogue, stream: bool
) -> None:
    """With as many attempts as there are keys, one good key is enough.

    Unless the request is refused as such, or its model is said not to be there, which holds for all keys of a provider.
    """
    final = (Act.INVALID, Act.CUTS_CONTENT)
    for key, acts in script.items():
        wrong = (*final, Act.MISSING) if key[0] == good[0] else final
        script[key] = [act for act in acts if act not in wrong] or [Act.FAILS]
    script[good] = [Act.ANSWER]
    this = world(script, attempts=4)
    story = this.ask(dialogue, model="m", stream=stream, at=EPOCH)
    assert (story.status, story.row["outcome"]) == (200, "ok"), story.text()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(1, 30), st.sampled_from([Act.TINY_RATE, Act.BARE_RATE, Act.FAILS, Act.BUSY]))
def test_fifty_keys_with_tiny_waits_make_no_storm(attempts: int, clients: int, act: Act) -> None:
    keys = {"a": tuple(f"key-{number:02}" for number in range(50))}
    this = world({key: [act] for key in keys["a"]}, attempts=attempts, steps=(("a",),), keys=keys)
    for number in range(clients):
        this.ask(CHAT, model="m", stream=False, at=EPOCH + number / 100)
    assert len(this.served) <= attempts * clients


# One rule after the other.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", CLIENTS, ids=lambda dialogue: dialogue.dialect)
@pytest.mark.parametrize(
    "act", [act for act in Act if act not in (Act.ANSWER, Act.INVALID, Act.MISSING, Act.CUTS_CONTENT)]
)
def test_the_next_key_answers_in_the_same_request(act: Act, dialogue: Dialogue, stream: bool) -> None:
    this = world({"a1": [act]})
    story = this.ask(dialogue, model="m", stream=stream, at=EPOCH)
    expected = ["a1", "b1"] if act is Act.REFUSES else ["a1", "a2"]  # nobody is reachable there, with whatever key
    assert tried(this) == expected
    assert story.status == 200
    assert story.headers[b"x-agcore-attempts"] == (b"1" if act is Act.HANGS and stream else b"2")
    assert story.row["failed"]


@pytest.mark.parametrize("act", [Act.INVALID])
def test_the_requests_own_fault_is_told_at_once(act: Act) -> None:
    this = world({"a1": [act]})
    assert this.ask(CHAT, model="m", stream=True, at=EPOCH).status == 400
    assert tried(this) == ["a1"]


def test_what_a_provider_does_not_have_is_asked_elsewhere_and_not_with_its_other_keys() -> None:
    this = world({"a1": [Act.MISSING]})
    story = this.ask(CHAT, model="m", stream=False, at=EPOCH)
    assert (tried(this), story.status, story.headers[b"x-agcore-provider"]) == (["a1", "b1"], 200, b"b")


def test_where_everybody_lacks_it_the_last_404_is_told_with_the_trail() -> None:
    this = world({key: [Act.MISSING] for key in ("a1", "b1", "c1")})
    story = this.ask(CHAT, model="m", stream=False, at=EPOCH)
    assert story.status == 404
    assert b"tried a#1: 404, b#1: 404, c#1: 404" in story.body


@pytest.mark.parametrize("act", LIMITS)
def test_all_limited_is_a_429_at_once_with_the_soonest_reset(act: Act) -> None:
    this = world({"a1": [Act.RATE], "a2": [Act.RATE], "b1": [act], "c1": [Act.RATE]})
    first = this.ask(CHAT, model="m", stream=False, at=EPOCH)
    assert (first.status, first.now) == (429, EPOCH)
    assert int(first.headers[b"retry-after"]) <= 30
    second = this.ask(ANTHROPIC, model="m", stream=True, at=EPOCH + 0.5)
    assert (second.status, second.now, len(this.served)) == (429, EPOCH + 0.5, 4)
    assert int(second.headers[b"retry-after"]) == {Act.RATE: 30, Act.TINY_RATE: 1}.get(
        act, int(second.headers[b"retry-after"])
    )
    assert b"every key that could answer is limited" in second.body
    assert b"scripted" in second.body  # the vendor's own words stay


def test_a_limited_key_is_used_again_when_its_time_is_over() -> None:
    this = world(
        {"a1": [Act.RATE, Act.ANSWER], "a2": [Act.RATE, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1", "a2")}
    )
    assert this.ask(CHAT, model="m", stream=False, at=EPOCH).status == 429
    assert this.ask(CHAT, model="m", stream=False, at=EPOCH + 29).status == 429
    assert this.ask(CHAT, model="m", stream=False, at=EPOCH + 30.1).status == 200
    assert len(this.served) == 3


def test_a_single_key_with_trouble_is_tried_again_after_short_pauses() -> None:
    this = world({"a1": [Act.FAILS, Act.BUSY, Act.EMPTY, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1",)})
    story = this.ask(CHAT, model="m", stream=True, at=EPOCH)
    assert (story.status, story.row["outcome"], len(this.served)) == (200, "ok", 4)
    assert 0.5 < story.now - EPOCH < 5


def test_after_the_last_attempt_nobody_waits() -> None:
    this = world({"a1": [Act.FAILS]}, attempts=2, steps=(("a",),), keys={"a": ("a1",)})
    story = this.ask(CHAT, model="m", stream=True, at=EPOCH)
    assert (story.status, len(this.served)) == (500, 2)
    assert story.now == this.served[-1].at
    assert story.headers[b"x-should-retry"] == b"false"


def test_a_wait_that_is_too_long_is_told_and_not_waited() -> None:
    this = world({"a1": [Act.BUSY_LONG]}, steps=(("a",),), keys={"a": ("a1",)})
    story = this.ask(CHAT, model="m", stream=False, at=EPOCH)
    assert (story.status, story.now, story.headers[b"retry-after"]) == (503, EPOCH, b"20")


@pytest.mark.parametrize("act", HARD)
def test_a_refused_key_is_quarantined_while_another_one_works(act: Act) -> None:
    this = world({"a1": [act]})
    for number in range(5):
        assert this.ask(CHAT, model="m", stream=False, at=EPOCH + number).status == 200
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
    assert this.ask(CHAT, model="m", stream=False, at=EPOCH).row["key"] == "a#1"  # where its conversation is


@pytest.mark.parametrize("keys", [("a1",), ("a1", "a2")])
def test_a_client_is_told_not_to_ask_again_by_itself_where_no_key_is_good(keys: tuple[str, ...]) -> None:
    this = world({key: [Act.REVOKED] for key in keys}, steps=(("a",),), keys={"a": keys})
    story = this.ask(ANTHROPIC, model="m", stream=True, at=EPOCH)
    assert (story.status, story.headers[b"x-should-retry"], len(this.served)) == (424, b"false", len(keys))
    assert [name for name, _ in story.head.headers].count(b"x-should-retry") == 1


def test_where_the_budget_ends_before_the_keys_the_next_request_is_served_by_another() -> None:
    this = world({"a1": [Act.REVOKED]}, attempts=1, steps=(("a",),), keys={"a": ("a1", "a2")})
    first, second = (this.ask(CHAT, model="m", stream=False, at=EPOCH) for _ in range(2))
    assert (first.status, second.status) == (424, 200)
    assert first.headers[b"x-should-retry"] == b"false"  # as with every refused credential


def test_an_only_key_that_was_refused_is_asked_again_and_the_vendor_speaks_for_itself() -> None:
    this = world({"a1": [Act.REVOKED, Act.REVOKED, Act.ANSWER]}, steps=(("a",),), keys={"a": ("a1",)})
    stories = [this.ask(CHAT, model="m", stream=False, at=EPOCH + number) for number in range(3)]
    assert [story.status for story in stories] == [424, 424, 200]
    assert b"a#1" in stories[0].body
    assert len(this.served) == 3


def test_a_quarantined_key_is_probed_by_one_request_in_a_while_and_a_success_ends_it() -> None:
    keys = {"a": ("a1",), "b": ("b1",)}
    this = world({"a1": [Act.POOR, Act.POOR, Act.ANSWER]}, steps=(("a",), ("b",)), keys=keys)
    moments = (0, 100, 200, 400, 500, 1100, 1101)
    for moment in moments:
        assert this.ask(CHAT, model="m", stream=False, at=EPOCH + moment).status == 200
    assert tried(this) == ["a1", "b1", "b1", "b1", "a1", "b1", "b1", "a1", "a1"]


def test_trouble_that_is_an_error_event_after_an_early_opening_fails_over_too() -> None:
    this = world({"a1": [Act.HANGS]}, attempts=2)
    story = this.ask(ANTHROPIC, model="m", stream=True, at=EPOCH)
    assert (story.status, story.row["outcome"], tried(this)) == (200, "ok", ["a1", "a2"])
    assert story.body.startswith(ANTHROPIC.keepalive)
    assert story.body.count(b"event: message_stop") == 1


@pytest.mark.parametrize("dialogue", CLIENTS, ids=lambda dialogue: dialogue.dialect)
def test_after_content_the_stream_ends_in_the_clients_own_error(dialogue: Dialogue) -> None:
    this = world({"a1": [Act.CUTS_CONTENT]})
    story = this.ask(dialogue, model="m", stream=True, at=EPOCH)
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
    setup = attrs.evolve(this.gateway.config, timeouts=Timeouts(first_byte=120, request=300))
    this = World(Gateway(setup, secret=SECRET, now=EPOCH), this.script, DIALECTS)
    story = this.ask(CHAT, model="m", stream=False, at=EPOCH)
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
