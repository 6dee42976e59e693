"""What several gateways learned, put together: deltas may come late, twice and in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.protocol.fault import FailureKind
from agcore.protocol.state import AffinityDelta, CooldownCleared, CooldownDelta, Delta, ModelListDelta
from agcore.state.cooldowns import BACKOFF, MAX_COOLDOWNS, PROBE, Cooldowns
from agcore.state.provider_models import FRESH, ProviderLists
from agcore.state.shared import LocalState
from agcore_sim.dialogues import CHAT
from tests.support.dialogues import provider

NOW = 1_790_000_000.0
SUBJECT = ("p", "k", "m")


def state() -> LocalState:
    return LocalState(fraction=lambda: 0.5, mint=str, max_buffered=0)


def cooled(since: float, until: float, failure: FailureKind = FailureKind.RATE_LIMITED, **more: Any) -> CooldownDelta:
    given = {"failures": 1, "reason": "", "refused": False, **more}
    return CooldownDelta(*SUBJECT, failure=failure, since=NOW + since, until=NOW + until, **given)


def cleared(began: float) -> CooldownCleared:
    return CooldownCleared(*SUBJECT, began=NOW + began)


_moments = st.sampled_from([10.0, 20.0, 30.0, 40.0])
cooldown_deltas = st.builds(
    cooled,
    _moments,
    st.sampled_from([50.0, 60.0, 1000.0]),
    st.sampled_from(sorted(BACKOFF, key=lambda kind: kind.value)),
    failures=st.integers(1, 3),
    refused=st.booleans(),
    reason=st.sampled_from(["a", "b"]),
) | st.builds(cleared, _moments)
affinity_deltas = st.builds(
    AffinityDelta, st.just(b"c"), st.just("p"), st.sampled_from("kl"), st.just("m"), st.sampled_from([NOW, NOW + 1])
)
list_deltas = st.builds(
    ModelListDelta, st.just("p at home"), st.sampled_from([("a",), ("b", "c")]), st.sampled_from([NOW, NOW + 1])
)


def seen(state: LocalState) -> object:
    cooldown = state.cooldowns.get(SUBJECT)
    return (cooldown, state.affinity.get(b"c"), state.lists._kept)


@given(st.lists(cooldown_deltas | affinity_deltas | list_deltas, max_size=8), st.data())
def test_neither_order_nor_repetition_makes_a_difference(deltas: list[Delta], data: st.DataObject) -> None:
    here, there = state(), state()
    for delta in deltas:
        here.merge(delta)
    for delta in [*data.draw(st.permutations(deltas)), *data.draw(st.permutations(deltas))]:
        there.merge(delta)
    assert seen(here) == seen(there)


@given(st.lists(cooldown_deltas, max_size=6))
def test_a_copy_that_is_told_of_the_result_knows_as_much(deltas: list[Delta]) -> None:
    here, there = state(), state()
    for delta in deltas:
        here.merge(delta)
    told = here.cooldowns.delta(SUBJECT)
    if told is not None:
        there.merge(told)
    mine, its = here.cooldowns.get(SUBJECT), there.cooldowns.get(SUBJECT)
    assert mine == its


def test_of_two_cooldowns_the_longer_one_counts_since_the_later_one() -> None:
    here = state()
    here.merge(cooled(10, 100, reason="long"))
    here.merge(cooled(20, 50, reason="short", failures=3))
    cooldown = here.cooldowns.get(SUBJECT)
    assert cooldown is not None
    assert (cooldown.since, cooldown.until, cooldown.reason, cooldown.failures) == (NOW + 20, NOW + 100, "long", 3)
    assert cooldown.probe_at == min(NOW + 100, NOW + 20 + PROBE)


def test_a_limit_counts_more_than_a_longer_refusal() -> None:
    here = state()
    here.merge(cooled(10, 1000, FailureKind.CREDENTIAL_REJECTED, refused=True))
    here.merge(cooled(10, 20))
    cooldown = here.cooldowns.get(SUBJECT)
    assert cooldown is not None
    assert not cooldown.refused


def test_a_success_ends_what_came_to_light_before_its_attempt_began_and_nothing_later() -> None:
    here = state()
    here.merge(cooled(10, 100))
    here.merge(cooled(20, 50))
    here.merge(cleared(15))
    cooldown = here.cooldowns.get(SUBJECT)
    assert cooldown is not None
    assert cooldown.until == NOW + 50
    here.merge(cleared(20))
    assert here.cooldowns.get(SUBJECT) is None
    here.merge(cooled(10, 100))  # late
    assert here.cooldowns.get(SUBJECT) is None


def test_what_was_learned_here_is_told_to_others() -> None:
    here, there = state(), state()
    assert here.cooldowns.delta(SUBJECT) is None
    kind = FailureKind.RATE_LIMITED
    here.cooldowns.cool(SUBJECT, kind, refused=False, wait=60, reason="slow", began=NOW, now=NOW)
    delta = here.cooldowns.delta(SUBJECT)
    assert delta == cooled(0, 60, kind, reason="slow")
    there.merge(delta)
    assert there.cooldowns.get(SUBJECT) == here.cooldowns.get(SUBJECT)
    here.cooldowns.succeeded([SUBJECT], began=NOW + 1)
    delta = here.cooldowns.delta(SUBJECT)
    assert delta == cleared(1)
    there.merge(delta)
    assert there.cooldowns.get(SUBJECT) is None


def test_what_is_cooled_here_stands_for_all_that_was_merged() -> None:
    here = state()
    here.merge(cooled(10, 100))
    here.merge(cooled(20, 50))
    here.cooldowns.cool(SUBJECT, FailureKind.OVERLOADED, refused=False, wait=1, reason="", began=NOW + 30, now=NOW + 30)
    here.merge(cleared(25))
    cooldown = here.cooldowns.get(SUBJECT)
    assert cooldown is not None
    assert (cooldown.since, cooldown.until) == (NOW + 30, NOW + 100)


def test_merged_cooldowns_are_bounded() -> None:
    this = Cooldowns(lambda: 0.5)
    for number in range(MAX_COOLDOWNS + 10):
        this.merge(CooldownDelta("p", str(number), "m", FailureKind.RATE_LIMITED, NOW, NOW + 60 + number, 1, "", False))
        this.merge(CooldownCleared("q", str(number), "m", NOW))
    assert len(this) == MAX_COOLDOWNS
    assert this.get(("p", "0", "m")) is None
    assert this.delta(("q", "0", "m")) is None
    assert this.delta(("q", "10", "m")) == CooldownCleared("q", "10", "m", NOW)


def test_a_conversation_is_told_of_with_its_latest_key() -> None:
    here = state()
    assert here.affinity.delta(b"c") is None
    here.affinity.keep(b"c", SUBJECT, now=NOW)
    assert here.affinity.delta(b"c") == AffinityDelta(b"c", *SUBJECT, at=NOW)
    here.merge(AffinityDelta(b"c", "p", "z", "m", NOW - 1))
    assert here.affinity.get(b"c") == SUBJECT
    assert len(here.affinity) == 1


def test_a_list_that_another_gateway_read_is_as_good_as_one_read_here() -> None:
    here, there, who = ProviderLists(), ProviderLists(), provider(CHAT)
    assert here.delta(who) is None
    here.failed(who, now=NOW)
    assert here.delta(who) is None
    here.store(who, ("a", "b"), now=NOW)
    delta = here.delta(who)
    assert delta is not None
    there.merge(delta)
    assert there.ids(who, now=NOW) == ("a", "b")
    assert not there.due(who, now=NOW + FRESH - 1)
    there.merge(ModelListDelta(delta.source, ("old",), NOW - 1))
    assert there.ids(who, now=NOW) == ("a", "b")


@pytest.mark.parametrize("refused", [False, True])
def test_a_shorter_refusal_does_not_replace_a_longer_one(refused: bool) -> None:
    this = Cooldowns(lambda: 0.5)
    for wait, reason in ((600, "long"), (5, "short")):
        kind = FailureKind.CREDENTIAL_REJECTED if refused else FailureKind.RATE_LIMITED
        this.cool(SUBJECT, kind, refused=refused, wait=wait, reason=reason, began=NOW, now=NOW)
    cooldown = this.get(SUBJECT)
    assert cooldown is not None
    assert (cooldown.until, cooldown.reason) == (NOW + 600, "long")


def test_a_limit_replaces_a_longer_refusal_and_a_refusal_does_not_replace_a_longer_limit() -> None:
    this = Cooldowns(lambda: 0.5)
    limit, refusal = FailureKind.RATE_LIMITED, FailureKind.CREDENTIAL_REJECTED
    this.cool(SUBJECT, refusal, refused=True, wait=600, reason="refused", began=NOW, now=NOW)
    this.cool(SUBJECT, limit, refused=False, wait=60, reason="limited", began=NOW, now=NOW)
    cooldown = this.get(SUBJECT)
    assert cooldown is not None
    assert (cooldown.until, cooldown.refused) == (NOW + 60, False)
    this.cool(SUBJECT, refusal, refused=True, wait=30, reason="refused", began=NOW, now=NOW)
    cooldown = this.get(SUBJECT)
    assert cooldown is not None
    assert (cooldown.until, cooldown.refused) == (NOW + 60, False)
