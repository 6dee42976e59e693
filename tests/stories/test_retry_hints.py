"""What clients are told of asking again: on what will not pass, not to; on what may, when (docs/wire/errors.md)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Headers, Sent, Stage, UpstreamConnected, UpstreamFailed, UpstreamHead
from agcore.config.values import Limits, McpServer, Proxy, Timeouts
from agcore.protocol.fault import Fault, may_pass, retry_hints
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, JSON, SSE, Story, gateway
from tests.support.dialogues import CLIENT_KEY, asked, config, ids, provider, with_client_key
from tests.support.failover import ask, tried, world

HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
NO: Headers = ((b"x-should-retry", b"false"),)
ERROR = b'{"error":{"message":"scripted","type":"e"}}'
PAGE = b"\n<!DOCTYPE html><title>Sign in</title>"
PASSING = (408, 409, 429, 500, 502, 503, 504, 520, 524, 529)
LASTING = (400, 404, 405, 410, 413, 415, 422, 451, 501)


def advice(story: Story) -> bytes | None:
    """The answer's `x-should-retry`, which stands there once at most."""
    found = [value for name, value in story.head.headers if name == b"x-should-retry"]
    assert len(found) <= 1
    return found[0] if found else None


def words(story: Story) -> str:
    """The message of the error that was answered."""
    error = json.loads(story.body)["error"]
    assert isinstance(error["message"], str)
    return error["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("status", PASSING)
def test_a_vendors_passing_trouble_is_never_called_final_and_says_when(
    dialogue: Dialogue, status: int, stream: bool
) -> None:
    story = asked(dialogue, stream=stream, attempts=2)
    while not story.finished:
        story.upstream_answers(status, ERROR, headers=HTML if status == 502 else JSON)
        if not story.finished:
            story.wait(max(0.0, (story.exchange.deadline or 0) - story.now))
    assert (story.row["attempts"], advice(story)) == (1 if status == 429 else 2, None)
    assert 2 <= int(story.headers[b"retry-after"]) <= 60


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_wait_that_the_vendor_names_is_told_whole(dialogue: Dialogue, status: int) -> None:
    story = asked(dialogue, stream=True)
    story.upstream_answers(status, ERROR, headers=(*JSON, (b"retry-after", b"86400")))
    assert (advice(story), story.headers[b"retry-after"]) == (None, b"86400")


@pytest.mark.parametrize("value", [b"true", b"false"])
@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_the_vendors_own_advice_passes(status: int, value: bytes) -> None:
    story = asked(ANTHROPIC, stream=True)
    story.upstream_answers(status, ERROR, headers=(*JSON, (b"x-should-retry", value)))
    assert advice(story) == value


def test_advice_that_is_none_does_not_pass() -> None:
    story = asked(ANTHROPIC, stream=True)
    story.upstream_answers(529, ERROR, headers=(*JSON, (b"x-should-retry", b"maybe")))
    assert (advice(story), story.headers[b"retry-after"]) == (None, b"2")


def test_a_refused_credential_is_final_whatever_its_vendor_advises() -> None:
    story = asked(ANTHROPIC, stream=True)
    story.upstream_answers(401, ERROR, headers=(*JSON, (b"x-should-retry", b"true"), (b"retry-after", b"9")))
    assert (story.status, advice(story), b"retry-after" in story.headers) == (424, b"false", False)


def test_a_refused_credential_is_told_in_words_that_claude_code_shows() -> None:
    story = asked(ANTHROPIC, stream=True)
    error = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    story.upstream_answers(401, error)
    assert words(story).endswith("(401): invalid API key")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("status", LASTING)
def test_what_will_not_pass_is_called_final(dialogue: Dialogue, status: int) -> None:
    story = asked(dialogue, stream=True, attempts=4)
    story.upstream_answers(status, ERROR)
    assert (len(story.requests), advice(story), b"retry-after" in story.headers) == (1, b"false", False)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize(("headers", "body"), [(HTML, b""), (JSON, PAGE), (HTML, PAGE)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_page_in_place_of_an_answer_is_final_and_not_repeated(
    dialogue: Dialogue, stream: bool, headers: Headers, body: bytes
) -> None:
    story = asked(dialogue, stream=stream, attempts=4)
    story.upstream_answers(200, body, headers=headers)
    assert (story.status, len(story.requests), advice(story)) == (502, 1, b"false")
    assert "without a JSON object" in words(story)


def test_tls_that_fails_is_final_and_not_repeated_but_asked_elsewhere() -> None:
    story = asked(CHAT, stream=False, attempts=4)
    story.tell(UpstreamFailed(1, Stage.TLS, Sent.NONE, reused=False, cause="wrong version number"))
    assert (story.status, len(story.requests), advice(story)) == (502, 1, b"false")
    providers = (msgspec.structs.replace(provider(CHAT, name=name), models=("m",)) for name in ("one", "two"))
    other = asked(CHAT, stream=False, model="m", setup=config(providers=tuple(providers)), attempts=4)
    other.tell(UpstreamFailed(1, Stage.TLS, Sent.NONE, reused=False, cause="wrong version number"))
    assert other.requests[2].origin.host == "two.example"


def test_a_redirect_is_final_and_not_repeated() -> None:
    story = asked(CHAT, stream=False, attempts=4)
    story.upstream_answers(307, b"", headers=((b"location", b"https://login.example/"),))
    assert (story.status, len(story.requests), advice(story)) == (502, 1, b"false")


@pytest.mark.parametrize("last", [Act.MISSING, Act.REVOKED])
def test_of_several_ways_one_that_may_open_decides(last: Act) -> None:
    this = world({"a1": [Act.BUSY_LONG], "a2": [Act.BUSY_LONG], "b1": [last], "c1": [last]})
    story = ask(this, CHAT, stream=True)
    assert (tried(this)[-1], story.status, advice(story)) == ("c1", 503, None)
    assert story.headers[b"retry-after"] == b"20"


def test_a_page_of_media_is_final_and_text_that_is_called_html_is_not() -> None:
    for body, status in ((PAGE, 502), (b"what was said", 200)):
        story = Story(gateway(config(), attempts=4))
        audio = b'{"model":"my-openai","input":"x","voice":"v"}'
        story.open("POST", "/v1/audio/speech", body=audio)
        story.upstream_answers(200, body, headers=HTML)
        assert (story.status, len(story.requests)) == (status, 1)
        assert (advice(story), body in story.body) == ((b"false", False) if status == 502 else (None, True))


def test_trouble_of_the_gateways_own_that_passes_says_when() -> None:
    late = asked(CHAT, stream=False, setup=config(timeouts=Timeouts(request=5)))
    late.wait(6)
    assert (late.status, advice(late), late.headers[b"retry-after"]) == (504, None, b"2")
    slow = Story(gateway(config(timeouts=Timeouts(body_idle=1))))
    slow.open("POST", "/v1/messages", headers=JSON)
    slow.wait(2)
    assert (slow.status, advice(slow), b"retry-after" in slow.headers) == (408, None, False)


@pytest.mark.parametrize(
    ("target", "method", "headers", "body", "status"),
    [
        ("/v1/chat/completions", "POST", JSON, b"{", 400),
        ("/v1/messages", "POST", JSON, b'{"model":"nobody"}', 404),
        ("/v1/messages", "PUT", JSON, b"{}", 405),
        ("/v1/nothing", "GET", (), None, 404),
        ("/v1/files", "POST", JSON, b"{}", 501),
        ("/v1/chat/completions", "POST", ((b"content-length", b"99999999"),), None, 413),
        ("/v1/chat/completions", "POST", ((b"content-encoding", b"mystery"),), b"x", 415),
    ],
)
def test_the_gateways_own_refusals_are_final(
    target: str, method: str, headers: Headers, body: bytes | None, status: int
) -> None:
    story = Story(gateway(config(proxy=with_client_key(), limits=Limits(max_json_mb=1))))
    story.open(method, target, headers=(*headers, (b"authorization", b"Bearer " + CLIENT_KEY.encode())), body=body)
    assert (story.status, advice(story)) == (status, b"false")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("shown", [(), ((b"authorization", b"Bearer wrong"),)], ids=["none", "wrong"])
def test_a_401_for_a_client_key_says_so_in_every_dialect(dialogue: Dialogue, shown: Headers) -> None:
    story = Story(gateway(config(proxy=msgspec.structs.replace(with_client_key(), auth_mode="strict"))))
    story.open("POST", dialogue.target("m", stream=True), headers=shown, body=dialogue.request("m", stream=True))
    assert (story.status, advice(story)) == (401, b"false")
    assert "API key" in words(story)
    # Claude Code shows "Not logged in" in place of words with this name (measured with 2.1.197).
    assert "x-api-key" not in words(story)
    # By this beginning LiteLLM tells a wrong key from a wrong request (litellm_core_utils/exception_mapping_utils.py).
    assert words(story).startswith("Incorrect API key provided") is (dialogue not in (ANTHROPIC, GEMINI))


def test_an_unknown_model_says_where_the_names_are() -> None:
    story = Story(gateway(config()))
    story.open("POST", "/v1/messages", body=ANTHROPIC.request("nobody", stream=True))
    assert words(story).endswith("; GET /v1/models lists all names, as `agcore models` does")
    limited = Story(gateway(config(proxy=with_client_key(models=("up-openai",)))))
    key: Headers = ((b"x-api-key", CLIENT_KEY.encode()),)
    limited.open("POST", "/v1/messages", headers=key, body=ANTHROPIC.request("my-anthropic", stream=True))
    assert (limited.status, words(limited).endswith("; GET /v1/models lists what it may use")) == (403, True)


def test_a_malformed_head_is_final_and_a_full_house_is_not() -> None:
    def hints(status: int) -> dict[bytes, bytes]:
        head: Any = gateway(config()).refuse(status, "no", now=EPOCH)[0]
        return {name: value for name, value in head.headers if name in (b"x-should-retry", b"retry-after")}

    assert (hints(400), hints(431)) == (dict(NO), dict(NO))
    assert hints(503) == {b"retry-after": b"2"}


def test_a_refused_key_of_an_mcp_server_is_named_in_a_json_rpc_error() -> None:
    endpoint = next(iter(provider(CHAT).endpoints.values()))
    server = McpServer(name="tools", url="https://tools.example/mcp", endpoint=endpoint)
    setup = msgspec.structs.replace(config(proxy=Proxy()), mcp=(server,))
    story = Story(gateway(setup))
    story.open("POST", "/mcp/tools/mcp", body=b'{"jsonrpc":"2.0","id":7,"method":"tools/list"}')
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 401, SSE))
    body = json.loads(story.body)
    assert (story.status, advice(story), body["id"], "tools#1" in body["error"]["message"]) == (424, b"false", 7, True)


def test_a_fault_says_itself_whether_it_may_pass() -> None:
    assert [status for status in range(400, 600) if status < 500 and may_pass(Fault(status, "x"))] == [
        *(408, 409, 425, 429, 498, 499)
    ]
    assert [status for status in range(500, 600) if not may_pass(Fault(status, "x"))] == [501, 505, 508]
    assert retry_hints(Fault(429, "x", retry_after=0.2)) == ((b"retry-after", b"1"),)
    assert retry_hints(Fault(429, "x")) == ()
    assert retry_hints(Fault(400, "x", retry_after=3)) == ((b"retry-after", b"3"), *NO)
    assert retry_hints(Fault(503, "x", headers=NO)) == ()
    assert retry_hints(Fault(400, "x", headers=((b"x-should-retry", b"true"),))) == ()
