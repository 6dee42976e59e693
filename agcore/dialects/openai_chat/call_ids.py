"""Ids of tool calls as a server takes them (docs/wire/openai-chat.md#compatible-servers)."""

from __future__ import annotations

import re
from hashlib import blake2s
from typing import Final

from agcore.models.vendor_profile import VendorProfile

_NINE: Final = re.compile(r"[a-zA-Z0-9]{9}")
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def call_id(id: str, upstream: VendorProfile) -> str:
    """The id under which a server gets to know the call `id`: always the same, and itself where that is taken."""
    if upstream.call_ids == "any" or _NINE.fullmatch(id):
        return id
    number = int.from_bytes(blake2s(id.encode("utf-8", "surrogatepass")).digest())
    digits = []
    for _ in range(9):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
