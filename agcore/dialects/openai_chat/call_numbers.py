"""Which call a piece of an answer belongs to (docs/wire/openai-chat.md#compatible-servers).

OpenAI numbers the calls of a choice. Servers that resemble it leave the number out, give all calls the same one, or
give one call several. What they say besides then tells: a new id, or a name after arguments that are complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from agcore.codecs import json_text


class KnownCall(msgspec.Struct):
    """A call, as far as it was told."""

    place: int
    """Among the calls of its choice, named or not."""
    id: str = ""
    name: str = ""
    pieces: list[str] = msgspec.field(default_factory=list)

    @property
    def arguments(self) -> str:
        """All that came so far."""
        return "".join(self.pieces)

    @property
    def complete(self) -> bool:
        """Whether the arguments are a whole JSON object, behind which nothing can come."""
        return bool(self.pieces) and self.pieces[-1].rstrip().endswith("}") and is_object(self.arguments)


Call = TypeVar("Call", bound=KnownCall)


class CallNumbers(Generic[Call]):
    """The calls of one choice. `make` makes a call of its place and id."""

    def __init__(self, make: Callable[[int, str], Call]) -> None:
        self.calls: list[Call] = []
        self._make = make
        self._by_index: dict[int | str, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._latest: Call | None = None

    def which(self, index: object, *, id: str, name: str, text: str) -> Call:
        """The call that a piece belongs to, a new one where it is none of the known. No two get one id.

        Args:
            index: The number that the piece gives, if it is one.
            id: The piece's; empty where it has none.
            name: Likewise.
            text: Likewise, of its arguments.
        """
        number = index if isinstance(index, int | str) and not isinstance(index, bool) else None
        call = self._known(number, id, name, text)
        if call is None:
            call = self._make(len(self.calls), "" if id in self._by_id else id)
            self.calls.append(call)
        elif not call.id:
            call.id = id
        call.name = call.name or name
        if call.id:
            self._by_id.setdefault(call.id, call)
        if number is not None:
            self._by_index[number] = call
        self._latest = call
        return call

    def _known(self, number: int | str | None, id: str, name: str, text: str) -> Call | None:
        same = self._by_id.get(id) if id else None
        if number is None and id:
            return same
        call = self._latest if number is None else self._by_index.get(number)
        if same is not None and (not name or (call is not None and name == same.name and not same.complete)):
            return same
        return None if call is None or _is_another(call, id, name, text) else call


def _is_another(call: KnownCall, id: str, name: str, text: str) -> bool:
    """Whether a piece that should go on with `call` is another call's. Each of these says its name."""
    if not name:
        return False
    if id and call.id and id != call.id:
        return True
    return (name != call.name or bool(text.strip() and not id)) and call.complete


def id_of(value: object) -> str:
    """The id in a piece, as text; empty for what is none."""
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object."""
    try:
        return isinstance(json_text.decode(text.encode("utf-8", "surrogatepass")), dict)
    except ValueError:
        return False
