"""What belongs to tool calls, remembered for clients that do not echo it: signatures, and thoughts in plain text.

Chat Completions has no place for a vendor's signatures. They travel in extensions (`extra_content`,
`reasoning_details`), which many clients drop; and the thoughts that DeepSeek and others want back reach no client that
did not ask to see them. So what belongs to a call is also kept here, under the id of the call and the client that got
it, and put back into a history that comes without. Memory is bounded: the least recently used goes first, and after a
restart only what clients echo is known.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agcore.conversation.signed import Signed

MAX_CALLS: Final = 4096
"""Calls remembered."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of thoughts and signatures remembered; a signature is some hundred bytes to a few thousand."""


class SignatureMemory:
    """Signatures by client and call id, within bounds; the one used least recently goes first."""

    def __init__(self, *, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str | None, str], Signed] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """About the bytes kept."""
        return self._size

    def find(self, client: str | None, call_id: str) -> Signed | None:
        """Returns what was signed around a client's call, which counts as a use; None where nothing is known."""
        signed = self._kept.get((client, call_id))
        if signed is not None:
            self._kept.move_to_end((client, call_id))
        return signed

    def remember(self, client: str | None, call_id: str, signed: Signed) -> None:
        """Keep what belongs to a call that `client` is being told of."""
        before = self._kept.pop((client, call_id), None)
        self._size += signed.size - (before.size if before is not None else 0)
        self._kept[client, call_id] = signed
        while self._kept and (len(self._kept) > self._max_calls or self._size > self._max_bytes):
            self._size -= self._kept.popitem(last=False)[1].size
