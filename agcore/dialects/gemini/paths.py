"""Paths of Gemini's API."""

from __future__ import annotations

from urllib.parse import quote


def action_path(prefix: bytes, version: str, collection: str, model: str, action: bytes) -> bytes:
    """`PREFIX/VERSION/COLLECTION/MODEL:ACTION`."""
    name = quote(model, safe="/-._~@:").encode("ascii")
    return b"%b/%b/%b/%b:%b" % (prefix, version.encode(), collection.encode(), name, action)
