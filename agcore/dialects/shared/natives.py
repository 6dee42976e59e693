"""Signatures that travelled as carriers, on their way back to whoever made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import PREFIX
from agcore.conversation.values import Signature

MARKS: Final = (b"gw1.", b"Z3cxL")
"""What a carrier begins with, plain and in base64."""
UNCHECKED: Final = "skip_thought_signature_validator"
"""What Google takes in place of a signature."""


class Natives:
    """Turns carriers into signatures again for the vendor `signer`; `losses` get those of other vendors."""

    def __init__(self, signer: str, losses: Losses) -> None:
        self.found = False
        """Whether there was any carrier."""
        self._signer = signer
        self._losses = losses

    def native(self, signature: Signature | None, path: str) -> str | None:
        """The signature that a carrier at `path` holds, as its signer made it; None for one that must go."""
        self.found = True
        if signature is not None and signature.signer == self._signer:
            return signature.data
        self._losses.add(path, "the signature is another vendor's", weight="note")
        return None


def is_carrier(value: object) -> bool:
    """Whether a value is a carrier."""
    return isinstance(value, str) and value.startswith(PREFIX)


def with_lists(holders: list[object], name: str, clean: Callable[[object], object | None]) -> list[object]:
    """Holders whose list `name` has cleaned items only; a holder that has none left goes too."""
    kept: list[object] = []
    for holder in holders:
        if isinstance(holder, dict) and isinstance(holder.get(name), list | dict) and holder[name]:
            found = holder[name] if isinstance(holder[name], list) else [holder[name]]  # Google takes one for a list
            parts = [each for part in found if (each := clean(part)) is not None]
            if parts:
                kept.append({**holder, name: parts})
        else:
            kept.append(holder)
    return kept
