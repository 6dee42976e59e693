"""What the gateway needs of an HTTP client library, so that httpx and httpx2 are two tables and not two code paths."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

import attrs

from agcore.protocol import Headers, ProxyServer

Trace: TypeAlias = Callable[[str, Mapping[str, object]], Awaitable[None]]
"""Told of what happens below a transport: the events of httpcore's `trace` extension."""


class Response(Protocol):
    """What an upstream answers."""

    @property
    def status_code(self) -> int:
        """The status."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it came."""
        ...


class Transport(Protocol):
    """A pool of connections."""

    async def aclose(self) -> None:
        """Closes them all."""
        ...


@attrs.frozen
class Ask:
    """One request to an upstream, in the words of both libraries."""

    method: str
    scheme: str
    host: str
    port: int
    headers: Headers
    body: AsyncIterator[bytes]
    target: bytes
    """Path and query, where no extension has them to the letter."""
    extensions: Mapping[str, object]


@attrs.frozen
class Library:
    """A library."""

    connect: Callable[[ssl.SSLContext | bool, ProxyServer | None, ssl.SSLContext | None, float], Transport]
    """Makes a transport with a TLS context of ours, an outbound proxy and a context for TLS with that, and seconds that
    unused connections are kept. Raises ImportError where the library lacks what the proxy takes."""
    ask: Callable[[Transport, Ask], Awaitable[tuple[Response, Headers]]]
    """Sends a request by one of its transports; returns the answer and its header fields, names in lower case."""
    errors: tuple[type[Exception], ...]
    """All that its transports raise."""
    local_errors: tuple[type[Exception], ...]
    """Those for requests that are no HTTP."""
