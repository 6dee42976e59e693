"""Responses that a request may go on from: what `previous_response_id` and `item_reference` mean here.

OpenAI's clients may send an id instead of a conversation. A response that was translated is `Kept`: its upstream knows
nothing of it, so its input and output are held here. One that passed through is `Pinned`: its provider holds it, and
all that is remembered is which one, because nobody else could go on from there. Ids that providers give are unique to
a provider at best, so an id may be pinned to several.

The store is bounded by entries and by bytes, and forgets what was used least recently. That is an error that clients
know how to answer: they send the whole conversation. An entry belongs to the client that made it; for any other client
it is as if it were not there. Texts are kept as JSON, so that nothing in the store can change and its size is known.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import Final

import msgspec

MAX_ENTRIES: Final = 4096
"""A busy day of agents; where all of them are pins, half a megabyte."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Room for hundreds of long conversations, each response holding its whole history; a quarter of what the smallest
machine that runs agents can spare."""
OVERHEAD: Final = 512
"""Bytes that an entry is taken to cost beside its texts."""
MAX_PINS: Final = 8
"""Providers that may hold responses of one id."""
ITEM_OVERHEAD: Final = 128
"""Bytes that the id of an item is taken to cost."""


class Kept(msgspec.Struct, frozen=True, tag=True):
    """A response whose state is held here."""

    client: str | None
    """The name of the client key that asked for it; None where none was shown."""
    input: bytes
    """All items that the model was given, those of earlier responses first: the text of a JSON array."""
    response: bytes
    """The response as it was answered: the text of a JSON object."""
    items: tuple[str, ...]
    """The ids of its output items."""


class Pin(msgspec.Struct, frozen=True):
    """The account that holds a response."""

    provider: str
    """The provider's name."""
    key: str
    """The fingerprint of the key that it was made with: responses belong to an account."""
    model: str
    """The provider's name for the model."""
    asked: str
    """The client's name for it."""


class Pinned(msgspec.Struct, frozen=True, tag=True):
    """A response whose state is held by its provider, or several of one id, each held by another provider."""

    client: str | None
    """The name of the client key that asked for it; None where none was shown."""
    pins: tuple[Pin, ...]
    """Holders, the latest first; at least one."""

    def joined(self, older: Entry | None) -> Pinned:
        """The same with the pins that an older entry has at other providers."""
        if not isinstance(older, Pinned):
            return self
        held = {pin.provider for pin in self.pins}
        others = tuple(pin for pin in older.pins if pin.provider not in held)
        return msgspec.structs.replace(self, pins=(self.pins + others)[:MAX_PINS])


Entry = Kept | Pinned


class Missing(enum.Enum):
    """Reason why there is no entry for a client."""

    NOTHING = "nothing"
    """There is none at all."""
    FOREIGN = "foreign"
    """It is another client's."""
    AWAY = "away"
    """Whoever holds it cannot be reached in time."""
    PENDING = "pending"
    """Whoever holds it has to be asked, and replies later."""


def size_of(entry: Entry) -> int:
    """The bytes that an entry is taken to cost."""
    if isinstance(entry, Pinned):
        return OVERHEAD * len(entry.pins)
    return OVERHEAD + len(entry.input) + len(entry.response) + ITEM_OVERHEAD * len(entry.items)


class ResponseStore:
    """Responses by their ids, within bounds; the one used least recently goes first."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str | None, str], Entry] = OrderedDict()
        """By client and id; the one used least recently comes first."""
        self._clients: dict[str, list[str | None]] = {}
        """The id of a response -> the clients that have one of that id."""
        self._items: dict[tuple[str | None, str], str] = {}
        """Client and the id of an output item -> the id of its response."""
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes that all entries are taken to cost."""
        return self._size

    def put(self, id: str, entry: Entry) -> None:
        """Remember a response, in place of any of this client's with the same id that the same provider holds.

        One that is larger than the store is forgotten.
        """
        name = (entry.client, id)
        if isinstance(entry, Pinned):
            entry = entry.joined(self._entries.get(name))
        self._drop(name)
        self._entries[name] = entry
        self._clients.setdefault(id, []).append(entry.client)
        self._size += size_of(entry)
        if isinstance(entry, Kept):
            self._items.update({(entry.client, item): id for item in entry.items})
        if size_of(entry) > self._max_bytes:
            self._drop(name)
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def find(self, id: str, *, client: str | None) -> Entry | None:
        """The response `id` of this client, which counts as a use of it."""
        entry = self._entries.get((client, id))
        if entry is not None:
            self._entries.move_to_end((client, id))
        return entry

    def find_item(self, item: str, *, client: str | None) -> Kept | None:
        """The response of this client that holds the output item `item`, which counts as a use of it."""
        id = self._items.get((client, item))
        entry = None if id is None else self.find(id, client=client)
        return entry if isinstance(entry, Kept) else None

    def is_foreign(self, id: str, *, client: str | None) -> bool:
        """Returns True where only other clients have a response `id`."""
        return id in self._clients and client not in self._clients[id]

    def remove(self, id: str, *, client: str | None) -> None:
        """Forget the response `id`, if it is this client's."""
        self._drop((client, id))

    def _drop(self, name: tuple[str | None, str]) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        client, id = name
        self._size -= size_of(entry)
        self._clients[id].remove(client)
        if not self._clients[id]:
            del self._clients[id]
        for item in entry.items if isinstance(entry, Kept) else ():
            if self._items.get((client, item)) == id:
                del self._items[client, item]
