"""Upstreams that answer in ways nobody asked for: both frontends make the same of them."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import anyio
import httpx
import httpx2
import pytest

from agcore_httpx import AsyncGatewayTransport, AsyncGatewayTransport2
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
LARGE = 8 * 1024 * 1024
WORDS = b'{"error":{"message":"far too big"}}'
TOO_LARGE = b"HTTP/1.1 413 Large\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WORDS) + WORDS


def asks(url: Url, size: int = 0) -> tuple[int, bytes]:
    message = {"role": "user", "content": "x" * size}
    body = json.dumps({"model": "up/m", "messages": [message]}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_an_answer_that_is_compressed_unasked_means_the_same_to_both() -> None:
    headers = ((b"content-type", b"application/json"), (b"content-encoding", b"gzip"))
    packed = gzip.compress(b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}', mtime=0)
    seen = {}
    with Upstream(lambda _: Answer(200, headers, (packed,))) as upstream:
        for name, serve in FRONTENDS.items():
            with serve(CONFIG.format(upstream.url)) as url:
                seen[name] = asks(url)
        assert len({request.fields.get(b"accept-encoding") for request in upstream.requests}) == 1
    assert seen["trio"] == seen["uvicorn"]
    status, body = seen["trio"]
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "hi")


@contextmanager
def refusing(then: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """An upstream that answers 413 to what it has read of a head, and then does this."""
    asked: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    closing = threading.Event()

    def serve() -> None:
        while not closing.is_set():
            with suppress(TimeoutError, OSError):
                made, _ = listener.accept()
                with made:
                    made.settimeout(10)
                    made.recv(1000)
                    asked.append(1)
                    made.sendall(TOO_LARGE)
                    then(made)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        closing.set()
        thread.join()
        listener.close()


def closes(made: socket.socket) -> None:
    pass


def lingers(made: socket.socket) -> None:
    made.shutdown(socket.SHUT_WR)
    while made.recv(65536):
        pass


@pytest.mark.parametrize("frontend", FRONTENDS)
@pytest.mark.parametrize("then", [closes, lingers])
def test_a_large_body_that_is_refused_at_once_is_refused_in_the_vendors_words(
    then: Callable[[socket.socket], None], frontend: str
) -> None:
    with refusing(then) as (base, asked), FRONTENDS[frontend](CONFIG.format(base)) as url:
        status, body = asks(url, LARGE)
    assert status == 413
    assert b"far too big" in body
    assert len(asked) == 1


IN_PROCESS: Final[dict[str, tuple[Any, Any, tuple[tuple[Callable[[socket.socket], None], str], ...]]]] = {
    name: (client, transport, ((lingers, "asyncio"), (closes, "trio")))
    for name, client, transport in (
        ("httpx", httpx.AsyncClient, AsyncGatewayTransport),
        ("httpx2", httpx2.AsyncClient, AsyncGatewayTransport2),
    )
}
"""Library -> its client, its transport, and how the server ends under which event loop."""


@pytest.mark.parametrize("library", IN_PROCESS)
def test_in_process_a_large_body_that_is_refused_at_once_is_refused_in_the_vendors_words(library: str) -> None:
    """For a server that closes at once see the frontend's readme: what it said is lost by anyio's sockets on asyncio."""
    connect, transport, backends = IN_PROCESS[library]
    message = {"role": "user", "content": "x" * LARGE}

    async def main(base: str) -> tuple[int, bytes]:
        one = {"name": "up", "dialect": "openai", "base_url": f"{base}/v1", "keys": ["sk-up"]}
        async with connect(transport=transport({"providers": [one]}), timeout=120) as client:
            answer = await client.post(
                "http://agcore/v1/chat/completions", json={"model": "up/m", "messages": [message]}
            )
            return answer.status_code, answer.content

    for then, backend in backends:
        with refusing(then) as (base, asked):
            status, body = anyio.run(main, base, backend=backend)
        assert (status, b"far too big" in body, len(asked)) == (413, True, 1)
