"""Requests for embeddings and their answers, in no vendor's words.

Texts go across and vectors come back; both are as they were. No vector is scaled: Gemini's shortened ones do not have
the length one that OpenAI's always have, and only the client knows whether it compares by angle or by product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

_MAX_FLOAT: Final = (2 - 2**-23) * 2.0**127
"""The largest finite 32-bit float."""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """What a client wants embedded, and in which form it wants the vectors."""

    texts: tuple[str, ...]
    """At least one, none of them empty."""
    dimensions: int | None = None
    """Numbers in each vector, at least 1; None leaves that to the model."""
    packed: bool = False
    """The answer holds vectors in base64."""
    batch: bool = True
    """The answer holds a list of vectors; False for a single one, of a request that has one text."""


class Embeddings(msgspec.Struct, frozen=True):
    """What an upstream answered."""

    vectors: tuple[list[float], ...]
    """One for each text, in order; none is empty, and all numbers fit 32-bit floats."""
    usage: Usage | None
    """None where the upstream did not count."""


def checked(vectors: Sequence[list[float]], usage: Usage | None, *, count: int) -> Embeddings | Fault:
    """The vectors that an upstream sent for `count` texts, or the fault where they are none for them."""
    if len(vectors) != count:
        return unreadable(f"there are {len(vectors)} for {count} texts")
    for vector in vectors:
        if not vector:
            return unreadable("one of them is empty")
        if not all(map(math.isfinite, vector)) or max(map(abs, vector)) > _MAX_FLOAT:
            return unreadable("a number in them is out of range")
    return Embeddings(tuple(vectors), usage if usage is not None and usage.input else None)


def unreadable(why: str) -> Fault:
    """The fault of an upstream whose vectors cannot be read."""
    message = f"the upstream's embeddings cannot be read: {why}"
    return Fault(status=502, message=message, code="upstream_invalid_answer")
