"""The machine of one request, against its own legality tables and against peers that send anything at any time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agcore import (
    AbortClient,
    AbortUpstream,
    ClientGone,
    DrainRequested,
    DropSpool,
    Effect,
    Exchange,
    FileRead,
    FileRefused,
    Finish,
    Input,
    LocalProtocolError,
    Note,
    Notified,
    OpenUpstream,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendData,
    SendEnd,
    SendHead,
    Sent,
    Spool,
    SpoolFailed,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.codecs.sse import Decoder
from agcore.config.values import Config, Limits, ModelRule
from agcore.protocol import legality
from agcore.protocol.legality import LegState
from tests.support.dialogues import (
    ANTHROPIC,
    CHAT,
    DIALOGUES,
    GEMINI,
    RESPONSES,
    STREAMS,
    Dialogue,
    asked,
    config,
    ids,
    provider,
    receiving,
    send,
    streaming,
)
from tests.support.edges import KIB, MCP_AT, MIB, feed, form, part, setup, upload
from tests.support.file_reader import reading
from tests.support.story import EPOCH, JSON, SSE, Story, gateway
from tests.support.vision import ACCEPT, AT, Client, tool_call
from tests.support.vision import setup as vision

SMALL: Final = config(limits=Limits(max_json_mb=0.0005))
TIGHT: Final = config(limits=Limits(max_json_mb=0.001, max_buffered_mb=0.0006))
TWO_KEYS: Final = config(
    providers=tuple(provider(dialogue, keys=("sk-one-0123456789", "sk-two-0123456789")) for dialogue in DIALOGUES)
)
DEAD_LEG: Final = 99
MODEL: Final = part("model", b"my-media")
FILE: Final = part("file", b"\x00" * 2 * MIB, file=True)
TEXT: Final = ((b"content-type", b"text/plain"),)


def told(story: Story, *inputs: Input) -> Story:
    for each in inputs:
        story.tell(each)
    return story


def waited(story: Story, seconds: float) -> Story:
    story.wait(seconds)
    return story


def uploading(*, size: int, setup: Config | None = None) -> Story:
    """A form whose model comes first, after `size` bytes."""
    return feed(upload(config=setup), [(MODEL + FILE)[:size]], end=False)


def put_aside(*, end: bool) -> Story:
    """A form whose model comes last."""
    return feed(upload(), [FILE, MODEL, form()] if end else [FILE], end=end)


def proxied(method: str, *, body: bytes | None = b"") -> Story:
    """A request to an MCP server, without the end where there is no body."""
    story = Story(gateway(setup()))
    story.open(method, MCP_AT, body=body)
    return story


def tool_called(*, token: str | None = None) -> Story:
    """A call of a tool of the built-in MCP server, whose model is being asked."""
    client = Client(gateway(vision()))
    client.begin()
    return told(client.post(tool_call(token=token)), UpstreamConnected(1, reused=False))


def listened_to() -> Story:
    """A request for the stream of the built-in MCP server, without its end."""
    client = Client(gateway(vision()))
    client.begin()
    story = Story(client.gateway)
    story.open("GET", AT, headers=(ACCEPT, (b"mcp-session-id", client.session or b"")))
    return story


def waiting_again(*, opened: bool = False, setup: Config | None = None) -> Story:
    """A stream whose first attempt has failed, once its head had come."""
    story = streaming(CHAT, setup=setup, attempts=4)
    return told(waited(story, 11) if opened else story, UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))


SITUATIONS: Final[dict[str, tuple[Callable[[], Story], State, LegState | None]]] = {
    "the head came": (lambda: receiving(CHAT, setup=SMALL), State.RECEIVING, None),
    "some body came": (lambda: told(receiving(CHAT, setup=SMALL), RequestData(b'{"model"')), State.RECEIVING, None),
    "all of the body came": (
        lambda: told(receiving(CHAT), RequestData(CHAT.request(CHAT.model, stream=True))),
        State.RECEIVING,
        None,
    ),
    "connecting": (lambda: asked(CHAT, stream=True), State.WAITING, LegState.CONNECTING),
    "connecting once more": (
        lambda: told(
            asked(CHAT, stream=False),
            UpstreamConnected(1, reused=True),
            UpstreamFailed(1, Stage.HEAD, Sent.ALL, True, "closed"),
        ),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "awaiting the head": (
        lambda: told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a stream began": (lambda: streaming(CHAT), State.WAITING, LegState.READING),
    "announcements are held": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements)),
        State.WAITING,
        LegState.READING,
    ),
    "a whole answer comes": (
        lambda: told(asked(CHAT, stream=False), UpstreamConnected(1, reused=False), UpstreamHead(1, 200, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "a whole answer came": (
        lambda: told(
            asked(CHAT, stream=False),
            UpstreamConnected(1, reused=False),
            UpstreamHead(1, 200, JSON),
            UpstreamData(1, CHAT.answer),
        ),
        State.WAITING,
        LegState.READING,
    ),
    "an error comes": (
        lambda: told(asked(CHAT, stream=True), UpstreamConnected(1, reused=False), UpstreamHead(1, 500, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "opened while connecting once more": (
        lambda: told(
            waited(told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)), 11),
            UpstreamFailed(1, Stage.SEND, Sent.PART, True, "closed"),
        ),
        State.OPENED,
        LegState.CONNECTING,
    ),
    "opened while awaiting the head": (
        lambda: waited(told(asked(CHAT, stream=True), UpstreamConnected(1, reused=True)), 11),
        State.OPENED,
        LegState.AWAITING,
    ),
    "opened while announcements are held": (
        lambda: told(waited(streaming(CHAT), 11), UpstreamData(1, CHAT.announcements)),
        State.OPENED,
        LegState.READING,
    ),
    "content came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements + CHAT.content)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the finish reason came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.announcements + CHAT.content + CHAT.closing)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the last event came": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.stream)),
        State.COMMITTED,
        LegState.READING,
    ),
    "waiting for the next attempt": (waiting_again, State.WAITING, LegState.PAUSED),
    "opened while waiting for the next attempt": (
        lambda: waiting_again(opened=True),
        State.OPENED,
        LegState.PAUSED,
    ),
    "another key is asked": (lambda: waiting_again(setup=TWO_KEYS), State.WAITING, LegState.CONNECTING),
    "another key is asked for an open stream": (
        lambda: waiting_again(opened=True, setup=TWO_KEYS),
        State.OPENED,
        LegState.CONNECTING,
    ),
    "the first of several attempts connects": (
        lambda: asked(CHAT, stream=True, attempts=4),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "the first of several attempts awaits the head": (
        lambda: told(asked(CHAT, stream=True, attempts=4), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "the first of several attempts streams": (
        lambda: streaming(CHAT, attempts=4),
        State.WAITING,
        LegState.READING,
    ),
    "the first of two keys connects": (
        lambda: asked(CHAT, stream=True, setup=TWO_KEYS, attempts=4),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "the first of two keys awaits the head": (
        lambda: told(asked(CHAT, stream=True, setup=TWO_KEYS, attempts=4), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "the first of two keys streams": (
        lambda: streaming(CHAT, setup=TWO_KEYS, attempts=4),
        State.WAITING,
        LegState.READING,
    ),
    "answered": (
        lambda: told(streaming(CHAT), UpstreamData(1, CHAT.stream), UpstreamEnd(1)),
        State.DONE,
        None,
    ),
    "the client left": (lambda: told(streaming(CHAT), ClientGone()), State.DONE, None),
    "some of a form came": (lambda: uploading(size=KIB), State.RECEIVING, None),
    "a form is about to stream": (lambda: uploading(size=MIB - 100), State.RECEIVING, None),
    "a form is being put aside": (lambda: put_aside(end=False), State.RECEIVING, None),
    "a form that was put aside is sent": (
        lambda: told(put_aside(end=True), UpstreamConnected(1, reused=False)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a form that streams waits for its connection": (
        lambda: told(upload(), RequestData((MODEL + FILE)[: MIB + 1])),
        State.WAITING,
        LegState.CONNECTING,
    ),
    "a form streams": (lambda: uploading(size=MIB + KIB), State.WAITING, LegState.AWAITING),
    "a form streams while an error comes": (
        lambda: told(uploading(size=MIB + KIB), UpstreamHead(1, 500, JSON)),
        State.WAITING,
        LegState.READING,
    ),
    "a form streams while its answer passes": (
        lambda: told(uploading(size=MIB + KIB), UpstreamHead(1, 200, TEXT)),
        State.COMMITTED,
        LegState.READING,
    ),
    "files are being read": (reading, State.WAITING, None),
    "files are being read for an open stream": (lambda: waited(reading(), 11), State.OPENED, None),
    "one of two files was read": (lambda: told(reading(), FileRead(1, b"x")), State.COMMITTED, None),
    "a listener's head came": (lambda: proxied("GET", body=None), State.RECEIVING, None),
    "a listener waits for the head": (
        lambda: told(proxied("GET"), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a listener listens": (
        lambda: told(proxied("GET"), UpstreamConnected(1, reused=True), UpstreamHead(1, 200, SSE)),
        State.COMMITTED,
        LegState.READING,
    ),
    "a message waits for a stale connection": (
        lambda: told(proxied("POST", body=b"{}"), UpstreamConnected(1, reused=True)),
        State.WAITING,
        LegState.AWAITING,
    ),
    "a message's answer passes": (
        lambda: told(proxied("POST", body=b"{}"), UpstreamConnected(1, reused=True), UpstreamHead(1, 202, ())),
        State.COMMITTED,
        LegState.READING,
    ),
    "a tool is at work": (tool_called, State.WAITING, LegState.AWAITING),
    "a tool is at work for an open stream": (lambda: waited(tool_called(), 11), State.OPENED, LegState.AWAITING),
    "a tool has told of progress": (
        lambda: told(tool_called(token="t"), UpstreamHead(1, 200, SSE), UpstreamData(1, CHAT.content)),
        State.COMMITTED,
        LegState.READING,
    ),
    "the head of a request for the tools' stream came": (listened_to, State.RECEIVING, None),
    "the tools' stream is open": (lambda: told(listened_to(), RequestEnd()), State.COMMITTED, None),
}

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

_legs = st.just(1) | st.just(2) | st.just(DEAD_LEG)
_bytes = st.binary(max_size=40) | st.sampled_from([CHAT.content, CHAT.error, CHAT.answer, CHAT.terminal])
_heads = st.sampled_from([SSE, JSON, ()])
_inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(RequestData, _bytes),
    st.builds(RequestEnd),
    st.builds(RequestBroken, st.text(max_size=9)),
    st.builds(ClientGone),
    st.builds(DrainRequested),
    st.builds(SpoolFailed, st.just(1), st.text(max_size=9)),
    st.builds(FileRead, _legs, st.binary(max_size=9)),
    st.builds(FileRefused, _legs, st.text(max_size=9)),
    st.builds(Notified, st.sampled_from(["cancel", "end"]), st.sampled_from([7, "x", None])),
    st.builds(Written, st.none() | _legs),
    st.builds(UpstreamConnected, _legs, st.booleans()),
    st.builds(UpstreamHead, _legs, st.integers(200, 599), _heads),
    st.builds(UpstreamData, _legs, _bytes),
    st.builds(UpstreamEnd, _legs),
    st.builds(UpstreamFailed, _legs, st.sampled_from(Stage), st.sampled_from(Sent), st.booleans(), st.text(max_size=9)),
)


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


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_what_its_name_says(name: str) -> None:
    tell, state, leg_state = SITUATIONS[name]
    exchange = tell().exchange
    assert exchange.state is state
    assert list(leg_states(exchange).values()) == ([] if leg_state is None else [leg_state])


def test_the_situations_cover_every_state_of_the_exchange_and_of_a_live_leg() -> None:
    assert {state for _, state, _ in SITUATIONS.values()} == set(State)
    assert {leg for _, _, leg in SITUATIONS.values()} == {*LegState, None} - {LegState.OVER}


@given(name=st.sampled_from(sorted(SITUATIONS)), inputs=st.lists(_inputs, min_size=1, max_size=4))
def test_any_input_in_any_state_is_a_listed_transition_or_the_drivers_mistake(name: str, inputs: list[Input]) -> None:
    story = SITUATIONS[name][0]()
    for each in inputs:
        tell_and_check(story, each)
    check_effects(story.effects)


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
                seen.add((before, type(each), story.exchange.calls[-1].state))
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
                state, calls = story.exchange.state, tuple(story.exchange.calls)
                before = [call.state for call in calls]
                story.effects += story.exchange.handle_timeout(now=story.now)
                seen.add((state, story.exchange.state))
                legs |= {(each, call.state) for each, call in zip(before, calls, strict=True)}
            # What is proxied may take as long as it likes, once it is connected.
            assert story.finished or story.exchange.calls[0].plan.no_read_timeout
            check_effects(story.effects)
    changes = {(before, after) for before, after in seen if before is not after}
    assert changes == {(before, after) for before, row in legality.EXCHANGE_TIMED.items() for after in row}
    changed = {(before, after) for before, after in legs if before is not after}
    listed = {(before, after) for before, row in legality.LEG_TIMED.items() for after in row}
    assert changed == {(before, after) for before, after in listed if before is not after}


@given(name=st.sampled_from(sorted(SITUATIONS)), early=st.floats(0.001, 30))
def test_an_early_timeout_does_nothing(name: str, early: float) -> None:
    story = SITUATIONS[name][0]()
    deadline = story.exchange.deadline
    if deadline is None:
        assert story.exchange.state is State.DONE or story.exchange.calls[0].plan.no_read_timeout
        assert story.exchange.handle_timeout(now=story.now + 1e6) == []
    else:
        state = story.exchange.state
        assert story.exchange.handle_timeout(now=deadline - early) == []
        assert (story.exchange.deadline, story.exchange.state) == (deadline, state)


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
        rows = [effect for effect in effects if isinstance(effect, Note) and effect.kind == "access"]
        assert [id(effect) for effect in rows] == [id(effects[-2])]


class Driver:
    """A driver that keeps to the rules, performing `Action`s on whatever is open; what does not fit is passed over."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.legs: dict[int, LegState] = {}
        self._empty: set[int] = set()
        self._seen = 0
        self._spooling = False
        self._look()

    def _look(self) -> None:
        for effect in self.story.effects[self._seen :]:
            if isinstance(effect, OpenUpstream):
                self.legs[effect.leg] = LegState.CONNECTING
            elif isinstance(effect, AbortUpstream):
                del self.legs[effect.leg]
            elif isinstance(effect, Spool):
                self._spooling = True
        self._seen = len(self.story.effects)
        if self.story.exchange.finished:
            assert not self.legs, "a leg is still live after the end"

    def tell(self, each: Input) -> None:
        self.story.tell(each)
        self._look()

    def perform(self, kind: str, data: bytes, status: int, seconds: float) -> None:
        story, exchange = self.story, self.story.exchange
        if exchange.finished:
            return
        leg = min(self.legs, default=0)
        state = self.legs.get(leg)
        assert exchange.wants(leg) == (state is not None)
        if kind == "wait":
            story.wait(seconds)
            self._look()
            assert exchange.deadline is None or exchange.deadline > story.now
        elif kind == "gone":
            self.tell(ClientGone())
        elif kind == "drain":
            if exchange.state is not State.DONE:
                self.tell(DrainRequested())
        elif kind == "written":
            self.tell(Written(leg or None))
        elif exchange.wants_request and (exchange.state is State.RECEIVING or status % 2):
            if kind == "fail" and self._spooling and status % 3:
                self._spooling = False
                self.tell(SpoolFailed(1, "no space"))
            elif kind == "fail":
                self.tell(RequestBroken("bad"))
            elif kind == "end":
                self.tell(RequestEnd())
            elif data:
                self.tell(RequestData(data))
        elif state is None:
            return
        elif kind == "fail":
            del self.legs[leg]
            stages = {
                LegState.CONNECTING: (Stage.CONNECT, Stage.TLS),
                LegState.AWAITING: (Stage.SEND, Stage.HEAD),
                LegState.READING: (Stage.BODY, Stage.BODY),
            }
            stage = stages[state][status % 2]
            sent = Sent.NONE if stage in (Stage.CONNECT, Stage.TLS) else Sent.ALL
            self.tell(UpstreamFailed(leg, stage, sent, status % 3 == 0 and sent is Sent.ALL, "reset"))
        elif state is LegState.CONNECTING:
            self.legs[leg] = LegState.AWAITING
            self.tell(UpstreamConnected(leg, reused=status % 3 == 0))
        elif state is LegState.AWAITING:
            self.legs[leg] = LegState.READING
            headers = {0: SSE, 1: JSON, 2: ()}[status % 3] if status % 7 else SSE
            if status == 204:
                self._empty.add(leg)
            self.tell(UpstreamHead(leg, status, headers))
        elif kind == "end":
            del self.legs[leg]
            self.tell(UpstreamEnd(leg))
        elif data and leg not in self._empty:
            self.tell(UpstreamData(leg, data))


NASTY: Final = (
    b"\n",
    b": comment\n\n",
    b"retry: 5\n\n",
    b"id: 7\n\n",
    b"event: ping\n\n",
    b"data\n\n",
    b"data: {\n\n",
    b"data: [1]\n\n",
    b"data: [DONE]\n\n",
    b'data: {"id": "\\ud83d", "model": "m", "choices": []}\n\n',
    b'data: {"type": "\\ud83d", "message": {"model": "\\ud83d"}, "response": {"model": "\\ud83d"}}\n\n',
    b'data: {"error": {"message": "\\ud83d", "code": 401}}\n\n',
    b'data: {"error": "words"}\n\n',
    b'data: {"error": {"code": 503}}\n\n',
    b'event: error\ndata: {"error": null}\n\n',
    b'data: {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}\n\n',
    b'data: {"choices": 5, "candidates": {}, "usage": [], "delta": 1, "response": [], "message": 0}\n\n',
    b'data: {"choices": [5], "candidates": [5], "usageMetadata": 1}\r\ndata: \r\n\r\n',
    b'id: 4\revent: x\rdata: {"choices":[{"delta":{"content":"\xff"}}]}\r\r',
    b'data:{"candidates":[{"content":{"parts":[{"text":"a"}]}}],\ndata:"modelVersion":"x"}\nretry: 3\n\n',
    b'data: {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}\n\n",
    b"<html>",
    b"\xff\xfe",
)


def _frames(stream: bytes) -> list[bytes]:
    return [frame.raw for frame in Decoder().feed(stream)]


PIECES: Final = {
    ids(dialogue): (*_frames(dialogue.stream), dialogue.error, dialogue.answer, dialogue.error_answer, *NASTY)
    for dialogue in STREAMS
}
_actions = st.tuples(
    st.sampled_from(["go"] * 8 + ["end", "fail", "wait", "wait", "gone", "written", "drain"]),
    st.integers(0, 200),
    st.integers(0, 9),
    st.sampled_from([200, 200, 201, 201, 201, 203, 204, 301, 400, 401, 429, 500, 529, 599]),
    st.sampled_from([0.0, 0.5, 2.0, 6.0, 11.0, 50.0, 301.0]),
)


def tell_at_random(
    dialogue: Dialogue,
    setup: Config,
    actions: Iterable[tuple[str, int, int, int, float]],
    *,
    stream: bool,
    alias: bool,
    attempts: int,
) -> Driver:
    story = Story(gateway(setup, attempts=attempts))
    model = dialogue.alias if alias else dialogue.model
    body = dialogue.request(model, stream=stream)
    story.open("POST", dialogue.target(model, stream=stream), headers=JSON)
    driver = Driver(story)
    pieces = PIECES[ids(dialogue)]
    if stream or alias:
        send(story, body)
        driver._look()
    for kind, index, cut, status, seconds in actions:
        piece = body if story.exchange.wants_request else pieces[index % len(pieces)]
        # Now and then only a part of a piece comes, so that frames break anywhere.
        driver.perform(kind, piece[: -cut or None] if cut > 6 else piece, status, seconds)
    return driver


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@given(
    actions=st.lists(_actions, max_size=25),
    stream=st.booleans(),
    alias=st.booleans(),
    setup=st.sampled_from([config(), TIGHT, TWO_KEYS]),
    attempts=st.sampled_from([1, 4]),
)
@settings(max_examples=60)
def test_whatever_peers_do_and_when_the_story_ends_once_and_well(
    dialogue: Dialogue,
    actions: list[tuple[str, int, int, int, float]],
    stream: bool,
    alias: bool,
    setup: Config,
    attempts: int,
) -> None:
    story = tell_at_random(dialogue, setup, actions, stream=stream, alias=alias, attempts=attempts).story
    story.effects += story.exchange.abandon(now=story.now)
    check_effects(story.effects)
    assert story.finished
    assert story.exchange.deadline is None
    assert story.gateway.buffered == 0
    assert not leg_states(story.exchange)
    # A stale connection is replaced even where there is one attempt only.
    assert len(story.requests) <= max(attempts, 2)
    check_answer(dialogue, story)
    again = tell_at_random(dialogue, setup, actions, stream=stream, alias=alias, attempts=attempts).story
    again.effects += again.exchange.abandon(now=again.now)
    assert again.effects == story.effects


SPEAKING: Final = {dialogue.dialect: dialogue for dialogue in (CHAT, RESPONSES, ANTHROPIC, GEMINI)}
SEVERAL: Final = {"openai": {"n": 2}, "gemini": {"generationConfig": {"candidateCount": 2}}}
"""What asks for two answers: several calls where the way knows no such thing."""


@pytest.mark.parametrize("client", STREAMS, ids=ids)
@given(
    order=st.permutations(sorted(SPEAKING)),
    actions=st.lists(_actions, max_size=40),
    stream=st.booleans(),
    divided=st.booleans(),
    attempts=st.sampled_from([1, 4]),
)
@settings(max_examples=60)
def test_whatever_peers_do_on_whichever_way_the_story_ends_once_and_well(
    client: Dialogue,
    order: list[str],
    actions: list[tuple[str, int, int, int, float]],
    stream: bool,
    divided: bool,
    attempts: int,
) -> None:
    steps = tuple(((name, f"up-{name}"),) for name in order)
    story = Story(gateway(attrs.evolve(config(), models=(ModelRule("m", steps),)), attempts=attempts))
    body = json.loads(client.request("m", stream=stream)) | (SEVERAL.get(client.dialect, {}) if divided else {})
    story.open("POST", client.target("m", stream=stream), body=json.dumps(body).encode())
    driver = Driver(story)
    passed = dict.fromkeys(range(40), 0)
    for kind, index, cut, status, seconds in actions:
        leg = min(driver.legs, default=0)
        host = story.requests[leg].origin.host if leg else "openai.example"
        dialogue = SPEAKING[host.removesuffix(".example").replace("-", "_")]
        pieces = PIECES[ids(dialogue)]
        # Mostly in order, or no answer would ever be complete.
        in_order = index % 3 and passed[leg] < len(_frames(dialogue.stream))
        piece = pieces[passed[leg] if in_order else index % len(pieces)]
        passed[leg] += kind == "go" and driver.legs.get(leg) is LegState.READING
        driver.perform(kind, piece[: -cut or None] if cut > 8 else piece, status, seconds)
    story.effects += story.exchange.abandon(now=story.now)
    check_effects(story.effects)
    assert story.finished
    assert story.exchange.deadline is None
    assert story.gateway.buffered == 0
    assert not leg_states(story.exchange)
    check_answer(client, story)


EDGES: Final[dict[str, tuple[Callable[[], Story], tuple[bytes, ...]]]] = {
    "a form with its model first": (
        upload,
        (MODEL, *(FILE[at : at + 300 * KIB] for at in range(0, 2 * MIB, 300 * KIB))),
    ),
    "a form with its model last": (upload, (FILE[: MIB + KIB], FILE[MIB + KIB :], MODEL, form())),
    "a form that may be tried again": (
        lambda: upload(attempts=4),
        (FILE[: MIB + KIB], FILE[MIB + KIB :], MODEL, form()),
    ),
    "a form that may be tried again from its beginning": (
        lambda: upload(attempts=4),
        (MODEL, *(FILE[at : at + 300 * KIB] for at in range(0, 2 * MIB, 300 * KIB))),
    ),
    "a listener": (lambda: proxied("GET", body=None), (b"x",)),
    "a message": (lambda: proxied("POST", body=None), (b'{"jsonrpc": "2.0", "id": 7,', b'"method": "tools/call"}')),
}
ANSWERS: Final = (b"text", b'{"text": "hi"}', b'data: {"type": "transcript.text.delta"}\n\n', *NASTY)


@pytest.mark.parametrize("name", EDGES)
@given(actions=st.lists(_actions, max_size=25), tight=st.booleans())
@settings(max_examples=60)
def test_whatever_peers_do_to_an_upload_or_a_proxied_request_it_ends_once_and_well(
    name: str, actions: list[tuple[str, int, int, int, float]], tight: bool
) -> None:
    begin, request = EDGES[name]
    story = begin()
    driver = Driver(story)
    left = list(request)
    for kind, index, _, status, seconds in actions:
        if kind == "go" and story.exchange.wants_request and left and tight:
            driver.tell(RequestData(left.pop(0)))
        else:
            driver.perform(kind, ANSWERS[index % len(ANSWERS)], status, seconds)
    story.effects += story.exchange.abandon(now=story.now)
    check_effects(story.effects)
    assert story.finished
    assert story.exchange.deadline is None
    assert story.gateway.buffered == 0
    assert not leg_states(story.exchange)


def check_answer(dialogue: Dialogue, story: Story) -> None:
    """What was sent to the end is well-formed: as JSON, or as the dialect's stream with its own end."""
    if not story.ended:
        return
    outcome, headers, body = story.row["outcome"], story.headers, story.body
    assert outcome in ("ok", "error")
    if b"content-length" in headers:
        assert int(headers[b"content-length"]) == len(body)
    if headers[b"content-type"].startswith(b"application/json"):
        value = json.loads(body)
        if b"content-length" not in headers:
            assert isinstance(value, list)
            assert [element for element in value if element.get("error")] == ([value[-1]] if outcome == "error" else [])
        elif outcome == "error":
            assert story.status >= 400
        return
    decoder = Decoder()
    frames = [frame for frame in decoder.feed(body) if frame.data is not None]
    assert b"".join(frame.raw for frame in Decoder().feed(body)) == body, "the stream breaks off inside a frame"
    last = frames[-1].data
    assert last is not None
    if outcome == "error":
        event = json.loads(last)
        assert event.get("error") or event.get("type") in ("error", "response.failed")
    elif dialogue.dialect in ("openai", "openai_completions"):
        assert last.strip() == b"[DONE]"
    elif dialogue is ANTHROPIC:
        assert frames[-1].event == "message_stop"
    elif dialogue is RESPONSES:
        assert json.loads(last)["type"] in ("response.completed", "response.incomplete", "response.failed")


def _cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    def cut(points: list[int]) -> list[bytes]:
        edges = [0, *sorted(points), len(data)]
        return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]

    return st.lists(st.integers(0, len(data)), max_size=12).map(cut) | st.just(
        [data[i : i + 1] for i in range(len(data))]
    )


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=repr)
@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@given(data=st.data())
@settings(max_examples=15)
def test_a_stream_reads_the_same_however_it_is_cut(dialogue: Dialogue, line_end: bytes, data: st.DataObject) -> None:
    wire = dialogue.stream.replace(b"\r\n", b"\n").replace(b"\n", line_end)
    bodies = []
    for pieces in ([wire], data.draw(_cuts(wire))):
        story = streaming(dialogue, model=dialogue.alias)
        told(story, *(UpstreamData(1, piece) for piece in pieces), UpstreamEnd(1))
        assert story.row["outcome"] == "ok"
        bodies.append(story.body)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@given(data=st.data(), stream=st.booleans())
@settings(max_examples=15)
def test_requests_and_whole_answers_read_the_same_however_they_are_cut(
    dialogue: Dialogue, data: st.DataObject, stream: bool
) -> None:
    request = dialogue.request(dialogue.alias, stream=stream)
    story = Story(gateway(config()))
    story.open("POST", dialogue.target(dialogue.alias, stream=stream), headers=JSON)
    told(story, *(RequestData(piece) for piece in data.draw(_cuts(request))), RequestEnd())
    plain = asked(dialogue, stream=stream, model=dialogue.alias)
    assert story.requests == plain.requests
    if not stream:
        story.upstream_answers(200, data.draw(_cuts(dialogue.answer)))
        plain.upstream_answers(200, dialogue.answer)
        assert (story.body, story.status) == (plain.body, 200)
        assert story.gateway.buffered == 0


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
