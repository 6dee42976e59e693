"""The memory that one exchange holds, accounted for in the gateway's."""

from __future__ import annotations

import msgspec

from agcore.machines.client_response import ClientResponse
from agcore.machines.outside import Outside
from agcore.protocol.fault import Fault


class ReservedMemory(msgspec.Struct):
    """Bytes that one exchange holds."""

    outside: Outside
    """Accounts for those of all exchanges."""
    client: ClientResponse
    """Is told where there is no room for more."""
    reserved: int = 0
    """Bytes held at present."""

    def reserve(self, size: int, *, now: float) -> bool:
        """Account for `size` bytes to be held until the end; without room for them the exchange fails with a 503."""
        if self.outside.reserve(size):
            self.reserved += size
            return True
        message = "the gateway holds as much data as it may; try again"
        self.client.fail(Fault(status=503, message=message, retry_after=1), now=now)
        return False

    def release(self, size: int) -> None:
        """Account for `size` bytes less: what was reserved for an answer that another one replaces is not held."""
        self.outside.release(size)
        self.reserved -= size

    def release_all(self) -> None:
        """Nothing is held any more."""
        self.outside.release(self.reserved)
        self.reserved = 0
