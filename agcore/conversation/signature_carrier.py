"""Carriers: how one vendor's opaque signatures travel through another vendor's client and come back unchanged.

A carrier is `gw1.<signer>.<base64url>`, the payload being the signature's kind, item id and data. It stands where the
client's dialect keeps signatures of its own, and clients echo it. Only its signer gets it back; a signature without a
carrier, in a dialect other than its vendor's, is nobody's.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.conversation.values import Signature

PREFIX: Final = "gw1."


def carrier(signature: Signature) -> str:
    """The text that carries a signature."""
    payload = json_text.encode([signature.kind, signature.id, signature.data])
    return f"{PREFIX}{signature.signer}.{base64.urlsafe_b64encode(payload).decode('ascii').rstrip('=')}"


def opened(text: str) -> Signature | None:
    """The signature that a carrier holds; None for what is no carrier."""
    if not text.startswith(PREFIX):
        return None
    signer, _, payload = text[len(PREFIX) :].rpartition(".")
    try:
        raw = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        kind, item, data = msgspec.json.decode(raw, type=tuple[str, str, str])
        return msgspec.convert({"signer": signer, "kind": kind, "data": data, "id": item}, Signature)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
