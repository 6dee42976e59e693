"""MCP servers with `auth = "client"`: whose credential goes where, and how a client finds the way to a token."""

from __future__ import annotations

import json
from typing import Final

import msgspec
import pytest

from agcore import AbortUpstream, Gateway, Peer, Stage, UpstreamConnected, UpstreamData, UpstreamHead
from agcore.config.values import ClientKey, Proxy, Secret
from agcore.mcp.oauth_metadata import upstream_targets, with_metadata
from agcore.mcp.operations.metadata import MAX_DOCUMENT
from agcore.protocol.http import Headers
from agcore_sim.story import EPOCH, JSON, Story, gateway
from tests.support.edges import MCP_KEY, setup

PUBLIC: Final = "https://gw.example"
KEYS: Final = (
    ClientKey(name="alice", key=Secret("gw-client")),
    ClientKey(name="old", key=Secret("gw-expired"), expires=EPOCH - 1),
)
OPEN: Final = Proxy(public_url=PUBLIC, keys=KEYS)
GUARDED: Final = Proxy(public_url=PUBLIC, keys=KEYS, auth_mode="all_except_health")
AT: Final = "/mcp/oauth/mcp"
METADATA: Final = "/.well-known/oauth-protected-resource/mcp/{}/mcp"
TOKEN: Final = (b"authorization", b"Bearer token-of-the-server")
DOCUMENT: Final = {
    "resource": "https://mcp.example/api/remote/mcp",
    "authorization_servers": ["https://login.example"],
    "scopes_supported": ["tools"],
    "future": [1, {"a": None}],
}


def ask(headers: Headers = (), *, target: str = AT, proxy: Proxy = OPEN, by: Gateway | None = None) -> Story:
    story = Story(by or gateway(setup(proxy=proxy)))
    story.open("POST", target, headers=(*JSON, *headers), body=b"{}")
    return story


def look(name: str = "oauth", *, headers: Headers = (), proxy: Proxy = OPEN, method: str = "GET") -> Story:
    """A story up to the first question for a server's metadata."""
    story = Story(gateway(setup(proxy=proxy)))
    story.open(method, METADATA.format(name), headers=headers, body=b"")
    return story


def up(story: Story) -> dict[bytes, bytes]:
    (request,) = story.requests.values()
    return dict(request.headers)


# Whose credential goes up.


def test_the_clients_authorization_passes_to_the_letter() -> None:
    for value in (TOKEN[1], b"bearer  two  spaces", b"Basic dTpw", b"DPoP abc", b"token"):
        fields = up(ask(((b"authorization", value),)))
        assert fields[b"authorization"] == value
        assert b"x-api-key" not in fields


def test_a_key_of_the_gateways_goes_beside_it() -> None:
    fields = up(ask((TOKEN,), target="/mcp/both/mcp"))
    assert (fields[b"authorization"], fields[b"x-api-key"]) == (TOKEN[1], MCP_KEY.encode())
    assert up(ask(target="/mcp/both/mcp")).keys() == fields.keys() - {b"authorization"}


def test_a_server_with_a_key_sees_nothing_of_the_clients() -> None:
    assert up(ask((TOKEN,), target="/mcp/remote/mcp"))[b"authorization"] == b"Bearer " + MCP_KEY.encode()
    assert b"authorization" not in up(ask((TOKEN,), target="/mcp/keyless/mcp"))


@pytest.mark.parametrize("form", ["Bearer {}", "bearer   {} ", "{}", "Basic {}", "Token {}"])
@pytest.mark.parametrize("key", ["gw-client", "gw-expired"])
def test_a_key_for_the_gateway_never_goes_up(form: str, key: str) -> None:
    story = ask(((b"authorization", form.format(key).encode()), (b"x-api-key", b"gw-client")))
    (request,) = story.requests.values()
    assert not any(b"gw-" in value for _, value in request.headers)
    assert not {b"authorization", b"x-api-key", b"x-goog-api-key"} & up(story).keys()


@pytest.mark.parametrize("header", [b"x-api-key", b"x-goog-api-key"])
def test_the_gateway_is_shown_its_key_in_another_header(header: bytes) -> None:
    story = ask((TOKEN, (header, b"gw-client")), proxy=GUARDED)
    assert story.requests[1].headers[1:3] == ((b"accept-encoding", b"identity"), TOKEN)
    assert story.exchange.request.client == "alice"
    assert header not in up(story)


# What a client without a key for the gateway hears.


@pytest.mark.parametrize("path", [AT, "/mcp/oauth/messages"])
def test_a_refusal_says_where_the_key_goes_and_where_the_metadata_are(path: str) -> None:
    story = ask((TOKEN,), target=path, proxy=GUARDED)
    assert (story.status, story.requests) == (401, {})
    url = f"{PUBLIC}{METADATA.format('oauth')}"
    assert story.headers[b"www-authenticate"] == f'Bearer resource_metadata="{url}"'.encode()
    message = json.loads(story.body)["error"]["message"]
    assert "`x-api-key`" in message
    assert "`Authorization` is for the MCP server" in message


@pytest.mark.parametrize(
    ("proxy", "path"),
    [
        (msgspec.structs.replace(GUARDED, public_url=""), AT),
        (msgspec.structs.replace(GUARDED, auth_mode="strict"), AT),
        (GUARDED, "/mcp/remote/mcp"),
        (GUARDED, "/mcp/nobody/mcp"),
        (GUARDED, "/v1/models"),
    ],
    ids=["no public URL", "strict", "a server with a key", "no server", "no MCP"],
)
def test_a_refusal_shows_no_metadata_that_nobody_could_read(proxy: Proxy, path: str) -> None:
    story = ask((TOKEN,), target=path, proxy=proxy)
    assert (story.status, story.headers[b"www-authenticate"]) == (401, b"Bearer")


# What the server refuses.


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("path", [AT, "/mcp/both/mcp"])
def test_the_servers_refusal_passes_with_the_way_to_our_metadata(status: int, path: str) -> None:
    story = ask(target=path)
    challenges = (
        b'Bearer error="invalid_token", resource_metadata="https://mcp.example/.well-known/x", scope="a b"',
        b'Basic realm="x"',
    )
    story.upstream_answers(
        status, b"whatever it says", headers=tuple((b"www-authenticate", value) for value in challenges)
    )
    url = PUBLIC + METADATA.format(path.split("/")[2])
    assert (story.status, story.body) == (status, b"whatever it says")
    assert [value.decode() for name, value in story.head.headers if name == b"www-authenticate"] == [
        f'Bearer error="invalid_token", resource_metadata="{url}", scope="a b"',
        'Basic realm="x"',
    ]


def test_without_a_public_url_the_challenge_stays_as_it_is() -> None:
    story = ask(proxy=msgspec.structs.replace(OPEN, public_url=""))
    value = b'Bearer resource_metadata="https://mcp.example/m"'
    story.upstream_answers(401, headers=((b"www-authenticate", value),))
    assert story.headers[b"www-authenticate"] == value


def test_a_redirect_is_still_not_followed() -> None:
    story = ask()
    story.upstream_answers(307, headers=((b"location", b"https://evil.example"),))
    assert story.status == 502
    assert b"location" not in story.headers


def test_a_challenge_to_the_gateways_own_key_is_not_passed() -> None:
    story = ask(target="/mcp/remote/mcp")
    story.upstream_answers(404, headers=((b"www-authenticate", b"Bearer"),))
    assert story.status == 404
    assert b"www-authenticate" not in story.headers


@pytest.mark.parametrize(
    ("challenge", "rewritten"),
    [
        (b'Bearer resource_metadata="https://a/b"', b'Bearer resource_metadata="https://g/m"'),
        (b"Bearer Resource_Metadata = https://a/b, x=1", b'Bearer Resource_Metadata = "https://g/m", x=1'),
        (b'Bearer resource_metadata=""', b'Bearer resource_metadata="https://g/m"'),
        (b'Bearer resource_metadata="a\\"b", x="c"', b'Bearer resource_metadata="https://g/m", x="c"'),
        (b'Bearer resource_metadata="never ends', b'Bearer resource_metadata="https://g/m"'),
        (
            b'A resource_metadata="x", B resource_metadata="y"',
            b'A resource_metadata="https://g/m", B resource_metadata="https://g/m"',
        ),
    ],
)
def test_the_way_to_the_metadata_is_found_however_it_is_spelled(challenge: bytes, rewritten: bytes) -> None:
    assert with_metadata(challenge, "https://g/m") == rewritten


@pytest.mark.parametrize(
    "challenge",
    [
        b"Bearer",
        b"",
        b'Bearer error_description="see resource_metadata=https://a/b"',
        b'Bearer error_description="\\" resource_metadata=x"',
        b'Bearer realm="resource_metadata=x',
        b'Bearer x_resource_metadata="a", my-resource_metadata="b"',
        b"Bearer resource_metadata",
    ],
)
def test_nothing_else_in_a_challenge_is_touched(challenge: bytes) -> None:
    assert with_metadata(challenge, "https://g/m") == challenge


def test_a_long_challenge_takes_no_longer_for_being_odd() -> None:
    for piece in (b'"\\', b'"', b"resource_metadata", b"resource_metadata="):
        assert with_metadata(piece * 10_000, "https://g/m")


def test_a_web_page_that_may_read_answers_sees_the_challenge_and_the_session() -> None:
    story = ask(
        ((b"origin", b"https://app.example"),),
        proxy=msgspec.structs.replace(OPEN, cors_origins=("https://app.example",)),
    )
    story.upstream_answers(401, headers=((b"www-authenticate", b"Bearer"), (b"mcp-session-id", b"s")))
    exposed = story.headers[b"access-control-expose-headers"].split(b", ")
    assert {b"www-authenticate", b"mcp-session-id"} <= set(exposed) & {*story.headers}


# Metadata.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_metadata_are_the_servers_own_with_the_gateways_url(method: str) -> None:
    story = look(headers=(TOKEN, (b"x-api-key", b"gw-client")), method=method)
    assert story.requests[1].target == b"/.well-known/oauth-protected-resource/api/remote/mcp"
    up = dict(story.requests[1].headers)
    assert len(up.pop(b"x-agcore-hop")) == 12
    assert up == {
        b"host": b"mcp.example",
        b"accept-encoding": b"identity",
        b"accept": b"application/json",
        b"user-agent": b"agcore",
    }
    story.upstream_answers(200, (json.dumps(DOCUMENT).encode()[:40], json.dumps(DOCUMENT).encode()[40:]))
    assert (story.status, story.headers[b"content-type"]) == (200, b"application/json")
    if method == "GET":
        assert json.loads(story.body) == {**DOCUMENT, "resource": f"{PUBLIC}{AT}"}
    assert story.row["mcp"] == "oauth"


def test_a_key_for_the_server_is_not_shown_where_everybody_may_ask() -> None:
    fields = up(look("both"))
    assert not any(MCP_KEY.encode() in value for value in fields.values())


def test_metadata_are_below_a_public_url_with_a_path() -> None:
    proxy = msgspec.structs.replace(GUARDED, public_url="https://example.org/gateway")
    refused = ask(proxy=proxy)
    url = f"https://example.org/gateway{METADATA.format('oauth')}"
    assert refused.headers[b"www-authenticate"] == f'Bearer resource_metadata="{url}"'.encode()
    story = look(proxy=proxy)
    story.upstream_answers(200, b"{}")
    assert json.loads(story.body) == {"resource": "https://example.org/gateway/mcp/oauth/mcp"}


def test_what_the_server_signed_for_its_own_url_is_left_out() -> None:
    story = look()
    story.upstream_answers(200, json.dumps({**DOCUMENT, "signed_metadata": "a.b.c"}).encode())
    assert json.loads(story.body) == {**DOCUMENT, "resource": f"{PUBLIC}{AT}"}


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_what_is_not_found_below_the_path_is_looked_for_at_the_root(status: int) -> None:
    story = look()
    story.upstream_answers(status, b"no")
    assert AbortUpstream(1) in story.effects
    assert [request.target for request in story.requests.values()] == [
        b"/.well-known/oauth-protected-resource/api/remote/mcp",
        b"/.well-known/oauth-protected-resource",
    ]
    story.upstream_answers(200, json.dumps(DOCUMENT).encode())
    assert story.status == 200


def test_a_server_without_metadata_has_none_here() -> None:
    story = look("root")
    assert story.requests[1].target == b"/.well-known/oauth-protected-resource"
    story.upstream_answers(404)
    assert story.status == 404
    assert "the MCP server 'root' publishes no OAuth metadata (404)" in story.body.decode()


@pytest.mark.parametrize("status", [204, 206, 301, 302, 500, 503])
def test_a_server_that_fails_to_tell_is_a_502(status: int) -> None:
    story = look()
    story.upstream_answers(status, b"{}", headers=((b"location", b"https://evil.example"),))
    assert (story.status, list(story.requests)) == (502, [1])
    assert str(status) in json.loads(story.body)["error"]["message"]


@pytest.mark.parametrize("document", [b"", b"[]", b'"x"', b"{", b"\xff", b"<html>", b"[" * 50_000])
def test_a_document_that_is_none_is_a_502(document: bytes) -> None:
    story = look()
    story.upstream_answers(200, document)
    assert story.status == 502
    assert "not a JSON object" in json.loads(story.body)["error"]["message"]


def test_a_document_without_an_end_is_a_502() -> None:
    story = look()
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamData(1, b" " * MAX_DOCUMENT))
    assert not story.finished
    story.tell(UpstreamData(1, b" "))
    assert story.status == 502
    assert AbortUpstream(1) in story.effects


def test_a_server_that_cannot_be_reached_is_a_502() -> None:
    story = look()
    story.upstream_breaks(stage=Stage.CONNECT)
    assert story.status == 502


@pytest.mark.parametrize("name", ["remote", "keyless", "eyes", "nobody"])
def test_no_other_server_has_metadata_and_nobody_learns_which_there_are(name: str) -> None:
    story = look(name, proxy=GUARDED)
    assert (story.status, story.requests) == (404, {})
    assert json.loads(story.body)["error"]["message"] == f'no MCP server with auth = "client" is called {name!r}'


def test_without_a_public_url_there_are_no_metadata() -> None:
    story = look(proxy=msgspec.structs.replace(OPEN, public_url=""))
    assert (story.status, story.requests) == (404, {})
    assert "set proxy.public_url" in story.body.decode()


def test_metadata_are_open_unless_the_mode_is_strict() -> None:
    for peer in ("127.0.0.1", "192.168.1.9"):
        for mode, status in (("auto", 0), ("off", 0), ("all_except_health", 0), ("strict", 401)):
            story = Story(gateway(setup(proxy=msgspec.structs.replace(GUARDED, auth_mode=mode))), peer=Peer(peer))
            story.open("GET", METADATA.format("oauth"))
            assert story.finished == bool(status)
            assert not status or story.status == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", METADATA.format("oauth")),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/mcp//mcp"),
        ("GET", "/.well-known/oauth-protected-resource/mcp/a/b/mcp"),
        ("GET", "/.well-known/oauth-protected-resource/mcp/mcp"),
        ("GET", "/.well-known/oauth-protected-resource/mcp/oauth/messages"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known"),
    ],
)
def test_nothing_beside_metadata_is_open(method: str, path: str) -> None:
    story = Story(gateway(setup(proxy=GUARDED)))
    story.open(method, path, headers=JSON)
    assert story.status == 401


@pytest.mark.parametrize(
    ("target", "places"),
    [
        (b"/mcp", (b"/.well-known/oauth-protected-resource/mcp", b"/.well-known/oauth-protected-resource")),
        (b"/mcp/", (b"/.well-known/oauth-protected-resource/mcp", b"/.well-known/oauth-protected-resource")),
        (b"/a?b=/c/", (b"/.well-known/oauth-protected-resource/a?b=/c/", b"/.well-known/oauth-protected-resource")),
        (b"/?b=c", (b"/.well-known/oauth-protected-resource?b=c", b"/.well-known/oauth-protected-resource")),
        (b"/", (b"/.well-known/oauth-protected-resource",)),
    ],
)
def test_metadata_are_looked_for_where_rfc_9728_puts_them(target: bytes, places: tuple[bytes, ...]) -> None:
    assert upstream_targets(target) == places
