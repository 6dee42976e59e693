"""The machine of one request against its own legality tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from agcore import (
    AbortClient,
    ClientGone,
    DrainRequested,
    DropSpool,
    FileRead,
    FileRefused,
    Finish,
    Input,
    Loaded,
    LocalProtocolError,
    Notified,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendData,
    SendHead,
    Sent,
    Spool,
    SpoolFailed,
    Stage,
    State,
    StateReplied,
    StateUnavailable,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.config.values import Limits
from agcore.protocol import legality
from agcore.protocol.legality import LegState
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, SSE, Story, gateway
from tests.support.dialogues import asked, config, provider, receiving, send
from tests.support.exchange_checks import check_effects, leg_states, tell_and_check
from tests.support.situations import (
    DEAD_LEG,
    MODEL,
    SITUATIONS,
    SMALL,
    told,
)
from tests.support.slow_state import VALUE

TELLING: Final[tuple[Callable[[int], Input], ...]] = (
    lambda leg: RequestData(b"x"),
    lambda leg: RequestData(b"x" * 600),
    lambda leg: RequestData(b"\r\n" + MODEL),
    lambda leg: RequestEnd(),
    lambda leg: RequestBroken("bad chunk"),
    lambda leg: SpoolFailed(1, "no space"),
    lambda leg: ClientGone(),
    lambda leg: DrainRequested(),
    lambda leg: Written(None),
    lambda leg: Written(leg),
    lambda leg: FileRead(leg, b"x"),
    lambda leg: FileRead(leg, b""),
    lambda leg: FileRefused(leg, "is no file"),
    lambda leg: FileRefused(leg, ""),
    lambda leg: StateReplied(Loaded(leg, VALUE)),
    lambda leg: StateReplied(StateUnavailable(leg)),
    lambda leg: Notified("end"),
    lambda leg: Notified("cancel", 7),
    lambda leg: UpstreamConnected(leg, reused=False),
    lambda leg: UpstreamHead(leg, 200, SSE),
    lambda leg: UpstreamHead(leg, 401, JSON),
    lambda leg: UpstreamHead(leg, 404, JSON),
    lambda leg: UpstreamData(leg, b": hm\n\n"),
    lambda leg: UpstreamData(leg, CHAT.content),
    lambda leg: UpstreamData(leg, CHAT.error),
    lambda leg: UpstreamData(leg, b"data: {\n\n"),
    lambda leg: UpstreamEnd(leg),
    lambda leg: UpstreamFailed(leg, Stage.CONNECT, Sent.NONE, False, "refused"),
    lambda leg: UpstreamFailed(leg, Stage.HEAD, Sent.ALL, True, "closed"),
    lambda leg: UpstreamFailed(leg, Stage.BODY, Sent.ALL, False, "reset"),
)


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_what_its_name_says(name: str) -> None:
    tell, state, leg_state = SITUATIONS[name]
    exchange = tell().exchange
    assert exchange.state is state
    assert list(leg_states(exchange).values()) == ([] if leg_state is None else [leg_state])


def test_the_situations_cover_every_state_of_the_exchange_and_of_a_live_leg() -> None:
    assert {state for _, state, _ in SITUATIONS.values()} == set(State)
    assert {leg for _, _, leg in SITUATIONS.values()} == {*LegState, None} - {LegState.OVER}


def test_the_legality_table_lists_no_transition_that_never_happens() -> None:
    seen: set[tuple[State, type, State]] = set()
    for tell, _, _ in SITUATIONS.values():
        for make in TELLING:
            # What is not about a leg is the same for each of them.
            for each in {make(leg): None for leg in (1, 2, DEAD_LEG)}:
                seen.add(tell_and_check(tell(), each))
    listed = {
        (before, input, after)
        for before, row in legality.EXCHANGE.items()
        for input, states in row.items()
        for after in states
        if after is not before
    }
    assert listed == {transition for transition in seen if transition[0] is not transition[2]}


def test_the_table_of_legs_lists_no_transition_that_never_happens() -> None:
    seen: set[tuple[LegState, type, LegState]] = set()
    for tell, _, before in SITUATIONS.values():
        for make in TELLING if before is not None else ():
            story = tell()
            (leg,) = leg_states(story.exchange)
            each = make(leg)
            if type(each) in legality.LEG[before]:
                tell_and_check(story, each)
                seen.add((before, type(each), story.exchange._calls.calls[-1].state))
    listed = {
        (before, input, after)
        for before, row in legality.LEG.items()
        for input, states in row.items()
        for after in states
    }
    assert listed == seen


def test_the_timed_tables_are_what_the_passing_of_time_does() -> None:
    seen: set[tuple[State, State]] = set()
    legs: set[tuple[LegState, LegState]] = set()
    for name, (tell, _, _) in SITUATIONS.items():
        if name == "the tools' stream is open":
            continue  # which goes on for ever
        for late in (0.0, 3.0, 20.0, 1000.0):
            story = tell()
            while (deadline := story.exchange.deadline) is not None:
                assert story.now < deadline < EPOCH + 2000
                story.now = deadline + late
                state, calls = story.exchange.state, tuple(story.exchange._calls.calls)
                before = [call.state for call in calls]
                story.effects += story.exchange.handle_timeout(now=story.now)
                seen.add((state, story.exchange.state))
                legs |= {(each, call.state) for each, call in zip(before, calls, strict=True)}
            # What is proxied may take as long as it likes, once it is connected.
            assert story.finished or story.exchange._calls.calls[0].plan.no_read_timeout
            check_effects(story.effects)
    changes = {(before, after) for before, after in seen if before is not after}
    assert changes == {(before, after) for before, row in legality.EXCHANGE_TIMED.items() for after in row}
    changed = {(before, after) for before, after in legs if before is not after}
    listed = {(before, after) for before, row in legality.LEG_TIMED.items() for after in row}
    assert changed == {(before, after) for before, after in listed if before is not after}


@pytest.mark.parametrize("name", SITUATIONS)
def test_abandoning_ends_the_exchange_once_and_visibly(name: str) -> None:
    story = SITUATIONS[name][0]()
    finished = story.exchange.finished
    sent_head = any(isinstance(effect, SendHead) for effect in story.effects)
    effects = story.exchange.abandon(now=story.now)
    if finished:
        assert effects == []
    else:
        assert isinstance(effects[-1], Finish)
        assert any(isinstance(effect, AbortClient) for effect in effects) == sent_head
        spooled = any(isinstance(effect, Spool) for effect in story.effects)
        assert sum(isinstance(effect, DropSpool) for effect in effects) == spooled
        assert story.exchange.abandon(now=story.now) == []
    assert story.gateway.buffered == 0
    check_effects(story.effects + effects)


def test_a_driver_that_reports_a_body_before_its_head_is_told_so() -> None:
    story = told(asked(CHAT, stream=True), UpstreamConnected(1, reused=False))
    with pytest.raises(LocalProtocolError, match="UpstreamData while the leg is awaiting the head"):
        story.tell(UpstreamData(1, CHAT.content))
    assert not any(isinstance(effect, SendHead | SendData) for effect in story.effects)


def test_the_exchange_shows_where_it_is() -> None:
    story = asked(CHAT, stream=True)
    assert repr(story.exchange) == f"<Exchange {story.exchange.request.id} waiting: leg 1 connecting>"
    story.tell(ClientGone())
    assert repr(story.exchange) == f"<Exchange {story.exchange.request.id} done>"


def test_nothing_is_forwarded_before_the_upstreams_head() -> None:
    story = asked(CHAT, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    assert not any(isinstance(effect, SendHead) for effect in story.effects)
    # Time alone opens the stream, and then for keepalives only.
    story.wait(40)
    assert story.body == CHAT.keepalive * 3


def test_memory_is_given_back_when_the_request_is_refused_half_way() -> None:
    story = receiving(CHAT, setup=SMALL)
    story.tell(RequestData(b" " * 300))
    assert story.gateway.buffered == 300
    story.tell(RequestData(b" " * 300))
    assert (story.status, story.gateway.buffered) == (413, 0)


def test_two_exchanges_share_one_bound_of_memory() -> None:
    shared = gateway(config(limits=Limits(max_buffered_mb=0.0005), providers=(provider(CHAT),)))
    first, second = Story(shared), Story(shared)
    for story in (first, second):
        story.open("POST", "/v1/chat/completions", headers=JSON)
    first.tell(RequestData(b" " * 400))
    second.tell(RequestData(b" " * 400))
    assert second.status == 503
    assert second.headers[b"retry-after"] == b"1"
    assert not first.finished
    first.tell(ClientGone())
    assert shared.buffered == 0


def test_the_write_deadline_follows_the_last_effects() -> None:
    story = receiving(CHAT)
    assert story.exchange.write_deadline is None
    send(story, CHAT.request(CHAT.model, stream=True))
    assert story.exchange.write_deadline == EPOCH + 60
