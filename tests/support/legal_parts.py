"""What the validators of upstream requests have in common."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

NAME_64: Final = r"[A-Za-z0-9_-]{1,64}"
NAME_128: Final = r"[A-Za-z0-9_-]{1,128}"
NAME_GEMINI: Final = r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}"
SCHEMA_ROOTS: Final = {"properties", "anyOf", "$ref", "allOf", "oneOf"}


def known(value: dict[str, Any], names: str) -> None:
    """Assert that an object has only these members, and no null among them where null means nothing."""
    unknown = value.keys() - set(names.split())
    assert not unknown, f"unknown members {unknown}"


def check_id(id: str) -> None:
    """Assert that a call's id is one that every vendor takes."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", id)


def check_base64(data: str) -> None:
    """Assert the standard alphabet, padded, with something in it."""
    assert base64.b64decode(data, validate=True)


def check_media_url(url: str) -> None:
    """Assert a web address or a data URL with a media type."""
    if url.startswith("data:"):
        head, _, data = url.partition(";base64,")
        assert re.fullmatch(r"data:[a-z]+/[a-z0-9.+-]+", head)
        check_base64(data)
    else:
        assert url.startswith("https://")
