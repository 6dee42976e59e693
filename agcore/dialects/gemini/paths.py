"""Paths of Gemini's API."""

from __future__ import annotations

from agcore.dialects.gemini.traits import TRAITS
from agcore.dialects.tasks import Destination


def action_path(at: Destination, action: str) -> bytes:
    """`PREFIX/VERSION/COLLECTION/MODEL:ACTION`; without a version, in the one that has everything."""
    return TRAITS.target(at.prefix, "/{version}/{collection}/{model}:" + action, at.parts, at.model)
