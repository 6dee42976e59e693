"""The reverse proxy for MCP servers: everything passes but credentials, and nothing happens twice."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from agcore import (
    AbortClient,
    AbortUpstream,
    ClientGone,
    DrainRequested,
    Gateway,
    OpenUpstream,
    Peer,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendData,
    SendEnd,
    Sent,
    Stage,
    State,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore.config.values import ClientKey, Limits, Proxy, Secret
from agcore.ingress.routes import ANY
from agcore.protocol.http import Headers
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.edges import MCP_AT, MCP_KEY, setup

CALL: Final = b'{"jsonrpc":"2.0", "id":7,"method":"tools/call","params":{"name":"a","x":1.50}}\n'
MESSAGE: Final = b'event: message\nid: 3\ndata: {"jsonrpc":"2.0","id":7,"result":{}}\n\n'


def ask(
    method: str = "POST",
    target: str = MCP_AT,
    *,
    body: bytes = CALL,
    headers: Headers = (),
    host: bytes = b"127.0.0.1:8045",
    by: Gateway | None = None,
) -> Story:
    """A story up to the upstream's request."""
    story = Story(by or gateway(setup()))
    typed = headers if any(name == b"content-type" for name, _ in headers) else (*JSON, *headers)
    story.open(method, target, headers=typed, body=b"" if method in ("GET", "HEAD", "DELETE") else body, host=host)
    return story


def listening(*, method: str = "GET", headers: Headers = ()) -> Story:
    """A story up to the head of an event stream."""
    story = ask(method, headers=headers)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    return story


def error(story: Story) -> Any:
    """The JSON-RPC error that the client gets."""
    answer = json.loads(story.body)
    assert answer.keys() == {"jsonrpc", "id", "error"}
    assert answer["jsonrpc"] == "2.0"
    assert answer["error"].keys() == {"code", "message"}
    assert story.headers[b"content-type"] == b"application/json"
    return answer


# On the way up.


@pytest.mark.parametrize("method", ANY)
def test_every_method_passes_once_with_the_key_and_its_body(method: str) -> None:
    story = ask(method)
    (request,) = story.requests.values()
    assert (request.method, request.target) == (method, b"/api/remote/mcp")
    fields = dict(request.headers)
    assert fields[b"host"] == b"mcp.example"
    assert fields[b"authorization"] == b"Bearer " + MCP_KEY.encode()
    assert request.body == (b"" if method in ("GET", "HEAD", "DELETE") else CALL)
    expected = None if method in ("GET", "HEAD", "DELETE") else b"%d" % len(CALL)
    assert fields.get(b"content-length") == expected
    assert sum(isinstance(effect, OpenUpstream) for effect in story.effects) == 1


def test_a_delete_with_a_body_keeps_it() -> None:
    story = Story(gateway(setup()))
    story.open("DELETE", MCP_AT, body=b"{}")
    assert story.requests[1].body == b"{}"
    assert dict(story.requests[1].headers)[b"content-length"] == b"2"


@pytest.mark.parametrize(
    "body",
    [
        CALL,
        b'[{"jsonrpc":"2.0","id":1,"method":"a"}, {"jsonrpc":"2.0","method":"b"}]',
        b"{not JSON",
        b"\xff\xfe",
        b'{"id":1,"id":2}',
        b"",
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
    ],
    ids=["call", "batch", "not JSON", "not text", "twice", "empty", "response"],
)
def test_no_body_is_touched_whatever_it_is(body: bytes) -> None:
    story = ask(body=body)
    assert story.requests[1].body == body
    assert dict(story.requests[1].headers)[b"content-length"] == b"%d" % len(body)
    story.upstream_answers(400, b"{ x")
    assert (story.status, story.body) == (400, b"{ x")


def test_a_body_in_pieces_is_put_together() -> None:
    story = Story(gateway(setup()))
    story.open("POST", MCP_AT, headers=JSON)
    for piece in (CALL[:9], CALL[9:]):
        story.tell(RequestData(piece))
    assert story.requests == {}
    story.tell(RequestEnd())
    assert story.requests[1].body == CALL


def test_what_the_transport_needs_goes_up_and_nothing_else() -> None:
    needed: Headers = (
        (b"accept", b"application/json, text/event-stream"),
        (b"content-type", b"application/json; charset=utf-8"),
        (b"user-agent", b"claude-code/2.1"),
        (b"mcp-session-id", b"!~abc"),
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"=?base64?w6k=?="),
        (b"mcp-param-region", b"eu"),
        (b"mcp-param-region", b"us"),
        (b"last-event-id", b"42"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"tracestate", b"vendor=x"),
    )
    others: Headers = (
        (b"authorization", b"Bearer gw-client"),
        (b"x-api-key", b"gw-client"),
        (b"x-goog-api-key", b"gw-client"),
        (b"cookie", b"a=b"),
        (b"origin", b"http://127.0.0.1:8045"),
        (b"referer", b"http://127.0.0.1:8045/"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"accept-encoding", b"gzip"),
        (b"accept-language", b"de"),
    )
    keys = Proxy(keys=(ClientKey(name="alice", key=Secret("gw-client")),))
    story = ask(headers=(*others, *needed), by=gateway(setup(proxy=keys)))
    up = tuple(field for field in story.requests[1].headers if field[0] != b"x-agcore-hop")
    assert up == (
        (b"host", b"mcp.example"),
        (b"authorization", b"Bearer " + MCP_KEY.encode()),
        (b"accept-encoding", b"identity"),
        *needed,
        (b"content-length", b"%d" % len(CALL)),
    )


def test_a_server_without_a_key_gets_none() -> None:
    story = ask(target="/mcp/keyless/mcp", headers=((b"authorization", b"Bearer anything"),))
    names = {name for name, _ in story.requests[1].headers}
    assert names == {b"host", b"accept-encoding", b"content-type", b"content-length", b"x-agcore-hop"}


@pytest.mark.parametrize(
    ("target", "up"),
    [
        (MCP_AT, b"/api/remote/mcp"),
        (MCP_AT + "/", b"/api/remote/mcp"),
        (MCP_AT + "?", b"/api/remote/mcp"),
        (MCP_AT + "?a=1&b=%20x+y&a=2", b"/api/remote/mcp?a=1&b=%20x+y&a=2"),
        (MCP_AT + "?flag&key=gw-client&z", b"/api/remote/mcp?flag&z"),
        ("/mcp/queried/mcp", b"/mcp?tenant=a"),
        ("/mcp/queried/mcp?b=2", b"/mcp?tenant=a&b=2"),
    ],
)
def test_the_query_passes_as_it_stands_without_credentials(target: str, up: bytes) -> None:
    assert ask(target=target).requests[1].target == up


# On the way down.


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("status", [200, 202, 204, 400, 404, 405, 406, 409, 415, 429, 500, 503])
def test_a_status_passes_with_its_headers_and_its_body(method: str, status: int) -> None:
    body = b"" if status in (202, 204) else b'{ "jsonrpc":"2.0","id":7,"result":{} }'
    down: Headers = (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"allow", b"GET, POST"),
        (b"retry-after", b"9"),
        (b"cache-control", b"no-store"),
        (b"mcp-session-id", b"!~abc"),
        (b"mcp-protocol-version", b"2025-11-25"),
    )
    ours: Headers = ((b"set-cookie", b"a=b"), (b"server", b"x"), (b"date", b"y"), (b"connection", b"close"))
    story = ask(method)
    story.upstream_answers(status, body, headers=(*down, *ours))
    assert (story.status, story.body, story.ended) == (status, body, True)
    id = story.headers[b"x-request-id"]
    assert story.head.headers == (*down, (b"x-request-id", id), (b"x-agcore-request-id", id))
    assert story.row["outcome"] == "ok"


def test_a_head_request_gets_no_body() -> None:
    story = ask("HEAD")
    story.upstream_answers(405, headers=((b"allow", b"POST"), (b"content-length", b"27")))
    assert (story.status, story.headers[b"content-length"]) == (405, b"27")
    assert not any(isinstance(effect, SendData) for effect in story.effects)
    refused = ask("HEAD", "/mcp/nobody/mcp")
    assert refused.status == 404
    assert int(refused.headers[b"content-length"]) > 0
    assert not any(isinstance(effect, SendData) for effect in refused.effects)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_event_stream_passes_unbuffered_and_uncached(method: str) -> None:
    story = ask(method, headers=((b"mcp-session-id", b"s1"),))
    story.tell(UpstreamConnected(1, reused=False))
    kind = (b"content-type", b"text/event-stream; charset=utf-8")
    session = (b"mcp-session-id", b"s1")
    story.tell(UpstreamHead(1, 200, (kind, (b"cache-control", b"max-age=9"), session)))
    assert story.head.headers == (
        kind,
        session,
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"x-request-id", story.headers[b"x-request-id"]),
        (b"x-agcore-request-id", story.headers[b"x-request-id"]),
    )
    for piece in (b"id: 1\nda", b"ta:\n\n: ping\n\n", MESSAGE):
        assert story.tell(UpstreamData(1, piece)) == [SendData(piece)]
    story.tell(UpstreamEnd(1))
    assert (story.ended, story.row["outcome"], story.row["mcp"]) == (True, "ok", "remote")
    assert story.gateway.buffered == 0


def test_an_answer_of_any_size_passes_without_being_held() -> None:
    story = ask(by=gateway(setup(limits=Limits(max_json_mb=0.001))))
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, JSON))
    for _ in range(99):
        story.tell(UpstreamData(1, b" " * 1000))
    story.tell(UpstreamEnd(1))
    assert story.row["bytes_out"] == 99_000


def test_a_listener_may_hear_nothing_for_a_day() -> None:
    story = listening()
    assert story.exchange.deadline is None
    story.wait(86_400)
    assert not story.finished
    assert story.body == b""
    story.tell(Written(None))
    story.tell(UpstreamData(1, MESSAGE))
    assert story.exchange.deadline is None
    assert story.body == MESSAGE


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_tool_may_take_a_day_to_answer(method: str) -> None:
    story = ask(method)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(86_400)
    assert not story.finished
    story.tell(UpstreamHead(1, 200, JSON))
    story.wait(86_400)
    story.tell(UpstreamData(1, b"{}"))
    story.tell(UpstreamEnd(1))
    assert (story.status, story.body) == (200, b"{}")


@pytest.mark.parametrize("phase", ["connecting", "waiting", "streaming"])
def test_a_client_that_leaves_closes_the_leg_and_says_nothing_to_the_server(phase: str) -> None:
    story = ask()
    if phase != "connecting":
        story.tell(UpstreamConnected(1, reused=False))
    if phase == "streaming":
        story.tell(UpstreamHead(1, 200, SSE))
    effects = story.tell(ClientGone())
    assert effects[0] == AbortUpstream(1)
    assert [type(effect).__name__ for effect in effects[1:]] == ["Emit", "Finish"]
    assert list(story.requests) == [1]


# On the way out.


@pytest.mark.parametrize(
    "story",
    [
        lambda: listening(),
        lambda: listening(method="POST", headers=((b"mcp-method", b"subscriptions/listen"),)),
    ],
    ids=["GET", "subscriptions/listen"],
)
def test_a_drain_ends_a_stream_without_an_end(story: Any) -> None:
    told = story()
    told.tell(UpstreamData(1, MESSAGE))
    effects = told.tell(DrainRequested())
    assert effects[:2] == [SendEnd(), AbortUpstream(1)]
    assert (told.finished, told.row["outcome"]) == (True, "ok")


def test_a_drain_sends_a_listener_that_still_waits_elsewhere() -> None:
    story = ask("GET")
    story.tell(DrainRequested())
    assert (story.status, story.headers[b"retry-after"]) == (503, b"1")
    assert error(story)["id"] is None


def test_a_drain_lets_everything_else_finish() -> None:
    call = listening(method="POST")
    waiting = ask("POST")
    refused = ask("GET")
    refused.tell(UpstreamConnected(1, reused=False))
    refused.tell(UpstreamHead(1, 405, ((b"content-length", b"2"),)))
    for story in (call, waiting, refused):
        assert story.tell(DrainRequested()) == []
        assert not story.finished
    refused.tell(UpstreamData(1, b"no"))
    refused.tell(UpstreamEnd(1))
    assert refused.body == b"no"


# What goes wrong.


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308, 401, 402, 403])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_troubles_of_the_gateways_own_are_told_in_words_that_the_client_understands(method: str, status: int) -> None:
    story = ask(method)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, status, ((b"location", b"https://evil.example"), (b"www-authenticate", b"Bearer"))))
    answer = error(story)
    refused = status > 400
    assert story.status == (424 if refused else 502)
    assert story.headers.get(b"x-should-retry") == (b"false" if refused else None)
    assert answer["id"] == (7 if method == "POST" else None)
    assert answer["error"]["code"] == -32603
    assert str(status) in answer["error"]["message"]
    assert "remote" in answer["error"]["message"]
    assert not {b"location", b"www-authenticate"} & story.headers.keys()
    assert MCP_KEY.encode() not in story.body
    assert AbortUpstream(1) in story.effects


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"a"}', 7),
        (b'{"jsonrpc":"2.0","id":"a-1","method":"a"}', "a-1"),
        (b'{"jsonrpc":"2.0","id":"\\ud83d","method":"a"}', "\ud83d"),
        (b'{"jsonrpc":"2.0","method":"notifications/cancelled"}', None),
        (b'{"jsonrpc":"2.0","id":7,"result":{}}', None),
        (b'[{"jsonrpc":"2.0","id":7,"method":"a"}]', None),
        (b'{"jsonrpc":"2.0","id":-9007199254740993,"method":"a"}', -9007199254740993),
        (b'{"jsonrpc":"2.0","id":1e2,"method":"a"}', None),
        (b'{"jsonrpc":"2.0","id":%d,"method":"a"}' % 10**30, 10**30),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', None),
        (b'{"jsonrpc":"2.0","id":[1],"method":"a"}', None),
        (b"not JSON", None),
        (b"", None),
    ],
)
def test_an_error_has_the_id_of_the_request_that_waits_for_it(body: bytes, shown: object) -> None:
    story = ask(body=body)
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, False, "mcp.example refused the connection"))
    answer = error(story)
    assert story.status == 502
    assert answer["id"] == shown
    assert answer["error"] == {"code": -32603, "message": "remote: mcp.example refused the connection"}


def test_a_server_that_cannot_be_reached_in_time_is_a_504() -> None:
    story = ask()
    story.wait(10)
    assert (story.status, error(story)["id"]) == (504, 7)


@pytest.mark.parametrize("method", ANY)
@pytest.mark.parametrize("stage", [Stage.SEND, Stage.HEAD])
@pytest.mark.parametrize("some", [Sent.PART, Sent.ALL])
def test_nothing_is_repeated_once_a_byte_of_it_was_sent(method: str, stage: Stage, some: Sent) -> None:
    story = ask(method)
    story.tell(UpstreamConnected(1, reused=True))
    story.tell(UpstreamFailed(1, stage, some, True, "closed"))
    assert list(story.requests) == [1]
    assert story.status == 502


def test_a_stale_connection_to_which_nothing_was_sent_is_replaced_once() -> None:
    story = ask()
    for leg in (1, 2):
        story.tell(UpstreamConnected(leg, reused=True))
        story.tell(UpstreamFailed(leg, Stage.SEND, Sent.NONE, True, "closed"))
    assert list(story.requests) == [1, 2]
    assert story.status == 502


def test_a_stream_that_breaks_off_is_broken_off_so_that_the_client_resumes_it() -> None:
    story = listening(method="POST")
    story.tell(UpstreamData(1, b"id: 1\ndata: {"))
    story.tell(UpstreamFailed(1, Stage.BODY, Sent.ALL, False, "reset"))
    assert AbortClient() in story.effects
    assert not story.ended
    assert story.body == b"id: 1\ndata: {"


def test_a_message_that_breaks_off_or_is_too_long_goes_nowhere() -> None:
    broken = Story(gateway(setup()))
    broken.open("POST", MCP_AT, headers=JSON)
    broken.tell(RequestData(CALL))
    broken.tell(RequestBroken("a short body"))
    assert (broken.status, error(broken)["error"]["code"], broken.requests) == (400, -32600, {})
    long = Story(gateway(setup(limits=Limits(max_json_mb=0.001))))
    long.open("PUT", MCP_AT, headers=JSON)
    long.tell(RequestData(b" " * 2000))
    assert (long.status, long.requests) == (413, {})


# Who may ask, and for what.


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("nobody", 404, "add [mcp.nobody] with a url to the configuration"),
    ],
)
@pytest.mark.parametrize("method", ANY)
def test_a_server_that_is_not_there_says_why_before_any_body(method: str, name: str, status: int, words: str) -> None:
    story = Story(gateway(setup()))
    story.open(method, f"/mcp/{name}/mcp", headers=JSON)
    assert (story.status, story.finished, story.requests) == (status, True, {})
    if method != "HEAD":
        assert words in error(story)["error"]["message"]
    assert story.exchange.state is State.DONE


@pytest.mark.parametrize("method", ANY)
@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        (b"rebound.example", (), 421),
        (b"", (), 421),
        (b"127.0.0.1:8045", ((b"origin", b"https://evil.example"),), 403),
        (b"127.0.0.1:8045", ((b"sec-fetch-site", b"cross-site"),), 403),
    ],
)
@pytest.mark.parametrize("name", ["remote", "nobody"])
def test_a_web_page_is_refused_before_anything_else_even_with_a_key(
    name: str, method: str, host: bytes, headers: Headers, status: int
) -> None:
    keys = gateway(setup(proxy=Proxy(keys=(ClientKey(name="alice", key=Secret("gw-client")),))))
    credential = (b"authorization", b"Bearer gw-client")
    for each in (None, keys):
        story = ask(method, f"/mcp/{name}/mcp", host=host, headers=(*headers, credential), by=each)
        assert (story.status, story.requests) == (status, {})


def test_a_stranger_is_refused_before_anything_else() -> None:
    keys = gateway(setup(proxy=Proxy(auth_mode="strict", keys=(ClientKey(name="alice", key=Secret("gw-client")),))))
    for name in ("remote", "nobody"):
        story = Story(keys, peer=Peer("192.168.1.9"))
        story.open("GET", f"/mcp/{name}/mcp")
        assert (story.status, story.headers[b"www-authenticate"]) == (401, b"Bearer")
