"""The yardstick: the least that a relay on trio and h11 can do while still being a relay.

One task per connection, keep-alive on both sides, pooled upstream connections, h11 as server and as client, head and
body forwarded as they arrive, and all the bytes that one read gives rise to in one write. Nothing else: no auth, no
log, no JSON, no timeouts, no retry, and nobody notices a client that hangs up. Whatever a gateway on trio and h11 costs
beyond this is its own doing.

Takes the upstream's port as its argument, prints `listening on http://127.0.0.1:PORT` and serves until killed.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

import h11
import trio

READ_SIZE: Final = 65536


class Upstream:
    """One keep-alive connection to the upstream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT)


class Relay:
    """Forwards to one upstream, over as many connections as there are requests at a time; idle ones are used again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._host = f"127.0.0.1:{port}".encode()
        self._idle: list[Upstream] = []

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serves one client connection to its end."""
        client = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while await self._exchange(stream, client):
                    client.start_next_cycle()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            pass  # the client is gone, or never spoke HTTP: nothing is left to do for it

    async def _exchange(self, stream: trio.SocketStream, client: h11.Connection) -> bool:
        """Forwards one request and its answer; returns whether the client connection can take another."""
        upstream: Upstream | None = None
        outgoing = b""
        while client.their_state is not h11.DONE:
            event = client.next_event()
            if event is h11.NEED_DATA:
                if upstream is not None and outgoing:
                    await upstream.stream.send_all(outgoing)
                    outgoing = b""
                client.receive_data(await stream.receive_some(READ_SIZE))
            elif isinstance(event, h11.Request):
                upstream = (
                    self._idle.pop() if self._idle else Upstream(await trio.open_tcp_stream("127.0.0.1", self._port))
                )
                headers = [(b"host", self._host)]
                headers += [(name, value) for name, value in event.headers if name not in (b"host", b"connection")]
                request = h11.Request(method=event.method, target=event.target, headers=headers)
                outgoing = upstream.http.send(request) or b""
            elif isinstance(event, h11.ConnectionClosed):
                return False
            elif upstream is not None and isinstance(event, h11.Data | h11.EndOfMessage):
                outgoing += upstream.http.send(event) or b""
        if upstream is None:
            return False
        await upstream.stream.send_all(outgoing)
        await self._answer(upstream, stream, client)
        if upstream.http.our_state is h11.DONE and upstream.http.their_state is h11.DONE:
            upstream.http.start_next_cycle()
            self._idle.append(upstream)
        else:
            await upstream.stream.aclose()
        return client.our_state is h11.DONE and client.their_state is h11.DONE

    async def _answer(self, upstream: Upstream, stream: trio.SocketStream, client: h11.Connection) -> None:
        """Forwards the answer that `upstream` is about to give."""
        outgoing = b""
        while True:
            event = upstream.http.next_event()
            if event is h11.NEED_DATA:
                if outgoing:
                    await stream.send_all(outgoing)
                    outgoing = b""
                upstream.http.receive_data(await upstream.stream.receive_some(READ_SIZE))
            elif isinstance(event, h11.Response):
                headers = [(name, value) for name, value in event.headers if name != b"connection"]
                outgoing = client.send(h11.Response(status_code=event.status_code, headers=headers)) or b""
            elif isinstance(event, h11.Data):
                outgoing += client.send(event) or b""
            elif isinstance(event, h11.EndOfMessage):
                outgoing += client.send(event) or b""
                await stream.send_all(outgoing)
                return


async def main(port: int) -> None:
    relay = Relay(port)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, relay.handle, 0, host="127.0.0.1"))
        bound = listeners[0].socket.getsockname()[1]
        print(f"listening on http://127.0.0.1:{bound}", flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
