"""Notices that a configuration has changed: its file, or one that a secret stands in.

Files are compared by the time of their last change, their size and their inode, so that one that was replaced, as
editors and mounted volumes do it, counts as one that was written to. A file that is being written is left alone until
it rests, because half of a configuration may well be one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from agcore.config import secret_refs
from agcore_host.settings import file_name

POLL: Final = 2.0
"""Seconds between two looks."""

SETTLE: Final = 0.1
"""Seconds for which a file that has changed must rest."""

Stamp: TypeAlias = tuple[int, int, int] | None
"""Time of the last change in nanoseconds, size and inode of a file; None for one that is not there."""


class Watch:
    """What the files of a configuration were like when it was read; make it before reading.

    Args:
        path: the configuration's file.
        companions: further files whose change means that it is to be read again.
        are_due: whether it is to be read again though no file has changed.
    """

    def __init__(
        self, path: Path, companions: tuple[Path, ...] = (), *, are_due: Callable[[], bool] = lambda: False
    ) -> None:
        self._path = path
        self._are_due = are_due
        self._companions = companions
        self.mark()

    def mark(self) -> None:
        """Takes the files as they are now for the ones that are read next."""
        others = {file: stamp(file) for file in self._companions}
        self._read = self._seen = {**stamps(self._path), **others}

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return POLL if self._seen == self._read else SETTLE

    def look(self) -> bool:
        """Looks at the files: True, once for each change, when they are to be read again."""
        if self._are_due():
            self.mark()
            return True
        seen = {file: stamp(file) for file in self._read}
        changed = [found for file, found in seen.items() if found != self._read[file]]
        rested = seen == self._seen or all(map(_rested, changed))
        self._seen = seen
        if not changed or not rested:
            return False
        self.mark()
        return True


def stamps(path: Path) -> dict[Path, Stamp]:
    """What the configuration's file and those of its secrets are like now."""
    found = {path: stamp(path)}
    try:
        references = secret_refs(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return found
    for written in references:
        kind, _, name = written.partition(":")
        if kind == "file":
            file = Path(file_name(name, beside=path.parent))
            found[file] = stamp(file)
    return found


def stamp(file: Path) -> Stamp:
    """What a file is like now."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _rested(found: Stamp) -> bool:
    """Whether a file is there and was not changed a moment ago, as far as clocks can be trusted."""
    return found is not None and found[0] < time.time_ns() - SETTLE * 1e9
