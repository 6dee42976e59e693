"""Gateways before gateways, on every frontend: a chain of them works, a ring ends at its second pass (fault G8)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from agcore import Gateway, load_config
from agcore.upstream.hops import HOP_FIELD
from agcore_httpx import GatewayTransport
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, Dialogue
from agcore_sim.story import EPOCH, JSON
from tests.support.dialogues import ids
from tests.support.scripted_vendors import FRONTENDS, Log, listening
from tests.support.upstreams import Answer, Upstream
from tests.support.wire_client import Reply, WireClient

MODEL = "m"
DIALOGUES = (CHAT, ANTHROPIC, GEMINI)
ENTRY = """
[[providers]]
name = "{name}"
dialect = "{dialect}"
base_url = "http://127.0.0.1:{port}{prefix}"
keys = ["sk-0123456789abcdef"]
models = ["*"]
"""


def config_to(port: int, dialogue: Dialogue) -> str:
    """The text of a configuration whose provider listens on a port."""
    prefix = "" if dialogue is ANTHROPIC else dialogue.prefix.decode()
    return ENTRY.format(name=f"at-{port}", dialect=dialogue.dialect, port=port, prefix=prefix)


def before(port: int, dialogue: Dialogue, number: int) -> Gateway:
    """A gateway that shares nothing with others, before what listens on a port."""
    return Gateway(load_config(config_to(port, dialogue), environ={}), secret=bytes([number]) * 32, now=EPOCH)


def ask(port: int, dialogue: Dialogue) -> Reply:
    with WireClient("127.0.0.1", port) as client:
        body = dialogue.request(MODEL, stream=False)
        headers = ((b"host", b"127.0.0.1"), *JSON)
        return client.ask("POST", dialogue.target(MODEL, stream=False), headers=headers, body=body)


def words(reply: Reply) -> str:
    message = json.loads(reply.body)["error"]["message"]
    assert isinstance(message, str)
    return message


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Three places where gateways will be, known before they are."""
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    yield made
    for each in made:
        each.close()


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_a_provider_that_is_the_gateway_itself_is_a_508_at_once(
    frontend: str, dialogue: Dialogue, listeners: list[socket.socket]
) -> None:
    log, port = Log(), listeners[0].getsockname()[1]
    with listening(frontend, before(port, dialogue, 1), log, listeners[0]):
        reply = ask(port, dialogue)
    assert (reply.status, dict(reply.headers)[b"x-should-retry"]) == (508, b"false")
    assert "leads to the gateway itself" in words(reply)
    assert [row.fields["status"] for row in log.rows if row.kind == "access"] == [508, 508]


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("ring", [("trio", "uvicorn"), ("hypercorn-trio", "trio", "hypercorn-asyncio")], ids="-".join)
def test_a_ring_of_gateways_ends_where_it_began(
    ring: tuple[str, ...], dialogue: Dialogue, listeners: list[socket.socket]
) -> None:
    log = Log()
    ports = [each.getsockname()[1] for each in listeners[: len(ring)]]
    with ExitStack() as stack:
        for number, frontend in enumerate(ring):
            gateway = before(ports[(number + 1) % len(ring)], dialogue, number)
            stack.enter_context(listening(frontend, gateway, log, listeners[number]))
        reply = ask(ports[0], dialogue)
    assert (reply.status, dict(reply.headers)[b"x-should-retry"]) == (508, b"false")
    assert "another one that leads back to it" in words(reply)
    # Each was passed once, and the first one said no to the second pass.
    assert [row.fields["status"] for row in log.rows if row.kind == "access"] == [508] * (len(ring) + 1)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
@pytest.mark.parametrize("chain", [("trio", "uvicorn"), ("uvicorn", "hypercorn-trio", "trio")], ids="-".join)
def test_a_chain_of_gateways_works(chain: tuple[str, ...], dialogue: Dialogue, listeners: list[socket.socket]) -> None:
    with Upstream(lambda _: Answer(pieces=(dialogue.answer,))) as upstream, ExitStack() as stack:
        port = upstream.port
        for number, frontend in enumerate(chain):
            gateway = before(port, dialogue, number)
            port = stack.enter_context(listening(frontend, gateway, None, listeners[number]))
        reply = ask(port, dialogue)
    assert (reply.status, b"hello" in reply.body, len(upstream.requests)) == (200, True, 1)


def test_a_gateway_in_a_clients_process_counts_as_one() -> None:
    httpx = pytest.importorskip("httpx")
    with Upstream(lambda _: Answer(pieces=(CHAT.answer,))) as upstream:
        with httpx.Client(transport=GatewayTransport(load_config(config_to(upstream.port, CHAT)))) as http:
            target = f"http://agcore{CHAT.path}"
            body = CHAT.request(MODEL, stream=False)
            assert http.post(target, content=body, headers={"content-type": "application/json"}).status_code == 200
            (request,) = upstream.requests
            hop = {name.decode(): value for name, value in request.headers if name == HOP_FIELD}
            assert (
                http.post(target, content=body, headers={"content-type": "application/json", **hop}).status_code == 508
            )
        assert len(upstream.requests) == 1
