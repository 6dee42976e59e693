"""The client's side: what a scope means, and which messages a list of effects becomes."""

from __future__ import annotations

from typing import Any

import pytest

from agcore.protocol.effects import AbortUpstream, Finish, SendData, SendEnd, SendHead
from agcore.protocol.http import Peer
from agcore.protocol.inputs import ClientGone, RequestData, RequestEnd
from agcore_asgi.connection import Connection, headers_of, peer_of, render, target_of
from tests.support.backends import on_both_loops


def scope(**changes: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/", "headers": [], **changes}


@pytest.mark.parametrize(
    ("raw_path", "query", "target"),
    [
        (b"/v1/models", b"", b"/v1/models"),
        (b"/v1/models", b"limit=2&after=a%20b", b"/v1/models?limit=2&after=a%20b"),
        (b"/v1beta/models/a%2Fb%3AgenerateContent", b"", b"/v1beta/models/a%2Fb%3AgenerateContent"),
        (b"//v1//models/", b"", b"//v1//models/"),
        (b"/v1/models?already=here", b"limit=2", b"/v1/models?limit=2"),
    ],
)
def test_the_target_has_the_bytes_of_the_request_line(raw_path: bytes, query: bytes, target: bytes) -> None:
    assert target_of(scope(path="/decoded", raw_path=raw_path, query_string=query)) == target


@pytest.mark.parametrize("changes", [{}, {"raw_path": None}])
def test_without_a_raw_path_the_decoded_one_is_encoded_again(changes: dict[str, Any]) -> None:
    target = target_of(scope(path="/v1/models/ä b:x%", query_string=b"k=1", **changes))
    assert target == b"/v1/models/%C3%A4%20b:x%25?k=1"


@pytest.mark.parametrize(
    ("root_path", "raw_path", "target"),
    [
        ("/llm", b"/llm/v1/models", b"/v1/models"),
        ("/llm/", b"/llm/v1/models", b"/v1/models"),
        ("/a/b", b"/a/b/v1", b"/v1"),
        ("/llm", b"/llm", b"/"),
        ("/llm", b"/llm/", b"/"),
        ("/llm", b"/llmx/v1", b"/llmx/v1"),
        ("/llm", b"/v1/models", b"/v1/models"),
        ("/a/b", b"/a/v1", b"/a/v1"),
        ("/m\u00fc", b"/m%c3%bc/v1", b"/v1"),
        ("/a/b", b"/a%2Fb/v1", b"/a%2Fb/v1"),
        ("", b"/v1", b"/v1"),
        ("/", b"/v1", b"/v1"),
    ],
)
def test_the_mount_point_is_removed_only_as_whole_segments(root_path: str, raw_path: bytes, target: bytes) -> None:
    assert target_of(scope(raw_path=raw_path, root_path=root_path)) == target


def test_header_names_are_lower_case_and_keep_their_order() -> None:
    fields = [(b"Host", b"h"), (b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3")]
    assert headers_of(fields) == ((b"host", b"h"), (b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"))


def test_authority_stands_in_for_a_missing_host() -> None:
    assert headers_of([(b":method", b"GET"), (b":authority", b"h"), (b"a", b"1")]) == ((b"host", b"h"), (b"a", b"1"))
    assert headers_of([(b":authority", b"x"), (b"host", b"h")]) == ((b"host", b"h"),)


@pytest.mark.parametrize(
    ("client", "host"), [(("10.0.0.1", 9), "10.0.0.1"), (["::1", 9], "::1"), (None, None), (("", 0), None)]
)
def test_the_peer_is_the_clients_address_where_there_is_one(client: Any, host: str | None) -> None:
    assert peer_of(scope(client=client)) == Peer(host)


def test_a_scope_without_client_has_an_unknown_peer() -> None:
    assert peer_of(scope()) == Peer(None)


class Transcript:
    """Both callables of a scope: gives `incoming` and keeps what is sent."""

    def __init__(self, *incoming: dict[str, Any]) -> None:
        self.incoming = list(incoming)
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        return self.incoming.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


@on_both_loops
async def test_a_body_in_pieces_ends_with_its_last_piece() -> None:
    script = Transcript(
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"c"},
    )
    connection = Connection(scope(), script.receive, script.send)
    assert await connection.read() == [RequestData(b"ab")]
    assert await connection.read() == []
    assert not connection.request_complete
    assert await connection.read() == [RequestData(b"c"), RequestEnd()]
    assert connection.request_complete


@on_both_loops
async def test_messages_after_the_body_mean_nothing_and_a_disconnect_counts_once() -> None:
    script = Transcript(
        {"type": "http.request"}, {"type": "http.request"}, {"type": "http.disconnect"}, {"type": "http.disconnect"}
    )
    connection = Connection(scope(), script.receive, script.send)
    assert [await connection.read() for _ in range(4)] == [[RequestEnd()], [], [ClientGone()], []]


@on_both_loops
async def test_a_whole_answer_is_two_messages() -> None:
    script = Transcript()
    connection = Connection(scope(), script.receive, script.send)
    effects = [SendHead(200, ((b"a", b"1"),)), SendData(b"x"), SendData(b"y"), SendEnd(), Finish()]
    assert await connection.write(render(effects), seconds=None)
    assert script.sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]},
        {"type": "http.response.body", "body": b"xy", "more_body": False},
    ]
    assert not connection.broken


def test_effects_for_others_are_no_messages() -> None:
    assert render([AbortUpstream(1), Finish()]) == []


@on_both_loops
async def test_a_head_that_comes_alone_is_followed_by_an_empty_piece() -> None:
    script = Transcript()
    connection = Connection(scope(), script.receive, script.send)
    await connection.write(render([SendHead(200, ())]), seconds=None)
    assert script.sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": True}]
    assert connection.broken
    await connection.write(render([SendEnd()]), seconds=None)
    assert script.sent[2:] == [{"type": "http.response.body", "body": b"", "more_body": False}]
    assert not connection.broken


@on_both_loops
async def test_a_disconnect_after_the_whole_answer_is_no_news() -> None:
    script = Transcript({"type": "http.disconnect"})
    connection = Connection(scope(), script.receive, script.send)
    await connection.write(render([SendHead(204, ()), SendEnd()]), seconds=None)
    assert not connection.disconnected
    assert await connection.read() == []
    assert connection.disconnected


@on_both_loops
async def test_a_server_that_cannot_send_any_more_means_that_the_client_is_gone() -> None:
    async def send(message: Any) -> None:
        raise ConnectionResetError

    connection = Connection(scope(), Transcript().receive, send)
    assert not await connection.write(render([SendHead(200, ())]), seconds=None)
    assert not await connection.write(render([SendData(b"x")]), seconds=None)
    assert not connection.broken
