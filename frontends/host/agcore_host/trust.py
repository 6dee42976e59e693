"""Which configurations of working directories are trusted, by path and content, as direnv does it.

A trusted file has an entry in the state directory: `trusted/HASH-OF-PATH`, with the hash of its content. Another
content, or the same one at another path, is not trusted.
"""

from __future__ import annotations

import enum
from hashlib import sha256
from pathlib import Path

from agcore_host.private_files import write_below


class Standing(enum.Enum):
    """What is known of a file; the value goes on after its name."""

    TRUSTED = "it is trusted"
    CHANGED = "it has changed since it was trusted"
    UNKNOWN = "it is not trusted"


def standing(path: Path, state: Path | None, *, content: bytes | None = None) -> Standing:
    """What is known of a file.

    Args:
        path: the file.
        state: the state directory; None where there is none.
        content: what was read of the file; None to read it.
    """
    if state is None:
        return Standing.UNKNOWN
    try:
        known = entry(path, state).read_text(encoding="utf-8").partition("\n")[0]
        found = _digest(path.read_bytes() if content is None else content)
    except (OSError, ValueError):
        return Standing.UNKNOWN
    return Standing.TRUSTED if known == found else Standing.CHANGED


def trust(path: Path, state: Path) -> Path:
    """Trusts a file with the content that it has now, and returns its full path.

    Raises:
        OSError: the file cannot be read, or the state directory not written.
    """
    full = path.resolve(strict=True)
    place = entry(full, state)
    write_below(place.parent, place.name, f"{_digest(full.read_bytes())}\n{full}\n".encode("utf-8", "surrogateescape"))
    return full


def entry(path: Path, state: Path) -> Path:
    """The file that says whether another one is trusted."""
    return state / "trusted" / _digest(str(path.resolve()).encode("utf-8", "surrogateescape"))[:32]


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
