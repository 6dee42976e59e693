"""What a person finds at the gateway's address."""

from __future__ import annotations

import re

import pytest

from agcore.config.values import ClientKey, Proxy, Secret
from agcore.protocol.http import Headers
from agcore_sim.story import Story, gateway
from tests.support.dialogues import CLIENT_KEY, PROVIDER_KEY, config, with_client_key

BROWSER: Headers = ((b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),)
COMMANDS = ("agcore env claude", "agcore models", "agcore status", "agcore check")


def opened(headers: Headers, *, method: str = "GET", target: str = "/", proxy: Proxy | None = None) -> Story:
    story = Story(gateway(config(proxy=with_client_key() if proxy is None else proxy)))
    story.open(method, target, headers=headers)
    return story


@pytest.mark.parametrize(
    ("headers", "kind"), [(BROWSER, "text/html"), ((), "text/plain"), (((b"accept", b"*/*"),), "text/plain")]
)
def test_the_address_says_what_answers_there_and_what_to_do_next(headers: Headers, kind: str) -> None:
    story = opened(headers)
    assert (story.status, story.headers[b"content-type"]) == (200, f"{kind}; charset=utf-8".encode())
    text = story.text()
    assert re.search(r"agcore \d+\.\d+", text)
    for path in ("/v1/chat/completions", "/v1/messages", "/v1beta/models", "/mcp/"):
        assert path in text
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("headers", [BROWSER, ()])
def test_it_tells_nothing_of_anybodys(headers: Headers) -> None:
    text = opened(headers).text()
    for secret in (CLIENT_KEY, PROVIDER_KEY, "alice", "up-openai", "openai.example"):
        assert secret not in text


def test_a_page_loads_nothing() -> None:
    story = opened(BROWSER)
    assert story.headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert not re.search(r"src=|href=|@import|url\(", story.text())


def test_a_preconnect_gets_the_head_alone() -> None:
    story = opened((), method="HEAD")
    assert (story.status, story.body) == (200, b"")


def test_a_strict_gateway_tells_nothing_without_a_key() -> None:
    strict = Proxy(keys=(ClientKey("alice", Secret(CLIENT_KEY)),), auth_mode="strict")
    assert opened(BROWSER, proxy=strict).status == 401
