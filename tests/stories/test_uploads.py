"""Forms on their way up: held, streamed or put aside, and what becomes of them when either side fails."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Callable
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import (
    AbortUpstream,
    ClientGone,
    Finish,
    LocalProtocolError,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendHead,
    Sent,
    Spool,
    Spooled,
    SpoolFailed,
    Stage,
    State,
    Streamed,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.config.values import ClientKey, Limits, Proxy, Secret, Timeouts
from agcore.operations.upload import BUFFERED
from agcore.protocol.http import Headers
from agcore_sim.story import EPOCH, JSON, SSE, Story, gateway
from tests.support.edges import (
    FORM,
    KIB,
    MIB,
    PROVIDER_KEY,
    cut,
    dropped,
    ended,
    feed,
    form,
    length_up,
    part,
    sent,
    setup,
    upload,
)
from tests.support.examples import examples

TEXT: Final[Headers] = ((b"content-type", b"text/plain; charset=utf-8"),)
MODEL: Final = part("model", b"my-media")
NAMED: Final = part("model", b"up-media")
PIECE: Final = 64 * KIB


def file(size: int) -> bytes:
    return part("file", (b"0123456789abcde\n" * (size // 16 + 1))[:size], file=True)


def whole(*parts: bytes, size: int = PIECE, declared: bool = True, target: str = "/v1/audio/transcriptions") -> Story:
    """A story up to the end of an upload."""
    body = form(*parts)
    return feed(upload(length=len(body) if declared else None, target=target), cut(body, size))


def streaming(story: Story | None = None, *, ahead: int = PIECE) -> Story:
    """A story of a form that streams, `ahead` bytes after that began."""
    return feed(story or upload(), cut((MODEL + file(2 * MIB))[: BUFFERED + ahead], PIECE), end=False)


def kind(story: Story) -> type:
    return type(story.requests[max(story.requests)].body)


def message(story: Story) -> str:
    text = json.loads(story.body)["error"]["message"]
    assert isinstance(text, str)
    return text


# Which way a form goes.


@pytest.mark.parametrize("target", ["/v1/images/edits", "/v1/audio/transcriptions", "/v1/audio/translations"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_small_form_is_held_and_leaves_whole(target: str, declared: bool) -> None:
    story = whole(file(10 * KIB), MODEL, declared=declared, target=target)
    assert story.requests[1].body == form(file(10 * KIB), NAMED)
    assert length_up(story) == len(sent(story))
    assert story.requests[1].target == target.encode()
    fields = dict(story.requests[1].headers)
    assert fields[b"content-type"] == FORM
    assert fields[b"authorization"] == b"Bearer " + PROVIDER_KEY.encode()
    story.upstream_answers(200, b"hello", headers=TEXT)
    assert (story.status, story.body, story.headers[b"content-type"]) == (200, b"hello", TEXT[0][1])
    assert (story.row["model"], story.row["upstream_model"]) == ("my-media", "up-media")
    assert story.row["bytes_in"] == len(form(file(10 * KIB), MODEL))
    assert dropped(story) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_form_streams_when_its_model_is_known(declared: bool) -> None:
    story = whole(MODEL, file(3 * MIB), declared=declared)
    assert kind(story) is Streamed
    assert sent(story) == form(NAMED, file(3 * MIB))
    assert length_up(story) == (len(sent(story)) if declared else None)
    assert ended(story) == 1
    assert dropped(story) == []
    story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamData(1, b'{"text": "hi"}'))
    story.tell(UpstreamEnd(1))
    assert (story.status, story.body) == (200, b'{"text": "hi"}')
    assert story.gateway.buffered == 0


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_form_is_put_aside_when_its_model_comes_late(declared: bool) -> None:
    story = whole(file(3 * MIB), MODEL, declared=declared)
    assert kind(story) is Spooled
    assert sent(story) == form(file(3 * MIB), NAMED)
    # Its length is known by now, whatever the client said.
    assert length_up(story) == len(sent(story))
    assert ended(story) == 0
    assert dropped(story) == []
    story.upstream_answers(200, b"hello", headers=TEXT)
    assert story.body == b"hello"
    assert dropped(story) == [1]


def test_a_model_right_behind_the_bound_is_found_in_what_was_put_aside() -> None:
    # The piece that passes the bound ends within the model, so it is not known in time to stream.
    first = file((BUFFERED // 1000 + 1) * 1000 - len(file(0)) - len(MODEL) + 6)
    story = whole(first, MODEL, file(MIB), size=1000)
    assert kind(story) is Spooled
    assert sent(story) == form(first, NAMED, file(MIB))


def test_a_name_that_the_upstream_uses_too_changes_nothing() -> None:
    for parts in ((NAMED, file(9)), (NAMED, file(2 * MIB)), (file(2 * MIB), NAMED)):
        story = whole(*parts)
        assert sent(story) == form(*parts)
        assert length_up(story) == len(form(*parts))


def test_one_piece_of_any_size_is_taken() -> None:
    body = form(MODEL, file(5 * MIB))
    story = whole(MODEL, file(5 * MIB), size=len(body))
    assert sent(story) == form(NAMED, file(5 * MIB))


def _cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    def at(points: list[int]) -> list[bytes]:
        edges = [0, *sorted(points), len(data)]
        return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]

    return st.lists(st.integers(0, len(data)), max_size=8).map(at)


@pytest.mark.parametrize(
    "parts",
    [(MODEL, file(9 * KIB)), (MODEL, file(MIB + KIB)), (file(MIB + KIB), MODEL), (file(MIB - 150), MODEL, file(KIB))],
    ids=["held", "model first", "model last", "model about the bound"],
)
@given(data=st.data())
@examples(15)
def test_any_cutting_gives_the_upstream_the_same_bytes(parts: tuple[bytes, ...], data: st.DataObject) -> None:
    body = form(*parts)
    for length in (len(body), None):
        story = feed(upload(length=length), data.draw(_cuts(body)))
        assert sent(story) == body.replace(MODEL, NAMED)
        assert length_up(story) in (len(sent(story)), None)
        story.tell(ClientGone())
        assert story.gateway.buffered == 0


# Memory.


@pytest.mark.parametrize("parts", [(MODEL, file(8 * MIB)), (file(8 * MIB), MODEL)], ids=["streamed", "put aside"])
def test_memory_stays_flat_however_large_the_form_is(parts: tuple[bytes, ...]) -> None:
    body = form(*parts)
    story = upload(length=len(body))
    for piece in cut(body, PIECE):
        feed(story, [piece], end=False)
        assert story.gateway.buffered <= BUFFERED + PIECE
    story.tell(RequestEnd())
    assert story.gateway.buffered <= BUFFERED + PIECE
    story.tell(ClientGone())
    assert story.gateway.buffered == 0


@pytest.mark.parametrize(("parts", "kept"), [((MODEL, file(8 * MIB)), MIB), ((file(8 * MIB), MODEL), 0)])
def test_what_was_passed_on_or_put_aside_is_let_go(parts: tuple[bytes, ...], kept: int) -> None:
    body = form(*parts)
    exchange, now = upload().exchange, EPOCH
    tracemalloc.start()
    try:
        for at in range(0, len(body), PIECE):
            exchange.receive(RequestData(body[at : at + PIECE]), now=now)
            if not exchange.wants_request:
                exchange.receive(UpstreamConnected(1, reused=False), now=now)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What streams keeps its beginning, once, for another connection.
    assert held < kept + 4 * PIECE
    assert peak < 3.5 * MIB


def test_what_is_put_aside_leaves_in_pieces_as_it_came() -> None:
    story = feed(upload(), cut(file(2 * MIB), PIECE), end=False)
    pieces = [effect.data for effect in story.effects if isinstance(effect, Spool)]
    assert b"".join(pieces) == file(2 * MIB)
    assert max(map(len, pieces)) == PIECE


def test_uploads_share_the_bound_of_memory() -> None:
    shared = gateway(setup(limits=Limits(max_buffered_mb=0.5)))
    first, second = Story(shared), Story(shared)
    for story in (first, second):
        story.open("POST", "/v1/images/edits", headers=((b"content-type", FORM),))
        feed(story, cut(file(MIB)[: 300 * KIB], PIECE), end=False)
    assert not first.finished
    assert (second.status, second.headers[b"retry-after"]) == (503, b"1")
    first.tell(ClientGone())
    assert shared.buffered == 0


# How fast a streamed form is read.


def test_the_rest_of_a_form_waits_for_the_connection() -> None:
    story = upload()
    story.tell(RequestData((MODEL + file(2 * MIB))[: BUFFERED + 1]))
    assert story.exchange.state is State.WAITING
    assert not story.exchange.wants_request
    for each in (RequestData(b"x"), RequestEnd(), RequestBroken("bad")):
        with pytest.raises(LocalProtocolError):
            story.exchange.receive(each, now=story.now)
    story.tell(UpstreamConnected(1, reused=False))
    assert story.exchange.wants_request
    story.tell(RequestData(b"x"))
    story.tell(UpstreamHead(1, 200, TEXT))
    assert story.exchange.wants_request


def test_nothing_is_not_passed_on() -> None:
    assert streaming().tell(RequestData(b"")) == []


def test_waiting_for_the_connection_is_not_the_clients_fault() -> None:
    story = upload(config=setup(timeouts=Timeouts(connect=90, body_idle=60)))
    story.tell(RequestData((MODEL + file(2 * MIB))[: BUFFERED + 1]))
    story.wait(89)
    assert not story.finished
    story.tell(UpstreamConnected(1, reused=True))
    story.wait(59)
    story.tell(UpstreamFailed(1, Stage.SEND, Sent.NONE, True, "closed"))
    story.wait(89)
    assert not story.finished
    story.tell(UpstreamConnected(2, reused=False))
    story.wait(60)
    assert story.status == 408


def test_a_slow_upstream_is_not_the_clients_fault() -> None:
    story = streaming()
    story.now += 70
    story.tell(Written(1))
    story.wait(59)
    assert not story.finished
    story.wait(1)
    assert (story.status, message(story)) == (408, "the request body stalled for 60 s")
    assert AbortUpstream(1) in story.effects


def test_a_long_upload_is_not_taken_for_a_missing_answer() -> None:
    story = streaming()
    for _ in range(40):
        story.wait(50)
        story.tell(RequestData(b"x"))
    assert not story.finished
    story = whole(MODEL, file(2 * MIB))
    story.wait(570)
    assert (story.status, "did not answer" in message(story)) == (504, True)


def test_the_limit_of_the_whole_time_counts_from_the_last_piece() -> None:
    story = upload(config=setup(timeouts=Timeouts(first_byte=900)))
    feed(story, cut(form(MODEL, file(2 * MIB)), PIECE))
    story.wait(599)
    assert not story.finished
    story.wait(1)
    assert (story.status, message(story)) == (504, "no answer within 600 s")


# An answer that does not wait.


@pytest.mark.parametrize("status", [200, 400, 413])
def test_an_early_answer_ends_the_upload(status: int) -> None:
    story = streaming()
    body = (
        b'{"text": "no"}' if status == 200 else b'{"error": {"message": "too much", "type": "invalid_request_error"}}'
    )
    story.tell(UpstreamHead(1, status, JSON))
    story.tell(UpstreamData(1, body))
    assert story.exchange.wants_request == (status == 200)
    story.tell(UpstreamEnd(1))
    assert story.finished
    assert story.status == status
    assert json.loads(story.body).keys() == json.loads(body).keys()
    assert not story.exchange.wants_request
    assert ended(story) == 0


@pytest.mark.parametrize("passed", [0, PIECE], ids=["nothing passed by yet", "some passed by"])
def test_a_refusal_that_comes_in_pieces_leaves_what_follows_to_the_next_key(passed: int) -> None:
    config = setup()
    keys = (Secret("first-key-0123456789"), Secret("second-key-0123456789"))
    config = msgspec.structs.replace(config, providers=(msgspec.structs.replace(config.providers[0], keys=keys),))
    body = form(MODEL, file(3 * MIB))
    start = BUFFERED + PIECE
    story = feed(upload(config=config, attempts=2), cut(body[: start + passed], PIECE), end=False)
    story.tell(UpstreamHead(1, 429, JSON))
    story.wait(61)
    assert not story.exchange.wants_request
    story.tell(UpstreamData(1, b'{"error": {"message": "slow down"}}'))
    story.tell(UpstreamEnd(1))
    if passed:
        assert (story.status, story.headers[b"retry-after"]) == (429, b"1")  # when the other key will do
        return
    feed(story, cut(body[start:], PIECE))
    assert sent(story) == form(NAMED, file(3 * MIB))
    for item in (UpstreamHead(2, 200, TEXT), UpstreamData(2, b"hi"), UpstreamEnd(2)):
        story.tell(item)
    assert (story.body, story.headers[b"x-agcore-attempts"]) == (b"hi", b"2")


def test_an_answer_may_pass_while_the_form_still_comes() -> None:
    story = streaming()
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, b'data: {"type":"transcript.text.delta","delta":"a"}\n\n'))
    assert story.exchange.state is State.COMMITTED
    feed(story, [b"x" * 99, b"\r\n" + form()])
    assert ended(story) == 1
    story.tell(UpstreamData(1, b'data: {"type":"transcript.text.done","text":"a"}\n\n'))
    story.tell(UpstreamEnd(1))
    assert story.row["outcome"] == "ok"
    assert story.body.count(b"transcript.text.") == 2


# Where a form goes wrong.


@pytest.mark.parametrize("size", [KIB, 2 * MIB], ids=["held", "large"])
def test_a_form_without_a_model_goes_nowhere(size: int) -> None:
    story = whole(file(size))
    assert (story.status, message(story)) == (400, "`model` is required")
    assert json.loads(story.body)["error"]["param"] == "model"
    assert story.requests == {}
    assert dropped(story) == ([1] if size > MIB else [])


def test_an_empty_model_goes_nowhere() -> None:
    story = whole(part("model", b""), file(9))
    assert (story.status, message(story)) == (400, "`model` is required")
    assert story.requests == {}


@pytest.mark.parametrize(
    "parts",
    [(MODEL, file(9), MODEL), (MODEL, file(2 * MIB), MODEL), (file(2 * MIB), MODEL, MODEL)],
    ids=["held", "streamed", "put aside"],
)
def test_a_model_that_stands_twice_is_refused(parts: tuple[bytes, ...]) -> None:
    story = whole(*parts)
    assert story.status == 400
    assert "twice" in message(story)
    streamed = parts[1] == file(2 * MIB)
    assert [effect for effect in story.effects if isinstance(effect, AbortUpstream)] == [AbortUpstream(1)] * streamed
    assert ended(story) == 0


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("model", "status"), [(b"nobody-knows", 404), (b"up-words", 400)])
def test_a_model_that_nobody_serves_is_refused_before_the_rest_is_read(model: bytes, status: int, large: bool) -> None:
    story = whole(part("model", model), file(2 * MIB if large else 9))
    assert story.status == status
    assert model.decode() in message(story)
    assert story.requests == {}
    if large:
        assert int(str(story.row["bytes_in"])) <= BUFFERED + PIECE


def test_a_model_that_the_client_may_not_use_is_refused() -> None:
    proxy = Proxy(keys=(ClientKey(name="alice", key=Secret("gw-key"), models=("other-*",)),))
    for parts in ((MODEL, file(2 * MIB)), (file(2 * MIB), MODEL)):
        story = Story(gateway(setup(proxy=proxy)))
        story.open("POST", "/v1/images/edits", headers=((b"content-type", FORM), (b"authorization", b"Bearer gw-key")))
        feed(story, cut(form(*parts), PIECE))
        assert (story.status, "may not use" in message(story)) == (403, True)
        assert story.requests == {}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json", 415),
        (b"multipart/mixed; boundary=edge", 415),
        (b"multipart/form-data", 400),
        (b"multipart/form-data; boundary=a; boundary=b", 400),
        (b'multipart/form-data; boundary=""', 400),
    ],
)
def test_what_is_no_form_is_refused_before_its_body(content_type: bytes, status: int) -> None:
    story = Story(gateway(setup()))
    story.open("POST", "/v1/audio/translations", headers=((b"content-type", content_type),))
    assert story.status == status
    assert story.finished


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"--other\r\n", 400),
        (b"x" * 2 * MIB, 400),
        (MODEL, 400),
        (MODEL + b"--edge\r\n\r\n\r\n--edge--\r\n", 400),
        (part("model", b"up-media", file=True) + b"--edge--\r\n", 400),
        (part("model", b"x" * 70_000) + b"--edge--\r\n", 413),
        (part("model", b"\xff") + b"--edge--\r\n", 400),
        (MODEL + part("a", b"") * 1000 + b"--edge--\r\n", 413),
        (b"--edge\r\nX: " + b"y" * 20_000 + b"\r\n\r\n\r\n--edge--\r\n", 413),
    ],
    ids=["empty", "other boundary", "no boundary", "cut", "no name", "a file", "long", "not UTF-8", "many", "headers"],
)
def test_a_hostile_form_goes_nowhere(body: bytes, status: int) -> None:
    story = feed(upload(length=len(body)), cut(body, 1000))
    assert story.status == status
    assert story.requests == {}
    assert story.gateway.buffered == 0


def test_a_form_that_breaks_off_while_it_streams_is_not_completed() -> None:
    story = feed(streaming(), [])
    assert story.status == 400
    assert "breaks off" in message(story)
    assert ended(story) == 0
    assert AbortUpstream(1) in story.effects


def test_a_length_over_the_bound_is_refused_at_once() -> None:
    story = upload(length=101 * MIB)
    assert story.status == 413
    assert story.finished


@pytest.mark.parametrize("parts", [(MODEL, file(2 * MIB)), (file(2 * MIB), MODEL)], ids=["streamed", "put aside"])
def test_a_body_over_the_bound_is_refused_by_count(parts: tuple[bytes, ...]) -> None:
    story = feed(upload(config=setup(limits=Limits(max_body_mb=1.5))), cut(form(*parts), PIECE))
    assert story.status == 413
    assert int(str(story.row["bytes_in"])) <= 1.5 * MIB + PIECE
    assert len(dropped(story)) + story.effects.count(AbortUpstream(1)) == 1
    assert story.gateway.buffered == 0


# Where a side fails.

PHASES: Final[dict[str, tuple[Callable[[], Story], int, int]]] = {
    # name -> the story, spools to drop, legs to abort
    "held": (lambda: feed(upload(), [MODEL], end=False), 0, 0),
    "put aside": (lambda: feed(upload(), cut(file(2 * MIB), PIECE), end=False), 1, 0),
    "put aside and connecting": (lambda: whole(file(2 * MIB), MODEL), 1, 1),
    "put aside and sent": (lambda: told_connected(whole(file(2 * MIB), MODEL)), 1, 1),
    "streaming": (streaming, 0, 1),
    "streamed": (lambda: whole(MODEL, file(2 * MIB)), 0, 1),
}


def told_connected(story: Story) -> Story:
    story.tell(UpstreamConnected(1, reused=False))
    return story


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("end", ["gone", "abandoned"])
def test_whoever_leaves_nothing_stays_behind(phase: str, end: str) -> None:
    begin, spools, legs = PHASES[phase]
    story = begin()
    if end == "gone":
        story.tell(ClientGone())
    else:
        story.effects += story.exchange.abandon(now=story.now)
    assert len(dropped(story)) == spools
    assert story.effects.count(AbortUpstream(1)) == legs
    assert isinstance(story.effects[-1], Finish)
    assert not any(isinstance(effect, SendHead) for effect in story.effects)
    assert story.gateway.buffered == 0


@pytest.mark.parametrize("phase", ["held", "put aside", "streaming"])
def test_a_body_that_breaks_off_is_a_400(phase: str) -> None:
    begin, spools, legs = PHASES[phase]
    story = begin()
    story.tell(RequestBroken("a short body"))
    assert (story.status, message(story)) == (400, "the request body broke off: a short body")
    assert (len(dropped(story)), story.effects.count(AbortUpstream(1))) == (spools, legs)


@pytest.mark.parametrize("phase", ["held", "put aside", "streaming"])
def test_a_body_that_stalls_is_a_408(phase: str) -> None:
    begin, spools, legs = PHASES[phase]
    story = begin()
    story.wait(60)
    assert (story.status, story.row["outcome"]) == (408, "error")
    assert (len(dropped(story)), story.effects.count(AbortUpstream(1))) == (spools, legs)


@pytest.mark.parametrize(
    ("stage", "sent_part"), [(Stage.SEND, Sent.PART), (Stage.HEAD, Sent.PART), (Stage.HEAD, Sent.ALL)]
)
@pytest.mark.parametrize("reused", [True, False])
def test_an_upstream_that_fails_while_a_form_streams_is_a_502(stage: Stage, sent_part: Sent, reused: bool) -> None:
    story = streaming()
    story.tell(RequestData(b"more"))
    story.tell(UpstreamFailed(1, stage, sent_part, reused, "reset"))
    # What passed by is gone: there is nothing to repeat.
    assert (story.status, list(story.requests)) == (502, [1])
    assert story.finished
    assert not story.exchange.wants_request


def test_an_upstream_that_cannot_be_reached_is_a_502() -> None:
    story = upload()
    story.tell(RequestData((MODEL + file(2 * MIB))[: BUFFERED + 1]))
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, False, "openai.example refused the connection"))
    assert (story.status, message(story)) == (502, "media: openai.example refused the connection")


def test_a_stale_connection_costs_nothing_while_nothing_was_sent_of_the_held_part() -> None:
    story = upload()
    story.tell(RequestData((MODEL + file(2 * MIB))[: BUFFERED + 1]))
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.SEND, Sent.NONE, True, "closed"))
    assert list(story.requests) == [1, 2]
    assert story.requests[1] == story.requests[2]
    assert not story.exchange.wants_request
    feed(story, [b"x" * KIB, b"\r\n" + form()])
    assert sent(story) == (NAMED + file(2 * MIB))[: BUFFERED + 1] + b"x" * KIB + b"\r\n" + form()
    story.tell(UpstreamHead(2, 200, TEXT))
    story.tell(UpstreamData(2, b"hi"))
    story.tell(UpstreamEnd(2))
    assert (story.body, story.headers[b"x-agcore-attempts"]) == (b"hi", b"1")


@pytest.mark.parametrize("parts", [(MODEL, file(9)), (file(2 * MIB), MODEL)], ids=["held", "put aside"])
@pytest.mark.parametrize(("stage", "part_sent"), [(Stage.SEND, Sent.PART), (Stage.HEAD, Sent.ALL)])
def test_what_may_have_been_answered_and_paid_for_is_not_sent_twice(
    parts: tuple[bytes, ...], stage: Stage, part_sent: Sent
) -> None:
    story = feed(upload(attempts=4), cut(form(*parts), PIECE))
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, stage, part_sent, True, "closed"))
    assert (story.status, list(story.requests)) == (502, [1])
    assert "the connection" in message(story)


def test_a_stale_connection_costs_nothing_for_what_was_put_aside() -> None:
    story = whole(file(2 * MIB), MODEL)
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, Stage.SEND, Sent.NONE, True, "closed"))
    assert story.requests[1] == story.requests[2]
    assert dropped(story) == []
    story.upstream_answers(200, b"hi", headers=TEXT)
    assert story.body == b"hi"
    assert dropped(story) == [1]


@pytest.mark.parametrize("phase", ["put aside", "put aside and connecting", "put aside and sent"])
def test_a_full_disk_is_a_507_and_nothing_is_dropped_twice(phase: str) -> None:
    begin, _, legs = PHASES[phase]
    story = begin()
    story.tell(SpoolFailed(1, "no space left"))
    assert (story.status, message(story)) == (507, "the upload could not be put aside: no space left")
    assert dropped(story) == []
    assert story.effects.count(AbortUpstream(1)) == legs
    assert story.exchange.abandon(now=story.now) == []
    assert story.gateway.buffered == 0


def test_no_answer_is_sent_before_the_spool_is_dropped_and_finish_comes_last() -> None:
    story = whole(file(2 * MIB), MODEL)
    story.upstream_answers(500, b'{"error": {"message": "broken"}}')
    names = [type(effect).__name__ for effect in story.effects]
    assert names[-5:] == ["SendData", "SendEnd", "DropSpool", "Emit", "Finish"]
    assert story.status == 500
