"""Bodies in content codings over real sockets, both ways: both frontends and the one without sockets do the same."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from agcore_httpx import GatewayTransport
from tests.support.coded import CODED
from tests.support.servers import Url, trio_server, uvicorn_server
from tests.support.upstreams import Answer, Upstream

FRONTENDS = {"trio": trio_server, "uvicorn": uvicorn_server}
CONFIG = """
[[providers]]
name = "up"
dialect = "openai"
base_url = "{}/v1"
keys = ["sk-up"]
"""
HI = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
PLAIN = json.dumps({"model": "up/m", "messages": [{"role": "user", "content": "x" * 3_000_000}]}).encode()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: Answer(200, pieces=(HI,))) as made:
        yield made


@pytest.fixture(scope="module", params=FRONTENDS)
def url(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Url]:
    with FRONTENDS[request.param](CONFIG.format(upstream.url)) as made:
        yield made


def asks(url: Url, body: bytes, coding: str) -> tuple[int, bytes]:
    """Ask with head and body in one piece: a refusal may come before the body is read, and is read all the same."""
    host, _, port = str(url).removeprefix("http://").partition(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
        f"content-encoding: {coding}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode() + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def sent_up(upstream: Upstream) -> bytes:
    request = upstream.requests[-1]
    assert b"content-encoding" not in request.fields
    assert int(request.fields[b"content-length"]) == len(request.body)
    return request.body


@pytest.mark.parametrize("coding", CODED)
def test_a_coded_request_reaches_the_upstream_plain(url: Url, upstream: Upstream, coding: str) -> None:
    status, body = asks(url, CODED[coding](PLAIN), coding)
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "hi")
    assert sent_up(upstream) == PLAIN.replace(b'"up/m"', b'"m"')


def test_what_cannot_be_decoded_is_refused_and_nobody_asked(url: Url, upstream: Upstream) -> None:
    before = len(upstream.requests)
    assert asks(url, b"{}", "lzma")[0] == 415
    assert asks(url, b"{}", "zstd")[0] == 400
    assert asks(url, CODED["zstd"](bytes(40_000_000)), "zstd")[0] == 413
    assert len(upstream.requests) == before


def test_in_process_a_coded_request_is_decoded_as_well(upstream: Upstream) -> None:
    setup = {"providers": [{"name": "up", "dialect": "openai", "base_url": f"{upstream.url}/v1", "keys": ["sk-up"]}]}
    with httpx.Client(transport=GatewayTransport(setup)) as client:
        answer = client.post(
            "http://agcore/v1/chat/completions",
            content=CODED["zstd"](PLAIN),
            headers={"content-type": "application/json", "content-encoding": "zstd"},
        )
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "hi")
    assert sent_up(upstream) == PLAIN.replace(b'"up/m"', b'"m"')
