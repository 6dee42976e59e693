"""Responses that a request may go on from: what `previous_response_id` and `item_reference` mean here.

OpenAI's clients may send an id instead of a conversation. A response that was translated is `Kept`: its upstream knows
nothing of it, so its input and output are held here. One that passed through is `Pinned`: its provider holds it, and
all that is remembered is which one, because nobody else could go on from there.

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


class Pinned(msgspec.Struct, frozen=True, tag=True):
    """A response whose state is held by its provider."""

    client: str | None
    """The name of the client key that asked for it; None where none was shown."""
    provider: str
    """The provider's name."""
    key: str
    """The fingerprint of the key that it was made with: responses belong to an account."""
    model: str
    """The provider's name for the model."""
    asked: str
    """The client's name for it."""


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
        return OVERHEAD
    return OVERHEAD + len(entry.input) + len(entry.response) + ITEM_OVERHEAD * len(entry.items)


class ResponseStore:
    """Responses by their ids, within bounds; the one used least recently goes first."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        """The one used least recently comes first."""
        self._items: dict[str, str] = {}
        """The id of an output item -> the id of its response."""
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes that all entries are taken to cost."""
        return self._size

    def put(self, id: str, entry: Entry) -> None:
        """Remember a response, in place of any with the same id. One that is larger than the store is forgotten."""
        self._drop(id)
        self._entries[id] = entry
        self._size += size_of(entry)
        if isinstance(entry, Kept):
            self._items.update(dict.fromkeys(entry.items, id))
        if size_of(entry) > self._max_bytes:
            self._drop(id)
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def find(self, id: str, *, client: str | None) -> Entry | None:
        """The response `id` of this client, which counts as a use of it."""
        entry = self._entries.get(id)
        if entry is None or entry.client != client:
            return None
        self._entries.move_to_end(id)
        return entry

    def find_item(self, item: str, *, client: str | None) -> Kept | None:
        """The response of this client that holds the output item `item`, which counts as a use of it."""
        id = self._items.get(item)
        entry = None if id is None else self.find(id, client=client)
        return entry if isinstance(entry, Kept) else None

    def is_foreign(self, id: str, *, client: str | None) -> bool:
        """Returns True where the response `id` is another client's."""
        entry = self._entries.get(id)
        return entry is not None and entry.client != client

    def remove(self, id: str, *, client: str | None) -> None:
        """Forget the response `id`, if it is this client's."""
        if not self.is_foreign(id, client=client):
            self._drop(id)

    def _drop(self, id: str) -> None:
        entry = self._entries.pop(id, None)
        if entry is None:
            return
        self._size -= size_of(entry)
        for item in entry.items if isinstance(entry, Kept) else ():
            if self._items.get(item) == id:
                del self._items[item]
