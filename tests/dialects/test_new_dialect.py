"""A dialect that nobody knows is served from end to end, once its folder exists and the registry has a row for it."""

from __future__ import annotations

import json
from typing import Final, cast

import pytest

from agcore.config.values import Config, Endpoint, ModelRule, Provider, Secret
from agcore.dialects import DIALECTS, ERROR_SHAPES
from agcore.dialects.base import Dialect
from agcore.ingress import routes
from agcore.ingress.routes import Route
from agcore.protocol.http import Origin
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.story import SSE, Story, gateway
from tests.dialects import toy

KEY: Final = "sk-toy-0123456789abcdef"
TOY_STREAM: Final = b'data: {"say": "hello"}\n\ndata: {"over": true, "spent": [5, 2]}\n\n'


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's row, with the table that is made of it, and a route for the clients."""
    name = toy.DIALECT.traits.name
    monkeypatch.setitem(cast("dict[str, Dialect]", DIALECTS), name, toy.DIALECT)
    monkeypatch.setitem(cast("dict[str, object]", ERROR_SHAPES), name, toy.DIALECT.errors.render_error)
    route = Route("T1", ("POST",), "/v1/say", name, "generate", "the toy's generation")
    monkeypatch.setitem(routes._LITERAL, route.path, (route,))


def _provider(name: str, dialect: str, auth: str, prefix: bytes) -> Provider:
    endpoint = Endpoint(dialect, Origin("https", f"{name}.example", 443), prefix, auth)
    return Provider(name=name, endpoints={dialect: endpoint}, keys=(Secret(KEY),), models=(f"{name}-1",))


CONFIG: Final = Config(
    providers=(
        _provider("toys", "toy", "bearer", b"/v9"),
        _provider("chat", CHAT.dialect, CHAT.auth, CHAT.prefix),
        _provider("claude", ANTHROPIC.dialect, ANTHROPIC.auth, ANTHROPIC.prefix),
    ),
    models=(ModelRule("my-toy", ((("toys", "toys-1"),),)),),
)


def asked(target: str, body: dict[str, object]) -> Story:
    story = Story(gateway(CONFIG))
    story.open("POST", target, headers=((b"x-toy", b"7"), (b"cookie", b"c")), body=json.dumps(body).encode())
    return story


def sent(story: Story) -> dict[str, object]:
    (request,) = story.requests.values()
    assert isinstance(request.body, bytes)
    return cast("dict[str, object]", json.loads(request.body))


def test_a_request_passes_through_to_a_provider_of_the_same_dialect() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "my-toy", "x": [1.50]})
    (request,) = story.requests.values()
    assert request.target == b"/v9/say"
    assert request.body == b'{"say": "Hi.", "model": "toys-1", "x": [1.5]}'
    assert dict(request.headers)[b"x-toy"] == b"7"
    assert b"cookie" not in dict(request.headers)
    story.upstream_answers(200, b'{"said": "hello",  "model": "toys-1", "spent": [5, 2]}')
    assert story.status == 200
    assert story.body == b'{"said": "hello",  "model": "my-toy", "spent": [5, 2]}'
    assert story.row["usage"] == {"fresh": 5, "cache_read": 0, "cache_write": 0, "output": 2, "reasoning": 0}


def test_a_stream_passes_through_byte_for_byte() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "toys-1", "stream": True})
    story.upstream_answers(200, TOY_STREAM, headers=SSE)
    assert story.body == TOY_STREAM
    assert story.ended


def test_a_stream_that_fails_at_once_is_an_honest_error_in_the_dialect_s_own_shape() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "toys-1", "stream": True})
    story.upstream_answers(200, b'data: {"wrong": "busy", "status": 503}\n\n', headers=SSE)
    assert story.status == 503
    assert json.loads(story.body) == {"wrong": "busy", "status": 503}


def test_a_client_of_the_dialect_is_served_by_a_provider_of_another_one() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "claude-1"})
    assert sent(story)["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi."}]}]
    story.upstream_answers(200, ANTHROPIC.answer)
    assert json.loads(story.body) == {"model": "claude-1", "said": "hello", "spent": [5, 2]}


def test_a_stream_of_another_dialect_is_told_in_this_one() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "claude-1", "stream": True})
    story.upstream_answers(200, ANTHROPIC.stream, headers=SSE)
    told = [json.loads(line.removeprefix(b"data: ")) for line in story.body.split(b"\n\n") if line]
    assert told == [{"say": "hello"}, {"over": True, "spent": [5, 2]}]


def test_clients_of_other_dialects_are_served_by_a_provider_of_this_one() -> None:
    story = asked("/v1/chat/completions", {"model": "toys-1", "messages": [{"role": "user", "content": "Hi."}]})
    (request,) = story.requests.values()
    assert (request.target, dict(request.headers)[b"x-toy"]) == (b"/v9/say", b"1")
    assert sent(story) == {"model": "toys-1", "say": "Hi.", "stream": False}
    story.upstream_answers(200, b'{"said": "hello", "model": "toys-1", "spent": [5, 2]}')
    assert json.loads(story.body)["choices"][0]["message"]["content"] == "hello"


def test_a_stream_of_this_dialect_is_told_in_others() -> None:
    story = asked(
        "/v1/messages",
        {"model": "toys-1", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi."}]},
    )
    story.upstream_answers(200, TOY_STREAM, headers=SSE)
    assert b'"text":"hello"' in story.body
    assert story.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_an_answer_that_came_whole_is_told_as_the_stream_that_was_asked_for() -> None:
    story = asked("/v1/say", {"say": "Hi.", "model": "toys-1", "stream": True})
    story.upstream_answers(200, b'{"said": "hello", "model": "toys-1"}')
    assert story.body == b'data: {"say":"hello"}\n\ndata: {"over":true}\n\n'


def test_a_request_that_the_dialect_refuses_is_refused_in_its_shape() -> None:
    story = asked("/v1/say", {"say": 5, "model": "claude-1"})
    assert story.status == 400
    assert json.loads(story.body) == {"wrong": "`say` must be a string", "status": 400}
