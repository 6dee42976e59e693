"""Requests as few send them, on every frontend: bodies in chunks that are coded as well, and heads that are none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

import pytest

from agcore_sim.dialogues import CHAT
from tests.support.coded import CODED
from tests.support.patience import PATIENCE
from tests.support.scripted_vendors import CLIENT, FRONTENDS, World, running

BODY: Final = CHAT.request("solo-openai/odd", stream=False)
HEAD: Final = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer " + CLIENT.encode() + b"\r\nconnection: close\r\n"
)


@pytest.fixture(scope="module", params=FRONTENDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with running(request.param) as world:
        yield world


def sent(port: int, data: bytes) -> tuple[int, bytes]:
    """Status and everything of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(data)
        answer = b""
        # Hypercorn keeps a connection open whose request it has answered before its end.
        while not ended(answer) and (piece := client.recv(65536)):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


def ended(answer: bytes) -> bool:
    """Whether all has come that the length of an answer names."""
    head, end, body = answer.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(end and lengths) and len(body) >= lengths[0]


def in_chunks(body: bytes) -> bytes:
    """The body in chunks of seven bytes."""
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("coding", CODED)
def test_a_coded_body_may_come_in_chunks(world: World, coding: str) -> None:
    fields = b"content-encoding: %b\r\ntransfer-encoding: chunked\r\n\r\n" % coding.encode()
    status, answer = sent(world.port, HEAD + fields + in_chunks(CODED[coding](BODY)))
    assert (status, b"hello" in answer) == (200, True)
    request = world.upstream.requests[-1]
    assert request.body == BODY.replace(b"solo-openai/odd", b"odd")
    assert b"content-encoding" not in request.fields
    assert b"transfer-encoding" not in request.fields


def test_a_bomb_in_chunks_is_a_413(world: World) -> None:
    before = len(world.upstream.requests)
    fields = b"content-encoding: zstd\r\ntransfer-encoding: chunked\r\n\r\n"
    bomb = CODED["zstd"](bytes(40_000_000))
    status, answer = sent(world.port, HEAD + fields + in_chunks(bomb))
    assert (status, len(world.upstream.requests)) == (413, before)
    assert b"x-should-retry: false" in answer.lower()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx y: z\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    ],
    ids=["no header", "too long"],
)
def test_a_head_that_is_none_is_refused_under_an_id(head: bytes, status: int) -> None:
    """The servers of ASGI applications refuse such heads themselves."""
    with running("trio") as there:
        refused, answer = sent(there.port, head)
    assert refused == status
    assert b"x-agcore-request-id: req_" in answer
    assert b"x-should-retry: false" in answer
