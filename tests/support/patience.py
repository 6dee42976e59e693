"""How long a test waits for what must come: a guard against hanging, and no statement about speed."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 120.0
"""Seconds. On a machine with a lot else to do, a process that starts in half a second may need twenty."""
