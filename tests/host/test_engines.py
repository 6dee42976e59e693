"""The seam between HTTP bytes and inputs and effects, without IO: each test with every pair of engines."""

from __future__ import annotations

from typing import NamedTuple

import h11
import pytest

from agcore.protocol.effects import SendData, SendEnd, SendHead
from agcore.protocol.http import Origin, RequestHead, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import RequestBroken, RequestData, RequestEnd, UpstreamData, UpstreamEnd, UpstreamHead
from agcore_host.http.base import PIECE, BadAnswer, BadHead, ClientEngine, Pending, ServerEngine
from agcore_host.http.engines import ENGINES, MakeClientEngine, MakeServerEngine

ORIGIN = Origin("http", "up.test", 80)
GET = b"GET /a?b=%20c HTTP/1.1\r\nHost: x\r\nX-Thing: One\r\n\r\n"


class Engines(NamedTuple):
    server_class: MakeServerEngine
    client: MakeClientEngine

    def server(self) -> ServerEngine:
        return self.server_class(max_header=1000, max_headers=10)

    def asked(self, body: bytes = b"") -> ClientEngine:
        engine = self.client()
        engine.send_request(request(body))
        return engine

    def answered(self, raw: bytes, head: SendHead, *, data: bytes = b"ok") -> bytes:
        engine = self.server()
        events(engine, raw)
        return engine.send([head, *([SendData(data)] if data else []), SendEnd()])

    def streamed(self, *framing: tuple[bytes, bytes], first: bytes = b"ab") -> tuple[ClientEngine, bytes]:
        engine = self.client()
        request = UpstreamRequest(ORIGIN, "POST", b"/", ((b"host", b"x"), *framing), Streamed(first))
        (raw,) = engine.send_request(request)
        return engine, bytes(raw)


@pytest.fixture(params=ENGINES)
def engines(request: pytest.FixtureRequest) -> Engines:
    made = ENGINES[request.param]
    return Engines(made.server, made.client)


def events(engine: ServerEngine, *pieces: bytes) -> list[object]:
    found: list[object] = []
    for piece in pieces:
        engine.receive(piece)
        while not isinstance(event := engine.next_event(), Pending):
            found.append(event)
            if isinstance(event, (BadHead, RequestBroken)):
                return found
    return found


def inputs(engine: ClientEngine, *pieces: bytes) -> list[object]:
    found: list[object] = []
    for piece in pieces:
        engine.receive(piece)
        while (item := engine.next_input(7)) is not None:
            found.append(item)
            if isinstance(item, UpstreamEnd):
                break
    return found


def request(body: bytes = b"") -> UpstreamRequest:
    headers = ((b"host", b"up.test"), (b"content-length", b"%d" % len(body)))
    return UpstreamRequest(ORIGIN, "POST", b"/v1/x?y=1", headers, body)


def test_a_request_keeps_its_target_and_its_values_and_gets_lower_case_names(engines):
    head = RequestHead("GET", b"/a?b=%20c", ((b"host", b"x"), (b"x-thing", b"One")))
    assert events(engines.server(), GET) == [head, RequestEnd()]


def test_a_request_reads_the_same_however_it_is_cut(engines):
    raw = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    whole = events(engines.server(), raw)
    bytewise = events(engines.server(), *(raw[i : i + 1] for i in range(len(raw))))
    assert whole[0] == bytewise[0]
    assert b"".join(e.data for e in bytewise if isinstance(e, RequestData)) == b"hello"
    assert whole[1:] == [RequestData(b"hello"), RequestEnd()]
    assert bytewise[-1] == RequestEnd()


def test_data_is_bytes_on_both_sides(engines):
    _, data, _ = events(engines.server(), b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
    assert isinstance(data, RequestData)
    assert type(data.data) is bytes
    _, answered, _ = inputs(engines.asked(), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
    assert isinstance(answered, UpstreamData)
    assert type(answered.data) is bytes


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 10 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\na: " + b"b" * 1000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\na: " + b"b" * 1000, 431),
    ],
)
def test_a_head_that_cannot_be_served_is_reported_with_its_status(engines, raw, status):
    (bad,) = events(engines.server(), raw)
    assert isinstance(bad, BadHead)
    assert bad.status == status
    assert bad.reason


def test_a_head_at_the_limits_is_served(engines):
    assert isinstance(
        events(engines.server(), b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 9 + b"\r\n")[0], RequestHead
    )


def test_a_long_body_in_the_same_packet_does_not_count_as_head(engines):
    raw = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000
    assert isinstance(events(engines.server(), raw)[0], RequestHead)


@pytest.mark.parametrize(
    "cut",
    [
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nabc", b""),
    ],
)
def test_a_body_that_breaks_off_is_broken_and_nothing_follows(engines, cut):
    engine = engines.server()
    assert isinstance(events(engine, *cut)[-1], RequestBroken)
    assert engine.next_event() is Pending.CLOSED


def test_an_end_of_file_between_requests_closes(engines):
    engine = engines.server()
    engine.receive(b"")
    assert engine.next_event() is Pending.CLOSED


def test_an_end_of_file_within_a_head_closes(engines):
    engine = engines.server()
    engine.receive(b"GET / HT")
    engine.receive(b"")
    assert engine.next_event() is Pending.CLOSED


def test_one_list_of_effects_is_one_write(engines):
    engine = engines.server()
    events(engine, GET)
    raw = engine.send([SendHead(200, ((b"content-length", b"2"),)), SendData(b"o"), SendData(b"k"), SendEnd()])
    assert raw == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def test_an_answer_without_a_length_is_chunked(engines):
    engine = engines.server()
    events(engine, GET)
    raw = engine.send([SendHead(200, ()), SendData(b"ok"), SendEnd()])
    assert raw.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")


def test_a_connection_told_to_close_says_so_and_serves_no_other_request(engines):
    engine = engines.server()
    events(engine, GET)
    engine.close = True
    assert b"connection: close\r\n" in engine.send([SendHead(204, ()), SendEnd()])
    assert not engine.start_next_cycle()


def test_pipelined_requests_wait_for_their_turn(engines):
    engine = engines.server()
    assert len(events(engine, GET + GET)) == 2
    assert engine.next_event() is Pending.PAUSED
    engine.send([SendHead(204, ()), SendEnd()])
    assert engine.start_next_cycle()
    assert engine.head_begun
    assert isinstance(engine.next_event(), RequestHead)


def test_a_client_that_was_never_told_to_continue_is_closed_after_the_answer(engines):
    engine = engines.server()
    events(engine, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n")
    assert engine.expects_continue
    assert b"connection: close\r\n" in engine.send([SendHead(204, ()), SendEnd()])


def test_a_client_that_was_told_to_continue_is_kept(engines):
    engine = engines.server()
    events(engine, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n")
    assert engine.send_continue() == b"HTTP/1.1 100 \r\n\r\n"
    assert events(engine, b"x") == [RequestData(b"x"), RequestEnd()]
    assert b"close" not in engine.send([SendHead(204, ()), SendEnd()])
    assert engine.start_next_cycle()


def test_an_upgrade_that_is_declined_leaves_a_plain_connection(engines):
    engine = engines.server()
    events(engine, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    engine.send([SendHead(426, ()), SendEnd()])
    assert engine.start_next_cycle()


def test_a_short_request_is_one_write_with_exactly_what_was_asked_for(engines):
    (raw,) = engines.client().send_request(request(b"hi"))
    assert raw == b"POST /v1/x?y=1 HTTP/1.1\r\nhost: up.test\r\ncontent-length: 2\r\n\r\nhi"


def test_a_long_request_is_sliced_and_not_copied(engines):
    body = bytes(PIECE * 3)
    head, *pieces = engines.client().send_request(request(body))
    assert bytes(head).endswith(b"\r\n\r\n")
    assert all(isinstance(piece, memoryview) and piece.obj is body for piece in pieces)
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == PIECE


def test_an_answer_is_read_into_inputs_and_interim_answers_are_skipped(engines):
    raw = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    engine = engines.asked()
    assert inputs(engine, raw) == [
        UpstreamHead(7, 200, ((b"content-length", b"2"),)),
        UpstreamData(7, b"ok"),
        UpstreamEnd(7),
    ]
    assert engine.reusable


def test_an_answer_that_only_the_end_of_the_connection_ends_is_complete_but_not_reusable(engines):
    engine = engines.asked()
    assert inputs(engine, b"HTTP/1.1 200 OK\r\n\r\nok", b"")[1:] == [UpstreamData(7, b"ok"), UpstreamEnd(7)]
    assert not engine.reusable


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
)
def test_a_connection_that_closes_or_says_too_much_is_not_reusable(engines, raw):
    engine = engines.asked()
    assert inputs(engine, raw)[-1] == UpstreamEnd(7)
    assert not engine.reusable


def test_a_reused_engine_starts_over(engines):
    engine = engines.asked()
    inputs(engine, b"HTTP/1.1 204 No\r\n\r\n")
    engine.send_request(request(b"again"))
    assert inputs(engine, b"HTTP/1.1 201 Yes\r\ncontent-length: 0\r\n\r\n")[0] == UpstreamHead(
        7, 201, ((b"content-length", b"0"),)
    )


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((b"",), "closed the connection before its answer"),
        ((b"HTTP/1.1 200", b""), "closed the connection before its answer"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", b""), "closed the connection within its answer"),
        ((b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", b""), "within its answer"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "not HTTP"),
        ((b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",), "not HTTP"),
        ((b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000,), "not HTTP"),
    ],
)
def test_an_answer_that_is_not_one_is_an_error_in_words(engines, pieces, reason):
    with pytest.raises(BadAnswer, match=reason):
        inputs(engines.asked(), *pieces)


LENGTH = SendHead(200, ((b"x-a", b"1"), (b"content-length", b"2")))
OLD = b"GET / HTTP/1.0\r\nhost: x\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "head", "data", "expected"),
    [
        (GET, LENGTH, b"ok", b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\n\r\nok"),
        (GET, SendHead(299, ()), b"", b"HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (GET, SendHead(204, ((b"x-a", b"1"),)), b"", b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"),
        (HEAD, LENGTH, b"", b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\n\r\n"),
        (HEAD, SendHead(200, ()), b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (
            OLD,
            LENGTH,
            b"ok",
            b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\nConnection: close\r\n\r\nok",
        ),
        (OLD, SendHead(200, ()), b"ok", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"),
        (
            GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
            LENGTH,
            b"ok",
            b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 2\r\nConnection: close\r\n\r\nok",
        ),
    ],
)
def test_a_head_says_how_its_body_is_framed_and_whether_the_connection_stays(engines, raw, head, data, expected):
    for _ in range(2):
        assert engines.answered(raw, head, data=data) == expected


def test_a_date_is_added_unless_there_is_one(engines):
    engine = engines.server()
    engine.date = b"Sun, 06 Nov 1994 08:49:37 GMT"
    events(engine, GET)
    assert b"\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in engine.send([SendHead(204, ()), SendEnd()])
    assert engine.start_next_cycle()
    events(engine, GET)
    assert engine.send([SendHead(204, ((b"date", b"theirs"),)), SendEnd()]).count(b"date: ") == 1


BAD_FIELDS = [
    (b"a b", b"x"),
    (b"", b"x"),
    (b"a:", b"x"),
    (b"a\r\nb", b"x"),
    (b"x-a", b"x\r\nset-cookie: y"),
    (b"x-a", b"x\ny"),
    (b"x-a", b"x\ry"),
    (b"x-a", b"x\0y"),
    (b"\xe4", b"x"),
]


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_fields_that_would_break_a_head_are_refused_on_both_sides(engines, field):
    engine = engines.server()
    events(engine, GET)
    with pytest.raises(h11.LocalProtocolError):
        engine.send([SendHead(200, (field,)), SendEnd()])
    with pytest.raises(h11.LocalProtocolError):
        engines.client().send_request(UpstreamRequest(ORIGIN, "GET", b"/", ((b"host", b"x"), field)))


@pytest.mark.parametrize(
    ("method", "target"), [("G ET", b"/"), ("", b"/"), ("GET", b""), ("GET", b"/ x"), ("GET", b"/\r\n"), ("GÄT", b"/")]
)
def test_request_lines_that_would_break_are_refused(engines, method, target):
    with pytest.raises(h11.LocalProtocolError):
        engines.client().send_request(UpstreamRequest(ORIGIN, method, target, ((b"host", b"x"),)))


def test_a_streamed_body_is_framed_as_its_head_says(engines):
    engine, raw = engines.streamed((b"content-length", b"4"))
    assert raw.endswith(b"\r\n\r\nab")
    assert (engine.send_data(b"cd"), engine.end_request()) == (b"cd", b"")
    engine, raw = engines.streamed((b"transfer-encoding", b"chunked"))
    assert raw.endswith(b"\r\n\r\n2\r\nab\r\n")
    assert (engine.send_data(b"cde"), engine.send_data(b"")) == (b"3\r\ncde\r\n", b"")
    assert engine.end_request() == b"0\r\n\r\n"
    assert inputs(engine, b"HTTP/1.1 204 No\r\n\r\n")[-1] == UpstreamEnd(7)
    assert engine.reusable


@pytest.mark.parametrize("pieces", [[b"cde"], [b"c"]])
def test_a_streamed_body_of_another_length_than_was_said_is_refused(engines, pieces):
    engine, _ = engines.streamed((b"content-length", b"4"))
    with pytest.raises(h11.LocalProtocolError):
        for _ in engine.send_all(pieces):
            pass


def test_a_spooled_body_is_made_as_it_is_asked_for(engines):
    engine = engines.client()
    framing = (b"transfer-encoding", b"chunked")
    request = UpstreamRequest(ORIGIN, "POST", b"/", ((b"host", b"x"), framing), Spooled(1))
    (head,) = engine.send_request(request)
    assert bytes(head).endswith(b"\r\n\r\n")
    assert [*engine.send_all(iter([b"a", b"bc"]))] == [b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n"]


def test_an_answer_to_an_upload_may_come_before_its_end(engines):
    engine, _ = engines.streamed((b"content-length", b"400"))
    assert inputs(engine, b"HTTP/1.1 413 Big\r\ncontent-length: 0\r\n\r\n")[-1] == UpstreamEnd(7)
    assert not engine.reusable
