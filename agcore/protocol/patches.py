"""Replacements inside a body, carried out on one that is held whole or passes by in pieces.

Patches that are used together stand in the order of their offsets, do not overlap, and each begins before the end of
the body.
"""

from __future__ import annotations

from collections.abc import Sequence

from agcore.protocol.http import Patch


def patched_length(total: int, patches: Sequence[Patch]) -> int:
    """Returns the bytes that a body of `total` bytes has after `patches`."""
    return total + sum(len(patch.data) - patch.length for patch in patches)


def apply(data: bytes, start: int, patches: Sequence[Patch]) -> bytes:
    """The window `data` of a body, beginning at byte `start` of it, after `patches`.

    A replacement stands in the window that holds its patch's first byte, so the results for adjoining windows join to
    the patched body wherever they are cut.
    """
    end = start + len(data)
    at = start
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    for patch in patches:
        if patch.offset >= end:
            break
        if patch.offset >= start:
            pieces += (view[at - start : patch.offset - start], patch.data)
        at = max(at, min(end, patch.offset + patch.length))
    return b"".join((*pieces, view[at - start :])) if pieces else data[at - start :]


class Patcher:
    """Applies patches to a body that passes from its start, piece by piece."""

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._patches = patches
        self._position = 0

    def feed(self, data: bytes) -> bytes:
        """The next piece of the body, patched; may be empty where `data` was not."""
        patched = apply(data, self._position, self._patches)
        self._position += len(data)
        return patched
