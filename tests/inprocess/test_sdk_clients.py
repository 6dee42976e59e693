"""The gateway inside a client's process: the official SDKs over its transports, against upstreams on sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import anthropic
import anyio
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai.types import HttpOptions

from agcore import demo_answer, load_config
from agcore.protocol import Event, RequestEnded
from agcore_httpx import AsyncGatewayTransport, AsyncGatewayTransport2, GatewayTransport, GatewayTransport2
from tests.support.backends import on_both_loops
from tests.support.upstreams import Answer, Recorded, Upstream

KEY = "sk-anything"


def demo(request: Recorded) -> Answer:
    said = demo_answer(request.method, request.target, request.headers, request.body)
    return Answer(said.status, said.headers, tuple(chunk.data for chunk in said.chunks))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(demo) as made:
        yield made


def config(upstream: Upstream, **proxy: Any) -> dict[str, Any]:
    keys = {"keys": ["sk-provider"]}
    return {
        "proxy": proxy,
        "providers": [
            {"name": "o", "dialect": "openai", "base_url": f"{upstream.url}/v1", **keys, "models": ["gpt-*"]},
            {"name": "a", "dialect": "anthropic", "base_url": upstream.url, **keys, "models": ["claude-*"]},
            {"name": "g", "dialect": "gemini", "base_url": upstream.url, **keys, "models": ["gemini-*"]},
        ],
    }


@pytest.fixture(params=["httpx", "httpx2"])
def http(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Any]:
    made: Any = (
        httpx.Client(transport=GatewayTransport(config(upstream)))
        if request.param == "httpx"
        else httpx2.Client(transport=GatewayTransport2(load_config(config(upstream))))
    )
    with made:
        yield made


@pytest.fixture
def openai_client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with httpx2.Client(transport=GatewayTransport2(config(upstream))) as http:
        yield openai.OpenAI(api_key=KEY, http_client=http, max_retries=0)


ASKED = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}


def test_a_request_is_answered_without_a_server(http: Any, upstream: Upstream) -> None:
    response = http.post("http://anything/v1/chat/completions", json=ASKED)
    assert response.status_code == 200
    assert "hello" in response.json()["choices"][0]["message"]["content"]
    assert response.headers["x-agcore-provider"] == "o"
    assert upstream.requests[0].fields[b"authorization"] == b"Bearer sk-provider"


@pytest.mark.parametrize("model", ["gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro"])
def test_openais_client_asks_every_provider(openai_client: openai.OpenAI, model: str) -> None:
    asked: Any = {**ASKED, "model": model}
    whole = openai_client.chat.completions.create(**asked)
    assert "hello" in (whole.choices[0].message.content or "")
    stream = openai_client.chat.completions.create(**asked, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said == whole.choices[0].message.content


def test_anthropics_client_asks_every_provider(upstream: Upstream) -> None:
    with httpx2.Client(transport=GatewayTransport2(config(upstream))) as http:
        client = anthropic.Anthropic(api_key=KEY, http_client=http, max_retries=0)
        for model in ("claude-sonnet-4-5", "gpt-5"):
            asked: Any = {"model": model, "max_tokens": 99, "messages": [{"role": "user", "content": "hello"}]}
            whole = client.messages.create(**asked)
            assert "hello" in whole.content[0].text  # type: ignore[union-attr]
            with client.messages.stream(**asked) as stream:
                assert "".join(stream.text_stream) == whole.content[0].text  # type: ignore[union-attr]


def test_googles_client_asks_every_provider(upstream: Upstream) -> None:
    with httpx.Client(transport=GatewayTransport(config(upstream))) as http:
        client = genai.Client(api_key=KEY, http_options=HttpOptions(httpx_client=http))
        for model in ("gemini-2.5-pro", "gpt-5"):
            whole = client.models.generate_content(model=model, contents="hello")
            assert "hello" in (whole.text or "")
            pieces = client.models.generate_content_stream(model=model, contents="hello")
            assert "".join(piece.text or "" for piece in pieces) == whole.text


def async_http(kind: str, configuration: dict[str, Any]) -> Any:
    if kind == "httpx":
        return httpx.AsyncClient(transport=AsyncGatewayTransport(configuration))
    return httpx2.AsyncClient(transport=AsyncGatewayTransport2(configuration))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
def test_async_clients_are_answered_on_both_event_loops(kind: str, backend: str, upstream: Upstream) -> None:
    async def main() -> None:
        async with async_http(kind, config(upstream)) as http:
            response = await http.post("http://agcore/v1/chat/completions", json=ASKED)
            whole = response.json()["choices"][0]["message"]["content"]
            asked = {**ASKED, "stream": True}
            async with http.stream("POST", "http://agcore/v1/chat/completions", json=asked) as stream:
                lines = [line async for line in stream.aiter_lines() if line]
            assert lines[-1] == "data: [DONE]"
            assert len(lines) > 3
            assert "hello" in whole

    anyio.run(main, backend=backend)


def test_the_async_sdk_streams(upstream: Upstream) -> None:
    async def main() -> None:
        async with httpx2.AsyncClient(transport=AsyncGatewayTransport2(config(upstream))) as http:
            client = openai.AsyncOpenAI(api_key=KEY, http_client=http, max_retries=0)
            asked: Any = {**ASKED, "stream": True, "n": 2}
            stream = await client.chat.completions.create(**asked)
            indices = {choice.index async for chunk in stream for choice in chunk.choices}
            assert indices == {0, 1}

    asyncio.run(main())


class Paced:
    """An upstream that says a word, then waits to be let on."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def pieces(self) -> Iterator[bytes]:
        yield b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"one"}}]}\n\n'
        assert self.go.wait(20)
        yield b'data: {"choices":[{"index":0,"delta":{"content":"two"},"finish_reason":"stop"}]}\n\n'
        yield b"data: [DONE]\n\n"


STREAM = ((b"content-type", b"text/event-stream"),)


def test_chunks_come_as_the_upstream_sends_them() -> None:
    paced = Paced()
    with (
        Upstream(lambda _: Answer(200, STREAM, paced.pieces())) as upstream,
        httpx2.Client(transport=GatewayTransport2(config(upstream))) as http,
    ):
        client = openai.OpenAI(api_key=KEY, http_client=http, max_retries=0)
        asked: Any = {**ASKED, "stream": True}
        chunks = iter(client.chat.completions.create(**asked))
        assert next(chunks).choices[0].delta.content == "one"
        paced.go.set()
        assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["two"]


@pytest.mark.parametrize("backend", ["asyncio", "trio", "thread"])
def test_a_stream_that_is_closed_early_ends_its_upstream(backend: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'data: {"choices":[{"index":0,"delta":{"content":"more"}}]}\n\n'
            time.sleep(0.01)

    asked = {**ASKED, "stream": True}
    events: list[Event] = []
    with Upstream(lambda _: Answer(200, STREAM, endless())) as upstream:
        if backend == "thread":
            with httpx2.Client(transport=GatewayTransport2(config(upstream), on_event=events.append)) as http:
                with http.stream("POST", "http://agcore/v1/chat/completions", json=asked) as stream:
                    next(stream.iter_lines())
                _gone(upstream)
        else:

            async def main() -> None:
                transport = AsyncGatewayTransport2(config(upstream), on_event=events.append)
                async with httpx2.AsyncClient(transport=transport) as http:
                    async with (
                        http.stream("POST", "http://agcore/v1/chat/completions", json=asked) as stream,
                        aclosing(stream.aiter_raw()) as pieces,
                    ):
                        await anext(pieces)
                    await anyio.to_thread.run_sync(_gone, upstream)

            anyio.run(main, backend=backend)
    (ended,) = [event for event in events if isinstance(event, RequestEnded)]
    assert str(ended.outcome) != "ok"


def _gone(upstream: Upstream) -> None:
    for _ in range(1000):
        if not upstream.connected:
            return
        time.sleep(0.01)
    raise AssertionError("the upstream is still asked")


def test_errors_are_in_the_clients_dialect(upstream: Upstream) -> None:
    with httpx2.Client(transport=GatewayTransport2(config(upstream))) as http:
        client = openai.OpenAI(api_key=KEY, http_client=http, max_retries=0)
        asked: Any = {**ASKED, "model": "nobody-has-this"}
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(**asked)
        assert caught.value.code == "model_not_found"
        messages: Any = {"model": "nobody-has-this", "max_tokens": 9, "messages": ASKED["messages"]}
        with pytest.raises(anthropic.NotFoundError) as refused:
            anthropic.Anthropic(api_key=KEY, http_client=http, max_retries=0).messages.create(**messages)
        body: Any = refused.value.body
        assert body["error"]["type"] == "not_found_error"


def test_an_upstream_that_is_not_there_is_a_status_and_no_exception() -> None:
    with Upstream(demo) as upstream:
        configuration = config(upstream)
    with httpx2.Client(transport=GatewayTransport2(configuration)) as http:
        response = http.post("http://agcore/v1/chat/completions", json=ASKED)
    assert response.status_code == 502
    assert "cannot connect to 127.0.0.1" in response.json()["error"]["message"]


def test_a_configuration_that_asks_for_keys_is_heeded(upstream: Upstream) -> None:
    strict = config(upstream, auth_mode="strict", api_key="sk-mine")
    with httpx2.Client(transport=GatewayTransport2(strict)) as http:
        for key, status in (("sk-anything", 401), ("sk-mine", 200)):
            headers = {"authorization": f"Bearer {key}"}
            assert http.post("http://agcore/v1/chat/completions", json=ASKED, headers=headers).status_code == status


def test_a_configuration_that_cannot_be_used_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="dialect"):
        GatewayTransport2({"providers": [{"name": "x"}]})


def test_the_clients_own_limit_of_time_counts() -> None:
    paced = Paced()
    with Upstream(lambda _: Answer(200, STREAM, paced.pieces())) as upstream:
        with httpx2.Client(transport=GatewayTransport2(config(upstream)), timeout=0.3) as http:
            asked = {**ASKED, "stream": True}
            with (
                pytest.raises(httpx2.ReadTimeout),
                http.stream("POST", "http://agcore/v1/chat/completions", json=asked) as stream,
            ):
                stream.read()
        paced.go.set()


def test_large_forms_pass_from_a_file(upstream: Upstream) -> None:
    with httpx2.Client(transport=GatewayTransport2(config(upstream))) as http:
        form = {"file": ("a.wav", bytes(3_000_000), "audio/wav")}
        response = http.post("http://agcore/v1/audio/transcriptions", data={"model": "gpt-4o-transcribe"}, files=form)
    assert response.status_code in (200, 404), response.text
    assert len(upstream.requests[0].body) > 3_000_000


@on_both_loops
async def test_a_body_that_cannot_be_read_is_no_request() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"model":'
        raise RuntimeError("the disk is gone")

    with Upstream(demo) as upstream:
        async with httpx2.AsyncClient(transport=AsyncGatewayTransport2(config(upstream))) as http:
            headers = {"content-type": "application/json"}
            response = await http.post("http://agcore/v1/chat/completions", content=body(), headers=headers)
        assert response.status_code == 400
        assert not upstream.requests


def test_a_transport_that_was_never_closed_keeps_no_process_alive(tmp_path: Any) -> None:
    import subprocess
    import sys

    code = """
import httpx2
from agcore_httpx import GatewayTransport2
http = httpx2.Client(transport=GatewayTransport2({"providers": []}))
print(http.get("http://agcore/healthz").status_code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["200"]
