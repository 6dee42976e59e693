"""MCP sessions by themselves: bounds, owners, and time, in any order of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agcore.machines.ids import Ids
from agcore.mcp.revisions import NEWEST
from agcore.state import mcp_sessions as sessions
from agcore.state.mcp_sessions import IDLE, MAX_OF_ONE, MAX_SESSIONS, Owner, Session, Sessions

OWNERS = (Owner("a", None, "loopback"), Owner("a", "alice", ""), Owner("b", "alice", ""), Owner("a", None, "192.0.2.1"))


def make(count: int = 0, *, at: float = 0.0, owners: Sequence[Owner] = OWNERS[:1]) -> tuple[Sessions, list[Session]]:
    made = Sessions(Ids(bytes(32)).mint)
    return made, [made.create(owners[number % len(owners)], NEWEST.version, now=at) for number in range(count)]


def there(sessions: Sessions, made: Iterable[Session], *, now: float = 0.0) -> list[bool]:
    return [sessions.find(each.id, each.owner, now=now) is each for each in made]


EVERYBODY = tuple(Owner("a", f"client-{number}", "") for number in range(10))
BOUNDS = pytest.mark.parametrize(("most", "owners"), [(MAX_OF_ONE, OWNERS[:1]), (MAX_SESSIONS, EVERYBODY)])


@BOUNDS
def test_the_session_that_was_not_used_for_longest_makes_room(most: int, owners: Sequence[Owner]) -> None:
    all_sessions, made = make(most, owners=owners)
    assert there(all_sessions, made[:1], now=1.0) == [True]
    all_sessions.create(owners[0], NEWEST.version, now=2.0)
    assert len(all_sessions) == most
    assert there(all_sessions, made[:3], now=2.0) == [True, False, True]


@BOUNDS
def test_a_session_in_which_something_runs_makes_room_last(most: int, owners: Sequence[Owner]) -> None:
    all_sessions, made = make(most, owners=owners)
    made[0].calls[1] = "req_1"
    made[1].streams.add("req_2")
    all_sessions.create(owners[0], NEWEST.version, now=2.0)
    assert there(all_sessions, made[:3], now=2.0) == [True, True, False]
    for each in made:
        each.streams.add("req_3")
    all_sessions.create(owners[0], NEWEST.version, now=3.0).streams.add("req_4")
    all_sessions.create(owners[0], NEWEST.version, now=4.0)
    assert len(all_sessions) == most


def test_a_flood_of_one_client_ends_no_session_of_another() -> None:
    all_sessions, made = make(len(EVERYBODY), owners=EVERYBODY)
    for number in range(2 * MAX_SESSIONS):
        all_sessions.create(EVERYBODY[0], NEWEST.version, now=float(number % 7))
    assert there(all_sessions, made, now=7.0) == [False] + [True] * (len(made) - 1)
    assert len(all_sessions) == MAX_OF_ONE + len(made) - 1


def test_who_works_for_a_session_is_known_until_either_is_over() -> None:
    all_sessions, (session,) = make(1, owners=OWNERS[:1])
    all_sessions.join(session.id, "req_2", call=7)
    all_sessions.join(session.id, "req_1")
    assert all_sessions.worker_of(session.id, 7) == "req_2"
    assert all_sessions.end(session.id) == ("req_1", "req_2")
    all_sessions.join(session.id, "req_3")
    all_sessions.leave(session.id, "req_2")
    assert all_sessions.worker_of(session.id, 7) is None
    assert all_sessions.end(session.id) == ()


def test_sessions_that_are_stale_make_room_first() -> None:
    all_sessions, _ = make(MAX_SESSIONS, owners=EVERYBODY)
    all_sessions.create(OWNERS[0], NEWEST.version, now=IDLE + 1)
    assert len(all_sessions) == 1


def test_an_exchange_that_is_over_is_forgotten_everywhere() -> None:
    _, (session,) = make(1)
    session.calls |= {1: "req_1", "2": "req_1", 3: "req_2"}
    session.streams |= {"req_1", "req_3"}
    assert session.exchanges == {"req_1", "req_2", "req_3"}
    session.forget("req_1")
    assert (session.calls, session.streams) == ({3: "req_2"}, {"req_3"})


@given(owner=st.sampled_from(OWNERS), other=st.sampled_from(OWNERS))
def test_nobody_else_finds_a_session(owner: Owner, other: Owner) -> None:
    all_sessions, _ = make()
    session = all_sessions.create(owner, NEWEST.version, now=0.0)
    found = all_sessions.find(session.id, other, now=1.0)
    assert (found is session) == (owner == other)


class Lives(RuleBasedStateMachine):
    """Sessions are made, used, kept busy and ended, while time goes on; a plain model says which are there."""

    @initialize()
    def start(self) -> None:
        self.bound, sessions.MAX_SESSIONS = sessions.MAX_SESSIONS, 4
        self.sessions = Sessions(Ids(bytes(32)).mint)
        self.made: list[Session] = []
        self.ended: set[str] = set()
        self.now = 0.0

    def teardown(self) -> None:
        sessions.MAX_SESSIONS = self.bound

    @rule(owner=st.sampled_from(OWNERS))
    def create(self, owner: Owner) -> None:
        made = self.sessions.create(owner, NEWEST.version, now=self.now)
        assert made.id not in {each.id for each in self.made}
        self.made.append(made)

    @rule(seconds=st.sampled_from([0.5, 100.0, IDLE, IDLE + 1]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(index=st.integers(0, 30), owner=st.sampled_from(OWNERS))
    def use(self, index: int, owner: Owner) -> None:
        if self.made:
            session = self.made[index % len(self.made)]
            stale = self.now - session.used > IDLE and not session.exchanges
            found = self.sessions.find(session.id, owner, now=self.now)
            assert found is None or (found is session and owner == session.owner)
            assert found is None or (not stale and session.id not in self.ended)
            assert found is None or session.used == self.now

    @rule(index=st.integers(0, 30), busy=st.booleans())
    def work(self, index: int, busy: bool) -> None:
        if self.made:
            session = self.made[index % len(self.made)]
            if busy:
                session.streams.add("req")
            else:
                session.forget("req")

    @rule(index=st.integers(0, 30))
    def end(self, index: int) -> None:
        if self.made:
            session = self.made[index % len(self.made)]
            self.sessions.end(session.id)
            self.ended.add(session.id)

    @invariant()
    def there_are_never_too_many(self) -> None:
        assert len(self.sessions) <= 4


TestLives = Lives.TestCase
