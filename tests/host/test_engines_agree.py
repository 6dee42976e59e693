"""All engines next to those on h11: for the same bytes, however cut, they say the same and send the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.protocol.effects import SendData, SendEnd, SendHead
from agcore.protocol.http import Origin, RequestHead, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import RequestBroken, RequestEnd, UpstreamEnd
from agcore_host.http.base import JOINED_BODY, BadAnswer, BadHead, ClientEngine, Pending, ServerEngine
from agcore_host.http.engines import ENGINES
from agcore_host.http.heads import plain_request, plain_response
from tests.support.examples import examples

ORIGIN = Origin("http", "up.test", 80)
MAX_HEADER = 300
MAX_HEADERS = 8

JUDGE = ENGINES["h11"]
OTHERS = [engines for name, engines in ENGINES.items() if name != "h11"]


def post(*fields: bytes, body: bytes = b"", start: bytes = b"POST /v1/x HTTP/1.1") -> bytes:
    return b"\r\n".join([start, *fields, b"", b""]) + body


REQUESTS = [
    # Plain.
    post(b"Host: a"),
    post(b"host:a", b"X-Thing:\t two  words \t", b"accept:", start=b"GET /a?b=%20c HTTP/1.1"),
    post(b"host: a", b"content-length: 5", body=b"hello"),
    post(b"host: a", b"Content-Length: 0", b"connection: Keep-Alive"),
    post(b"host: a", b"content-length: 0005", body=b"hello"),
    post(b"host: a", b"a: 1", b"a: 2", b"A: \xe4\xff"),
    post(b"host: a", start=b"HEAD / HTTP/1.1"),
    post(b"host: a", start=b"OPTIONS * HTTP/1.1"),
    post(b"host: a", start=b"GET http://a/b HTTP/1.1"),
    # Right, and for h11.
    post(b"host: a", b"transfer-encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    post(b"host: a", b"Transfer-Encoding: Chunked", body=b"5;x=y\r\nhello\r\n00\r\nt: 1\r\n\r\n"),
    post(b"host: a", b"content-length: 5", b"expect: 100-continue", body=b"hello"),
    post(b"host: a", b"connection: close"),
    post(b"host: a", b"connection: keep-alive, close", b"content-length: 2", body=b"ab"),
    post(b"host: a", b"connection: upgrade", b"upgrade: websocket"),
    post(b"host: a", start=b"GET / HTTP/1.0"),
    post(b"host: a", b"connection: keep-alive", start=b"GET / HTTP/1.0"),
    post(b"host: a", b"transfer-encoding: chunked", start=b"POST / HTTP/1.0", body=b"2\r\nab\r\n0\r\n\r\n"),
    post(b"host: a:1", start=b"CONNECT a:1 HTTP/1.1", body=b"early"),
    post(b"host: a", b"folded: x", b" y", b"\tz"),
    b"GET / HTTP/1.1\nhost: a\n\n",
    b"GET / HTTP/1.1\r\nhost: a\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\n\n",
    post(b"host: a", b"x: \x01\x7f"),
    post(b"host: a", b"content-length: 2, 2", body=b"ab"),
    post(b"host: a", b"content-length: 2", b"content-length: 2", body=b"ab"),
    # Near the limits.
    *[post(b"host:a", b"a:b", b"b:b", b"c:b", b"d:" + b"b" * (MAX_HEADER - size)) for size in range(45, 65)],
    post(b"host: a", *[b"a:b"] * (MAX_HEADERS - 1)),
    post(b"host: a", *[b"a:b"] * MAX_HEADERS),
    *[post(b"host: a", b"a:" + b"b" * (MAX_HEADER - size)) for size in range(30, 50)],
    *[
        post(b"host: a", b"a: " + b"b" * (MAX_HEADER - size), b"content-length: 400", body=b"x" * 400)
        for size in (60, 50)
    ],
    # Not to be served: what smugglers send, and other nonsense.
    post(b"host: a", b"content-length: 5", b"transfer-encoding: chunked", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding: chunked", b"content-length: 5", body=b"0\r\n\r\n"),
    post(b"host: a", b"content-length: 5", b"content-length: 6", body=b"hello!"),
    post(b"host: a", b"content-length: 5, 6", body=b"hello!"),
    post(b"host: a", b"content-length: +5", body=b"hello"),
    post(b"host: a", b"content-length: -5", body=b"hello"),
    post(b"host: a", b"content-length: 0x5", body=b"hello"),
    post(b"host: a", b"content-length: 5 5", body=b"hello"),
    post(b"host: a", b"content-length:", body=b"hello"),
    post(b"host: a", b"content-length: \xb2", body=b"ab"),
    post(b"host: a", b"content-length: " + b"9" * 16, body=b"hello"),
    post(b"host: a", b"content-length: " + b"9" * 30, body=b"hello"),
    post(b"host: a", b"content-length : 5", body=b"hello"),
    post(b"host: a", b"content-length\t: 5", body=b"hello"),
    post(b"host: a", b" content-length: 5", body=b"hello"),
    post(b"host: a", b"content_length: 5", body=b"hello"),
    post(b"host: a", b"x: y\rcontent-length: 5", body=b"hello"),
    post(b"host: a", b"x: y\ncontent-length: 5", body=b"hello"),
    post(b"host: a", b"x: y\0z"),
    post(b"host: a", b"transfer-encoding : chunked", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding: chunked, identity", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding: identity, chunked", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding: chunked", b"transfer-encoding: chunked", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding: xchunked", body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding:\x0bchunked", body=b"0\r\n\r\n"),
    post(b"host: a", b'transfer-encoding: "chunked"', body=b"0\r\n\r\n"),
    post(b"host: a", b"transfer-encoding:", body=b"0\r\n\r\n"),
    *[
        post(b"host: a", b"transfer-encoding: chunked", body=body)
        for body in (
            b"-1\r\nx\r\n0\r\n\r\n",
            b"0x1\r\nx\r\n0\r\n\r\n",
            b"1\nx\n0\n\n",
            b"1\r\nxy\r\n0\r\n\r\n",
            b"1\r\nx0\r\n\r\n",
            b"1 \r\nx\r\n0\r\n\r\n",
            b" 1\r\nx\r\n0\r\n\r\n",
            b"FFFFFFFFFFFFFFFFFFFFF\r\nx",
            b"1;a\nb\r\nx\r\n0\r\n\r\n",
            b"0\r\nhost : b\r\n\r\n",
            b"0\r\n\nGET /",
            b"\r\n",
        )
    ],
    post(),
    post(b"host: a", b"host: a"),
    post(b"host: a", b"host: b"),
    post(b"host : a"),
    post(b" host: a"),
    post(b"host: a", b": x"),
    post(b"host: a", b"no colon"),
    post(b"host: a", b"x y: z"),
    post(b"host: a", b"x\0: z"),
    post(b"host: a", b"\xe4: z"),
    post(b"host: a", start=b"GET  / HTTP/1.1"),
    post(b"host: a", start=b"GET / HTTP/1.1 "),
    post(b"host: a", start=b"GET /\tHTTP/1.1"),
    post(b"host: a", start=b"GET /a b HTTP/1.1"),
    post(b"host: a", start=b"GET /\xe4 HTTP/1.1"),
    post(b"host: a", start=b"GET / HTTP/1.2"),
    post(b"host: a", start=b"GET / HTTP/2.0"),
    post(b"host: a", start=b"GET / http/1.1"),
    post(b"host: a", start=b"GET / HTTP/1.1\r"),
    post(b"host: a", start=b"G(T / HTTP/1.1"),
    post(b"host: a", start=b"GET /"),
    b"\r\n" + post(b"host: a"),
    b"\n" + post(b"host: a"),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"",
]

ANSWERS: list[list[SendHead | SendData | SendEnd]] = [
    [SendHead(200, ((b"content-type", b"x/y"), (b"content-length", b"2"))), SendData(b"o"), SendData(b"k"), SendEnd()],
    [SendHead(200, ()), SendData(b"ok"), SendData(b""), SendEnd()],
    [SendHead(204, ((b"x-a", b"b"),)), SendEnd()],
    [SendHead(304, ((b"content-length", b"2"),)), SendEnd()],
    [SendHead(299, ((b"date", b"then"), (b"content-length", b"0"))), SendEnd()],
    [SendHead(200, ((b"connection", b"close"), (b"content-length", b"2"))), SendData(b"ok"), SendEnd()],
    [SendHead(200, ((b"transfer-encoding", b"chunked"),)), SendData(b"ok"), SendEnd()],
    [SendHead(200, ((b"content-length", b"2"), (b"content-length", b"2"))), SendData(b"ok"), SendEnd()],
    [SendHead(200, ((b"content-length", b"x"),)), SendEnd()],
    [SendHead(200, ((b"content-length", b"2"),)), SendData(b"longer"), SendEnd()],
    [SendHead(200, ((b"content-length", b"2"),)), SendData(b"k"), SendEnd()],
    [SendHead(200, ((b"a b", b"2"),)), SendEnd()],
    [SendHead(103, ()), SendEnd()],
    [SendHead(200, ()), SendHead(200, ()), SendEnd()],
    [SendData(b"k")],
    [SendEnd()],
    [SendHead(200, ((b"content-length", b"2"),)), SendData(b"longer")],
    [SendHead(200, ((b"content-length", b"2"),))],
    [SendHead(200, ())],
]
REFUSAL = [SendHead(400, ((b"content-length", b"2"),)), SendData(b"no"), SendEnd()]

Act = Callable[[ServerEngine], object]


def said(engine: ServerEngine) -> list[object]:
    """All events up to the one that needs something first, or is the last."""
    found: list[object] = []
    while not found or not isinstance(found[-1], (Pending, BadHead, RequestBroken)):
        found.append(engine.next_event())
    return found


def state(engine: ServerEngine) -> tuple[bool, ...]:
    return (
        engine.head_begun,
        engine.expects_continue,
        engine.request_complete,
        engine.unanswered,
        engine.close_delimited,
    )


def sent(engine: ServerEngine, effects: Iterable[SendHead | SendData | SendEnd]) -> bytes | str:
    try:
        return engine.send(effects)
    except (h11.LocalProtocolError, AttributeError):
        # The other error is h11's, over the words for the first: a second head after one to a CONNECT.
        return "refused"


def serve(
    engine: ServerEngine, pieces: Iterable[bytes], answers: list[int], *, early: bool, close: bool, go_on: bool
) -> list[object]:
    """What a server says and sends that answers each request, at its head if `early`, until something is wrong."""
    engine.date = b"now"
    log: list[object] = []
    served = 0
    for piece in pieces:
        engine.receive(piece)
        while True:
            log.append(event := engine.next_event())
            log.append(state(engine))
            if isinstance(event, BadHead):
                engine.close = True
                return [*log, sent(engine, REFUSAL), engine.start_next_cycle(), said(engine)]
            if event is Pending.NEED_DATA and engine.expects_continue and go_on:
                log.append(engine.send_continue())
            if isinstance(event, RequestHead) if early else isinstance(event, (RequestEnd, RequestBroken)):
                engine.close = close
                log.append(sent(engine, ANSWERS[answers[served % len(answers)]]))
                log.append(state(engine))
                if log[-2] == "refused":
                    return log
                served += 1
            if isinstance(event, RequestBroken):
                return [*log, engine.start_next_cycle(), said(engine)]
            if isinstance(event, Pending):
                log.append(again := engine.start_next_cycle())
                if not again:
                    break
    return log


def all_serve(pieces: list[bytes], answers: list[int], **how: bool) -> None:
    limits = {"max_header": MAX_HEADER, "max_headers": MAX_HEADERS}
    expected = serve(JUDGE.server(**limits), pieces, answers, **how)
    for engines in OTHERS:
        assert serve(engines.server(**limits), pieces, answers, **how) == expected


def cut(raw: bytes, places: Iterable[int]) -> list[bytes]:
    edges = sorted({place % len(raw) for place in places} - {0}) if raw else []
    return [raw[start:end] for start, end in zip([0, *edges], [*edges, len(raw)], strict=True) if start < end]


@pytest.mark.parametrize("how", [{"early": early, "close": False, "go_on": True} for early in (False, True)])
@pytest.mark.parametrize("raw", REQUESTS)
def test_requests_mean_what_h11_says_whole_or_byte_by_byte_and_with_another_behind(raw, how):
    for message in (raw, raw + post(b"host: b"), post(b"host: b") + raw, raw + raw):
        for pieces in ([message], cut(message, range(len(message)))):
            all_serve([*pieces, b""], [0], **how)
            all_serve(pieces, [1], **how)


@pytest.mark.parametrize("raw", REQUESTS[:14])
@pytest.mark.parametrize("answer", range(len(ANSWERS)))
def test_answers_are_what_h11_makes_of_them_to_the_byte(raw, answer):
    for close in (False, True):
        for early in (False, True):
            for go_on in (False, True):
                all_serve([raw + raw, b""], [answer, 0], early=early, close=close, go_on=go_on)
                all_serve([raw[:-1], b""], [answer], early=early, close=close, go_on=go_on)


@pytest.mark.parametrize("answer", range(len(ANSWERS)))
def test_a_client_that_has_ended_its_side_is_answered_alike(answer):
    logs: list[list[object]] = []
    for engines in (JUDGE, *OTHERS):
        engine = engines.server(max_header=300, max_headers=8)
        engine.receive(REQUESTS[2])
        engine.receive(b"")
        log = [*said(engine), sent(engine, ANSWERS[answer]), state(engine)]
        logs.append(log if "refused" in log else [*log, engine.start_next_cycle(), said(engine)])
    assert all(log == logs[0] for log in logs[1:])


SCRAPS = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\x0b",
    b"\x7f",
    b"\x85",
    b"\xff",
    b",",
    b";",
    b"0",
    b"-",
    b"G",
]


def spoiled(messages: list[bytes]) -> st.SearchStrategy[bytes]:
    """One to three messages in a row, with up to three places spoiled."""

    def spoil(parts: list[bytes], changes: list[tuple[int, int, bytes]]) -> bytes:
        raw = b"".join(parts)
        for at, gone, put in changes:
            place = at % (len(raw) + 1)
            raw = raw[:place] + put + raw[place + gone :]
        return raw

    change = st.tuples(st.integers(0, 500), st.integers(0, 2), st.sampled_from([b"", *SCRAPS]))
    return st.builds(spoil, st.lists(st.sampled_from(messages), min_size=1, max_size=3), st.lists(change, max_size=3))


PLACES = st.lists(st.integers(0, 1000), max_size=6)


@examples(400)
@given(
    spoiled(REQUESTS),
    PLACES,
    st.lists(st.integers(0, len(ANSWERS) - 1), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_spoiled_requests_mean_what_h11_says_however_they_are_cut(raw, places, answers, early, close, go_on, eof):
    pieces = cut(raw, places)
    all_serve([*pieces, b""] if eof else pieces, answers, early=early, close=close, go_on=go_on)


def reply(*fields: bytes, body: bytes = b"", start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return post(*fields, body=body, start=start)


RESPONSES = [
    # Plain.
    reply(b"Content-Length: 2", b"X-A:\tb ", body=b"ok"),
    reply(b"content-length: 0", b"set-cookie: a", b"Set-Cookie: b", start=b"HTTP/1.1 503 "),
    reply(b"content-length: 2", b"connection: keep-alive", body=b"ok", start=b"HTTP/1.1 404 N\xe4 F"),
    reply(b"transfer-encoding: chunked", body=b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
    reply(b"transfer-encoding: chunked", body=b"00a\r\n0123456789\r\n000\r\n\r\n"),
    # Right, and for h11.
    reply(body=b"until the end"),
    reply(b"connection: close", body=b"until the end"),
    reply(b"connection: close", b"content-length: 2", body=b"ok"),
    reply(b"connection: close", b"transfer-encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    reply(b"content-length: 2", body=b"ok", start=b"HTTP/1.0 200 OK"),
    reply(b"content-length: 2", body=b"ok", start=b"HTTP/1.1 200"),
    reply(start=b"HTTP/1.1 204 No Content"),
    reply(b"content-length: 2", start=b"HTTP/1.1 204 No Content"),
    reply(b"content-length: 2", start=b"HTTP/1.1 304 Not Modified"),
    reply(b"transfer-encoding: chunked", start=b"HTTP/1.1 304 Not Modified"),
    reply(start=b"HTTP/1.1 100 Continue") + reply(b"content-length: 2", body=b"ok"),
    reply(b"link: x", start=b"HTTP/1.1 103 Early") * 2 + reply(b"content-length: 2", body=b"ok"),
    reply(b"transfer-encoding: chunked", body=b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    reply(b"transfer-encoding: chunked", body=b"5\r\nhello\r\n5 \t\r\nworld\r\n0\r\nt: 1\r\n\r\n"),
    reply(b"transfer-encoding: chunked", body=b"000000005\r\nhello\r\n0\r\n\r\n"),
    reply(b"Transfer-Encoding: CHUNKED", body=b"1\r\nx\r\n0\r\n\r\n"),
    reply(b"transfer-encoding: chunked", b"content-length: 3", body=b"1\r\nx\r\n0\r\n\r\n"),
    reply(b"content-length: 2, 2", body=b"ok"),
    reply(b"content-length: 2", b"content-length: 2", body=b"ok"),
    reply(b"x: y", b" z", b"content-length: 2", body=b"ok"),
    reply(b"content-length: 2", b"upgrade: h2", body=b"ok"),
    b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    # Not to be believed.
    reply(b"upgrade: x", start=b"HTTP/1.1 101 Switching Protocols"),
    reply(b"content-length: 2", b"content-length: 3", body=b"oks"),
    reply(b"content-length: -2", body=b"ok"),
    reply(b"content-length : 2", body=b"ok"),
    reply(b"content-length: " + b"9" * 30, body=b"ok"),
    reply(b"transfer-encoding: gzip, chunked", body=b"1\r\nx\r\n0\r\n\r\n"),
    reply(b"transfer-encoding: chunked", b"transfer-encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n"),
    reply(b"content-length: 2", b"x: \0", body=b"ok"),
    *[
        reply(b"transfer-encoding: chunked", body=b"2\r\nok\r\n" + body)
        for body in (
            b"-1\r\nx\r\n0\r\n\r\n",
            b"0x1\r\nx\r\n0\r\n\r\n",
            b"1\nx\n0\n\n",
            b"1\r\nxy\r\n0\r\n\r\n",
            b"1\r\nx\ry\r\n0\r\n\r\n",
            b"1\r\nx\n0\r\n\r\n",
            b"FFFFFFFFFFFFFFFFFFFFF\r\nx",
            b"g\r\n",
            b"\r\n",
            b"0\r\nt : 1\r\n\r\n",
            b"0\r\nt: 1\r\n",
            b"1\r\n",
        )
    ],
    reply(b"content-length: 0", start=b"HTTP/1.1 200OK"),
    reply(b"content-length: 0", start=b"HTTP/1.1 2000 OK"),
    reply(b"content-length: 0", start=b"HTTP/1.1 099 OK"),
    reply(b"content-length: 0", start=b"HTTP/1.1 999 OK"),
    reply(b"content-length: 0", start=b"HTTP/1.1  200 OK"),
    reply(b"content-length: 0", start=b"HTTP/2 200 OK"),
    reply(b"content-length: 0", start=b"ICY 200 OK"),
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"\r\n\r\n",
    b"",
]

HOST = (b"host", b"up.test")
ASKED = [
    UpstreamRequest(ORIGIN, "POST", b"/v1/x?y=1", (HOST, (b"content-length", b"2")), b"hi"),
    UpstreamRequest(ORIGIN, "GET", b"/", (HOST,)),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"0"))),
    UpstreamRequest(ORIGIN, "HEAD", b"/", (HOST,)),
    UpstreamRequest(ORIGIN, "GET", b"/", (HOST, (b"connection", b"close"))),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"transfer-encoding", b"chunked")), b"hi"),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"2")), Streamed(b"hi")),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"2")), Spooled(1)),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST,), b"hi"),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"3")), b"hi"),
    UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"02")), b"hi"),
    UpstreamRequest(ORIGIN, "CONNECT", b"a:1", (HOST,)),
    UpstreamRequest(ORIGIN, "GET", b"/ x", (HOST,)),
]


def ask(engine: ClientEngine, request: UpstreamRequest) -> list[object]:
    try:
        log: list[object] = [bytes(piece) for piece in engine.send_request(request)]
        if isinstance(request.body, Spooled):
            return [*log, *engine.send_all(iter([b"h", b"i"]))]
        return [*log, engine.send_data(b""), engine.end_request()] if isinstance(request.body, Streamed) else log
    except h11.LocalProtocolError:
        return ["refused"]


def call(engine: ClientEngine, request: UpstreamRequest, pieces: Iterable[bytes]) -> list[object]:
    """What a client sends and hears that asks once, and once more where that is possible."""
    log = ask(engine, request)
    if log == ["refused"]:
        return log
    again = 1
    for piece in pieces:
        engine.receive(piece)
        while True:
            try:
                log.append(item := engine.next_input(7))
            except BadAnswer as error:
                return [*log, str(error), engine.reusable]
            log.append(engine.reusable)
            if isinstance(item, UpstreamEnd):
                if not engine.reusable or not again:
                    engine.receive(b"")
                    return [*log, engine.reusable]
                again -= 1
                log += ask(engine, request)
                break
            if item is None:
                break
    return log


def all_call(request: UpstreamRequest, pieces: list[bytes]) -> None:
    expected = call(JUDGE.client(), request, pieces)
    for engines in OTHERS:
        assert call(engines.client(), request, pieces) == expected


@pytest.mark.parametrize("raw", RESPONSES)
def test_answers_of_upstreams_mean_what_h11_says_whole_or_byte_by_byte(raw):
    for message in (raw, raw + RESPONSES[0]):
        for pieces in ([message], [raw, RESPONSES[0]], cut(message, range(len(message)))):
            for request in ASKED[:4]:
                all_call(request, [*pieces, b""])
                all_call(request, pieces)


@pytest.mark.parametrize("request_", ASKED)
@pytest.mark.parametrize("raw", RESPONSES[:12])
def test_requests_to_upstreams_are_what_h11_makes_of_them_to_the_byte(request_, raw):
    all_call(request_, [raw, raw, b""])


@examples(400)
@given(spoiled(RESPONSES), PLACES, st.sampled_from(ASKED), st.booleans())
def test_spoiled_answers_of_upstreams_mean_what_h11_says_however_they_are_cut(raw, places, request, eof):
    pieces = cut(raw, places)
    all_call(request, [*pieces, b""] if eof else pieces)


@pytest.mark.parametrize("size", [JOINED_BODY, JOINED_BODY + 1, 600_000])
def test_long_bodies_are_cut_alike(size):
    request = UpstreamRequest(ORIGIN, "POST", b"/", (HOST, (b"content-length", b"%d" % size)), bytes(size))
    all_call(request, [RESPONSES[0]])
    sizes = [[len(piece) for piece in engines.client().send_request(request)] for engines in (JUDGE, *OTHERS)]
    assert all(each == sizes[0] for each in sizes[1:])


@pytest.mark.parametrize("raw", REQUESTS[:9])
def test_usual_requests_are_plain(raw):
    assert plain_request(raw) is not None


@pytest.mark.parametrize("raw", REQUESTS[9:26])
def test_unusual_requests_are_not_plain(raw):
    assert plain_request(raw) is None


@pytest.mark.parametrize("raw", RESPONSES[:5])
def test_usual_answers_are_plain(raw):
    assert plain_response(raw) is not None


@pytest.mark.parametrize("raw", RESPONSES[5:17])
def test_unusual_answers_are_not_plain(raw):
    assert plain_response(raw) is None
