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


def transport_of(stream: trio.abc.Stream) -> trio.abc.Stream:
    """The stream below TLS, or the very stream without; one whose TLS has said goodbye knows it no more.

    Through an `https` proxy, there is TLS within TLS.
    """
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    return stream


def descriptor_of(stream: trio.abc.Stream) -> int | None:
    """The file descriptor below a stream, or None where there is none (streams in memory)."""
    transport = transport_of(stream)
    return transport.socket.fileno() if isinstance(transport, trio.SocketStream) else None


if os.name == "posix":

    async def receive(stream: trio.abc.Stream) -> bytes | bytearray:
        """What comes next, as `receive_some` has it, without the layers that make a socket's take longer.

        Raises:
            trio.BrokenResourceError: the connection broke.
            trio.ClosedResourceError: the stream was closed here.
        """
        if type(stream) is not trio.SocketStream:
            return await stream.receive_some(RECEIVE)
        descriptor = stream.socket.fileno()
        while descriptor >= 0:
            await trio.lowlevel.wait_readable(descriptor)
            try:
                return os.read(descriptor, RECEIVE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError from error
        raise trio.ClosedResourceError

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

    async def receive(stream: trio.abc.Stream) -> bytes | bytearray:
        """What comes next, as `receive_some` has it."""
        return await stream.receive_some(RECEIVE)

    def write_now(stream: trio.abc.Stream, data: bytes | memoryview) -> int:
        """Writes nothing: sockets are no files here."""
        return 0


async def unread(stream: trio.abc.Stream) -> bool:
    """Whether TLS holds bytes that nobody has read, or has said goodbye; without TLS, nothing is held here.

    One packet may bring several records, of which a read returns one.
    """
    if not isinstance(stream, trio.SSLStream):
        return False
    if isinstance(stream.transport_stream, trio.SSLStream):
        return True  # what the TLS below it holds cannot be told, so that such a connection serves once
    with trio.CancelScope() as scope:
        # What is held is read before the first wait, and that is where this is left. A scope whose time was over when
        # it is entered would be left before.
        scope.deadline = trio.current_time()
        try:
            await stream.receive_some(1)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return True
    return not scope.cancelled_caught


async def close_now(stream: trio.abc.Stream) -> None:
    """Closes a stream without waiting and without a goodbye; never raises."""
    transport = transport_of(stream)
    if isinstance(transport, trio.SocketStream):
        transport.socket.close()
    else:
        # Shielded, because a read that is cancelled must not lose what it has brought.
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


async def await_upstream_end(stream: trio.abc.Stream) -> None:
    """Ends our side of a connection and waits a little for the other's end, so that a last answer arrives.

    What is below TLS (`transport_of`) has to be known before, to be closed after.

    Closing a socket that holds unread bytes resets it, and a reset can overtake what was sent before.
    """
    transport = transport_of(stream)
    with trio.move_on_after(LINGER), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.SSLStream):
            # Its goodbye fails if there is more to read, but is sent.
            with suppress(trio.BrokenResourceError):
                await stream.unwrap()
        if isinstance(transport, trio.abc.HalfCloseableStream):
            await transport.send_eof()
        while await transport.receive_some(RECEIVE):
            pass


def reset_on_close(stream: trio.abc.Stream) -> None:
    """Makes closing a socket a reset: the only sign of a broken answer where closing is what ends an answer."""
    transport = transport_of(stream)
    if isinstance(transport, trio.SocketStream):
        transport.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
