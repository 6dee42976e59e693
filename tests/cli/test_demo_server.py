"""The demo provider on a socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import trio

from agcore_cli.demo_server import serve_demo
from tests.trio_server.toys import post, read_answer


@pytest.fixture
async def demo(nursery: trio.Nursery) -> AsyncIterator[trio.SocketStream]:
    url = await nursery.start(serve_demo)
    host, _, port = url.removeprefix("http://").partition(":")
    assert host == "127.0.0.1"
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        yield stream


def asking(**more: object) -> bytes:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}], **more}).encode()
    return post(body, b"/v1/chat/completions", b"content-type: application/json\r\n")


async def test_it_answers_whole_and_keeps_the_connection(demo):
    for _ in range(2):
        await demo.send_all(asking())
        status, headers, body = await read_answer(demo)
        assert status == 200
        assert int(headers[b"content-length"]) == len(body)
        assert "[agcore demo]" in json.loads(body)["choices"][0]["message"]["content"]


async def test_it_streams(demo):
    await demo.send_all(asking(stream=True))
    status, headers, body = await read_answer(demo)
    assert (status, headers[b"transfer-encoding"]) == (200, b"chunked")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_head_requests_have_no_body(demo):
    await demo.send_all(b"HEAD /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
    await read_answer(demo, b"HEAD")
    await demo.send_all(asking())
    assert (await read_answer(demo))[0] == 200


async def test_bytes_that_are_no_request_end_the_connection(demo):
    await demo.send_all(b"NOISE\r\n\r\n")
    assert await demo.receive_some(1) == b""
