"""The real gateway behind the real server, with the demo provider as its upstream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
import trio.testing

from agcore import Config, Gateway
from agcore.config.parser import with_demo
from agcore_cli.demo_server import serve_demo
from agcore_trio.server import serve
from tests.trio_server.toys import EPOCH, ListSink, post, read_answer


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


@pytest.fixture
async def client(nursery: trio.Nursery, sink: ListSink) -> AsyncIterator[trio.SocketStream]:
    config = with_demo(Config(), await nursery.start(serve_demo))
    gateway = Gateway(config, secret=bytes(32), now=EPOCH)
    url = await nursery.start(partial(serve, gateway, host="127.0.0.1", port=0, sink=sink, announce=lambda _: None))
    async with await trio.open_tcp_stream("127.0.0.1", int(url.rsplit(":", 1)[1])) as stream:
        yield stream


def asking(**more: object) -> bytes:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}], **more}).encode()
    return post(body, b"/v1/chat/completions", b"content-type: application/json\r\n")


async def test_answers_streams_and_errors_share_a_connection(client, sink):
    await client.send_all(asking())
    status, _, body = await read_answer(client)
    assert status == 200
    assert "[agcore demo]" in json.loads(body)["choices"][0]["message"]["content"]
    await client.send_all(asking(stream=True))
    status, headers, body = await read_answer(client)
    assert (status, headers[b"transfer-encoding"]) == (200, b"chunked")
    assert body.endswith(b"data: [DONE]\n\n")
    await client.send_all(post(b"{", b"/v1/chat/completions", b"content-type: application/json\r\n"))
    assert (await read_answer(client))[0] == 400
    await client.send_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert (await read_answer(client, b"GET"))[0] == 200
    assert [row.fields["status"] for row in sink.rows] == [200, 200, 400, 200]


async def test_a_client_that_leaves_a_stream_is_in_the_log(client, sink):
    await client.send_all(asking(stream=True))
    await client.receive_some(100)
    await client.aclose()
    while not sink.rows:
        await trio.testing.wait_all_tasks_blocked()
    assert sink.rows[0].fields["outcome"] == "client gone"


async def test_a_head_that_is_not_http_is_an_error_in_json(client, sink):
    await client.send_all(b"NOISE\r\n\r\n")
    status, headers, body = await read_answer(client)
    assert (status, headers[b"connection"]) == (400, b"close")
    assert json.loads(body)["error"]["message"]
    assert sink.rows[0].fields["status"] == 400
