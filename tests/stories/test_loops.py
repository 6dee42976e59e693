"""Requests that come back to a gateway, from itself or in a ring: one pass, and words (docs/routing.md)."""

from __future__ import annotations

import json

import msgspec
import pytest

from agcore import Gateway, Headers, load_config
from agcore.config import describe_config, parse, startup_warnings, upstreams_here
from agcore.config.values import McpServer, Retry
from agcore.protocol.http import UpstreamRequest
from agcore.upstream.hops import HOP_FIELD, MAX_HOPS
from agcore_sim.dialogues import CHAT, DIALOGUES, Dialogue
from agcore_sim.story import EPOCH, Story
from tests.support.dialogues import asked, config, ids, provider


def other(number: int) -> Gateway:
    """A gateway that shares nothing with others, as another process has it."""
    setup = msgspec.structs.replace(config(), retry=Retry(attempts=4))
    return Gateway(setup, secret=bytes([number]) * 32, now=EPOCH)


def passed_on(request: UpstreamRequest, gateway: Gateway, dialogue: Dialogue) -> Story:
    """What another gateway makes of the request of the one before."""
    story = Story(gateway)
    hop = tuple(field for field in request.headers if field[0] == HOP_FIELD)
    assert len(hop) == 1
    body = dialogue.request(dialogue.model, stream=True)
    story.open("POST", dialogue.target(dialogue.model, stream=True), headers=hop, body=body)
    return story


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_request_that_comes_back_is_a_508_with_words_in_every_dialect(dialogue: Dialogue) -> None:
    gateway = other(1)
    first = asked(dialogue, stream=True, story=Story(gateway))
    second = passed_on(first.requests[1], gateway, dialogue)
    assert (second.status, second.requests, second.headers[b"x-should-retry"]) == (508, {}, b"false")
    assert "base_url of a provider leads to the gateway itself" in json.loads(second.body)["error"]["message"]
    # What the first pass makes of that answer: it is not repeated, and the words go on.
    first.upstream_answers(508, second.body)
    assert (first.status, len(first.requests), first.headers[b"x-should-retry"]) == (508, 1, b"false")
    assert "leads to the gateway itself" in first.body.decode()


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_ring_of_gateways_ends_at_the_second_pass_and_a_chain_of_them_works(dialogue: Dialogue) -> None:
    one, two, three = other(1), other(2), other(3)
    first = asked(dialogue, stream=True, story=Story(one))
    second = passed_on(first.requests[1], two, dialogue)
    third = passed_on(second.requests[1], three, dialogue)
    assert list(third.requests) == [1]  # three behind one another are a chain
    assert dict(third.requests[1].headers)[HOP_FIELD].count(b",") == 2
    for gateway in (one, two, three):
        assert passed_on(third.requests[1], gateway, dialogue).status == 508


def test_gateways_without_end_are_a_loop() -> None:
    marks = b", ".join([b"%012x" % number for number in range(MAX_HOPS)])
    for more, status in ((b"", None), (b", 0123456789ab", 508)):
        story = Story(other(1))
        body = CHAT.request(CHAT.model, stream=True)
        story.open("POST", CHAT.target(CHAT.model, stream=True), headers=((HOP_FIELD, marks + more),), body=body)
        assert (story.status if story.finished else None) == status


def test_a_loop_by_way_of_an_mcp_server_ends_too() -> None:
    endpoint = next(iter(provider(CHAT).endpoints.values()))
    server = McpServer(name="tools", url="https://tools.example/mcp", endpoint=endpoint)
    gateway = Gateway(msgspec.structs.replace(config(), mcp=(server,)), secret=bytes(32), now=EPOCH)
    message = b'{"jsonrpc":"2.0","id":7,"method":"tools/list"}'
    first, second = Story(gateway), Story(gateway)
    first.open("POST", "/mcp/tools/mcp", body=message)
    hop: Headers = tuple(field for field in first.requests[1].headers if field[0] == HOP_FIELD)
    second.open("POST", "/mcp/tools/mcp", headers=hop, body=message)
    assert (second.status, second.requests) == (508, {})


def test_vendors_are_not_told() -> None:
    setup = load_config('[[providers]]\npreset = "openai"\nkeys = ["sk-0123456789abcdef"]\n', environ={})
    story = Story(Gateway(setup, secret=bytes(32), now=EPOCH))
    story.open("POST", "/v1/chat/completions", body=CHAT.request("gpt-4.1", stream=False))
    assert HOP_FIELD not in dict(story.requests[1].headers)


ENTRY = '[[providers]]\nname = "p"\ndialect = "openai"\nkeys = ["sk-0123456789abcdef"]\nbase_url = "{}"\n'


@pytest.mark.parametrize(
    ("proxy", "url", "here"),
    [
        ("", "http://127.0.0.1:8045/v1", True),
        ("", "http://localhost:8045/v1", True),
        ("", "http://[::1]:8045/v1", True),
        ("", "http://127.0.0.1:8046/v1", False),
        ("", "http://192.0.2.7:8045/v1", False),
        ("port = 9", "http://127.0.0.1:9/v1", True),
        ('host = "0.0.0.0"', "http://127.0.0.1:8045/v1", True),
        ('host = "192.0.2.7"', "http://192.0.2.7:8045/v1", True),
        ('host = "192.0.2.7"', "http://127.0.0.1:8045/v1", False),
        ('public_url = "https://gw.example"', "https://gw.example/v1", True),
        ('public_url = "https://gw.example"', "https://api.example/v1", False),
    ],
)
def test_a_provider_that_is_the_gateway_itself_is_found(proxy: str, url: str, here: bool) -> None:
    text = f"[proxy]\n{proxy}\n{ENTRY.format(url)}"
    setup = load_config(text, environ={})
    assert len(list(upstreams_here(setup))) == here
    assert any("is this gateway itself" in each for each in startup_warnings(setup)) is here
    parsed = parse(text, secrets={}, environ={})
    assert ("is this gateway itself" in describe_config(parsed)) is here


def test_an_mcp_server_that_is_the_gateway_itself_is_found() -> None:
    setup = load_config(
        '[mcp.x]\nurl = "http://127.0.0.1:8045/mcp/x/mcp"\n[mcp.y]\nurl = "http://h:1/mcp"\n', environ={}
    )
    assert [each.partition(":")[0] for each in upstreams_here(setup)] == ["mcp.x"]
