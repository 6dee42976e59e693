"""What holds for an exchange whatever it is told: the tables of legality, and the grammar of effects."""

from __future__ import annotations

import pytest

from agcore import (
    AbortClient,
    AbortUpstream,
    DropSpool,
    Effect,
    Emit,
    Exchange,
    Finish,
    Input,
    LocalProtocolError,
    OpenUpstream,
    RequestBroken,
    RequestData,
    RequestEnd,
    RequestEnded,
    SendData,
    SendEnd,
    SendHead,
    Spool,
    State,
    Written,
)
from agcore.protocol import legality
from agcore.protocol.legality import LegState
from agcore_sim.story import Story


def leg_states(exchange: Exchange) -> dict[int, LegState]:
    """The live legs, as `repr` shows them."""
    shown = repr(exchange)
    found = {leg: state for leg in range(1, 10) for state in LegState if f"leg {leg} {state.value}" in shown}
    assert all(exchange.wants(leg) for leg in found)
    return found


def tell_and_check(story: Story, each: Input) -> tuple[State, type, State]:
    """One input in whatever state the story is: allowed by the tables, or refused without effect."""
    exchange = story.exchange
    before, legs_before = exchange.state, leg_states(exchange)
    leg = getattr(each, "leg", None) if not isinstance(each, Written) else None
    live = legs_before.get(leg) if leg is not None else None
    legal = type(each) in legality.EXCHANGE[before] and (live is None or type(each) in legality.LEG[live])
    if isinstance(each, RequestData | RequestEnd | RequestBroken):
        legal = legal and exchange.wants_request
    if not legal:
        seen = len(story.effects)
        with pytest.raises(LocalProtocolError):
            exchange.receive(each, now=story.now)
        assert (exchange.state, leg_states(exchange), len(story.effects)) == (before, legs_before, seen)
        return before, type(each), before
    story.tell(each)
    after = exchange.state
    assert after is before or after in legality.EXCHANGE[before][type(each)]
    if live is not None:
        legs_after = leg_states(exchange)
        follows = set(legs_after.values()) or {LegState.OVER}
        assert follows <= {*legality.LEG[live][type(each)]}
    assert exchange.finished == (after is State.DONE)
    # Beyond the state for it, more of the request is wanted by an upload whose leg can take it.
    takes = {LegState.AWAITING, LegState.READING} & set(leg_states(exchange).values())
    assert exchange.wants_request == (after is State.RECEIVING) or (takes and after is not State.OPENED)
    return before, type(each), after


def check_effects(effects: list[Effect]) -> None:
    """The grammar of all effects of one exchange, finished or not."""
    sent = [effect for effect in effects if isinstance(effect, SendHead | SendData | SendEnd | AbortClient)]
    kinds = [type(effect) for effect in sent]
    if kinds:
        assert kinds[0] is SendHead
        assert SendHead not in kinds[1:]
        assert not {SendEnd, AbortClient} & set(kinds[:-1])
    assert all(effect.data for effect in effects if isinstance(effect, SendData))
    spools = [type(effect) for effect in effects if isinstance(effect, Spool | DropSpool)]
    assert DropSpool not in spools[:-1]
    finishes = [index for index, effect in enumerate(effects) if isinstance(effect, Finish)]
    assert finishes in ([], [len(effects) - 1])
    opened = [effect.leg for effect in effects if isinstance(effect, OpenUpstream)]
    aborted = [effect.leg for effect in effects if isinstance(effect, AbortUpstream)]
    assert opened == sorted(set(opened))
    assert len(set(aborted)) == len(aborted)
    assert set(aborted) <= set(opened)
    if finishes:
        rows = [effect for effect in effects if isinstance(effect, Emit) and isinstance(effect.event, RequestEnded)]
        assert [id(effect) for effect in rows] == [id(effects[-2])]
