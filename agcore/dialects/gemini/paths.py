"""Paths of Gemini's API."""

from __future__ import annotations

from agcore.dialects.base import PathParts
from agcore.dialects.gemini.traits import TRAITS


def action_path(prefix: bytes, version: str, collection: str, model: str, action: bytes) -> bytes:
    """`PREFIX/VERSION/COLLECTION/MODEL:ACTION`; without a version, in the one that has everything."""
    parts = PathParts(version, collection)
    return TRAITS.target(prefix, "/{version}/{collection}/{model}:" + action.decode("ascii"), parts, model)
