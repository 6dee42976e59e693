"""The machine of one request against peers that send anything at any time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import (
    AbortUpstream,
    ClientGone,
    DrainRequested,
    FileRead,
    FileRefused,
    Input,
    Loaded,
    Notified,
    OpenUpstream,
    RequestBroken,
    RequestData,
    RequestEnd,
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
from agcore.codecs.sse import Decoder
from agcore.config.values import Config, ModelRule
from agcore.protocol.legality import LegState
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, STREAMS, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import asked, config, ids, send, streaming
from tests.support.edges import KIB, MIB, form, upload
from tests.support.examples import examples
from tests.support.exchange_checks import check_effects, leg_states, tell_and_check
from tests.support.situations import (
    DEAD_LEG,
    FILE,
    MODEL,
    SITUATIONS,
    TIGHT,
    TWO_KEYS,
    proxied,
    told,
)
from tests.support.slow_state import VALUE

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
    st.builds(StateReplied, st.builds(Loaded, _legs, st.none() | _bytes | st.just(VALUE), st.booleans())),
    st.builds(StateReplied, st.builds(StateUnavailable, _legs)),
    st.builds(Notified, st.sampled_from(["cancel", "end"]), st.sampled_from([7, "x", None])),
    st.builds(Written, st.none() | _legs),
    st.builds(UpstreamConnected, _legs, st.booleans()),
    st.builds(UpstreamHead, _legs, st.integers(200, 599), _heads),
    st.builds(UpstreamData, _legs, _bytes),
    st.builds(UpstreamEnd, _legs),
    st.builds(UpstreamFailed, _legs, st.sampled_from(Stage), st.sampled_from(Sent), st.booleans(), st.text(max_size=9)),
)


@given(name=st.sampled_from(sorted(SITUATIONS)), inputs=st.lists(_inputs, min_size=1, max_size=4))
def test_any_input_in_any_state_is_a_listed_transition_or_the_drivers_mistake(name: str, inputs: list[Input]) -> None:
    story = SITUATIONS[name][0]()
    for each in inputs:
        tell_and_check(story, each)
    check_effects(story.effects)


@given(name=st.sampled_from(sorted(SITUATIONS)), early=st.floats(0.001, 30))
def test_an_early_timeout_does_nothing(name: str, early: float) -> None:
    story = SITUATIONS[name][0]()
    deadline = story.exchange.deadline
    if deadline is None:
        assert story.exchange.state is State.DONE or story.exchange._calls.calls[0].plan.no_read_timeout
        assert story.exchange.handle_timeout(now=story.now + 1e6) == []
    else:
        state = story.exchange.state
        assert story.exchange.handle_timeout(now=deadline - early) == []
        assert (story.exchange.deadline, story.exchange.state) == (deadline, state)


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
@examples(60)
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
@examples(60)
def test_whatever_peers_do_on_whichever_way_the_story_ends_once_and_well(
    client: Dialogue,
    order: list[str],
    actions: list[tuple[str, int, int, int, float]],
    stream: bool,
    divided: bool,
    attempts: int,
) -> None:
    steps = tuple(((name, f"up-{name}"),) for name in order)
    story = Story(gateway(msgspec.structs.replace(config(), models=(ModelRule("m", steps),)), attempts=attempts))
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
@examples(60)
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
@examples(15)
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
@examples(15)
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
