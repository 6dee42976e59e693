"""The transport of the MCP revision 2024-11-05: the `endpoint` event, and the messages that are posted there."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urljoin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import AbortClient, Gateway, SendData, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.codecs.sse import Decoder
from agcore.config.values import Config, McpServer, Proxy
from agcore.machines.ids import Ids
from agcore.mcp.http_sse_endpoint import reference, upstream_target
from agcore.protocol.http import Headers
from agcore_sim.story import JSON, SECRET, SSE, Story, gateway
from tests.support.edges import MCP_KEY, setup

AT: Final = "/mcp/older/mcp"
MESSAGE: Final = b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\r\n\r\n'


def listening(target: str = AT, *, by: Gateway | None = None, headers: Headers = ()) -> Story:
    story = Story(by or gateway(setup()))
    story.open("GET", target, headers=headers, body=b"")
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    return story


def told(data: str, *, at: str = AT, by: Gateway | None = None) -> str:
    """What a client is told where the server says `data`."""
    story = listening(at, by=by)
    story.tell(UpstreamData(1, f"event: endpoint\ndata: {data}\n\n".encode()))
    (frame,) = Decoder().feed(story.body)
    assert (frame.event, frame.id) == ("endpoint", None)
    assert frame.data is not None
    return frame.data.decode()


def post(target: str, *, by: Gateway | None = None, method: str = "POST") -> Story:
    story = Story(by or gateway(setup()))
    story.open(method, target, headers=JSON, body=b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    return story


def server(config: Config, name: str = "older") -> McpServer:
    return next(each for each in config.mcp if each.name == name)


@pytest.mark.parametrize(
    ("data", "up"),
    [
        ("/messages/?session_id=ab%20c", b"/messages/?token=sesame&b=2&session_id=ab%20c"),
        ("messages?session_id=1", b"/v1/messages?token=sesame&b=2&session_id=1"),
        ("../m?s=1", b"/m?token=sesame&b=2&s=1"),
        ("?s=1", b"/v1/sse?token=sesame&b=2&s=1"),
        ("https://mcp.example/m?s=1", b"/m?token=sesame&b=2&s=1"),
        ("HTTPS://MCP.example:443/m/", b"/m/?token=sesame&b=2"),
        ("//mcp.example/m", b"/m?token=sesame&b=2"),
        ("/m?token=sesame&s=1&b=2", b"/m?token=sesame&b=2&s=1"),
        ("/m?to=x&key=y&token=other", b"/m?token=sesame&b=2&to=x&key=y&token=other"),
    ],
)
def test_what_the_server_names_is_reached_by_what_the_client_is_told(data: str, up: bytes) -> None:
    shared = gateway(setup())
    client_url = urljoin(f"http://127.0.0.1:8045{AT}", told(data, by=shared))
    assert client_url.startswith("http://127.0.0.1:8045/mcp/older/messages?to=")
    story = post(client_url.removeprefix("http://127.0.0.1:8045"), by=shared)
    (request,) = story.requests.values()
    assert (request.method, request.target) == ("POST", up)
    assert request.origin.host == "mcp.example"
    assert dict(request.headers)[b"authorization"] == b"Bearer " + MCP_KEY.encode()
    assert request.body == b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    story.upstream_answers(202, b"Accepted", headers=((b"content-type", b"text/plain"),))
    assert (story.status, story.body) == (202, b"Accepted")


def test_a_credential_in_the_configured_url_never_comes_down() -> None:
    client_url = told("/m?token=sesame&s=1")
    assert b"sesame" not in bytes.fromhex(client_url.partition("to=")[2])


def test_a_public_url_with_a_path_is_in_front() -> None:
    proxied = gateway(setup(proxy=Proxy(public_url="https://example.org/gateway")))
    assert told("/m", by=proxied).startswith("/gateway/mcp/older/messages?to=")


def test_the_clients_own_credential_goes_with_its_messages() -> None:
    config = setup()
    config = msgspec.structs.replace(
        config, mcp=(msgspec.structs.replace(server(config, "oauth"), name="older", url="https://mcp.example/sse"),)
    )
    shared = gateway(config)
    story = Story(shared)
    token = (b"authorization", b"Bearer token")
    story.open("POST", told("/m?s=1", by=shared), headers=(*JSON, token), body=b"{}")
    assert token in story.requests[1].headers
    story.upstream_answers(401, headers=((b"www-authenticate", b"Bearer"),))
    assert (story.status, story.headers[b"www-authenticate"]) == (401, b"Bearer")


@pytest.mark.parametrize(
    "data",
    [
        "https://evil.example/m",
        "//evil.example/m",
        "http://mcp.example/m",
        "https://mcp.example:8443/m",
        "https://mcp.example@evil.example/m",
        "https://user@mcp.example/m",
        "javascript:alert(1)",
        "/m#fragment",
        "/m n",
        "/m\u00e9",
        "https://[::1/m",
    ],
)
def test_a_stream_that_names_another_origin_or_no_url_is_broken_off(data: str) -> None:
    story = listening()
    effects = story.tell(UpstreamData(1, f"event: endpoint\ndata: {data}\n\n".encode()))
    assert AbortClient() in effects
    assert story.body == b""
    assert story.row["outcome"] == "error"
    assert "the stream of the MCP server 'older' is broken off" in str(story.row["error"])


def test_an_event_without_bounds_breaks_the_stream_off() -> None:
    story = listening()
    while not story.finished:
        story.tell(UpstreamData(1, b"a" * 2**22))
        assert len(story.effects) < 30
    assert AbortClient() in story.effects


def test_everything_else_in_the_stream_keeps_its_bytes() -> None:
    frames = (
        b": welcome\n\n",
        b"event: endpoint\ndata: /m?s=1\n\n",
        b": ping - 2024-11-05 00:00:00\r\n\r\n",
        MESSAGE,
        b"id: 7\nretry: 10\n\n",
        b'event: message\ndata: {"a":\ndata: 1}\n\n',
        b"event: endpoint\n\n",
        b"\n",
        b"data: endpoint\n\n",
    )
    stream = b"".join(frames)
    whole = listening()
    whole.tell(UpstreamData(1, stream))
    endpoint = told("/m?s=1").encode()
    assert whole.body == stream.replace(b"/m?s=1", endpoint)
    for size in (1, 7, 64):
        cut = listening()
        for at in range(0, len(stream), size):
            cut.tell(UpstreamData(1, stream[at : at + size]))
        cut.tell(UpstreamEnd(1))
        assert cut.body == whole.body
        assert cut.row["outcome"] == "ok"


def test_a_keepalive_passes_at_once() -> None:
    story = listening()
    assert story.tell(UpstreamData(1, b": ping\n\n")) == [SendData(b": ping\n\n")]
    assert story.exchange.deadline is None


def test_a_session_of_the_newer_transport_is_not_looked_into() -> None:
    story = listening(headers=((b"mcp-session-id", b"s"),))
    piece = b"event: endpoint\ndata: https://evil.example\n"
    assert story.tell(UpstreamData(1, piece)) == [SendData(piece)]


# Nothing but what the server announced can be reached.


@pytest.mark.parametrize("token", ["", "to", "zz", "00", "00" * 16, "\u00e9", "2f6d"])
def test_a_made_up_url_is_refused_before_any_body(token: str) -> None:
    story = Story(gateway(setup()))
    story.open("POST", f"/mcp/older/messages?to={token}", headers=JSON)
    assert (story.status, story.requests) == (404, {})
    assert "open its event stream anew" in json.loads(story.body)["error"]["message"]


def test_an_altered_url_is_refused() -> None:
    token = bytes.fromhex(told("/messages?s=1").partition("to=")[2])
    for at in range(len(token)):
        altered = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        assert post(f"/mcp/older/messages?to={altered.hex()}").status == 404
    assert post(f"/mcp/older/messages?to={token.hex()}2f").status == 404
    assert post(f"/mcp/older/messages?to={token.hex()}").requests


def test_a_url_is_good_for_its_server_and_its_gateway_only() -> None:
    client_url = told("/m?s=1")
    assert post(client_url.replace("older", "remote")).status == 404
    assert post(client_url, by=Gateway(setup(), secret=bytes(32), now=0)).status == 404
    moved = setup()
    moved = msgspec.structs.replace(
        moved, mcp=(msgspec.structs.replace(server(moved), url="https://elsewhere.example/v1/sse"),)
    )
    assert post(client_url, by=gateway(moved)).status == 404
    assert post(client_url).requests


@pytest.mark.parametrize(("name", "status"), [("nobody", 404), ("eyes", 400)], ids=["no such server", "a built-in one"])
def test_there_must_be_a_server(name: str, status: int) -> None:
    assert post(f"/mcp/{name}/messages?to=00").status == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_messages_are_posted(method: str) -> None:
    story = post(told("/m"), method=method)
    assert (story.status, story.headers[b"allow"]) == (405, b"POST")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_whatever_is_announced_stays_at_the_configured_origin(data: str) -> None:
    config = setup()
    ids = Ids(SECRET)
    try:
        found = reference(data.encode(), server(config), public_url="", digest=ids)
    except ValueError:
        return
    target = upstream_target(found.decode().partition("to=")[2], server(config), digest=ids)
    assert target is not None
    assert target.startswith(b"/")
    assert target.isascii()
    assert target.decode().isprintable()
    assert b" " not in target
