"""Temporary files for request bodies that memory should not hold.

Everything here blocks, for the time that a copy from or to the page cache takes: tens of microseconds for a piece, less
than handing it to another thread and back. It may be called in worker threads all the same: a leg that was aborted may
still be reading in its thread when the next one begins.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import IO, Final

from agcore.protocol import Body, FileRead, FileRefused, Input, Patch, ReadSpool, Spooled, SpoolFailed

READ: Final = 128 * 1024
"""Bytes read at once."""

CANNOT_READ: Final = "cannot be read"
"""Said of a file that is gone, or not whole any more."""

GONE: Final = "the temporary file is gone"

LEAST: Final = 64 * 1024
"""Bytes of a piece, at least, but for the last: patches leave together with what is around them."""


class Spools:
    """The temporary files of one exchange, by their numbers."""

    def __init__(self) -> None:
        self._spools: dict[int, Spool | None] = {}

    def __bool__(self) -> bool:
        return bool(self._spools)

    def append(self, number: int, data: bytes) -> list[Input]:
        """Puts `data` into a file, which is made if need be; returns what failed. A failed file stays gone."""
        try:
            if number not in self._spools:
                self._spools[number] = None
                self._spools[number] = Spool()
            spool = self._spools[number]
            if spool is not None:
                spool.append(data)
        except OSError as error:
            self.drop(number)
            self._spools[number] = None
            why = (error.strerror or str(error)).lower()
            return [SpoolFailed(number, f"a temporary file cannot be written: {why}")]
        return []

    def read(self, effect: ReadSpool) -> FileRead | FileRefused:
        """Reads a file back as a whole."""
        try:
            return FileRead(effect.id, b"".join(self.pieces(effect.spool)))
        except OSError:
            return FileRefused(effect.id, CANNOT_READ)

    def pieces(self, number: int) -> Iterator[bytes]:
        """Reads a file back in pieces.

        Raises:
            OSError: it cannot be read, or is gone.
        """
        spool = self._spools.get(number)
        if spool is None:
            raise OSError(GONE)
        yield from spool.pieces()

    def find(self, body: Body) -> Spool | None:
        """The file that a request's body is in, if it is in one."""
        return self._spools.get(body.id) if isinstance(body, Spooled) else None

    def drop(self, number: int) -> None:
        """Removes a file."""
        spool = self._spools.pop(number, None)
        if spool is not None:
            spool.close()

    def close(self) -> None:
        """Removes all files."""
        for number in list(self._spools):
            self.drop(number)


class Spool:
    """An unnamed temporary file: written to its end, then read as often as need be.

    Raises:
        OSError: there can be no such file.
    """

    def __init__(self) -> None:
        # Imported here: it is slow to load, and most requests fit into memory.
        import tempfile

        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it
        self._lock = threading.Lock()
        self._size = 0

    def append(self, data: bytes) -> None:
        """Writes `data` after what is there.

        Raises:
            OSError: it cannot be written, or not all of it.
        """
        rest = memoryview(data)
        with self._lock:
            self._file.seek(self._size)
            while rest:
                written = self._file.write(rest)
                self._size += written
                rest = rest[written:]

    def pieces(self, patches: Sequence[Patch] = ()) -> Iterator[bytes]:
        """Reads the file from its start, with replacements made, in pieces of 64 to 192 KiB.

        Several may read at the same time.

        Raises:
            OSError: it cannot be read, or is closed.
        """
        parts: list[bytes] = []
        for part in self._parts(patches):
            parts.append(part)
            if sum(map(len, parts)) >= LEAST:
                yield b"".join(parts)
                parts.clear()
        if parts:
            yield b"".join(parts)

    def close(self) -> None:
        """Removes the file; nothing can be read any more."""
        with self._lock:
            self._file.close()

    def _parts(self, patches: Sequence[Patch]) -> Iterator[bytes]:
        at = 0
        for patch in patches:
            yield from self._between(at, patch.offset)
            yield patch.data
            at = patch.offset + patch.length
        yield from self._between(at, self._size)

    def _between(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            with self._lock:
                if self._file.closed:
                    raise OSError(GONE)
                self._file.seek(start)
                data = self._file.read(min(READ, end - start))
            if not data:
                raise OSError("the temporary file is too short")
            yield data
            start += len(data)
