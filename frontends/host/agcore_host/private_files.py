"""Files that only their owner can read, replaced as a whole, so that a reader never finds half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write(path: str, data: bytes) -> None:
    """Puts a file in the place of another one, if there is one; what a link leads to is replaced, not the link.

    Windows has no file modes: there the directory's permissions count.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    import tempfile

    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def write_below(folder: Path, name: str, data: bytes) -> Path:
    """Writes a file in a folder that is made, with those to it, where it is not there; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(str(folder / name), data)
    return folder / name
