"""The engines that there are, and those that connections get."""

from __future__ import annotations

from typing import Final, Protocol

import attrs

from agcore_host.http.base import ClientEngine, ServerEngine
from agcore_host.http.fast_engine import FastClientEngine, FastServerEngine
from agcore_host.http.h11_engine import H11ClientEngine, H11ServerEngine


class MakeServerEngine(Protocol):
    """Makes the engine of a new client connection."""

    def __call__(self, *, max_header: int, max_headers: int) -> ServerEngine:
        """Makes it.

        Args:
            max_header: bytes of a request head.
            max_headers: header fields of a request.
        """
        ...


class MakeClientEngine(Protocol):
    """Makes the engine of a new connection to an upstream."""

    def __call__(self) -> ClientEngine:
        """Makes it."""
        ...


@attrs.frozen
class Engines:
    """One way to read and write HTTP, for both sides."""

    server: MakeServerEngine
    client: MakeClientEngine


ENGINES: Final = {
    "h11": Engines(H11ServerEngine, H11ClientEngine),
    "fast": Engines(FastServerEngine, FastClientEngine),
}
"""By name. `h11` is the judge: tests hold the others to what it says about the same bytes."""

IN_USE: Final = ENGINES["fast"]


def server_engine(*, max_header: int, max_headers: int) -> ServerEngine:
    """The engine for a new client connection.

    Args:
        max_header: bytes of a request head.
        max_headers: header fields of a request.
    """
    return IN_USE.server(max_header=max_header, max_headers=max_headers)


def client_engine() -> ClientEngine:
    """The engine for a new connection to an upstream."""
    return IN_USE.client()
