"""What is put aside for an exchange: an unnamed temporary file, written once and read as often as a leg needs it.

The file has no name (or loses it at once), so nothing is left of it when the process dies. Its methods block; the
driver and the legs call them in worker threads.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from agcore.protocol.http import Patch

PIECE: Final = 256 * 1024
"""Bytes of a piece that is read back: the most of a file that is in memory for one leg."""


class Spool:
    """One temporary file.

    Raises:
        OSError: where it cannot be made.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its exchange
        # A leg that was aborted may still be reading in its thread when the next one begins.
        self._lock = threading.Lock()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Writes `data` behind what is there.

        Raises:
            OSError: where there is no room.
        """
        with self._lock:
            self._file.seek(self._size)
            self._file.write(data)
            self._file.flush()
            self._size += len(data)

    def read(self, at: int, size: int) -> bytes:
        """Reads at most `size` bytes from the offset `at`.

        Raises:
            OSError: where that fails, or the file is gone.
        """
        with self._lock:
            if self._file.closed:
                raise OSError("the temporary file is gone")
            self._file.seek(at)
            return self._file.read(size)

    def whole(self) -> bytes:
        """Reads everything.

        Raises:
            OSError: where that fails, or the file is gone.
        """
        data = self.read(0, self._size)
        if len(data) < self._size:
            raise OSError("the temporary file is shorter than it was")
        return data

    def pieces(self, patches: Sequence[Patch]) -> Iterator[bytes]:
        """The whole, with its replacements made, in pieces of bounded size.

        Raises:
            OSError: where the file cannot be read.
        """
        at = 0
        for patch in (*patches, Patch(self._size, 0, b"")):
            while at < patch.offset:
                piece = self.read(at, min(PIECE, patch.offset - at))
                if not piece:
                    raise OSError("the temporary file is shorter than it was")
                at += len(piece)
                yield piece
            if patch.data:
                yield patch.data
            at += patch.length

    def close(self) -> None:
        """Closes the file, which removes it."""
        with self._lock:
            self._file.close()
