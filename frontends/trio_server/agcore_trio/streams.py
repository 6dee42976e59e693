"""What we need of trio's streams beyond their interface: descriptors, writes that do not wait, ways to close."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import Final

import trio

RECEIVE: Final = 64 * 1024
"""Bytes asked of a stream at once."""

LINGER: Final = 1.0
"""Seconds for the other side to close after us."""


def descriptor_of(stream: trio.abc.Stream) -> int | None:
    """The file descriptor below a stream, or None where there is none (streams in memory)."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    return transport.socket.fileno() if isinstance(transport, trio.SocketStream) else None


if os.name == "posix":

    def write_now(stream: trio.abc.Stream, data: bytes | memoryview) -> int:
        """Writes what the kernel takes without waiting, and returns how many bytes that was; 0 for other streams.

        `send_all` goes through the scheduler even when it need not wait, which is a tenth of the time of a short
        request. No error is raised: it comes again with the next `send_all`.
        """
        if type(stream) is not trio.SocketStream:
            return 0
        try:
            return os.write(stream.socket.fileno(), data)
        except OSError:
            return 0

else:

    def write_now(stream: trio.abc.Stream, data: bytes | memoryview) -> int:
        """Writes nothing: sockets are no files here."""
        return 0


async def close_now(stream: trio.abc.Stream) -> None:
    """Closes a stream without waiting and without a goodbye; never raises."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    if isinstance(transport, trio.SocketStream):
        transport.socket.close()
    else:
        await trio.aclose_forcefully(stream)


async def linger(stream: trio.abc.Stream) -> None:
    """Ends our side of a connection and waits a little for the other's end, so that a last answer arrives.

    Closing a socket that holds unread bytes resets it, and a reset can overtake what was sent before.
    """
    with trio.move_on_after(LINGER), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        while await stream.receive_some(RECEIVE):
            pass


def reset_on_close(stream: trio.abc.Stream) -> None:
    """Makes closing a socket a reset: the only sign of a broken answer where closing is what ends an answer."""
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
