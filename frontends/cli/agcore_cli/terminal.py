"""What people read in a terminal: complaints in one form, tables, styles, and text that wraps as it streams; and what a
command leaves to its shell, the exit code.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TextIO

OK: Final = 0
NO: Final = 1
"""The answer is no."""
UNUSABLE: Final = 2
"""The command line, or the configuration, has to be put right first."""
NO_GATEWAY: Final = 3
"""No gateway answers."""
INTERRUPTED: Final = 130

WIDEST: Final = 100
"""Columns of running text; longer lines are hard to read, however wide the terminal is."""

_CODES: Final = {"bold": 1, "dim": 2, "red": 31, "green": 32, "cyan": 36}
_WORD: Final = re.compile(r"(\s*)(\S*)")


def complain(kind: str, message: str, details: Iterable[str] = ()) -> None:
    """Prints `agcore: KIND: MESSAGE` on standard error, and each of `details` indented on a line of its own."""
    print(f"agcore: {kind}: {message}", *(f"  {detail}" for detail in details), sep="\n", file=sys.stderr, flush=True)


def refuse(message: str, *details: str) -> int:
    """Complains of what has to be put right first, and returns the exit code that says so."""
    complain("error", message, details)
    return UNUSABLE


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of equal length as lines, each column as wide as its widest cell."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


class Paper:
    """Writes lines and running text, in styles where a terminal shows them.

    Args:
        out: where to; styles are used only if it is a terminal.
        environ: `NO_COLOR` (with any value but an empty one) and `TERM=dumb` turn styles off.
    """

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._styled = out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._out = out
        self._width = min(shutil.get_terminal_size().columns, WIDEST)
        self._column = 0
        self._gap = False

    def line(self, text: str = "") -> None:
        """Writes a line of its own."""
        self._write(("\n" if self._column else "") + text + "\n")
        self._column, self._gap = 0, False

    def stream(self, text: str, *, indent: int) -> None:
        """Writes the next piece of running text at once; a word that does not fit any more starts a new line."""
        for gap, word in _WORD.findall(text):
            self._gap = self._gap or bool(gap)
            if not word:
                continue
            fits = self._column + 1 + len(word) <= self._width
            start = "" if fits or not self._gap else "\n"
            if start or not self._column:
                start += " " * indent
                self._column = indent
            elif self._gap:
                start = " "
                self._column += 1
            self._column += len(word)
            self._gap = False
            self._write(start + word)

    def style(self, text: str, name: str) -> str:
        """`text` in a style: `bold`, `dim`, `red`, `green` or `cyan`."""
        return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if self._styled else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
