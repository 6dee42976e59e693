"""The application in real servers: uvicorn, and hypercorn under both event loops."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketStream
from starlette.applications import Starlette
from starlette.routing import Mount

from agcore.config.parser import parse
from agcore.config.values import Config
from agcore_asgi import Application, create_app
from agcore_host.clock import Clock
from tests.support import asgi_servers
from tests.support.asgi_servers import SERVERS, Serve
from tests.support.patience import PATIENCE
from tests.support.raw_upstream import at_end, raw_upstream, read_request
from tests.support.relay_machine import RelayExchange, RelayGateway
from tests.support.upload_machine import UploadGateway

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

in_each_server = pytest.mark.parametrize(
    ("serve", "backend"), [pytest.param(*server, id=name) for name, server in SERVERS.items()]
)


@asynccontextmanager
async def served(serve: Serve, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Runs `app` in a server and gives a client of it; stops both properly."""
    async with (
        asgi_servers.served(serve, app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE) as client,
    ):
        yield client


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await main()

    anyio.run(bounded, backend=backend)


def gateway_to(port: int) -> Application:
    config: Config = parse(CONFIG.format(port=port), secrets={}, environ={}).config
    return create_app(config, sink=lambda event: None)


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
            app = Application(RelayGateway(port), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
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
            app = Application(RelayGateway(port), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
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
        async with served(serve, create_app(Config(), sink=lambda event: None)) as client:
            response = await client.get("/v1/responses", headers=headers)
            assert response.status_code == 426
            assert response.json()["error"]["code"] == "upgrade_required"

    run(backend, main)


@in_each_server
def test_answers_without_a_body_keep_the_connection(serve: Serve, backend: str) -> None:
    async def main() -> None:
        async with served(serve, create_app(Config(), sink=lambda event: None)) as client:
            sources = set()
            for method, target, status in (
                ("HEAD", "/healthz", 200),
                ("OPTIONS", "/v1/messages", 204),
                ("HEAD", "/v1/nope", 404),
                ("GET", "/healthz", 200),
            ):
                response = await client.request(method, target)
                assert response.status_code == status
                assert bool(response.content) == (method == "GET")
                assert (status == 204) == ("content-length" not in response.headers)
                sources.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            assert len(sources) == 1

    run(backend, main)


@in_each_server
def test_below_a_mount_point_the_rest_of_the_path_counts(serve: Serve, backend: str) -> None:
    gateway = RelayGateway()
    app = Application(gateway, clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
    inner = Starlette(routes=[Mount("/b c", app)])
    outer = Starlette(routes=[Mount("/llm", app), Mount("/llm2", inner)])

    async def main() -> None:
        async with served(serve, outer) as client:
            for target in (
                "/llm/v1/models/a%2Fb?q=%2F",
                "/llm/llm/v1",
                "/%6clm/v1",
                "/llm//v1",
                "/llm/",
                "/llm2/b%20c/v1/x%20y",
            ):
                assert (await client.get(target)).status_code == 502
            assert (await client.get("/llmx/v1")).status_code == 404
        await app.aclose()

    run(backend, main)
    assert gateway.targets == [b"/v1/models/a%2Fb?q=%2F", b"/llm/v1", b"/v1", b"//v1", b"/", b"/v1/x%20y"]


@in_each_server
def test_a_mounted_gateway_without_a_lifespan_makes_its_connections_when_they_are_needed(
    serve: Serve, backend: str
) -> None:
    async def main() -> None:
        ended = anyio.Event()

        async def upstream(stream: SocketStream) -> None:
            body = json.dumps(ANSWER).encode()
            for _ in range(2):
                await read_request(stream)
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                await stream.send(head % len(body) + body)
            assert await at_end(stream)
            ended.set()

        async with raw_upstream(upstream) as port:
            gateway = gateway_to(port)
            async with served(serve, Starlette(routes=[Mount("/llm", gateway)])) as client:
                for _ in range(2):
                    response = await client.post("/llm/v1/chat/completions", json={"model": "m", "messages": []})
                    assert response.status_code == 200
                assert not ended.is_set()
                await gateway.aclose()
                await ended.wait()

    run(backend, main)


@in_each_server
def test_a_stream_without_end_does_not_outlast_its_server(serve: Serve, backend: str) -> None:
    async def main() -> None:
        ended = anyio.Event()

        async def upstream(stream: SocketStream) -> None:
            await read_request(stream)
            await stream.send(STREAM_HEAD + b"3\r\none\r\n")
            assert await at_end(stream)
            ended.set()

        def prepare(exchange: RelayExchange) -> None:
            exchange.open_ended = True

        async with raw_upstream(upstream) as port:
            gateway = RelayGateway(port)
            gateway.prepare = prepare
            app = Application(gateway, clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
            stopping = anyio.Event()

            async def read(port: int) -> None:
                async with await anyio.connect_tcp("127.0.0.1", port) as client:
                    await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    data = b""
                    while b"one" not in data:
                        data += await client.receive()
                    stopping.set()
                    while not await at_end(client):
                        pass

            async with anyio.create_task_group() as tasks, asgi_servers.served(serve, app) as own:
                tasks.start_soon(read, own)
                await stopping.wait()
            await ended.wait()

    run(backend, main)


@in_each_server
def test_a_client_that_leaves_while_it_uploads_ends_the_leg(serve: Serve, backend: str) -> None:
    async def main() -> None:
        received, ended = anyio.Event(), anyio.Event()

        async def upstream(stream: SocketStream) -> None:
            data = b""
            while b"one" not in data:
                data += await stream.receive()
            received.set()
            assert await at_end(stream)
            ended.set()

        async with raw_upstream(upstream) as port:
            app = Application(UploadGateway(port), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
            async with asgi_servers.served(serve, app) as own:
                async with await anyio.connect_tcp("127.0.0.1", own) as client:
                    await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\none")
                    await received.wait()
                await ended.wait()

    run(backend, main)


@in_each_server
def test_a_large_upload_passes_by_to_an_upstream_that_is_slow_to_read(serve: Serve, backend: str) -> None:
    size = 8 * 1024 * 1024

    async def main() -> None:
        async def upstream(stream: SocketStream) -> None:
            data = await stream.receive()
            left = size - len(data.partition(b"\r\n\r\n")[2])
            while left:
                await anyio.wait_all_tasks_blocked()
                left -= len(await stream.receive(1024 * 1024))
            await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        async with raw_upstream(upstream) as port:
            app = Application(UploadGateway(port), clock=Clock(), sink=lambda event: None)  # type: ignore[arg-type]
            async with served(serve, app) as client:
                response = await client.post("/", content=bytes(size))
                assert (response.status_code, response.content) == (200, b"ok")

    run(backend, main)
