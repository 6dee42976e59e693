"""Keys, candidates and attempts under random faults, in simulated time."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from agcore.config.values import Secret
from agcore.protocol.inputs import ClientGone
from agcore_sim.clients import request
from agcore_sim.dialogues import CHAT, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH
from tests.support.examples import examples
from tests.support.failover import CLIENTS, KEYS, ask, opened, world

REQUEST = 600.0

acts = st.lists(st.sampled_from(Act), min_size=1, max_size=5)

scripts = st.fixed_dictionaries({key: acts for group in KEYS.values() for key in group})

requests = st.lists(
    st.tuples(st.sampled_from(CLIENTS), st.booleans(), st.sampled_from([0.0, 0.3, 2.0, 40.0, 4000.0])),
    min_size=1,
    max_size=6,
)


@examples(300)
@given(scripts, requests, st.integers(1, 6))
def test_whatever_upstreams_do_attempts_time_and_honesty_have_bounds(
    script: dict[str, list[Act]], asked: list[tuple[Dialogue, bool, float]], attempts: int
) -> None:
    this = world(script, attempts=attempts)
    now = EPOCH
    for dialogue, stream, gap in asked:
        now += gap
        before = len(this.upstreams.served)
        story = this.ask(request(dialogue, "m", stream=stream), at=now)
        mine = this.upstreams.served[before:]
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


@examples(150)
@given(scripts, st.randoms(use_true_random=False), st.integers(2, 8))
def test_requests_side_by_side_leave_nothing_behind_however_each_of_them_ends(
    script: dict[str, list[Act]], random: Random, count: int
) -> None:
    """Some clients leave, some drivers give up, and the configuration loses a key while all of it is under way."""
    this = world(script, delay=lambda: random.choice([0.0, 0.1, random.random() * 9]), strategy="least_busy")
    live = []
    for _ in range(count):
        dialogue, stream = random.choice(CLIENTS), random.random() < 0.5
        live.append(this.begin(request(dialogue, "m", stream=stream)))
    without = msgspec.structs.replace(this.gateway.config.providers[0], keys=(Secret("a2"),))
    while live := [story for story in live if not story.finished]:
        story = random.choice(live)
        fate = random.random()
        if fate < 0.01:
            this.tell(story, ClientGone())
        elif fate < 0.02:
            this.abandon(story)
        elif fate < 0.03:
            others = this.gateway.config.providers[1:]
            setup = msgspec.structs.replace(this.gateway.config, providers=(without, *others))
            this.gateway.reconfigure(setup, now=this.now)
        else:
            assert this.step()
    assert this.gateway.buffered == 0
    assert this.gateway._outside.state.turns._busy == {}


_REVOKED = [Act.REVOKED]

_AT_ONCE = [(CHAT, False, 0.0)] * 3


@examples(200)
@example({**dict.fromkeys(("a1", "a2", "b1"), _REVOKED), "c1": [Act.REVOKED, Act.RATE]}, _AT_ONCE)
@example({**dict.fromkeys(("a1", "a2", "b1"), _REVOKED), "c1": [Act.FORBIDDEN, Act.RATE]}, _AT_ONCE)
@given(scripts, requests)
def test_a_limited_key_is_left_alone_until_it_opens(
    script: dict[str, list[Act]], asked: list[tuple[Dialogue, bool, float]]
) -> None:
    this = world(script)
    now = EPOCH
    for dialogue, stream, gap in asked:
        now = this.ask(request(dialogue, "m", stream=stream), at=now + gap).now
    for place, each in enumerate(this.upstreams.served):
        if each.act is Act.RATE:
            again = [later.at for later in this.upstreams.served[place + 1 :] if later.key == each.key]
            assert all(at >= each.at + 30 for at in again), "a key was used within its named wait"


@examples(200)
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
    story = ask(this, dialogue, stream=stream)
    assert (story.status, story.row["outcome"]) == (200, "ok"), story.text()


@examples(50)
@given(st.integers(1, 8), st.integers(1, 30), st.sampled_from([Act.TINY_RATE, Act.BARE_RATE, Act.FAILS, Act.BUSY]))
def test_fifty_keys_with_tiny_waits_make_no_storm(attempts: int, clients: int, act: Act) -> None:
    keys = {"a": tuple(f"key-{number:02}" for number in range(50))}
    this = world({key: [act] for key in keys["a"]}, attempts=attempts, steps=(("a",),), keys=keys)
    for number in range(clients):
        ask(this, CHAT, stream=False, at=number / 100)
    assert len(this.upstreams.served) <= attempts * clients
