"""Token counts: by the provider's own counter where it has one, else by an estimate that says so."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import UpstreamFailed
from agcore.config.values import Endpoint, ModelRule, Provider, Secret
from agcore.protocol.http import Origin
from agcore.protocol.inputs import Sent, Stage
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import Story, gateway
from tests.support.dialogues import PROVIDER_KEY, config, ids

CLIENTS = (ANTHROPIC, GEMINI, RESPONSES)
COUNTERS = CLIENTS
PAIRS = [(client, up) for client in CLIENTS for up in COUNTERS]
OTHERS = [(client, up) for client, up in PAIRS if client is not up]
NAMES = [f"{client.dialect}-at-{up.dialect}" for client, up in PAIRS]

PATHS = {
    "anthropic": "/v1/messages/count_tokens",
    "gemini": "/v1beta/models/MODEL:countTokens",
    "openai_responses": "/v1/responses/input_tokens",
}
TOOL = {"type": "object", "properties": {"a": {"type": "string"}}}
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "model": "",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "hi there"}],
        "tools": [{"name": "get", "input_schema": TOOL}],
    },
    "gemini": {
        "generateContentRequest": {
            "model": "models/m",
            "contents": [{"parts": [{"text": "hi there"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [{"functionDeclarations": [{"name": "get", "parametersJsonSchema": TOOL}]}],
            "generationConfig": {"temperature": 1},
        }
    },
    "openai_responses": {
        "model": "",
        "instructions": "Be brief.",
        "input": "hi there",
        "tools": [{"type": "function", "name": "get", "parameters": TOOL, "strict": False}],
    },
}
COUNTED = {
    "anthropic": b'{"input_tokens": 31}',
    "gemini": b'{"totalTokens": 31}',
    "openai_responses": b'{"object":"response.input_tokens","input_tokens":31}',
}
SHAPES: dict[str, dict[str, Any]] = {name: json.loads(body) for name, body in COUNTED.items()}
SERVED = (*COUNTERS, CHAT, COMPLETIONS)


def asked(client: Dialogue, up: Dialogue, body: dict[str, Any] | None = None, *, providers: Any = None) -> Story:
    """A story up to what comes of the question at once."""
    story = Story(gateway(config(providers=providers)))
    asking = dict(BODIES[client.dialect] if body is None else body)
    model = up.model if providers is None else providers[0].models[0]
    if client is not GEMINI:
        asking["model"] = model
    story.open("POST", PATHS[client.dialect].replace("MODEL", model), body=json.dumps(asking).encode())
    return story


def sent(story: Story) -> dict[str, Any]:
    raw = story.requests[1].body
    assert isinstance(raw, bytes)
    body: dict[str, Any] = json.loads(raw)
    return body


def count(story: Story) -> int:
    """The count, in the shape of the client's dialect."""
    assert story.status == 200, story.text()
    body = json.loads(story.body)
    (number,) = (value for name, value in body.items() if name != "object")
    assert isinstance(number, int)
    return number


def is_estimate(story: Story) -> bool:
    return story.headers.get(b"x-agcore-count") == b"estimate"


# The provider's counter.


@pytest.mark.parametrize(("client", "up"), PAIRS, ids=NAMES)
def test_the_providers_counter_is_asked_in_its_own_dialect_and_told_in_the_clients(
    client: Dialogue, up: Dialogue
) -> None:
    story = asked(client, up)
    request = story.requests[1]
    assert request.target == PATHS[up.dialect].replace("MODEL", up.model).encode()
    story.upstream_answers(200, COUNTED[up.dialect])
    assert story.status == 200
    assert json.loads(story.body) == SHAPES[client.dialect]
    assert not is_estimate(story)
    assert story.headers[b"x-agcore-provider"] == up.dialect.encode()
    assert story.finished


@pytest.mark.parametrize("client", [GEMINI, RESPONSES], ids=ids)
def test_anthropic_is_asked_about_what_counts_and_nothing_else(client: Dialogue) -> None:
    assert sent(asked(client, ANTHROPIC)) == {
        "model": "up-anthropic",
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi there"}]}],
        "tools": [{"name": "get", "input_schema": TOOL}],
    }


@pytest.mark.parametrize("client", [ANTHROPIC, RESPONSES], ids=ids)
def test_gemini_is_asked_about_a_whole_request(client: Dialogue) -> None:
    body = sent(asked(client, GEMINI))
    assert body.keys() == {"generateContentRequest"}
    inner = body["generateContentRequest"]
    assert inner["model"] == "models/up-gemini"
    assert inner["contents"] == [{"role": "user", "parts": [{"text": "hi there"}]}]
    assert inner["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


@pytest.mark.parametrize("client", [ANTHROPIC, GEMINI], ids=ids)
def test_responses_is_asked_about_what_counts_and_nothing_else(client: Dialogue) -> None:
    body = sent(asked(client, RESPONSES))
    assert body.keys() <= {"model", "input", "instructions", "tools", "parallel_tool_calls"}
    assert body["model"] == "up-openai_responses"
    assert "hi there" in json.dumps(body["input"])


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_gemini_wraps_the_request_or_does_not(name: str) -> None:
    inner = {"contents": [{"parts": [{"text": "hi there"}]}]}
    for body in (inner, {name: inner}):
        found = sent(asked(GEMINI, ANTHROPIC, body))
        assert found["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi there"}]}]


# Estimates.


def test_where_a_counter_fails_and_the_next_provider_has_none_an_estimate_is_made() -> None:
    base = config()
    models = (ModelRule("both", ((("openai_responses", "up-openai_responses"),), (("openai", "up-openai"),))),)
    story = Story(gateway(msgspec.structs.replace(base, models=models), attempts=2))
    story.open("POST", "/v1/messages/count_tokens", body=json.dumps({**BODIES["anthropic"], "model": "both"}).encode())
    story.upstream_answers(500, b"{}")
    assert len(story.requests) == 1
    assert is_estimate(story)


@pytest.mark.parametrize("up", [CHAT, COMPLETIONS], ids=ids)
@pytest.mark.parametrize("client", CLIENTS, ids=ids)
def test_where_nobody_counts_an_estimate_is_made_at_once_and_says_so(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    assert not story.requests
    assert is_estimate(story)
    assert json.loads(story.body).keys() == SHAPES[client.dialect].keys()
    assert 5 <= count(story) <= 60


def test_all_clients_get_the_same_estimate_for_the_same_request() -> None:
    assert len({count(asked(client, CHAT)) for client in CLIENTS}) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500, 501, 503, 529])
@pytest.mark.parametrize(("client", "up"), PAIRS, ids=NAMES)
def test_a_counter_that_is_missing_or_broken_is_no_reason_for_an_error(
    client: Dialogue, up: Dialogue, status: int
) -> None:
    story = asked(client, up)
    story.upstream_answers(status, b'{"error": {"type": "x", "message": "no"}}')
    for leg in range(2, 5):  # what may pass is tried again first
        if not story.finished:
            story.wait(30)
            if leg in story.requests:
                story.upstream_answers(status, b'{"error": {"type": "x", "message": "no"}}')
    assert is_estimate(story), story.text()
    assert count(story) > 0


@pytest.mark.parametrize(("client", "up"), PAIRS, ids=NAMES)
def test_a_counter_that_cannot_be_reached_is_no_reason_for_an_error(client: Dialogue, up: Dialogue) -> None:
    story = asked(client, up)
    for leg in range(1, 5):
        if leg in story.requests and not story.finished:
            story.tell(UpstreamFailed(leg, Stage.CONNECT, Sent.NONE, reused=False, cause="refused"))
            story.wait(30)
    assert is_estimate(story), story.text()


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"input_tokens": 0, "totalTokens": 0}', b'{"input_tokens": "many"}', b"<html>"]
)
@pytest.mark.parametrize(("client", "up"), OTHERS)
def test_a_count_that_is_none_is_replaced_by_an_estimate(client: Dialogue, up: Dialogue, answer: bytes) -> None:
    story = asked(client, up)
    story.upstream_answers(200, answer)
    assert is_estimate(story)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(("client", "up"), PAIRS, ids=NAMES)
def test_what_the_counter_finds_wrong_with_the_request_is_the_clients_to_know(
    client: Dialogue, up: Dialogue, status: int
) -> None:
    story = asked(client, up)
    story.upstream_answers(status, b'{"error": {"type": "invalid_request_error", "message": "too many"}}')
    assert story.status == status
    assert json.loads(story.body)["error"]["message"] == "too many"


# Bad requests.


@pytest.mark.parametrize("up", [CHAT, ANTHROPIC, GEMINI, RESPONSES], ids=ids)
@pytest.mark.parametrize(
    ("client", "body"),
    [
        (ANTHROPIC, {"messages": []}),
        (ANTHROPIC, {"messages": [{"role": "wizard", "content": "x"}]}),
        (GEMINI, {}),
        (GEMINI, {"generateContentRequest": {"contents": [{"role": "wizard", "parts": [{"text": "x"}]}]}}),
        (RESPONSES, {"input": 7}),
    ],
)
def test_a_request_that_says_nothing_countable_is_a_400(client: Dialogue, up: Dialogue, body: dict[str, Any]) -> None:
    story = asked(client, up, body)
    if client is up:
        story.upstream_answers(400, b'{"error": {"type": "invalid_request_error", "message": "no"}}')
    else:
        assert not story.requests
    assert story.status == 400
    assert json.loads(story.body)["error"]["message"]


def test_a_bad_request_stays_one_where_the_dialects_own_counter_is_missing() -> None:
    story = asked(ANTHROPIC, ANTHROPIC, {"messages": []})
    story.upstream_answers(404, b"{}")
    assert story.status == 400
    assert json.loads(story.body)["type"] == "error"


# Which endpoint.


def provider_of(*dialogues: Dialogue) -> Provider:
    origin = Origin("https", "many.example", 443)
    endpoints = {
        each.dialect: Endpoint(dialect=each.dialect, origin=origin, prefix=each.prefix, auth=each.auth)
        for each in dialogues
    }
    return Provider(name="many", endpoints=endpoints, keys=(Secret(PROVIDER_KEY),), models=("up-many",))


@pytest.mark.parametrize(
    ("client", "spoken", "target"),
    [
        (RESPONSES, (CHAT, GEMINI, RESPONSES), b"/v1/responses/input_tokens"),
        (RESPONSES, (CHAT, GEMINI, ANTHROPIC), b"/v1/messages/count_tokens"),
        (ANTHROPIC, (CHAT, RESPONSES), b"/v1/responses/input_tokens"),
        (ANTHROPIC, (CHAT, GEMINI), b"/v1beta/models/up-many:countTokens"),
    ],
)
def test_of_several_endpoints_the_clients_own_counts_else_one_that_can(
    client: Dialogue, spoken: tuple[Dialogue, ...], target: bytes
) -> None:
    assert asked(client, CHAT, providers=(provider_of(*spoken),)).requests[1].target == target


def test_a_model_that_nobody_serves_is_not_found() -> None:
    story = Story(gateway(config()))
    story.open("POST", "/v1/messages/count_tokens", body=b'{"model": "unknown", "messages": []}')
    assert story.status == 404


@pytest.mark.parametrize(("client", "up"), OTHERS, ids=[f"{client.dialect}-at-{up.dialect}" for client, up in OTHERS])
def test_a_translated_count_has_the_headers_of_the_upstreams_dialect(client: Dialogue, up: Dialogue) -> None:
    fields = dict(asked(client, up).requests[1].headers)
    assert (b"anthropic-version" in fields) == (up is ANTHROPIC)
