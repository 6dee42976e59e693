"""Manners, the gateway: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # G1
    # G2
    # G3
    # G4
    # G5
    # G6
    # G7
    # G8
    # G9
    # G10
    # G11
    # G12
    # G13
    # G14
    # G15
    # G16
    # G17
    # G18
    # G19
    # G20
    # R5
    # L8
)
