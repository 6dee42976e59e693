"""Reading a file for `ReadFile`: all or nothing, and nothing from outside of its roots.

What may be read is decided on the descriptor, after opening: a path can lead elsewhere the moment after it was looked
at. It is looked at before as well, so that nothing else is even opened, which can have effects of its own (a pipe with
a waiting writer, a tape). These functions block; the driver calls `read_file` in a worker thread.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from agcore.protocol import FileRead, FileRefused, ReadFile

NOT_READABLE: Final = "is not a readable file below the allowed directories"
"""Said of every path that is outside, does not exist or cannot be opened, lest the answer tell what exists."""

FLAGS: Final = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
"""Without `O_NONBLOCK`, opening a pipe waits for its writer."""


def read_file(effect: ReadFile) -> FileRead | FileRefused:
    """Reads a file; never raises for what is wrong with one."""
    try:
        data = _read(effect.path, roots=effect.roots, limit=effect.max_bytes)
    except (OSError, ValueError):  # ValueError: nothing can have such a name.
        return FileRefused(effect.id, NOT_READABLE)
    if data is None:
        return FileRefused(effect.id, f"is larger than {effect.max_bytes} bytes")
    return FileRead(effect.id, data)


def _read(path: str, *, roots: tuple[str, ...], limit: int) -> bytes | None:
    """The whole file, or None if it is too large; an OSError where it is not to be read."""
    allowed = [os.path.realpath(root) for root in roots if os.path.isabs(root)]
    real = os.path.realpath(path)
    if not (os.path.isabs(path) and _below(real, allowed) and stat.S_ISREG(os.stat(real).st_mode)):
        raise PermissionError
    descriptor = os.open(path, FLAGS)
    try:
        status = os.fstat(descriptor)
        if not (stat.S_ISREG(status.st_mode) and _below(real_path(descriptor, path), allowed)):
            raise PermissionError
        if status.st_size > limit:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            # It may have grown meanwhile: one byte more than is allowed shows that.
            data = file.read(limit + 1)
        return data if len(data) <= limit else None
    finally:
        os.close(descriptor)


def real_path(descriptor: int, path: str) -> str:
    """Where the file that was opened as `path` really is.

    Raises:
        OSError: that cannot be found out.
    """
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        # Not on Linux: where the path leads now, provided that this is the very file that was opened.
        real = os.path.realpath(path)
        if not os.path.samestat(os.lstat(real), os.fstat(descriptor)):
            raise
        return real


def _below(path: str, roots: list[str]) -> bool:
    return any(path == root or path.startswith(os.path.join(root, "")) for root in roots)
