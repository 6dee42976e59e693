"""Idle connections: which is given out, how long it is kept, and what must not serve another request."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from agcore.protocol import Origin, UpstreamEnd, UpstreamRequest
from agcore_host.upstream.pool import IdleConnections, UpstreamConnection

ONE, OTHER = Origin("http", "one.test", 80), Origin("http", "other.test", 80)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Make = Callable[..., tuple[UpstreamConnection[socket.socket], socket.socket]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes connections that were answered, and their other ends."""
    open_ones: list[socket.socket] = []

    def made(origin: Origin = ONE, said: bytes = OK) -> tuple[UpstreamConnection[socket.socket], socket.socket]:
        ours, theirs = socket.socketpair()
        open_ones.extend((ours, theirs))
        connection = UpstreamConnection(origin, ours, ours.fileno())
        connection.engine.send_request(UpstreamRequest(origin, "GET", b"/", ((b"host", b"x"),)))
        connection.engine.receive(said)
        while not isinstance(connection.engine.next_input(1), UpstreamEnd):
            pass
        return connection, theirs

    yield made
    for each in open_ones:
        each.close()


def test_the_last_used_is_given_out_first_and_only_for_its_origin(make: Make) -> None:
    idle = IdleConnections[socket.socket]()
    first, second, other = make()[0], make()[0], make(OTHER)[0]
    for now, connection in enumerate((first, second, other)):
        assert idle.put(connection, now=now)
    assert len(idle) == 3
    assert idle.take(ONE) is second
    assert idle.take(ONE) is first
    assert idle.take(ONE) is None
    assert first.used
    assert idle.take(Origin("https", "one.test", 80)) is None
    assert len(idle) == 1


def test_the_oldest_expire_whatever_their_origin(make: Make) -> None:
    idle = IdleConnections[socket.socket]()
    made = [make(origin)[0] for origin in (ONE, OTHER, ONE, OTHER)]
    for now, connection in enumerate(made):
        idle.put(connection, now=now)
    assert idle.take(ONE) is made[2]
    expired = []
    while (connection := idle.expired(1)) is not None:
        expired.append(connection)
    assert expired == made[:2]
    assert idle.take(OTHER) is made[3]
    assert idle.expired(99) is None


def test_so_many_are_kept_for_one_origin_and_no_more(make: Make) -> None:
    idle = IdleConnections[socket.socket](max_idle=2)
    assert [idle.put(make()[0], now=0) for _ in range(3)] == [True, True, False]
    assert idle.put(make(OTHER)[0], now=0)


@pytest.mark.parametrize(
    "said",
    [
        OK + OK,
        OK + b"\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
def test_what_said_too_much_or_closes_serves_no_other_request(said: bytes, make: Make) -> None:
    assert not IdleConnections[socket.socket]().put(make(said=said)[0], now=0)


@pytest.mark.parametrize("unexpected", [OK, b""])
def test_what_waits_in_the_socket_is_seen_at_check_in_and_at_check_out(unexpected: bytes, make: Make) -> None:
    idle = IdleConnections[socket.socket]()
    connection, theirs = make()
    assert idle.put(connection, now=0)
    late, too_late = make()
    for end in (theirs, too_late):
        end.sendall(unexpected) if unexpected else end.shutdown(socket.SHUT_WR)
    assert not idle.put(late, now=0)
    taken = idle.take(ONE)
    assert taken is connection
    assert not taken.quiet


def test_a_stream_without_a_socket_is_vouched_for_by_its_engine() -> None:
    assert UpstreamConnection(ONE, object(), None).quiet
