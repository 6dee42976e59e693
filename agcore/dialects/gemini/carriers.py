"""Carriers of other vendors' signatures in the form that Gemini's clients take (docs/wire/gemini.md#signatures).

Clients drop thoughts from their histories, with the signatures on them, but send calls back as they came. So a call
carries all signatures that led to it, each with its place: the number of code points of text between the two.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from agcore.conversation.signature_carrier import carrier, opened
from agcore.conversation.values import Signature

_MORE: Final = "\n"
_PLACE: Final = "~"
_MOST_DIGITS: Final = 9


def google_carrier(signature: Signature) -> str:
    """A carrier for clients, whose SDK decodes `thoughtSignature` from base64: the carrier's bytes, encoded."""
    return _encoded(carrier(signature))


def call_carrier(signatures: Iterable[tuple[Signature, int]]) -> str:
    """The carrier on a call: the signatures that led to it, in order, each with the length of the text behind it."""
    carriers = [f"{carrier(each)}{_PLACE}{said}" if said else carrier(each) for each, said in signatures]
    return _encoded(_MORE.join(carriers))


def google_opened(text: str) -> Signature | None:
    """The first signature in a carrier for clients, in either base64 alphabet; None for what is no carrier."""
    return next((signature for signature, _ in call_opened(text)), None)


def call_opened(text: str) -> list[tuple[Signature, int]]:
    """The signatures in a carrier, each with the length of the text behind it; none for what is no carrier."""
    standard = text.replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return []
    found: list[tuple[Signature, int]] = []
    for each in raw.split(_MORE):
        before, dot, rest = each.rpartition(".")
        payload, _, said = rest.partition(_PLACE)
        signature = opened(before + dot + payload)
        if signature is not None:
            found.append((signature, int(said) if said.isdecimal() and len(said) <= _MOST_DIGITS else 0))
    return found


def _encoded(carriers: str) -> str:
    return base64.b64encode(carriers.encode("ascii")).decode("ascii")
