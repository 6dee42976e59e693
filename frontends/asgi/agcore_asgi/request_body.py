"""The bodies of upstream requests, as httpcore takes them: piece by piece, each when the socket has taken the last one.

A body in memory, one that was put aside in a file, and one that is still arriving from the client. All but the short
ones are an `Upload`: a refusal that comes while they are sent ends them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import anyio
import anyio.to_thread
import httpx

from agcore_asgi.network import Upload

SHORT: Final = 64 * 1024
"""Bytes up to which a body is written in one go, without listening for an answer meanwhile."""
PIECE: Final = 256 * 1024
"""Bytes of a piece of a longer one; the limit of time for a write is one for each piece."""


class Body(httpx.AsyncByteStream):
    """A body in memory, and the base of the other two.

    Attributes:
        upload: what hears of a refusal; None for a short body.
        wrote: called when the socket has taken a piece.
        writes: called when the next one is about to be written.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.upload = Upload() if len(data) > SHORT else None
        self.wrote: Callable[[], None] = _nothing
        self.writes: Callable[[], None] = _nothing
        self._data = data
        self._at = 0
        self._begun = False

    @property
    def taken(self) -> bool:
        """Whether the socket has taken all that there is so far."""
        return True

    def close(self) -> None:
        """Nothing more of it is to be sent."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._begun:
            self.wrote()
        piece = await self._next()
        if self._begun:
            self.writes()
        self._begun = True
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def _next(self) -> bytes | None:
        piece = self._data[self._at : self._at + PIECE] if self.upload is not None else self._data[self._at :]
        self._at += len(piece)
        return piece or None


class FileBody(Body):
    """A body that is read from a file, in a worker thread.

    Args:
        pieces: reads the next one; may raise OSError.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self.upload = Upload()
        self._pieces = pieces

    async def _next(self) -> bytes | None:
        return await anyio.to_thread.run_sync(next, self._pieces, None)


class ArrivingBody(Body):
    """A body whose pieces are still to come.

    Args:
        first: what there is already.
        wake: called when there is nothing left to write.
    """

    def __init__(self, first: bytes, *, wake: Callable[[], None]) -> None:
        super().__init__()
        self.upload: Upload = Upload()
        self._wake = wake
        self._pieces = deque([first] if first else [])
        self._complete = False
        self._closed = False
        self._writing = False
        self._news = anyio.Event()

    @property
    def taken(self) -> bool:
        """Whether the socket has taken all that there is so far, or will never."""
        return self._closed or not (self._pieces or self._writing)

    def send(self, data: bytes) -> None:
        """Adds a piece; once nothing more is to be sent, it is dropped."""
        if data and not self._closed:
            self._pieces.append(data)
            self._news.set()

    def end(self) -> None:
        """Says that there are no further pieces."""
        self._complete = True
        self._news.set()

    def close(self) -> None:
        """Nothing more of it is to be sent: whoever waits for pieces to be taken need not wait."""
        self._closed = True
        self._pieces.clear()
        self._wake()

    async def _next(self) -> bytes | None:
        self._writing = False
        if not self._pieces:
            self._wake()
        while not self._pieces:
            if self._complete:
                return None
            self._news = anyio.Event()
            await self.upload.wait(self._news.wait)
        self._writing = True
        return self._pieces.popleft()


def _nothing() -> None:
    pass
