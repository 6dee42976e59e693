"""Manners, upstreams and steering: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T17
    # T18
    # T19
    # T20
    # T21
    # T22
    # T23
    # T24
    # T25
    # T26
    # T27
    # T28
    # T29
)
