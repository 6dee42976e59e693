"""The application in real servers: uvicorn, and hypercorn under both event loops."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import hypercorn.asyncio
import hypercorn.config
import hypercorn.trio
import pytest
import uvicorn
from anyio.abc import SocketStream

from agcore.config import Config
from agcore.config_parser import parse
from agcore_asgi import Application, create_app
from agcore_asgi.clock import Clock
from tests.support.backends import SECONDS
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.relay_machine import RelayGateway

CONFIG = """
[[providers]]
name = "upstream"
dialect = "openai"
base_url = "http://127.0.0.1:{port}/v1"
keys = ["sk-upstream"]
"""
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

Serve = Callable[[Any, socket.socket, anyio.Event], Awaitable[None]]


async def serve_uvicorn(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="wsproto")
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        await stop.wait()
        server.should_exit = True


def hypercorn_config(listener: socket.socket) -> hypercorn.config.Config:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = 1
    return config


async def serve_hypercorn_asyncio(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    await hypercorn.asyncio.serve(app, hypercorn_config(listener), shutdown_trigger=stop.wait)


async def serve_hypercorn_trio(app: Any, listener: socket.socket, stop: anyio.Event) -> None:
    await hypercorn.trio.serve(app, hypercorn_config(listener), shutdown_trigger=stop.wait)


in_each_server = pytest.mark.parametrize(
    ("serve", "backend"),
    [
        pytest.param(serve_uvicorn, "asyncio", id="uvicorn"),
        pytest.param(serve_hypercorn_asyncio, "asyncio", id="hypercorn-asyncio"),
        pytest.param(serve_hypercorn_trio, "trio", id="hypercorn-trio"),
    ],
)


@asynccontextmanager
async def served(serve: Serve, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Runs `app` in a server and gives a client of it; stops both properly."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, app, listener, stop)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
            stop.set()


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(SECONDS):
            await main()

    anyio.run(bounded, backend=backend)


def gateway_to(port: int) -> Application:
    config: Config = parse(CONFIG.format(port=port), secrets={}, environ={}).config
    return create_app(config, sink=lambda note: None)


@in_each_server
def test_a_request_is_answered_and_the_connection_kept(serve: Serve, backend: str) -> None:
    seen: list[bytes] = []

    async def upstream(stream: SocketStream) -> None:
        body = json.dumps(ANSWER).encode()
        for _ in range(2):
            seen.append(await read_request(stream))
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            await stream.send(head % len(body) + body)

    async def main() -> None:
        async with raw_upstream(upstream) as port, served(serve, gateway_to(port)) as client:
            sources = set()
            for _ in range(2):
                response = await client.post("/v1/chat/completions", json={"model": "m", "messages": []})
                assert response.status_code == 200
                assert response.json()["choices"][0]["message"]["content"] == "hi"
                sources.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            assert len(sources) == 1

    run(backend, main)
    assert len(seen) == 2
    assert all(b"sk-upstream" in request for request in seen)


@in_each_server
def test_a_stream_passes_piece_by_piece_and_ends(serve: Serve, backend: str) -> None:
    async def main() -> None:
        taken = anyio.Event()

        async def upstream(stream: SocketStream) -> None:
            await read_request(stream)
            await stream.send(STREAM_HEAD)
            for delta, reason in (("he", "null"), ("llo", '"stop"')):
                event = (
                    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
                    f'[{{"index":0,"delta":{{"content":"{delta}"}},"finish_reason":{reason}}}]}}\n\n'
                ).encode()
                await stream.send(b"%x\r\n%b\r\n" % (len(event), event))
                await taken.wait()
            await stream.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

        body = {"model": "m", "messages": [], "stream": True}
        async with (
            raw_upstream(upstream) as port,
            served(serve, gateway_to(port)) as client,
            client.stream("POST", "/v1/chat/completions", json=body) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            events = []
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    taken.set()
                    events.append(line[6:])
            deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
            assert [delta["content"] for delta in deltas if delta.get("content")] == ["he", "llo"]
            assert events[-1] == "[DONE]"

    run(backend, main)


@in_each_server
def test_a_client_that_leaves_ends_the_upstream_leg(serve: Serve, backend: str) -> None:
    async def main() -> None:
        ended = anyio.Event()

        async def upstream(stream: SocketStream) -> None:
            await read_request(stream)
            await stream.send(STREAM_HEAD + b"3\r\none\r\n")
            assert await at_end(stream)
            ended.set()

        async with raw_upstream(upstream) as port:
            app = Application(RelayGateway(port), clock=Clock(), sink=lambda note: None)  # type: ignore[arg-type]
            async with served(serve, app) as client, client.stream("GET", "/") as response:
                await response.aclose()
                await ended.wait()

    run(backend, main)


@in_each_server
def test_a_response_that_cannot_be_ended_is_visibly_broken_off(serve: Serve, backend: str) -> None:
    async def upstream(stream: SocketStream) -> None:
        await read_request(stream)
        await stream.send(STREAM_HEAD + b"3\r\none\r\n")

    async def main() -> None:
        async with raw_upstream(upstream) as port:
            app = Application(RelayGateway(port), clock=Clock(), sink=lambda note: None)  # type: ignore[arg-type]
            async with served(serve, app) as client:
                with pytest.raises(httpx.RemoteProtocolError):
                    await client.get("/")

    run(backend, main)


@in_each_server
def test_a_websocket_handshake_is_answered_with_426(serve: Serve, backend: str) -> None:
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }

    async def main() -> None:
        async with served(serve, create_app(Config(), sink=lambda note: None)) as client:
            response = await client.get("/v1/responses", headers=headers)
            assert response.status_code == 426
            assert response.json()["error"]["code"] == "upgrade_required"

    run(backend, main)
