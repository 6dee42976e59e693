"""A zero-delay upstream: answers every request, whatever it asks, with the same chat completion.

One thread, one selector, no HTTP library: as little work as Python allows, so that on a small machine the upstream
takes as little as possible from the relay under test. Prints `listening on http://127.0.0.1:PORT` and serves until it
is killed.
"""

from __future__ import annotations

import selectors
import socket
from typing import Final

from wire import answer, message_end

ANSWER: Final = answer()


def serve(listener: socket.socket) -> None:
    """Accepts on `listener` and answers for ever."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    pending: dict[socket.socket, bytes] = {}
    while True:
        for selected, _ in selector.select():
            if selected.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ, connection)
                pending[connection] = b""
                continue
            connection = selected.data
            try:
                if keep_open(connection, pending):
                    continue
            except OSError:
                pass  # the peer reset the connection: as good as closed
            selector.unregister(connection)
            connection.close()
            del pending[connection]


def keep_open(connection: socket.socket, pending: dict[socket.socket, bytes]) -> bool:
    """Reads once and answers each request that is complete; returns False when the peer has closed.

    The socket stays blocking: it was just seen to be readable, and an answer of this size fits any send buffer.
    """
    received = connection.recv(65536)
    if not received:
        return False
    data = pending[connection] + received
    while data and (end := message_end(data)) >= 0:
        connection.sendall(ANSWER)
        data = data[end:]
    pending[connection] = data
    return True


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        host, port = listener.getsockname()
        print(f"listening on http://{host}:{port}", flush=True)
        serve(listener)


if __name__ == "__main__":
    main()
