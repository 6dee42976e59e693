"""Ids that nobody can guess and everybody can replay.

An id is keyed BLAKE2s (RFC 7693) over a counter: with the 32-byte secret that a frontend draws at random it cannot be
guessed from other ids; with a secret fixed by a test it is the same in every run. The core needs no other randomness.
"""

from __future__ import annotations

from hashlib import blake2s


class Ids:
    """Mints ids. One per gateway; `secret` is 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the secret must be 32 bytes")
        self._secret = secret
        self._count = 0
        self._draws = 0

    def mint(self, prefix: str) -> str:
        """A new id: `prefix` and 24 hex digits."""
        self._count += 1
        digest = blake2s(self._count.to_bytes(8, "big"), key=self._secret, digest_size=12, person=b"agcoreid")
        return prefix + digest.hexdigest()

    def fraction(self) -> float:
        """A number from 0 up to 1: jitter that nobody can guess and a replay repeats."""
        self._draws += 1
        digest = blake2s(self._draws.to_bytes(8, "big"), key=self._secret, digest_size=6, person=b"agcorejt")
        return int.from_bytes(digest.digest(), "big") / (1 << 48)

    def digest(self, data: bytes) -> bytes:
        """A keyed hash of `data` (32 bytes), for looking up secrets without comparing them byte by byte."""
        return blake2s(data, key=self._secret, person=b"agcorelk").digest()
