"""The members of objects that grow: texts go on, lists go on, objects grow in the same way, the rest is said anew."""

from __future__ import annotations

from collections.abc import Mapping

_ONCE = ("role", "name", "type", "id")
"""Texts that are said whole, and may be repeated."""


class FoldedTexts:
    """One object, in pieces; linear in their number."""

    def __init__(self) -> None:
        self.members: dict[str, object] = {}
        """Texts as lists of their pieces, in a list of their own type."""

    def add(self, piece: Mapping[str, object]) -> None:
        """Take in a further piece."""
        for name, value in piece.items():
            known = self.members.get(name)
            if value is None:
                self.members.setdefault(name, None)
            elif isinstance(value, str) and name not in _ONCE:
                if isinstance(known, _Pieces):
                    known.append(value)
                else:
                    self.members[name] = _Pieces([value])
            elif isinstance(value, Mapping):
                if not isinstance(known, FoldedTexts):
                    known = self.members[name] = FoldedTexts()
                known.add(value)
            elif isinstance(value, list) and isinstance(known, list):
                known.extend(value)
            else:
                self.members[name] = list(value) if isinstance(value, list) else value

    def whole(self) -> dict[str, object]:
        """The object as far as it was told."""
        return {name: _whole(value) for name, value in self.members.items()}


class _Pieces(list[str]):
    """The pieces of a text."""


def _whole(value: object) -> object:
    if isinstance(value, FoldedTexts):
        return value.whole()
    return "".join(value) if isinstance(value, _Pieces) else value
