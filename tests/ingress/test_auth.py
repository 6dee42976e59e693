"""Who may use the gateway. The cases are tests/support/auth_matrix.py; frontends are sent the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import Config, Headers, Peer, RequestHead, SendData, SendHead
from agcore.codecs.request_target import parse
from agcore.config.values import ClientKey, Endpoint, Provider, Proxy, Secret
from agcore.ingress.auth import Admission, Guard
from agcore.machines.ids import Ids
from agcore.protocol.fault import Fault
from agcore.protocol.http import Origin
from agcore_sim.story import SECRET, Story, gateway
from tests.support.auth_matrix import (
    ADMITTED,
    BAD,
    BROWSER_CASES,
    CONFIGS,
    CREDENTIAL_CASES,
    FORMS,
    GOOD,
    NOW,
    SITUATIONS,
    Case,
    matrix,
    show,
    targets,
)

GATEWAYS: Final = {name: gateway(config) for name, config in CONFIGS.items()}
CASES: Final = tuple(matrix())
GUARD_STATUSES: Final = (401, 403, 421)


def answer(case: Case) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, header fields and body of what comes back for the head alone; status 0 when the body is waited for."""
    host: Headers = () if case.host is None else ((b"host", case.host),)
    head = RequestHead(method=case.method, target=case.target.encode(), headers=(*host, *case.headers))
    exchange, effects = GATEWAYS[case.config].open(head, Peer(case.peer), now=NOW)
    body = b"".join(effect.data for effect in effects if isinstance(effect, SendData))
    exchange.abandon(now=NOW)
    for effect in effects:
        if isinstance(effect, SendHead):
            return effect.status, dict(effect.headers), body
    return 0, {}, body


def check(case: Case) -> None:
    status, headers, body = answer(case)
    if case.expected == ADMITTED:
        assert status not in GUARD_STATUSES, case
        return
    assert status == case.expected, case
    assert headers.get(b"www-authenticate") == (b"Bearer" if status == 401 else None), case
    if case.method == "HEAD":
        assert body == b"", case
    else:
        check_shape(case.dialect, status, json.loads(body))
        assert GOOD not in body.decode(), case


def check_shape(dialect: str, status: int, body: dict[str, Any]) -> None:
    """The vendor's own error shape for a refusal."""
    if dialect == "anthropic":
        names = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
        assert body["type"] == "error"
        assert body["error"]["type"] == names[status]
        assert body["request_id"].startswith("req_")
    elif dialect == "gemini":
        names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
        assert (body["error"]["code"], body["error"]["status"]) == (status, names[status])
    elif dialect == "mcp":
        assert (body["jsonrpc"], body["id"], body["error"]["code"]) == ("2.0", None, -32600)
    else:
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert body["error"]["type"] == ("permission_error" if status == 403 else "invalid_request_error")
        if status == 401:
            assert body["error"]["code"] == "invalid_api_key"
    assert body["error"]["message"]


# Every route x mode x credential.


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_route_admits_whom_its_mode_says(situation: str) -> None:
    cases = [case for case in CASES if f"[{situation}]" in case.id]
    assert len(cases) == len(list(targets())) * (1 + 2 * len(FORMS))
    for case in cases:
        check(case)


def test_the_matrix_holds_every_verdict() -> None:
    verdicts = {case.expected for case in CASES}
    assert verdicts == {ADMITTED, 401}
    assert len({case.id for case in CASES}) == len(CASES) > 10_000


@pytest.mark.parametrize("case", CREDENTIAL_CASES, ids=lambda case: case.id)
def test_credential(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", BROWSER_CASES, ids=lambda case: case.id)
def test_browser_rule(case: Case) -> None:
    check(case)


def test_a_peer_whose_address_is_no_ip_address_is_not_on_this_machine() -> None:
    guard = Guard(Config(proxy=Proxy(auth_mode="auto", keys=(key("first", GOOD),))), Ids(SECRET))
    head = RequestHead("GET", b"/v1/models", ((b"host", b"localhost"),))
    assert isinstance(guard.admit(head, target("/v1/models"), Peer("testclient"), now=NOW), Fault)
    assert isinstance(guard.admit(head, target("/v1/models"), Peer("127.0.0.1"), now=NOW), Admission)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_first_good_key_is_the_identity(config: str) -> None:
    head = RequestHead(
        "GET", b"/v1/models", ((b"x-api-key", b"sk-second"), (b"authorization", b"Bearer " + GOOD.encode()))
    )
    proxy = Proxy(auth_mode=CONFIGS[config].proxy.auth_mode, keys=(key("first", GOOD), key("second", "sk-second")))
    admission = Guard(Config(proxy=proxy), Ids(SECRET)).admit(head, target("/v1/models"), Peer(None), now=NOW)
    assert isinstance(admission, Admission)
    assert admission.identity is not None
    assert admission.identity.name == "first"


def test_a_bad_key_where_none_is_needed_makes_nobody_of_the_caller() -> None:
    head = RequestHead("GET", b"/v1/models", ((b"host", b"localhost"), (b"x-api-key", BAD.encode())))
    admission = Guard(CONFIGS["off"], Ids(SECRET)).admit(head, target("/v1/models"), Peer("127.0.0.1"), now=NOW)
    assert admission == Admission(identity=None)


def test_a_key_expires_at_its_time() -> None:
    proxy = Proxy(auth_mode="strict", keys=(ClientKey("k", Secret(GOOD), expires=NOW),))
    guard = Guard(Config(proxy=proxy), Ids(SECRET))
    head = RequestHead("GET", b"/v1/models", ((b"x-api-key", GOOD.encode()),))
    assert isinstance(guard.admit(head, target("/v1/models"), Peer(None), now=NOW - 0.001), Admission)
    assert isinstance(guard.admit(head, target("/v1/models"), Peer(None), now=NOW), Fault)


# What a web page may read and ask.


@pytest.mark.parametrize("origin", [b"https://app.example", b"null", b"vscode-webview://1a2b3c"])
@pytest.mark.parametrize("path", ["/v1/models", "/nowhere", "/v1/chat/completions"])
def test_a_listed_origin_may_read_answers_and_refusals(origin: bytes, path: str) -> None:
    status, headers, _ = answer(Case("", "strict", "GET", path, ((b"origin", origin),), 401))
    assert status == 401
    assert headers[b"access-control-allow-origin"] == origin
    assert headers[b"vary"] == b"origin"
    assert b"x-request-id" in headers[b"access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin", [b"https://evil.com", b"http://127.0.0.1:8045", b"", b"https://app.example.evil.com"]
)
@pytest.mark.parametrize("credential", [(), ((b"x-api-key", GOOD.encode()),)])
def test_no_other_origin_gets_cors_headers(origin: bytes, credential: Headers) -> None:
    _, headers, _ = answer(Case("", "auto", "GET", "/v1/models", ((b"origin", origin), *credential), ADMITTED))
    assert headers
    assert [name for name in headers if name.startswith(b"access-control-")] == []


def test_without_an_origin_there_are_no_cors_headers() -> None:
    _, headers, _ = answer(Case("", "auto", "GET", "/v1/models", (), ADMITTED))
    assert [name for name in headers if name.startswith(b"access-control-")] == []


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("peer", ["127.0.0.1", "192.168.1.9", None])
def test_a_preflight_is_answered_without_a_key(config: str, peer: str | None) -> None:
    asked: Headers = (
        (b"origin", b"https://app.example"),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"authorization, content-type"),
    )
    status, headers, body = answer(Case("", config, "OPTIONS", "/v1/chat/completions", asked, 204, peer=peer))
    assert (status, body) == (204, b"")
    assert headers[b"access-control-allow-origin"] == b"https://app.example"
    assert headers[b"access-control-allow-methods"] == headers[b"allow"] == b"POST, OPTIONS"
    assert headers[b"access-control-allow-headers"] == b"authorization, content-type"
    assert b"content-length" not in headers


def test_a_preflight_of_a_foreign_origin_permits_nothing() -> None:
    asked: Headers = ((b"origin", b"https://evil.com"), (b"access-control-request-method", b"POST"))
    status, headers, _ = answer(Case("", "off", "OPTIONS", "/v1/chat/completions", asked, 204))
    assert status == 204
    assert [name for name in headers if name.startswith(b"access-control-")] == []


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/models", b"GET, HEAD, OPTIONS"),
        ("/v1beta/models/x:generateContent", b"POST, OPTIONS"),
        ("/mcp/web_reader/mcp", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("/nowhere", b"OPTIONS"),
        ("*", b"OPTIONS"),
    ],
)
def test_any_other_options_lists_the_methods(config: str, path: str, allow: bytes) -> None:
    status, headers, body = answer(Case("", config, "OPTIONS", path, (), 204, peer=None, host=b"evil.com"))
    assert (status, headers[b"allow"], body) == (204, allow, b"")


# What a request without a key must look like, beyond its head.


@pytest.mark.parametrize(
    "kind", [None, b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"]
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/internal/warmup", "/v1/models/detect"])
def test_without_a_key_a_body_must_be_called_json(kind: bytes | None, path: str) -> None:
    headers: Headers = () if kind is None else ((b"content-type", kind),)
    assert answer(Case("", "auto", "POST", path, headers, 415))[0] == 415
    assert answer(Case("", "auto", "POST", path, (*headers, (b"x-api-key", GOOD.encode())), ADMITTED))[0] == 0


@pytest.mark.parametrize("kind", [b"application/json", b"Application/JSON; charset=utf-8", b"application/vnd.api+json"])
def test_without_a_key_json_is_taken(kind: bytes) -> None:
    assert answer(Case("", "auto", "POST", "/v1/messages", ((b"content-type", kind),), ADMITTED))[0] == 0


@pytest.mark.parametrize("path", ["/v1/api/event_logging", "/api/event_logging/batch"])
def test_telemetry_is_taken_in_any_type(path: str) -> None:
    assert answer(Case("", "auto", "POST", path, ((b"content-type", b"text/plain"),), ADMITTED))[0] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/files", 501),
        ("POST", "/v1/files", 501),
        ("GET", "/v1/batches", 501),
        ("POST", "/v1/audio/transcriptions", 400),
        ("GET", "/v1/responses", 426),
    ],
)
def test_what_reads_no_json_asks_for_none(method: str, path: str, status: int) -> None:
    assert answer(Case("", "auto", method, path, ((b"content-type", b"multipart/form-data"),), status))[0] == status


def test_what_is_said_of_bodies_holds_for_posts_only() -> None:
    coded: Headers = ((b"content-encoding", b"compress"),)
    assert answer(Case("", "auto", "GET", "/v1/files", coded, 501))[0] == 501
    assert answer(Case("", "auto", "POST", "/v1/files", coded, 415))[0] == 415


def test_with_a_key_an_unknown_path_and_a_wrong_method_are_told() -> None:
    shown: Headers = ((b"x-api-key", GOOD.encode()),)
    assert answer(Case("", "strict", "GET", "/nowhere", shown, ADMITTED))[0] == 404
    status, headers, _ = answer(Case("", "strict", "GET", "/v1/messages", shown, ADMITTED))
    assert (status, headers[b"allow"]) == (405, b"POST")


# Secrets stay where they are.


@pytest.mark.parametrize("path", ["/v1/models", "/nowhere", "/v1/models/x", "/v1/messages"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_clients_key_is_in_no_answer_and_no_note(path: str, form: Any) -> None:
    for secret in (GOOD, BAD):
        case = show(Case("", "strict", "GET", path, (), ADMITTED), form, secret)
        head = RequestHead("GET", case.target.encode(), case.headers)
        exchange, effects = GATEWAYS["strict"].open(head, Peer(None), now=NOW)
        assert effects
        assert secret not in repr(effects)
        assert secret not in repr(exchange.request.target)


def test_a_clients_key_does_not_go_up() -> None:
    for form in FORMS[:-1]:
        story = Story(gateway(UPSTREAM))
        shown: Headers = ((form.header, form.prefix + b"sk-all"),)
        story.open("POST", "/v1/chat/completions", headers=shown, body=b'{"model":"glm-4.6"}')
        assert b"sk-all" not in repr(story.requests[1]).encode()
        assert (b"authorization", b"Bearer sk-upstream") in story.requests[1].headers


# The models of a client key.


def key(name: str, text: str, *models: str) -> ClientKey:
    return ClientKey(name, Secret(text), models=models)


def endpoint(dialect: str) -> Endpoint:
    return Endpoint(dialect, Origin("https", "api.example", 443), b"/v1", "bearer")


_DIALECTS: Final = ("openai", "openai_completions", "openai_responses", "anthropic", "gemini")
UPSTREAM: Final = Config(
    proxy=Proxy(auth_mode="strict", keys=(key("all", "sk-all"), key("alice", "sk-alice", "claude-*", "gpt-4o"))),
    providers=(
        Provider(
            "main",
            {dialect: endpoint(dialect) for dialect in _DIALECTS},
            keys=(Secret("sk-upstream"),),
            models=("claude-sonnet-4-5", "gpt-4o", "glm-4.6"),
        ),
    ),
)


def asked(text: str, method: str, path: str, body: dict[str, Any] | None = None, headers: Headers = ()) -> Story:
    story = Story(gateway(UPSTREAM))
    raw = None if body is None else json.dumps(body).encode()
    story.open(method, path, headers=((b"x-api-key", text.encode()), *headers), body=raw)
    return story


def about(model: str) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    yield "POST", "/v1/chat/completions", {"model": model}
    yield "POST", "/v1/completions", {"model": model}
    yield "POST", "/v1/responses", {"model": model}
    yield "POST", "/v1/messages", {"model": model}
    yield "POST", "/v1/messages", {"model": model, "stream": True}
    yield "POST", f"/v1beta/models/{model}:generateContent", {}
    yield "POST", f"/v1beta/models/{model}:streamGenerateContent", {}
    yield "POST", f"/v1beta/models/{model}:countTokens", {}
    yield "POST", "/v1/messages/count_tokens", {"model": model}
    yield "POST", "/v1/responses/input_tokens", {"model": model}
    yield "POST", "/v1/models/detect", {"model": model}
    yield "POST", "/internal/warmup", {"model": model}
    yield "GET", f"/v1/models/{model}", None
    yield "GET", f"/v1beta/models/{model}", None


@pytest.mark.parametrize("model", ["glm-4.6", "main/glm-4.6"])
@pytest.mark.parametrize("index", range(len(list(about("")))))
def test_a_model_beyond_a_keys_list_is_a_403_everywhere(model: str, index: int) -> None:
    method, path, body = list(about(model))[index]
    story = asked("sk-alice", method, path, body)
    assert (story.status, story.requests) == (403, {})
    assert "alice" in story.body.decode()
    assert "sk-alice" not in story.body.decode()


@pytest.mark.parametrize("model", ["gpt-4o", "main/gpt-4o", "claude-sonnet-4-5", "main/claude-sonnet-4-5"])
@pytest.mark.parametrize("index", range(len(list(about("")))))
def test_a_model_of_a_keys_list_works_everywhere_also_with_its_provider(model: str, index: int) -> None:
    method, path, body = list(about(model))[index]
    story = asked("sk-alice", method, path, body)
    assert story.requests or story.status == 200


def test_a_model_beyond_a_keys_list_works_for_another_key() -> None:
    for method, path, body in about("glm-4.6"):
        story = asked("sk-all", method, path, body)
        assert story.requests or story.status == 200, path


@pytest.mark.parametrize(
    ("path", "member", "name"),
    [
        ("/v1/models", "data", "id"),
        ("/v1/models/claude", "data", "id"),
        ("/v1beta/models", "models", "name"),
        ("/v1/models?client_version=1", "models", "slug"),
    ],
)
def test_a_list_shows_what_the_key_may_use(path: str, member: str, name: str) -> None:
    def listed(text: str) -> set[str]:
        models = json.loads(asked(text, "GET", path).body)[member]
        return {model[name].removeprefix("models/") for model in models}

    assert listed("sk-alice") == {"claude-sonnet-4-5", "gpt-4o"}
    assert listed("sk-all") == {"claude-sonnet-4-5", "gpt-4o", "glm-4.6"}


def test_a_denied_stream_is_a_json_error() -> None:
    story = asked("sk-alice", "POST", "/v1/chat/completions", {"model": "glm-4.6", "stream": True})
    assert (story.status, story.headers[b"content-type"]) == (403, b"application/json")
    assert json.loads(story.body)["error"]["code"] == "model_not_allowed"


# Nothing in a head makes the guard raise.

_names = st.sampled_from(
    [
        b"host",
        b"origin",
        b"authorization",
        b"x-api-key",
        b"x-goog-api-key",
        b"sec-fetch-site",
        b"forwarded",
        b"x-forwarded-for",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"user-agent",
    ]
)
_values = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"[", b"[]:", b"localhost", b"Bearer", b"Bearer " + GOOD.encode(), b"null", b"1" * 5000, b"://", b"::1"]
    ),
)
_peers = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["::1%lo", "127.0.0.1", "::ffff:127.0.0.1", ""]))
_paths = st.one_of(
    st.sampled_from([path for _, path, _ in targets()]), st.text(max_size=20).map(lambda text: "/" + text)
)


@given(
    st.sampled_from(sorted(CONFIGS)),
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE", ""]),
    _paths,
    st.lists(st.tuples(_names, _values), max_size=6),
    _peers,
)
def test_no_head_makes_the_guard_raise(
    config: str, method: str, path: str, headers: list[tuple[bytes, bytes]], peer: str | None
) -> None:
    head = RequestHead(method, path.encode("utf-8", "replace"), tuple(headers))
    exchange, effects = GATEWAYS[config].open(head, Peer(peer), now=NOW)
    assert exchange.wants_request or any(isinstance(effect, SendHead) for effect in effects)
    exchange.abandon(now=NOW)


@given(st.sampled_from(["strict", "all_except_health", "auto-lan"]), st.lists(st.tuples(_names, _values), max_size=6))
def test_without_a_good_key_nobody_gets_in(config: str, headers: list[tuple[bytes, bytes]]) -> None:
    shown = [field for field in headers if GOOD.encode() not in field[1]]
    head = RequestHead("GET", b"/v1/models", tuple(shown))
    assert isinstance(
        Guard(CONFIGS[config], Ids(SECRET)).admit(head, target("/v1/models"), Peer("127.0.0.1"), now=NOW), Fault
    )


def target(text: str) -> Any:
    return parse(text.encode())


def test_whoever_shows_a_key_that_has_expired_is_told_when() -> None:
    proxy = Proxy(auth_mode="strict", keys=(ClientKey("bob", Secret(BAD), expires=1_790_000_000.0), key("other", GOOD)))
    guard = Guard(Config(proxy=proxy), Ids(SECRET))
    head = RequestHead("GET", b"/v1/models", ((b"host", b"localhost"), (b"x-api-key", BAD.encode())))
    refused = guard.admit(head, target("/v1/models"), Peer(None), now=1_790_000_000.0)
    assert isinstance(refused, Fault)
    assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert refused.message == "the API key 'bob' expired on 2026-09-21 14:13 UTC; a new one is needed"
    both = RequestHead("GET", b"/v1/models", (*head.headers, (b"authorization", b"Bearer " + GOOD.encode())))
    assert isinstance(guard.admit(both, target("/v1/models"), Peer(None), now=1_790_000_000.0), Admission)


def test_an_admin_key_is_known_as_one_of_ours() -> None:
    guard = Guard(Config(proxy=Proxy(admin_key=Secret(GOOD))), Ids(SECRET))
    assert guard.knows(b"Bearer " + GOOD.encode())
    assert not guard.knows(b"Bearer " + BAD.encode())
