"""The gate of coverage: `python -m tests.coverage_gate`, after a run that measured.

The core is to have every branch covered, the frontends at least what they have. A package that gets better raises its
number here, and none sinks.
"""

from __future__ import annotations

import sys
from typing import Final

import coverage

LEAST: Final = {
    "agcore": 100.0,
    "agcore_host": 98.8,
    "agcore_trio": 94.3,
    "agcore_asgi": 96.0,
    "agcore_cli": 88.0,
    "agcore_httpx": 89.0,
    "agcore_sim": 98.5,
}
"""Percent of lines and branches, by package."""


def main() -> int:
    """Report every package against its least, with the lines that are missing; 1 where one has less, else 0."""
    measured = coverage.Coverage()
    measured.load()
    short = []
    for package, least in LEAST.items():
        print(f"\n{package}: at least {least:g} %")
        found = measured.report(include=[f"*/{package}/*"], file=sys.stdout)
        if round(found, 2) < least:
            short.append(f"{package} has {found:.2f} % and needs {least:g} %")
    print(*short, sep="\n")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
