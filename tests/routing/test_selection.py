"""The selection of keys by itself: turns, conversations, cooldowns, and what outlives a restart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.config.values import Provider
from agcore.protocol.fault import FailureKind
from agcore.routing.balancing import spreads
from agcore.routing.candidates import Candidate, Exhausted, Pause, Selection
from agcore.routing.retry import ELSEWHERE
from agcore.routing.selection import Selector
from agcore.state import snapshot
from agcore.state.affinity import MAX_CONVERSATIONS, Affinity
from agcore.state.cooldowns import BACKOFF, LONGEST, MAX_COOLDOWNS, PROBE, SHORTEST, TRANSIENT, Cooldowns
from agcore.state.turns import Turns
from agcore_sim.dialogues import CHAT
from tests.support.dialogues import provider

NOW = 1_790_000_000.0


def pool(fraction: float = 0.5) -> Selector:
    return Selector(Cooldowns(lambda: fraction), Affinity(), Turns())


def keyed(name: str, *keys: str, **more: Any) -> Provider:
    return msgspec.structs.replace(provider(CHAT, name=name, keys=keys), **more)


def candidate(who: Provider, model: str = "m", *, step: int = 0, key: str | None = None) -> Candidate:
    return Candidate(who, who.endpoints["openai_chat"], model, step, key)


def taken(pool: Selector, *candidates: Candidate, now: float = NOW, **more: Any) -> Selection:
    choice = pool.choose(candidates, now=now, **more)
    assert isinstance(choice, Selection), choice
    return choice


def labels(pool: Selector, count: int, *candidates: Candidate, **more: Any) -> list[str]:
    """The labels of so many choices in a row, each done before the next."""
    found = []
    for _ in range(count):
        choice = taken(pool, *candidates, **more)
        pool.done(choice)
        found.append(choice.key.label)
    return found


def fail(
    pool: Selector,
    choice: Selection,
    trouble: FailureKind,
    *,
    now: float = NOW,
    began: float | None = None,
    **more: Any,
) -> bool:
    pool.done(choice)
    return pool.failed(choice, trouble, began=now if began is None else began, now=now, **more)


# Turns.


def test_turns_go_on_however_many_providers_there_are() -> None:
    this = pool()
    for number in range(MAX_COOLDOWNS + 2):
        who = keyed(f"p{number}", "sk-a", "sk-b", strategy="round_robin")
        # Once in a long while all turns begin anew.
        assert set(labels(this, 3, candidate(who))) == {f"p{number}#1", f"p{number}#2"}


def test_a_provider_without_keys_is_chosen_by_its_label() -> None:
    choice = taken(pool(), candidate(keyed("local")))
    assert (choice.key.label, choice.key.secret, choice.key.id) == ("local#1", None, "")


def test_round_robin_takes_turns_in_the_order_of_the_configuration() -> None:
    assert labels(pool(), 5, candidate(keyed("p", "a", "b", "c", strategy="round_robin"))) == [
        "p#1",
        "p#2",
        "p#3",
        "p#1",
        "p#2",
    ]


def test_least_busy_takes_the_key_with_the_fewest_requests_under_way() -> None:
    this, there = pool(), candidate(keyed("p", "a", "b", strategy="least_busy"))
    first, second = taken(this, there), taken(this, there)
    assert [first.key.label, second.key.label] == ["p#1", "p#2"]
    this.done(second)
    assert taken(this, there).key.label == "p#2"
    third = taken(this, there)
    assert taken(this, there).key.label != third.key.label


def test_among_equally_busy_keys_the_turn_goes_round() -> None:
    assert labels(pool(), 4, candidate(keyed("p", "a", "b", strategy="least_busy"))) == ["p#1", "p#2", "p#1", "p#2"]


def test_a_key_that_is_given_twice_counts_once() -> None:
    this, who = pool(), keyed("p", "a", "a", "b")
    assert [key.label for key in this.keys(who)] == ["p#1", "p#3"]
    assert labels(this, 4, candidate(who)) == ["p#1", "p#3", "p#1", "p#3"]


def test_two_models_of_one_provider_share_a_step_and_a_conversation_stays_with_its_own() -> None:
    this, who, other = pool(), keyed("p", "a", weight=2), keyed("q", "b")
    candidates = [candidate(who, "m1"), candidate(who, "m2"), candidate(other, "m3")]
    turns = Counter(taken(this, *candidates).candidate.model for _ in range(10))
    assert turns == {"m1": 4, "m2": 4, "m3": 2}
    held = taken(this, *candidates, conversation=b"one").candidate.model
    assert [taken(this, *candidates, conversation=b"one").candidate.model for _ in range(5)] == [held] * 5


def test_models_that_are_asked_in_turns_are_each_spread_over_all_keys() -> None:
    this, who = pool(), keyed("p", "a", "b", strategy="round_robin")
    asked = [taken(this, candidate(who, model)).slot for _ in range(2) for model in ("large", "small")]
    assert len(set(asked)) == 4


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_a_step_is_shared_by_weight(weights: list[int]) -> None:
    candidates = [candidate(keyed(f"p{place}", "k", weight=weight)) for place, weight in enumerate(weights)]
    turns = Counter(labels(pool(), sum(weights), *candidates))
    assert [turns[f"p{place}#1"] for place in range(len(weights))] == weights


def test_a_later_step_is_for_when_no_earlier_one_is_open() -> None:
    this, first, second = pool(), candidate(keyed("p", "a", "b")), candidate(keyed("q", "c"), step=1)
    for _ in range(2):
        fail(this, taken(this, first, second), FailureKind.RATE_LIMITED, wait=60)
    assert labels(this, 2, first, second) == ["q#1", "q#1"]
    assert labels(this, 1, first, second, now=NOW + 61) == ["p#2"]  # whose turn it is


def test_a_way_may_name_its_only_key() -> None:
    this, who = pool(), keyed("p", "a", "b")
    only = this.keys(who)[1]
    assert labels(this, 3, candidate(who, key=only.id)) == ["p#2"] * 3
    fail(this, taken(this, candidate(who, key=only.id)), FailureKind.RATE_LIMITED, wait=60)
    assert isinstance(this.choose([candidate(who, key=only.id)], now=NOW), Exhausted)


# Conversations.


def test_a_conversation_stays_with_its_key_and_new_ones_spread() -> None:
    this, there = pool(), candidate(keyed("p", "a", "b"))
    assert labels(this, 3, there, conversation=b"one") == ["p#1"] * 3
    assert labels(this, 3, there, conversation=b"two") == ["p#2"] * 3
    assert labels(this, 2, there, conversation=b"one") == ["p#1"] * 2


def test_a_conversation_that_had_to_move_stays_where_it_is() -> None:
    this, there = pool(), candidate(keyed("p", "a", "b"))
    fail(this, taken(this, there, conversation=b"one"), FailureKind.RATE_LIMITED, wait=10)
    assert labels(this, 1, there, conversation=b"one") == ["p#2"]
    assert labels(this, 2, there, conversation=b"one", now=NOW + 60) == ["p#2"] * 2


def test_a_conversation_stays_with_its_provider_within_a_step() -> None:
    this = pool()
    candidates = [candidate(keyed(name, "k")) for name in ("p", "q", "r")]
    held = labels(this, 1, *candidates, conversation=b"one")
    labels(this, 7, *candidates, conversation=b"other")
    assert labels(this, 3, *candidates, conversation=b"one") == held * 3


def test_the_seats_that_are_remembered_are_bounded() -> None:
    this, there = pool(), candidate(keyed("p", "a", "b"))
    assert labels(this, 1, there, conversation=b"first") == ["p#1"]
    for number in range(MAX_CONVERSATIONS):
        labels(this, 1, there, conversation=number.to_bytes(4, "big"))
    turn = labels(this, 1, there)
    assert labels(this, 1, there, conversation=b"first") != turn  # forgotten: it takes the next turn


@pytest.mark.parametrize(
    ("candidates", "matters"),
    [
        ([candidate(keyed("p", "a"))], False),
        ([candidate(keyed("p", "a", "b"))], True),
        ([candidate(keyed("p", "a", "b", strategy="round_robin"))], False),
        ([candidate(keyed("p", "a")), candidate(keyed("q", "b"))], True),
        ([candidate(keyed("p", "a")), candidate(keyed("q", "b"), step=1)], False),
    ],
)
def test_a_conversation_matters_where_there_is_a_choice_that_sticks(candidates: list[Candidate], matters: bool) -> None:
    assert spreads(candidates) is matters


# Cooldowns.


def test_a_limit_holds_for_the_model_and_a_refusal_for_the_key() -> None:
    this, who = pool(), keyed("p", "a")
    fail(this, taken(this, candidate(who)), FailureKind.RATE_LIMITED, wait=60)
    assert isinstance(this.choose([candidate(who)], now=NOW), Exhausted)
    assert labels(this, 1, candidate(who, "other")) == ["p#1"]
    two = keyed("q", "a", "b")
    assert fail(this, taken(this, candidate(two)), FailureKind.CREDENTIAL_REJECTED, whole_key=True)
    assert labels(this, 2, candidate(two, "other")) == ["q#2", "q#2"]


def test_a_plan_that_is_used_up_until_a_named_time_forbids_the_model_and_avoids_the_key() -> None:
    this, who = pool(), keyed("p", "a", "b")
    assert fail(
        this, taken(this, candidate(who)), FailureKind.QUOTA_EXCEEDED, whole_key=True, wait=3600, reason="five hours"
    )
    assert labels(this, 2, candidate(who, "other")) == ["p#2", "p#2"]
    alone = candidate(who, key=this.keys(who)[0].id)
    assert this.choose([alone], now=NOW) == Exhausted(NOW + 3600, ("p#1: five hours",))
    # What other models it counts is not said: with nobody else there, they may be asked.
    assert taken(this, candidate(who, "other", key=alone.key)).key.label == "p#1"


def test_no_connection_holds_for_the_provider_which_is_then_the_last_resort() -> None:
    this, who, other = pool(), keyed("p", "a", "b"), keyed("q", "c")
    fail(this, taken(this, candidate(who)), FailureKind.UNREACHABLE)
    assert labels(this, 1, candidate(who), candidate(other, step=1)) == ["q#1"]
    assert labels(this, 1, candidate(who)) == ["p#1"]


@pytest.mark.parametrize("trouble", BACKOFF)
def test_cooldowns_double_up_to_a_bound_and_vary_by_a_quarter(trouble: FailureKind) -> None:
    for fraction, factor in ((0.0, 0.75), (0.999999, 1.25)):
        this, there = pool(fraction), candidate(keyed("p", "a"))
        now, lengths = NOW, []
        for _ in range(20):
            this.failed(this.take(Selection(there, this.keys(there.provider)[0])), trouble, began=now, now=now)
            (_, cooldown), *_ = this.cooldowns.cooling(now=now)
            lengths.append(cooldown.until - now)
            now = cooldown.until
        assert lengths[0] == pytest.approx(BACKOFF[trouble].first * factor, rel=1e-3)
        assert lengths[1] == pytest.approx(lengths[0] * 2, rel=1e-3)
        assert lengths[-1] == pytest.approx(BACKOFF[trouble].longest * factor, rel=1e-3)


def test_failures_of_requests_that_ran_together_count_as_one() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    together = [taken(this, there) for _ in range(10)]
    for choice in together:
        fail(this, choice, FailureKind.UPSTREAM_ERROR, now=NOW + 1, began=NOW)
    (_, cooldown), *_ = this.cooldowns.cooling(now=NOW + 1)
    assert cooldown.failures == 1


def test_a_row_of_failures_is_forgotten_after_a_good_while() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    for moment in (NOW, NOW + 1, NOW + 1000):
        fail(this, taken(this, there, now=moment), FailureKind.UPSTREAM_ERROR, now=moment)
    (_, cooldown), *_ = this.cooldowns.cooling(now=NOW + 1000)
    assert cooldown.failures == 1


@pytest.mark.parametrize(("named", "meant"), [(0.05, SHORTEST), (30, 30), (1e12, LONGEST)])
def test_a_named_wait_is_obeyed_within_bounds(named: float, meant: float) -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    fail(this, taken(this, there), FailureKind.RATE_LIMITED, wait=named, reason="slow down")
    closed = this.choose([there], now=NOW)
    assert closed == Exhausted(NOW + meant, ("p#1: slow down",))
    assert this.opens([there], now=NOW) == NOW + meant


def test_of_two_cooldowns_the_longer_one_counts() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    first, second = taken(this, there), taken(this, there)
    fail(this, first, FailureKind.RATE_LIMITED, wait=60, reason="long")
    fail(this, second, FailureKind.UPSTREAM_ERROR, reason="short")
    assert this.choose([there], now=NOW) == Exhausted(NOW + 60, ("p#1: long",))


def test_what_was_answered_before_says_nothing_about_a_limit_that_came_later() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    slow = taken(this, there)
    fail(this, taken(this, there), FailureKind.RATE_LIMITED, wait=60, now=NOW + 1)
    this.succeeded(slow, began=NOW)
    assert isinstance(this.choose([there], now=NOW + 2), Exhausted)
    this.succeeded(slow, began=NOW + 1)
    assert isinstance(this.choose([there], now=NOW + 2), Selection)


def test_a_long_limit_is_probed_by_one_request_at_a_time() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    fail(this, taken(this, there), FailureKind.QUOTA_EXCEEDED, wait=86_400)
    assert isinstance(this.choose([there], now=NOW + PROBE - 1), Exhausted)
    probe = taken(this, there, now=NOW + PROBE)
    assert isinstance(this.choose([there], now=NOW + PROBE), Exhausted)
    fail(this, probe, FailureKind.QUOTA_EXCEEDED, wait=10, now=NOW + PROBE + 1)
    closed = this.choose([there], now=NOW + PROBE + 2)
    assert isinstance(closed, Exhausted)
    assert closed.until == NOW + 86_400  # the probe's own wait was the shorter one
    assert isinstance(this.choose([there], now=NOW + 2 * PROBE + 1), Selection)


def test_what_was_tried_is_tried_again_after_a_pause_only_if_its_trouble_passes() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    choice = taken(this, there)
    fail(this, choice, FailureKind.UPSTREAM_ERROR)
    pause = this.choose([there], tried={choice.slot}, now=NOW)
    assert pause == Pause(NOW + BACKOFF[FailureKind.UPSTREAM_ERROR].first)
    assert isinstance(this.choose([there], tried={choice.slot}, now=pause.until), Selection)
    fail(this, choice, FailureKind.CREDENTIAL_REJECTED, whole_key=True)
    assert this.choose([there], tried={choice.slot}, now=NOW) == Exhausted(None, ("p#1: ",))
    assert this.opens([there], now=NOW) == NOW + BACKOFF[FailureKind.CREDENTIAL_REJECTED].first
    assert this.opens([], now=NOW) is None


def test_refused_keys_are_asked_where_nothing_else_is_and_not_where_a_limit_will_end() -> None:
    this, who = pool(), keyed("p", "a", "b")
    first = taken(this, candidate(who))
    fail(this, first, FailureKind.CREDENTIAL_REJECTED, whole_key=True)
    second = taken(this, candidate(who))
    fail(this, second, FailureKind.CREDENTIAL_REJECTED, whole_key=True, now=NOW + 1)
    assert taken(this, candidate(who), now=NOW + 2).key.label == "p#1"  # the one to be probed first
    this.succeeded(second, began=NOW + 2)
    fail(this, second, FailureKind.RATE_LIMITED, wait=30, now=NOW + 2)
    assert this.choose([candidate(who)], now=NOW + 3) == Exhausted(NOW + 32, ("p#1: ", "p#2: "))


@pytest.mark.parametrize("whole_key", [True, False])
def test_a_limit_forbids_a_key_that_was_refused_before(whole_key: bool) -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    fail(this, taken(this, there), FailureKind.CREDENTIAL_REJECTED, whole_key=whole_key)
    fail(this, taken(this, there), FailureKind.RATE_LIMITED, wait=30)
    assert this.choose([there], now=NOW + 29) == Exhausted(NOW + 30, ("p#1: ",))
    assert isinstance(this.choose([there], now=NOW + 31), Selection)


def test_nothing_cools_for_the_requests_own_faults() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    for trouble in (FailureKind.INVALID_REQUEST, FailureKind.NOT_FOUND):
        assert not fail(this, taken(this, there), trouble, wait=60)
    assert list(this.cooldowns.cooling(now=NOW)) == []


def test_cooldowns_are_bounded_and_those_that_are_over_go_first() -> None:
    this, who = pool(), keyed("p", "a")
    for number in range(MAX_COOLDOWNS + 10):
        fail(this, taken(this, candidate(who, f"m{number}")), FailureKind.RATE_LIMITED, wait=60 + number)
    assert len(list(this.cooldowns.cooling(now=NOW))) == MAX_COOLDOWNS
    fail(this, taken(this, candidate(who, "late"), now=NOW + 100), FailureKind.RATE_LIMITED, wait=60, now=NOW + 100)
    assert len(list(this.cooldowns.cooling(now=NOW))) < MAX_COOLDOWNS


# What outlives a restart.


def test_limits_and_refusals_outlive_a_restart_and_passing_troubles_do_not() -> None:
    this, who = pool(), keyed("p", "a-secret-of-the-users", "b", "c")
    before = this.cooldowns.changes
    for trouble in (FailureKind.RATE_LIMITED, FailureKind.CREDENTIAL_REJECTED):
        fail(this, taken(this, candidate(who)), trouble, wait=600)
    assert this.cooldowns.changes == before + 2
    fail(this, taken(this, candidate(who)), FailureKind.UPSTREAM_ERROR)
    assert this.cooldowns.changes == before + 2
    state = snapshot.dump(this.cooldowns, now=NOW)
    assert b"a-secret" not in state
    other = pool()
    snapshot.load(other.cooldowns, state, now=NOW + 10)
    assert {cooldown.failure for _, cooldown in other.cooldowns.cooling(now=NOW + 10)} == {
        FailureKind.RATE_LIMITED,
        FailureKind.CREDENTIAL_REJECTED,
    }
    assert labels(other, 2, candidate(who), now=NOW + 10) == ["p#3", "p#3"]
    late = pool()
    snapshot.load(late.cooldowns, state, now=NOW + 601)
    assert list(late.cooldowns.cooling(now=NOW + 601)) == []


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(msgspec.json.encode)
)
def test_what_is_no_state_is_refused_and_changes_nothing(data: bytes) -> None:
    this = pool()
    with pytest.raises(msgspec.DecodeError):
        snapshot.load(this.cooldowns, data, now=NOW)
    assert list(this.cooldowns.cooling(now=NOW)) == []


def test_a_state_from_a_clock_that_ran_ahead_bars_nobody_from_being_probed_or_healed() -> None:
    this, there = pool(), candidate(keyed("p", "a"))
    fail(this, taken(this, there), FailureKind.QUOTA_EXCEEDED, wait=LONGEST - 86_400, now=NOW + 86_400)
    other = pool()
    snapshot.load(other.cooldowns, snapshot.dump(this.cooldowns, now=NOW + 86_400), now=NOW)
    probe = taken(other, there, now=NOW + PROBE)
    other.succeeded(probe, began=NOW + PROBE)
    assert list(other.cooldowns.cooling(now=NOW + PROBE)) == []


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        snapshot.load(pool().cooldowns, b'{"version": 2, "cooldowns": []}', now=NOW)


def test_every_trouble_that_cools_is_either_passing_or_bars_the_key() -> None:
    assert set(BACKOFF) >= TRANSIENT
    assert set(FailureKind) - set(BACKOFF) == {FailureKind.INVALID_REQUEST, *ELSEWHERE}
