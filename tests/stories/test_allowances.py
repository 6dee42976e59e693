"""Whole requests against the limits of client keys: what each client is told, what is counted, and what is given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from agcore import ClientGone, Gateway, Input, OpenUpstream, RequestBroken, UpstreamData, UpstreamEnd
from agcore.config.values import Config
from agcore.mcp.operations.proxy import McpProxy
from agcore.protocol.http import Headers
from agcore.protocol.inputs import RequestData, RequestEnd, UpstreamConnected, UpstreamHead
from agcore_sim.dialogues import ANTHROPIC, CHAT, RESPONSES, STREAMS, Dialogue
from agcore_sim.story import JSON, SSE, Story, gateway
from tests.support.dialogues import CLIENT_KEY, config, ids, with_client_key
from tests.support.edges import FORM, MCP_AT, form, part, setup

KEYED: Final[Headers] = ((b"authorization", b"Bearer " + CLIENT_KEY.encode()),)


# What clients see.


def limited(base: Callable[..., Config] = config, **limits: int) -> Gateway:
    return gateway(base(proxy=with_client_key(**limits)))


def ask(
    machine: Gateway, dialogue: Dialogue, *, stream: bool = False, headers: Headers = KEYED, at: float = 0
) -> Story:
    """A client's request at a time."""
    story = Story(machine)
    story.now += at
    body = dialogue.request(dialogue.model, stream=stream)
    story.open("POST", dialogue.target(dialogue.model, stream=stream), headers=headers, body=body)
    return story


def is_let_in(machine: Gateway, *, at: float = 0) -> bool:
    """Whether the key may ask once more. Nothing stays under way of it."""
    story = ask(machine, CHAT, at=at)
    let_in = not story.finished or story.status != 429
    story.exchange.abandon(now=story.now)
    return let_in


def posted(machine: Gateway, target: str, body: bytes, *, content_type: bytes = b"application/json") -> Story:
    story = Story(machine)
    story.open("POST", target, headers=(*KEYED, (b"content-type", content_type)), body=body)
    return story


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_a_client_is_refused_in_its_own_dialect_before_its_body_is_read(dialogue: Dialogue, stream: bool) -> None:
    machine = limited(rpm=7)
    for _ in range(7):
        assert not ask(machine, dialogue, stream=stream).finished
    story = ask(machine, dialogue, stream=stream)
    message = "the key 'alice' has reached its limit of 7 requests per minute; try again in 8.572s"
    errors: dict[str, Any] = {
        "anthropic": {"type": "rate_limit_error", "message": message},
        "gemini": {
            "code": 429,
            "message": message,
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9s"}],
        },
    }
    openai = {"message": message, "type": "rate_limit_exceeded", "param": None, "code": "rate_limit_exceeded"}
    assert story.finished
    assert (story.status, story.headers[b"retry-after"]) == (429, b"9")
    assert story.headers[b"content-type"] == b"application/json"
    assert json.loads(story.body)["error"] == errors.get(dialogue.dialect, openai)
    assert (story.row["client_key"], story.row["status"], story.row["bytes_in"]) == ("alice", 429, 0)
    assert not any(isinstance(effect, OpenUpstream) for effect in story.effects)


def test_an_mcp_client_is_refused_with_a_json_rpc_error() -> None:
    machine = limited(setup, rpm=1)
    assert not posted(machine, MCP_AT, b"{}").finished
    story = posted(machine, MCP_AT, b"{}")
    assert (story.status, story.headers[b"retry-after"]) == (429, b"60")
    message = "the key 'alice' has reached its limit of 1 request per minute; try again in 60s"
    assert json.loads(story.body) == {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": message}}


@pytest.mark.parametrize(
    ("target", "body", "content_type"),
    [
        ("/v1/messages/count_tokens", b'{"model": "up-words", "messages": []}', b"application/json"),
        ("/v1/embeddings", b'{"model": "up-media", "input": "a"}', b"application/json"),
        ("/v1/images/generations", b'{"model": "up-media"}', b"application/json"),
        ("/v1/audio/transcriptions", form(part("model", b"up-media")), FORM),
        ("/internal/warmup", b"{}", b"application/json"),
    ],
)
def test_everything_that_asks_an_upstream_is_counted(target: str, body: bytes, content_type: bytes) -> None:
    machine = limited(setup, rpm=1)
    assert not posted(machine, target, body, content_type=content_type).finished
    assert posted(machine, target, body, content_type=content_type).status == 429


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/models"),
        ("GET", "/healthz"),
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/models/detect"),
        ("GET", MCP_AT),
        ("DELETE", MCP_AT),
    ],
)
def test_what_is_answered_from_here_and_listening_are_not_counted(method: str, target: str) -> None:
    machine = limited(setup, rpm=1, concurrency=1)
    assert not posted(machine, MCP_AT, b"{}").finished
    for _ in range(3):
        story = Story(machine)
        story.open(method, target, headers=KEYED, body=b"{}" if method == "POST" else b"")
        assert not story.finished or story.status != 429


def test_a_request_without_a_key_has_no_limits() -> None:
    machine = limited(rpm=1, concurrency=1)
    for _ in range(3):
        assert not ask(machine, CHAT, headers=()).finished


def test_a_request_whose_head_is_refused_costs_nothing() -> None:
    machine = limited(rpm=1)
    coded: Headers = (*KEYED, (b"content-encoding", b"compress"))
    assert ask(machine, CHAT, headers=coded).status == 415
    assert is_let_in(machine)


FORBIDDEN: Final = {
    "a model that no provider serves": (404, "/v1/chat/completions", b'{"model": "nobodys", "messages": []}'),
    "a body that is no JSON": (400, "/v1/chat/completions", b"{"),
    "a body without a model": (400, "/v1/responses", b"{}"),
    "what cannot be translated": (400, "/v1/messages", b'{"model": "up-openai", "max_tokens": 9, "messages": [{}]}'),
}


@pytest.mark.parametrize(("status", "target", "body"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_asks_nobody_takes_no_allowance(status: int, target: str, body: bytes) -> None:
    machine = limited(rpm=1, tpm=100)
    for _ in range(3):
        assert posted(machine, target, body).status == status
    assert is_let_in(machine)


def test_a_model_that_is_not_allowed_takes_no_allowance() -> None:
    machine = gateway(config(proxy=with_client_key(rpm=2, models=("up-openai",))))
    for _ in range(3):
        assert ask(machine, ANTHROPIC).status == 403
    assert not ask(machine, CHAT).finished


# What is given back.


def whole(story: Story) -> None:
    story.upstream_answers(200, CHAT.answer)


def refused_by_the_upstream(story: Story) -> None:
    story.upstream_answers(400, b'{"error": {"message": "no"}}')


def client_gone(story: Story) -> None:
    story.tell(ClientGone())


def abandoned(story: Story) -> None:
    story.exchange.abandon(now=story.now)
    story.exchange.abandon(now=story.now)


def out_of_time(story: Story) -> None:
    story.wait(100_000)


def streamed(story: Story) -> None:
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, CHAT.stream))
    if story.exchange.wants(1):
        story.tell(UpstreamEnd(1))


def broken_stream(story: Story) -> None:
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, CHAT.announcements + CHAT.content))
    story.upstream_breaks()


def gone_amid_a_stream(story: Story) -> None:
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, CHAT.announcements + CHAT.content))
    client_gone(story)


@pytest.mark.parametrize(
    ("end", "stream"),
    [
        (whole, False),
        (refused_by_the_upstream, False),
        (client_gone, False),
        (abandoned, False),
        (out_of_time, False),
        (streamed, True),
        (broken_stream, True),
        (gone_amid_a_stream, True),
        (abandoned, True),
    ],
)
def test_a_place_is_given_back_once_however_a_request_ends(end: Callable[[Story], None], stream: bool) -> None:
    machine = limited(concurrency=2)
    first, second = ask(machine, CHAT, stream=stream), ask(machine, CHAT)
    assert not is_let_in(machine)
    end(first)
    assert first.exchange.finished
    third = ask(machine, CHAT)
    assert not third.finished
    assert not is_let_in(machine)
    for story in (second, third):
        story.exchange.abandon(now=story.now)
    assert not ask(machine, CHAT).finished
    assert not ask(machine, CHAT).finished
    assert not is_let_in(machine)


def test_a_place_is_given_back_by_a_request_that_never_gets_to_an_upstream() -> None:
    machine = limited(setup, concurrency=1)
    typed = (*KEYED, *JSON)
    candidates: tuple[tuple[Headers, list[Input]], ...] = (
        ((*KEYED, (b"content-type", b"text/plain")), [RequestData(b"x"), RequestEnd()]),
        (typed, [RequestData(b"{"), RequestEnd()]),
        (typed, [RequestData(b'{"model": "nobody"}'), RequestEnd()]),
        (typed, [RequestBroken("the connection was reset")]),
        (typed, [ClientGone()]),
    )
    for headers, steps in candidates:
        story = Story(machine)
        story.open("POST", "/v1/chat/completions", headers=headers)
        assert not story.finished
        story.run((0, step) for step in steps)
        assert story.exchange.finished


def test_a_place_is_given_back_by_a_request_that_is_answered_as_it_begins() -> None:
    machine = limited(setup, concurrency=1)
    for _ in range(2):
        assert posted(machine, "/v1/audio/transcriptions", b"", content_type=b"text/plain").status == 415
        assert posted(machine, "/mcp/nobody/mcp", b"{}").status == 404


def broken(self: McpProxy, *, now: float) -> None:
    """A bug in an operation."""
    raise ZeroDivisionError


def test_a_place_is_given_back_even_when_an_operation_has_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = limited(setup, concurrency=1)
    with monkeypatch.context() as patch:
        patch.setattr(McpProxy, "begin", broken)
        with pytest.raises(ZeroDivisionError):
            posted(machine, MCP_AT, b"{}")
    assert not posted(machine, MCP_AT, b"{}").finished


def owed(machine: Gateway, *, tpm: int) -> int:
    """Tokens that the key has used beyond its limit; its next request is refused."""
    story = ask(machine, CHAT)
    assert story.status == 429
    return int(story.headers[b"retry-after"]) * tpm // 60 - 1


@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC], ids=ids)
def test_an_answer_costs_its_input_and_output(dialogue: Dialogue) -> None:
    machine = limited(tpm=1)
    ask(machine, dialogue).upstream_answers(200, dialogue.answer)
    assert owed(machine, tpm=1) == 7 - 1


@pytest.mark.parametrize("dialogue", STREAMS, ids=ids)
def test_a_stream_costs_its_input_and_output(dialogue: Dialogue) -> None:
    machine = limited(tpm=1)
    story = ask(machine, dialogue, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.tell(UpstreamData(1, dialogue.stream))
    if story.exchange.wants(1):
        story.tell(UpstreamEnd(1))
    assert story.row["outcome"] == "ok"
    assert owed(machine, tpm=1) == 7 - 1


def test_cached_and_reasoning_tokens_are_not_counted_twice() -> None:
    machine = limited(tpm=1)
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 15},
    }
    answer = {**json.loads(CHAT.answer), "usage": usage}
    ask(machine, CHAT).upstream_answers(200, json.dumps(answer).encode())
    assert owed(machine, tpm=1) == 70 - 1


def test_an_answer_that_does_not_tell_costs_a_quarter_of_the_request_s_bytes() -> None:
    machine = limited(tpm=1)
    body = CHAT.request(CHAT.model, stream=False)
    answer = json.loads(CHAT.answer)
    del answer["usage"]
    ask(machine, CHAT).upstream_answers(200, json.dumps(answer).encode())
    assert owed(machine, tpm=1) == len(body) // 4 - 1


@pytest.mark.parametrize("end", [refused_by_the_upstream, client_gone, abandoned, out_of_time])
def test_a_request_without_an_answer_costs_no_tokens(end: Callable[[Story], None]) -> None:
    machine = limited(tpm=1)
    end(ask(machine, CHAT))
    assert is_let_in(machine)


def test_a_stream_that_ends_in_an_error_costs_no_tokens() -> None:
    machine = limited(tpm=1)
    broken_stream(ask(machine, CHAT, stream=True))
    assert is_let_in(machine)


def test_a_client_that_leaves_amid_a_stream_pays_for_its_request() -> None:
    machine = limited(tpm=1)
    gone_amid_a_stream(ask(machine, CHAT, stream=True))
    assert owed(machine, tpm=1) == len(CHAT.request(CHAT.model, stream=True)) // 4 - 1


@pytest.mark.parametrize(
    ("target", "body", "answer", "content_type"),
    [
        ("/v1beta/models/up-media:countTokens", b'{"contents": []}', b'{"totalTokens": 31}', b"application/json"),
        ("/v1/audio/transcriptions", form(part("model", b"up-media")), b'{"text": "a"}', FORM),
        (MCP_AT, b'{"jsonrpc": "2.0", "id": 1, "method": "a"}', b"{}", b"application/json"),
    ],
)
def test_what_asks_no_model_and_what_is_no_text_costs_no_tokens(
    target: str, body: bytes, answer: bytes, content_type: bytes
) -> None:
    machine = limited(setup, tpm=1)
    for _ in range(3):
        story = posted(machine, target, body, content_type=content_type)
        story.upstream_answers(200, answer)
        assert (story.status, story.row["outcome"]) == (200, "ok")
    assert is_let_in(machine)
