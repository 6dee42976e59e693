"""Manners, translation: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T1
    # T2
    # T3
    # T4
    # T5
    # T6
    # T7
    # T9
    # T10
    # T11
    # T12
    # T13
    # T14
    # T15
)
