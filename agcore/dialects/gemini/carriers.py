"""Carriers of other vendors' signatures in the form that Gemini's clients take."""

from __future__ import annotations

import base64
import binascii

from agcore.conversation.signature_carrier import carrier, opened
from agcore.conversation.values import Signature


def google_carrier(signature: Signature) -> str:
    """A carrier for clients, whose SDK decodes `thoughtSignature` from base64: the carrier's bytes, encoded."""
    return base64.b64encode(carrier(signature).encode("ascii")).decode("ascii")


def google_opened(text: str) -> Signature | None:
    """The signature in a carrier for clients, in either base64 alphabet; None for what is no carrier."""
    standard = text.replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        return opened(raw.decode("ascii"))
    except (binascii.Error, ValueError):
        return None
