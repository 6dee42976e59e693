"""The limits of client keys by themselves: what is let in and when, and what is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.config.values import ClientKey, Secret
from agcore.protocol.fault import Fault
from agcore.state.rate_limits import PLACE, TICK, Bucket, RateLimits
from agcore_sim.story import EPOCH


def key(
    name: str = "alice", *, rpm: int | None = None, tpm: int | None = None, at_once: int | None = None
) -> ClientKey:
    return ClientKey(name=name, key=Secret(name * 9), rpm=rpm, tpm=tpm, concurrency=at_once)


def refusal(allowances: RateLimits, key: ClientKey, *, at: float) -> Fault:
    fault = allowances.admit(key, now=EPOCH + at)
    assert fault is not None
    return fault


def wait(allowances: RateLimits, key: ClientKey, *, at: float) -> float:
    """Seconds that a request is told to wait; 0 where it is let in."""
    fault = allowances.admit(key, now=EPOCH + at)
    if fault is None:
        return 0
    assert fault.retry_after is not None
    return fault.retry_after


def test_a_key_may_use_its_requests_of_a_minute_at_once_and_then_one_at_a_time() -> None:
    allowances, alice = RateLimits(), key(rpm=4)
    assert [wait(allowances, alice, at=0) for _ in range(5)] == [0, 0, 0, 0, 15]
    assert wait(allowances, alice, at=5) == 10
    assert wait(allowances, alice, at=15) == 0
    assert wait(allowances, alice, at=15) == 15
    assert [wait(allowances, alice, at=1000) for _ in range(5)] == [0, 0, 0, 0, 15]


def test_a_refused_request_takes_nothing() -> None:
    allowances, alice = RateLimits(), key(rpm=1, tpm=100, at_once=3)
    assert wait(allowances, alice, at=0) == 0
    assert [wait(allowances, alice, at=at) for at in range(0, 60, 20)] == [60, 40, 20]
    assert wait(allowances, alice, at=60) == 0
    assert wait(allowances, alice, at=120) == 0
    assert "3 requests at a time" in refusal(allowances, alice, at=180).message


def test_a_request_that_asked_nobody_gives_back_what_it_took_and_no_more() -> None:
    allowances, alice = RateLimits(), key(rpm=2, at_once=5)
    for _ in range(5):
        assert wait(allowances, alice, at=0) == 0
        allowances.done(alice, tokens=0, asked=False, now=EPOCH)
    assert [wait(allowances, alice, at=0) for _ in range(3)] == [0, 0, 30]
    allowances.done(alice, tokens=0, asked=False, now=EPOCH + 45)
    assert [wait(allowances, alice, at=45) for _ in range(3)] == [0, 0, 30]


def test_what_asked_nobody_under_a_limit_of_tokens_alone_gives_back_its_place() -> None:
    allowances, alice = RateLimits(), key(tpm=100, at_once=1)
    assert wait(allowances, alice, at=0) == 0
    allowances.done(alice, tokens=0, asked=False, now=EPOCH)
    assert wait(allowances, alice, at=0) == 0


def test_the_limits_of_one_key_are_not_those_of_another() -> None:
    allowances = RateLimits()
    assert wait(allowances, key("alice", rpm=1), at=0) == 0
    assert wait(allowances, key("bob", rpm=1), at=0) == 0
    assert "'bob'" in refusal(allowances, key("bob", rpm=1), at=0).message


def test_a_key_without_limits_leaves_no_trace() -> None:
    allowances = RateLimits()
    for _ in range(3):
        assert allowances.admit(key(), now=EPOCH) is None
    allowances.done(key(), tokens=10**9, asked=True, now=EPOCH)
    assert len(allowances) == 0


@given(
    rpm=st.integers(1, 10_000),
    wait_for_cooldown=st.lists(st.sampled_from([0.0, 0.0, 0.001]) | st.floats(0, 90), max_size=200),
)
def test_no_window_lets_in_more_than_the_limit_and_what_is_refilled_meanwhile(
    rpm: int, wait_for_cooldown: list[float]
) -> None:
    allowances, alice = RateLimits(), key(rpm=rpm)
    now, admitted = EPOCH, []
    for pause in wait_for_cooldown:
        now += pause
        if allowances.admit(alice, now=now) is None:
            admitted.append(now)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            seconds = admitted[last] - start
            assert last - first + 1 <= rpm + (seconds + 2 * TICK) * rpm / 60
            if seconds <= 60:
                assert last - first + 1 <= 2 * rpm


@given(rpm=st.integers(1, 10_000), tpm=st.integers(1, 10**7), spent=st.integers(0, 10**8), pause=st.floats(0, 30))
def test_a_request_is_let_in_at_the_time_it_was_told_and_not_before(
    rpm: int, tpm: int, spent: int, pause: float
) -> None:
    allowances, alice = RateLimits(), key(rpm=rpm, tpm=tpm)
    now = EPOCH
    for _ in range(20):
        fault = allowances.admit(alice, now=now)
        if fault is not None:
            break
        allowances.done(alice, tokens=spent, asked=True, now=now)
    else:
        return
    first = fault.retry_after
    assert first is not None
    now += min(pause, first / 2)
    sooner = allowances.admit(alice, now=now)
    if first > 1e-3:
        assert sooner is not None
        assert sooner.retry_after is not None
        assert sooner.retry_after == pytest.approx(first - (now - EPOCH), abs=1e-4)
        assert allowances.admit(alice, now=now + sooner.retry_after - 1e-4) is not None
        assert allowances.admit(alice, now=now + sooner.retry_after) is None


@given(
    limits=st.lists(st.integers(1, 1000), min_size=1, max_size=20),
    steps=st.lists(st.tuples(st.integers(0, 5000), st.floats(-5, 100)), max_size=50),
)
def test_a_level_never_exceeds_the_limit_nor_sinks_by_itself(limits: list[int], steps: list[tuple[int, float]]) -> None:
    bucket, now = Bucket(limit=limits[0], level=limits[0], at=EPOCH), EPOCH
    for index, (taken, pause) in enumerate(steps):
        now += pause
        bucket.limit = limits[index % len(limits)]
        before = min(bucket.level, bucket.limit)
        bucket.refill(now=now)
        assert before <= bucket.level <= bucket.limit
        assert (bucket.wait == 0) == (bucket.level >= 1 - TICK * bucket.limit / 60)
        bucket.level -= taken


def test_a_clock_that_is_set_back_delays_nobody_by_more_than_a_refill() -> None:
    allowances, alice = RateLimits(), key(rpm=2)
    assert [wait(allowances, alice, at=7200) for _ in range(3)] == [0, 0, 30]
    assert wait(allowances, alice, at=0) == 30
    assert wait(allowances, alice, at=30) == 0


def test_tokens_are_taken_afterwards_and_a_debt_is_waited_for() -> None:
    allowances, alice = RateLimits(), key(tpm=600)
    assert wait(allowances, alice, at=0) == 0
    assert wait(allowances, alice, at=0) == 0
    allowances.done(alice, tokens=599, asked=True, now=EPOCH)
    assert wait(allowances, alice, at=0) == 0
    allowances.done(alice, tokens=1000, asked=True, now=EPOCH)  # 999 are owed
    assert wait(allowances, alice, at=0) == 100
    assert wait(allowances, alice, at=60) == 40
    assert wait(allowances, alice, at=100) == 0
    allowances.done(alice, tokens=0, asked=True, now=EPOCH + 1000)
    assert wait(allowances, alice, at=1000) == 0


def test_a_used_up_allowance_of_tokens_opens_with_the_first_one_refilled() -> None:
    allowances, alice = RateLimits(), key(tpm=120)
    assert wait(allowances, alice, at=0) == 0
    allowances.done(alice, tokens=120, asked=True, now=EPOCH)
    assert wait(allowances, alice, at=0) == 0.5
    assert wait(allowances, alice, at=0.5) == 0


def test_what_was_refilled_while_a_request_ran_is_not_counted_twice() -> None:
    allowances, alice = RateLimits(), key(tpm=60)
    assert wait(allowances, alice, at=0) == 0
    allowances.done(alice, tokens=60, asked=True, now=EPOCH + 60)
    assert wait(allowances, alice, at=60) == 1


def test_the_limit_that_opens_last_is_the_one_that_is_told() -> None:
    allowances, alice = RateLimits(), key(rpm=1, tpm=60, at_once=1)
    assert wait(allowances, alice, at=0) == 0
    fault = refusal(allowances, alice, at=0)
    assert fault.message == "the key 'alice' has reached its limit of 1 request per minute; try again in 60s"
    assert (fault.status, fault.code, fault.retry_after) == (429, "rate_limit_exceeded", 60)
    allowances.done(alice, tokens=180, asked=True, now=EPOCH)
    fault = refusal(allowances, alice, at=0)
    assert fault.message == (
        "the key 'alice' has reached its limit of 60 tokens per minute, until 14:15 UTC (in 3 min); try again in 121s"
    )
    assert fault.retry_after == 121
    assert "in 120.7s" in refusal(allowances, alice, at=0.3).message


def test_a_place_is_free_again_when_a_request_is_over() -> None:
    allowances, alice = RateLimits(), key(at_once=2)
    assert [wait(allowances, alice, at=0) for _ in range(3)] == [0, 0, PLACE]
    fault = refusal(allowances, alice, at=99)
    assert fault.message == "the key 'alice' has reached its limit of 2 requests at a time; try again in 1s"
    allowances.done(alice, tokens=0, asked=True, now=EPOCH + 99)
    assert [wait(allowances, alice, at=99) for _ in range(2)] == [0, PLACE]


@given(
    at_once=st.integers(1, 4),
    rpm=st.none() | st.integers(1, 20),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.floats(-1, 5)), max_size=100),
)
def test_no_more_than_the_limit_are_under_way_and_none_is_forgotten(
    at_once: int, rpm: int | None, steps: list[tuple[str, bool, float]]
) -> None:
    allowances = RateLimits()
    keys = {name: key(name, at_once=at_once, rpm=rpm) for name in "ab"}
    in_flight, now = dict.fromkeys("ab", 0), EPOCH
    for name, begins, pause in steps:
        now += pause
        if begins:
            fault = allowances.admit(keys[name], now=now)
            if fault is None:
                in_flight[name] += 1
            else:
                assert ("at a time" in fault.message) <= (in_flight[name] == at_once)
        elif in_flight[name]:
            allowances.done(keys[name], tokens=3, asked=True, now=now)
            in_flight[name] -= 1
        assert in_flight[name] <= at_once
    for name in "ab":
        for _ in range(in_flight[name]):
            allowances.done(keys[name], tokens=3, asked=True, now=now)
    free = key("a", at_once=at_once)
    assert [wait(allowances, free, at=999) for _ in range(at_once + 1)] == [0] * at_once + [PLACE]


def test_a_smaller_limit_clips_what_is_left_and_a_larger_one_is_filled_from_there() -> None:
    allowances = RateLimits()
    assert wait(allowances, key(rpm=100), at=0) == 0
    assert [wait(allowances, key(rpm=2), at=0) for _ in range(3)] == [0, 0, 30]
    assert wait(allowances, key(rpm=60), at=0) == 1
    assert [wait(allowances, key(rpm=60), at=2) for _ in range(3)] == [0, 0, 1]


def test_a_limit_that_is_new_starts_full_and_one_that_was_lifted_is_forgotten() -> None:
    allowances = RateLimits()
    assert wait(allowances, key(rpm=1), at=0) == 0
    assert wait(allowances, key(at_once=9), at=0) == 0
    assert [wait(allowances, key(at_once=9, tpm=60, rpm=1), at=0) for _ in range(2)] == [0, 60]


def test_removed_keys_are_forgotten_and_the_others_are_not() -> None:
    allowances = RateLimits()
    for name in ("alice", "bob", "carol"):
        assert wait(allowances, key(name, rpm=1), at=0) == 0
        allowances.done(key(name, rpm=1), tokens=0, asked=True, now=EPOCH)
    allowances.keep(["bob"])
    assert len(allowances) == 1
    assert [wait(allowances, key(name, rpm=1), at=0) for name in ("alice", "bob")] == [0, 60]


def test_a_removed_key_is_forgotten_with_its_last_request() -> None:
    allowances, alice = RateLimits(), key(at_once=2)
    assert [wait(allowances, alice, at=0) for _ in range(2)] == [0, 0]
    allowances.keep([])
    assert len(allowances) == 1
    allowances.done(alice, tokens=0, asked=True, now=EPOCH)
    allowances.keep(["alice"])  # it is back before its other request is over
    assert [wait(allowances, alice, at=0) for _ in range(2)] == [0, PLACE]
    for _ in range(2):
        allowances.done(alice, tokens=0, asked=True, now=EPOCH)
    assert len(allowances) == 1
    allowances.keep([])
    assert len(allowances) == 0


def test_a_key_that_was_removed_while_its_only_request_ran_is_forgotten_at_its_end() -> None:
    allowances, alice = RateLimits(), key(at_once=2)
    assert wait(allowances, alice, at=0) == 0
    allowances.keep([])
    assert len(allowances) == 1
    allowances.done(alice, tokens=0, asked=True, now=EPOCH)
    assert len(allowances) == 0
