"""The composition root: what is answered without an upstream, what is refused before a body, and the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore import (
    CloseIdle,
    Effect,
    Emit,
    Finish,
    Gateway,
    Halt,
    OpenUpstream,
    RequestBroken,
    RequestData,
    RequestEnd,
    SendData,
    SendEnd,
    SendHead,
    Sent,
    Stage,
    StopAccepting,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    __version__,
)
from agcore.config.values import Config, Endpoint, Limits, Provider, Proxy, Timeouts
from agcore.operations.provider_lists import MAX_PARALLEL
from agcore.protocol.events import Draining
from agcore.protocol.http import Headers, Origin
from agcore.upstream.model_list import MAX_BODY
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, RESPONSES, STREAMS, Dialogue
from agcore_sim.story import EPOCH, JSON, SECRET, SSE, Story, gateway
from tests.support.dialogues import (
    CLIENT_KEY,
    PROVIDER_KEY,
    asked,
    config,
    ids,
    provider,
    receiving,
    with_client_key,
    with_literal_models,
)

FORM: Headers = ((b"content-type", b"application/x-www-form-urlencoded"),)


def opened(
    method: str, target: str, *, headers: Headers = (), body: bytes | None = None, setup: Config | None = None
) -> Story:
    story = Story(gateway(setup or config()))
    story.open(method, target, headers=headers, body=body)
    return story


def value(story: Story) -> Any:
    return json.loads(story.body)


def kinds(effects: list[Any]) -> list[type]:
    return [type(effect) for effect in effects]


# The way out.


def test_a_gateway_that_drains_stops_accepting_and_later_halts() -> None:
    machine = gateway(config())
    assert (machine.deadline, machine.draining) == (None, False)
    assert machine.handle_timeout(now=EPOCH + 1e6) == []
    effects = machine.drain(now=EPOCH)
    assert effects == [Emit(Draining(grace=0, drain=30)), StopAccepting(), CloseIdle()]
    assert (machine.deadline, machine.draining) == (EPOCH + 30, True)
    assert machine.drain(now=EPOCH + 1) == []
    assert machine.handle_timeout(now=EPOCH + 29.9) == []
    assert machine.handle_timeout(now=EPOCH + 30) == [Halt()]
    assert (machine.deadline, machine.handle_timeout(now=EPOCH + 99), machine.drain(now=EPOCH + 99)) == (None, [], [])


def test_during_the_grace_period_connections_are_taken_though_readiness_is_denied() -> None:
    machine = gateway(config(timeouts=Timeouts(drain_grace=5)))
    assert kinds(machine.drain(now=EPOCH)) == [Emit]
    assert machine.deadline == EPOCH + 5
    story = Story(machine)
    story.open("GET", "/readyz")
    assert (story.status, value(story)) == (503, {"status": "draining"})
    alive = Story(machine)
    alive.open("GET", "/healthz")
    assert alive.status == 200
    assert machine.handle_timeout(now=EPOCH + 5) == [StopAccepting(), CloseIdle()]
    assert machine.deadline == EPOCH + 35


def test_asking_twice_ends_the_grace_period() -> None:
    machine = gateway(config(timeouts=Timeouts(drain_grace=5, drain=2)))
    machine.drain(now=EPOCH)
    assert machine.drain(now=EPOCH + 1) == [StopAccepting(), CloseIdle()]
    assert machine.deadline == EPOCH + 3


def test_a_drain_without_time_halts_at_once() -> None:
    machine = gateway(config(timeouts=Timeouts(drain=0)))
    assert kinds(machine.drain(now=EPOCH)) == [Emit, StopAccepting, CloseIdle, Halt]


# Answers from nothing but the gateway itself.


@pytest.mark.parametrize("path", ["/healthz", "/health", "/healthz/"])
def test_liveness_tells_version_and_uptime(path: str) -> None:
    story = Story(gateway(config()))
    story.now += 2.5
    story.open("GET", path)
    assert (story.status, value(story)) == (200, {"status": "ok", "version": __version__, "uptime": 2.5})


def test_a_gateway_is_ready_until_it_drains() -> None:
    story = opened("GET", "/readyz")
    assert (story.status, value(story)) == (200, {"status": "ready"})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/api/hello"])
def test_probes_are_answered_with_nothing(method: str, path: str) -> None:
    story = opened(method, path)
    assert (story.status, story.body, story.headers[b"content-length"]) == (200, b"", b"0")
    assert b"content-type" not in story.headers


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/models/nothing", "/nowhere", "/v1/chat/completions"])
def test_a_head_request_gets_the_head_of_the_answer_only(path: str) -> None:
    setup = with_literal_models(config())
    get, head = opened("GET", path, setup=setup), opened("HEAD", path, setup=setup)
    assert head.head.status == get.head.status
    assert head.headers.keys() == get.headers.keys()
    assert head.body == b""
    assert kinds(head.effects) == [SendHead, SendEnd, Emit, Finish]


@pytest.mark.parametrize("path", ["/v1/api/event_logging", "/api/event_logging/batch"])
@pytest.mark.parametrize("headers", [JSON, FORM, ()])
def test_the_telemetry_sink_reads_everything_and_keeps_nothing(path: str, headers: Headers) -> None:
    story = Story(gateway(config()))
    story.open("POST", path, headers=headers)
    for _ in range(3):
        assert story.tell(RequestData(b'{"events": [')) == []
        assert story.gateway.buffered == 0
    story.tell(RequestEnd())
    assert (story.status, story.body, story.row["bytes_in"]) == (200, b"{}", 36)


def test_a_websocket_is_refused_with_a_426() -> None:
    story = opened("GET", "/v1/responses", headers=((b"connection", b"Upgrade"), (b"upgrade", b"websocket")))
    assert (story.status, story.headers[b"upgrade"]) == (426, b"websocket")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/files"), ("POST", "/v1/batches"), ("POST", "/v1/messages/batches"), ("GET", "/v1/realtime")],
)
def test_what_a_gateway_cannot_have_is_a_501(method: str, path: str) -> None:
    story = opened(method, path, headers=JSON)
    assert story.status == 501
    assert value(story)["error"]["type"] == "invalid_request_error"
    assert kinds(story.effects) == [SendHead, SendData, SendEnd, Emit, Finish]


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/metrics", "metrics"),
    ],
)
def test_what_is_not_available_yet_says_so(method: str, path: str, missing: str) -> None:
    story = opened(method, path, headers=JSON)
    assert story.status == 400
    assert f"{path} is not available yet: {missing} is missing" in value(story)["error"]["message"]


def test_bytes_that_are_no_request_are_refused_in_one_go() -> None:
    effects = gateway(config()).refuse(431, "the head is too large", now=EPOCH)
    head, data, *rest = effects
    assert isinstance(head, SendHead)
    assert isinstance(data, SendData)
    assert (head.status, kinds(rest)) == (431, [SendEnd, Emit, Finish])
    assert dict(head.headers)[b"content-length"] == b"%d" % len(data.data)
    assert json.loads(data.data)["error"]["message"] == "the head is too large"


# Paths and methods.


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nowhere", {"type": "invalid_request_error", "code": "not_found"}),
        ("/v1/responses/a/b/c", {"type": "invalid_request_error"}),
        ("/v1/messages/nowhere", {"type": "not_found_error"}),
        ("/v1beta/nowhere", {"status": "NOT_FOUND", "code": 404}),
        ("/mcp/x", {"code": -32600}),
    ],
)
def test_an_unknown_path_is_a_404_in_the_shape_of_its_prefix(path: str, error: dict[str, object]) -> None:
    story = opened("GET", path)
    assert story.status == 404
    assert value(story)["error"].items() >= error.items()


@pytest.mark.parametrize(
    ("method", "path", "allow", "error"),
    [
        ("GET", "/v1/chat/completions", b"POST", {"code": "method_not_allowed"}),
        ("PUT", "/v1/messages", b"POST", {"type": "invalid_request_error"}),
        ("POST", "/healthz", b"GET, HEAD", {"code": "method_not_allowed"}),
        ("DELETE", "/v1beta/models", b"GET, HEAD", {"status": "UNIMPLEMENTED"}),
    ],
)
def test_a_wrong_method_is_a_405_with_allow(method: str, path: str, allow: bytes, error: dict[str, object]) -> None:
    story = opened(method, path, headers=JSON)
    assert (story.status, story.headers[b"allow"]) == (405, allow)
    assert value(story)["error"].items() >= error.items()


@pytest.mark.parametrize("target", ["nonsense", "ftp://x/", "/%ff", "/a%00b", "/?a=%ff", "/v1/models?key=a&key=b"])
def test_a_bad_target_is_a_400(target: str) -> None:
    story = opened("GET", target)
    assert (story.status, story.row["path"]) == (400, "")


def test_options_are_answered_without_touching_a_handler() -> None:
    story = opened("OPTIONS", "/v1/messages")
    assert (story.status, story.headers[b"allow"], story.body) == (204, b"POST, OPTIONS", b"")
    assert b"content-length" not in story.headers
    assert opened("OPTIONS", "*").headers[b"allow"] == b"OPTIONS"


def test_a_preflight_is_answered_without_a_key() -> None:
    setup = config(proxy=Proxy(auth_mode="strict", keys=with_client_key().keys, cors_origins=("https://app.example",)))
    asked_for: Headers = (
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"x-api-key"),
    )
    story = opened("OPTIONS", "/v1/messages", headers=((b"origin", b"https://app.example"), *asked_for), setup=setup)
    headers = story.headers
    assert (story.status, headers[b"access-control-allow-origin"]) == (204, b"https://app.example")
    assert headers[b"access-control-allow-methods"] == b"POST, OPTIONS"
    assert headers[b"access-control-allow-headers"] == b"x-api-key"
    assert (headers[b"access-control-max-age"], headers[b"vary"]) == (b"600", b"origin")
    stranger = opened(
        "OPTIONS", "/v1/messages", headers=((b"origin", b"https://evil.example"), *asked_for), setup=setup
    )
    assert not any(name.startswith(b"access-control") for name in stranger.headers)


def test_a_listed_origin_may_read_answers_and_errors() -> None:
    setup = with_literal_models(config(proxy=Proxy(cors_origins=("vscode-webview://*",))))
    for target in ("/v1/models", "/nowhere"):
        story = opened("GET", target, headers=((b"origin", b"vscode-webview://abc"),), setup=setup)
        assert story.headers[b"access-control-allow-origin"] == b"vscode-webview://abc"
        assert b"x-agcore-provider" in story.headers[b"access-control-expose-headers"]


# Bodies, judged by the head.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (FORM, 415),
        (((b"content-type", b"text/plain"),), 415),
        (((b"content-type", b""),), 415),
        ((*JSON, (b"content-encoding", b"compress")), 415),
        ((*JSON, (b"content-length", b"1049")), 413),
        ((*JSON, (b"content-length", b"9" * 60)), 413),
        ((*JSON, (b"content-length", b"abc")), 400),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_before_it_is_read(headers: Headers, status: int) -> None:
    story = opened("POST", "/v1/messages", headers=headers, setup=config(limits=Limits(max_json_mb=0.001)))
    assert (story.status, story.finished, story.exchange.wants_request) == (status, True, False)


@pytest.mark.parametrize(
    "headers",
    [
        ((b"content-type", b"Application/JSON ; charset=utf-8"),),
        ((b"content-type", b"application/vnd.x+json"),),
        (*JSON, (b"content-encoding", b"Identity"), (b"content-length", b"1048")),
    ],
)
def test_a_json_body_within_bounds_is_read(headers: Headers) -> None:
    story = opened("POST", "/v1/messages", headers=headers, setup=config(limits=Limits(max_json_mb=0.001)))
    assert story.exchange.wants_request


def test_with_a_key_the_content_type_may_be_anything() -> None:
    headers = (*FORM, (b"authorization", b"bearer " + CLIENT_KEY.encode()))
    story = opened("POST", "/v1/messages", headers=headers, setup=config(proxy=with_client_key()))
    assert story.exchange.wants_request


def test_a_body_that_grows_beyond_the_limit_is_a_413() -> None:
    story = receiving(ANTHROPIC, setup=config(limits=Limits(max_json_mb=0.001)))
    story.tell(RequestData(b" " * 1048))
    assert not story.finished
    story.tell(RequestData(b" "))
    assert (story.status, value(story)["error"]["type"]) == (413, "request_too_large")


def test_a_body_that_breaks_off_is_a_400() -> None:
    story = receiving(ANTHROPIC)
    story.tell(RequestBroken("a chunk without a size"))
    assert value(story)["error"]["message"] == "the request body broke off: a chunk without a size"


def test_without_a_key_where_one_is_needed_nothing_about_routes_is_told() -> None:
    setup = config(proxy=Proxy(auth_mode="strict", keys=with_client_key().keys))
    for path in ("/v1/models", "/nowhere", "/healthz"):
        story = opened("GET", path, setup=setup)
        assert (story.status, story.headers[b"www-authenticate"]) == (401, b"Bearer")


# Model names.


@pytest.mark.parametrize(
    ("target", "headers", "member"),
    [
        ("/v1/models", (), "data"),
        ("/v1/models", ((b"anthropic-version", b"2023-06-01"),), "has_more"),
        ("/v1/models", ((b"user-agent", b"claude-cli/2.0"),), "has_more"),
        ("/v1/models", ((b"x-goog-api-key", b"k"),), "models"),
        ("/v1/models?client_version=0.1", (), "models"),
        ("/v1/models/claude", (), "has_more"),
        ("/v1beta/models", (), "models"),
        ("/v1/models?key=k", (), "models"),
    ],
)
def test_model_lists_come_in_the_shape_that_the_request_asks_for(target: str, headers: Headers, member: str) -> None:
    story = opened("GET", target, headers=headers, setup=with_literal_models(config()))
    assert (story.status, member in value(story)) == (200, True)


def test_the_openai_list_names_aliases_and_models() -> None:
    names = [entry["id"] for entry in value(opened("GET", "/v1/models", setup=with_literal_models(config())))["data"]]
    assert names[:5] == [dialogue.alias for dialogue in DIALOGUES]
    assert names[5:] == [dialogue.model for dialogue in DIALOGUES]


def test_a_client_key_sees_only_its_models() -> None:
    setup = with_literal_models(config(proxy=with_client_key(models=("my-*",))))
    headers = ((b"x-api-key", CLIENT_KEY.encode()),)
    names = [entry["id"] for entry in value(opened("GET", "/v1/models", headers=headers, setup=setup))["data"]]
    assert names == [dialogue.alias for dialogue in DIALOGUES]
    assert opened("GET", "/v1/models/my-gemini", headers=headers, setup=setup).status == 200
    assert opened("GET", "/v1/models/up-gemini", headers=headers, setup=setup).status == 403


def test_lists_are_paged() -> None:
    setup = with_literal_models(config())
    first = value(opened("GET", "/v1beta/models?pageSize=3", setup=setup))
    assert len(first["models"]) == 3
    second = value(opened("GET", f"/v1beta/models?pageSize=3&pageToken={first['nextPageToken']}", setup=setup))
    assert second["models"][0]["name"] == "models/my-anthropic"
    page = value(opened("GET", "/v1/models/claude?limit=2&after_id=my-openai", setup=setup))
    assert [entry["id"] for entry in page["data"]] == ["my-openai_completions", "my-openai_responses"]


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/models?pageSize=x",
        "/v1/models/claude?limit=-1",
        "/v1/models/claude?limit=0",
        "/v1beta/models?pageToken=!",
    ],
)
def test_a_bad_page_is_a_400(target: str) -> None:
    assert opened("GET", target, setup=with_literal_models(config())).status == 400


@pytest.mark.parametrize(
    ("target", "headers", "member"),
    [
        ("/v1/models/my-openai", (), ("id", "my-openai")),
        ("/v1/models/my-openai", ((b"anthropic-version", b"2023-06-01"),), ("type", "model")),
        ("/v1beta/models/my-openai", (), ("name", "models/my-openai")),
        ("/v1/models/openai/anything/at-all", (), ("id", "openai/anything/at-all")),
    ],
)
def test_a_model_exists_when_its_name_resolves(target: str, headers: Headers, member: tuple[str, str]) -> None:
    story = opened("GET", target, headers=headers)
    assert story.status == 200
    assert value(story)[member[0]] == member[1]


def test_an_unknown_model_is_a_404() -> None:
    assert opened("GET", "/v1beta/models/nothing").status == 404


def test_detection_tells_where_a_name_goes() -> None:
    story = opened("POST", "/v1/models/detect", body=b'{"model":"models/my-gemini"}')
    assert story.status == 200
    assert {"gemini", "up-gemini"} <= set(str(value(story)).replace("'", " ").split())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b'{"model":7}', 400),
        (b'{"model":1e999}', 400),
        (b'{"model":"my-gemini","dialect":"opnai"}', 400),
        (b'{"model":"my-gemini","dialect":[]}', 400),
        (b"[", 400),
        (b'{"model":"nothing"}', 404),
    ],
)
def test_detection_refuses_what_names_no_model(body: bytes, status: int) -> None:
    assert opened("POST", "/v1/models/detect", body=body).status == status


# Warming up.


def warmed(body: bytes | None = b"", *, setup: Config | None = None) -> Story:
    return opened("POST", "/internal/warmup", body=body, setup=setup, headers=JSON)


def targets(story: Story) -> dict[str, dict[str, Any]]:
    return {target["provider"]: target for target in value(story)["targets"]}


def test_warming_up_asks_each_provider_for_its_models() -> None:
    story = warmed()
    assert [request.target for request in story.requests.values()] == [
        b"/v1/models",
        b"/v1/models",
        b"/v1/models",
        b"/v1/models?limit=1000",
        b"/v1beta/models?pageSize=1000",
    ]
    fields = dict(story.requests[4].headers)
    assert (story.requests[4].method, fields[b"x-api-key"]) == ("GET", PROVIDER_KEY.encode())
    assert (fields[b"anthropic-version"], b"content-length" in fields) == (b"2023-06-01", False)
    story.wait(0.25)
    story.upstream_answers(200, b'{"data":[]}', leg=1)
    story.upstream_answers(401, json.dumps({"error": {"message": f"bad {PROVIDER_KEY}"}}).encode(), leg=2)
    story.upstream_answers(404, b"", leg=3)
    story.tell(UpstreamFailed(4, Stage.CONNECT, Sent.NONE, False, "refused by anthropic.example"))
    assert not story.finished
    story.tell(UpstreamConnected(5, reused=False))
    story.wait(20)
    assert (story.status, value(story)["ok"]) == (200, False)
    assert targets(story) == {
        "openai": {
            "provider": "openai",
            "key": "openai#1",
            "latency_ms": 250.0,
            "ok": True,
            "models": 0,
            "missing": ["up-openai"],
        },
        "openai_completions": {
            "provider": "openai_completions",
            "key": "openai_completions#1",
            "latency_ms": 250.0,
            "ok": False,
            "status": 424,
            "error": "the provider refused the gateway's credential openai_completions#1 (401): bad openai_completions#1",
        },
        "openai_responses": {
            "provider": "openai_responses",
            "key": "openai_responses#1",
            "latency_ms": 250.0,
            "ok": True,
            "note": "reachable; it has no model list, so the key was not checked",
        },
        "anthropic": {
            "provider": "anthropic",
            "key": "anthropic#1",
            "latency_ms": 250.0,
            "ok": False,
            "status": 502,
            "error": "anthropic: refused by anthropic.example",
        },
        "gemini": {
            "provider": "gemini",
            "key": "gemini#1",
            "latency_ms": 20250.0,
            "ok": False,
            "status": 504,
            "error": "gemini did not answer within 20 s",
        },
    }


def test_warming_up_runs_a_bounded_number_of_calls_at_once() -> None:
    many = tuple(provider(CHAT, name=f"p{index}") for index in range(MAX_PARALLEL + 3))
    story = warmed(setup=config(providers=many))
    assert len(story.requests) == MAX_PARALLEL
    for leg in range(1, len(many) + 1):
        story.upstream_answers(200, b'{"data":[]}', leg=leg)
        assert len(story.requests) == min(MAX_PARALLEL + leg, len(many))
    assert value(story) == {
        "ok": True,
        "targets": [
            {
                "provider": each.name,
                "key": f"{each.name}#1",
                "latency_ms": 0.0,
                "ok": True,
                "models": 0,
                "missing": [f"up-{each.name}"],
            }
            for each in many
        ],
    }


def test_a_client_that_leaves_a_warm_up_takes_all_calls_along() -> None:
    story = warmed()
    effects = story.exchange.abandon(now=story.now)
    assert len(effects) == 5 + 2


def test_a_provider_without_a_key_is_not_asked_unless_it_needs_none() -> None:
    local = Endpoint(dialect="openai", origin=Origin("http", "127.0.0.1", 8080), prefix=b"/v1", auth="none")
    setup = config(
        providers=(provider(CHAT, name="keyless", keys=()), Provider(name="local", endpoints={"openai": local}))
    )
    story = warmed(setup=setup)
    assert [request.origin.host for request in story.requests.values()] == ["127.0.0.1"]
    story.upstream_answers(200, b"{}")
    told = {"provider": "keyless", "key": "keyless#1", "ok": False, "error": "no key is configured"}
    assert targets(story)["keyless"] == told
    assert targets(story)["local"]["ok"] is True


def test_a_list_of_absurd_length_costs_its_connection_only() -> None:
    story = warmed(b'{"provider":"openai"}')
    story.upstream_answers(200, (b"x" * MAX_BODY, b"x"), end=False)
    (told,) = value(story)["targets"]
    assert (story.status, told["ok"], "models" in told) == (200, True, False)
    assert not story.exchange.wants(1)


@pytest.mark.parametrize("body", [b'{"provider":"gemini"}', b'{"model":"my-gemini"}', b'{"model":"gemini/x"}'])
def test_a_provider_can_be_picked_by_its_name_or_by_a_model(body: bytes) -> None:
    assert [request.origin.host for request in warmed(body).requests.values()] == ["gemini.example"]


def test_without_providers_there_is_nothing_to_warm_up() -> None:
    assert value(warmed(setup=Config())) == {"ok": True, "targets": []}
    assert value(warmed(b'{"provider":"gemini","model":"my-openai"}')) == {"ok": True, "targets": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"provider":"x"}', 404),
        (b'{"model":7}', 400),
        (b'{"model":"nothing"}', 404),
        (b"[]", 400),
        (b'{"model":1e999}', 400),
    ],
)
def test_a_warm_up_of_nothing_that_exists_is_refused(body: bytes, status: int) -> None:
    story = warmed(body)
    assert (story.status, story.requests) == (status, {})


def test_the_time_of_a_warm_up_counts_from_its_first_call() -> None:
    many = tuple(provider(CHAT, name=f"p{index}") for index in range(MAX_PARALLEL + 1))
    story = warmed(setup=config(providers=many, timeouts=Timeouts(request=18)))
    for leg in range(1, MAX_PARALLEL + 1):
        story.tell(UpstreamConnected(leg, reused=False))
    story.wait(15)
    story.tell(UpstreamFailed(1, Stage.HEAD, Sent.ALL, False, "closed"))
    story.wait(3)
    assert (story.status, story.finished) == (504, True)


# Secrets.


def texts(effects: list[Effect]) -> str:
    return "\n".join(repr(effect) for effect in effects if not isinstance(effect, OpenUpstream))


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
@given(
    status=st.sampled_from([200, 400, 401, 403, 429, 500]),
    stream=st.booleans(),
    where=st.sampled_from(["message", "code", "type", "details", "name"]),
    showing=st.sampled_from(["authorization", "x-api-key", "x-goog-api-key", "?key="]),
)
def test_no_secret_shows_in_anything_but_the_upstreams_request(
    dialogue: Dialogue, status: int, stream: bool, where: str, showing: str
) -> None:
    error: dict[str, object] = {"message": "m", "code": "c", "type": "t"}
    spoilt: dict[str, dict[str, object]] = {
        "message": {"message": f"bad key {PROVIDER_KEY} there"},
        "code": {"code": PROVIDER_KEY},
        "type": {"type": PROVIDER_KEY, "status": PROVIDER_KEY},
        "details": {"details": [{"metadata": [PROVIDER_KEY]}]},
        "name": {f"x-{PROVIDER_KEY}": 1},
    }
    error |= spoilt[where]
    body = json.dumps({"error": error}).encode()
    target = dialogue.target(dialogue.model, stream=stream)
    headers: Headers = JSON
    if showing == "?key=":
        target += f"{'&' if '?' in target else '?'}key={CLIENT_KEY}"
    else:
        shown = f"Bearer {CLIENT_KEY}" if showing == "authorization" else CLIENT_KEY
        headers = (*JSON, (showing.encode(), shown.encode()))
    story = Story(gateway(config(proxy=with_client_key())))
    story.open("POST", target, headers=headers, body=dialogue.request(dialogue.model, stream=stream))
    if stream and status == 200:
        story.upstream_answers(status, b"data: " + body + b"\n\n", headers=SSE)
    else:
        story.upstream_answers(status, body)
    assert story.finished
    for secret in (PROVIDER_KEY, CLIENT_KEY, SECRET.hex()):
        assert secret not in texts(story.effects)
    assert PROVIDER_KEY in repr(story.requests[1])
    assert CLIENT_KEY not in repr(story.requests[1])
    assert CLIENT_KEY not in repr(story.exchange.request.target)
    if showing != "?key=" or dialogue.dialect == "gemini":
        assert story.row["client_key"] == "alice"
    else:
        assert "client_key" not in story.row


def test_the_row_tells_what_happened() -> None:
    story = asked(COMPLETIONS, stream=False, model=COMPLETIONS.alias)
    story.wait(1.5)
    story.upstream_answers(200, COMPLETIONS.answer)
    row = story.row
    assert row == {
        "id": story.exchange.request.id,
        "method": "POST",
        "path": "/v1/completions",
        "status": 200,
        "outcome": "ok",
        "seconds": 1.5,
        "bytes_in": len(COMPLETIONS.request(COMPLETIONS.alias, stream=False)),
        "bytes_out": len(story.body),
        "first_content": 1.5,
        "peer": "127.0.0.1",
        "provider": "openai_completions",
        "upstream_model": "up-openai_completions",
        "key": "openai_completions#1",
        "attempts": 1,
        "model": "my-openai_completions",
        "usage": {"fresh": 5, "cache_read": 0, "cache_write": 0, "output": 2, "reasoning": 0},
    }


def test_request_ids_follow_each_other_and_stand_where_the_dialect_looks_for_them() -> None:
    machine = gateway(config())
    seen = set()
    for path, name in (("/v1/messages/x", b"request-id"), ("/v1/x", b"x-request-id"), ("/v1beta/x", b"x-request-id")):
        story = Story(machine)
        story.open("GET", path)
        assert story.headers[name] == story.exchange.request.id.encode()
        seen.add(story.headers[name])
    assert len(seen) == 3
    assert Gateway(config(), secret=SECRET, now=EPOCH).refuse(400, "x", now=EPOCH) == gateway(config()).refuse(
        400, "x", now=EPOCH
    )
    assert (RESPONSES.dialect, GEMINI.dialect) == ("openai_responses", "gemini")


def test_answers_of_two_legs_do_not_mix() -> None:
    story = warmed()
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamConnected(2, reused=False))
    story.tell(UpstreamHead(2, 500, JSON))
    story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamData(2, b'{"error":{"message":"two"}}'))
    story.tell(UpstreamData(1, b'{"error":{"message":"one"}}'))
    story.tell(UpstreamEnd(1))
    story.tell(UpstreamEnd(2))
    for leg in (3, 4, 5):
        story.upstream_answers(200, b"{}", leg=leg)
    assert [target.get("error") for target in targets(story).values()] == [None, "two", None, None, None]
