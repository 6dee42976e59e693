"""A closed-loop load generator: N keep-alive connections, each sending its next request when the last is answered.

Raw sockets and one selector; of an answer it reads only its status and where it ends. Latency is from just before the
write of a request to the read that completes its answer. The first tenth of the time is warm-up and not counted; at the
end the answers under way are awaited, so that no server sees a connection cut in mid-exchange.

Prints one JSON object: `requests`, `rate` (per second), `p50` and `p99` (seconds). An answer other than 200, a closed
connection or five seconds of silence end it with an error.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import time
from typing import Final

from wire import message_end, request

SILENCE: Final = 5.0
"""Seconds without any answer after which a run is given up."""
WARM_UP: Final = 0.1
"""The part of the time that is not counted."""


class Client:
    """One connection: its socket, when its request was sent, and what has come of the answer."""

    __slots__ = ("received", "sent", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=SILENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self.received = b""

    def send(self, data: bytes) -> None:
        self.received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Reads once; returns whether the answer is complete."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"the connection was closed after {self.received!r}")
        self.received += data
        end = message_end(self.received)
        if end < 0:
            return False
        if not self.received.startswith(b"HTTP/1.1 200 ") or end != len(self.received):
            raise ValueError(f"not the answer that was expected: {self.received!r}")
        return True


def measure(host: str, port: int, key: str, *, connections: int, seconds: float) -> dict[str, float]:
    """Loads `host:port` for `seconds` and returns what was seen."""
    data = request(host, port, key)
    selector = selectors.DefaultSelector()
    clients = [Client(host, port) for _ in range(connections)]
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
    start = time.perf_counter()
    counted_from, stop = start + seconds * WARM_UP, start + seconds
    latencies: list[float] = []
    for client in clients:
        client.send(data)
    in_flight = connections
    while in_flight:
        ready = selector.select(SILENCE)
        if not ready:
            raise TimeoutError(f"no answer for {SILENCE:g} seconds")
        for selected, _ in ready:
            client = selected.data
            if not client.receive():
                continue
            now = time.perf_counter()
            if counted_from <= now < stop:
                latencies.append(now - client.sent)
            if now < stop:
                client.send(data)
            else:
                in_flight -= 1
    for client in clients:
        client.socket.close()
    latencies.sort()
    count = len(latencies)
    if not count:
        raise TimeoutError("no request was answered in the time that counts")
    return {
        "requests": count,
        "rate": count / (stop - counted_from),
        "p50": latencies[count // 2],
        "p99": latencies[count * 99 // 100],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", default="no-key-needed")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    seen = measure(options.host, options.port, options.key, connections=options.connections, seconds=options.seconds)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
