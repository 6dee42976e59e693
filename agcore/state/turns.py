"""Whose turn it is, and how busy everybody is: the memory of balancing, which each gateway keeps for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

MAX_TURNS: Final = 4096
_Name = TypeVar("_Name")


class Turns:
    """Turns by the wheel that they are taken on, and requests in flight by provider and fingerprint."""

    def __init__(self) -> None:
        self._turns: dict[tuple[object, ...], float] = {}
        self._busy: dict[tuple[str, str], int] = {}

    def next(self, wheel: tuple[object, ...], weights: Mapping[_Name, float]) -> _Name:
        """Smooth weighted turns: each gains its weight, and the one that has most goes and pays for all."""
        if len(self._turns) > MAX_TURNS:
            self._turns.clear()
        for name, weight in weights.items():
            self._turns[*wheel, name] = self._turns.get((*wheel, name), 0.0) + weight
        first = max(weights, key=lambda name: self._turns[*wheel, name])
        self._turns[*wheel, first] -= sum(weights.values())
        return first

    def in_flight(self, key: tuple[str, str]) -> int:
        """The attempts that are being made with a key."""
        return self._busy.get(key, 0)

    def began(self, key: tuple[str, str]) -> None:
        """An attempt is made with it."""
        self._busy[key] = self._busy.get(key, 0) + 1

    def ended(self, key: tuple[str, str]) -> None:
        """An attempt with it is over."""
        left = self._busy.pop(key, 1) - 1
        if left > 0:
            self._busy[key] = left
