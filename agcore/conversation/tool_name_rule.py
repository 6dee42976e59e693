"""Which names of tools a vendor takes: apart from their mapping, which only translation needs."""

from __future__ import annotations

import re

import msgspec


class ToolNameRule(msgspec.Struct, frozen=True):
    """Which names of tools a vendor takes."""

    pattern: re.Pattern[str]
    """What all of a legal name matches."""
    longest: int
    """Characters."""
