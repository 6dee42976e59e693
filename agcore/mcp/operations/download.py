"""Fetches what a client named by its URL: over https, from public addresses, up to a size.

The address is checked after the name was resolved, by the frontend (`OpenUpstream.public_only`), and so is that of
every place that an answer redirects to. No credential and no header of the client's goes along. Nothing is tried twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from agcore.codecs import header_fields as header_tables
from agcore.codecs.url import parse_url
from agcore.config.values import Endpoint, Provider
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp.sources import BadSource, https_url
from agcore.operations.base import CallHooks
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers, Origin
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final[Headers] = ((b"accept", b"*/*"), (b"accept-encoding", b"identity"), header_tables.USER_AGENT)


class DownloadOwner(Protocol):
    """Who is told what came of a download: one of these, once."""

    def downloaded(self, data: bytes, *, now: float) -> None:
        """All of it."""

    def download_failed(self, reason: str, *, now: float) -> None:
        """Why there is nothing; a sentence for people."""


class Download(CallHooks):
    """One download; `begin` starts it.

    Args:
        parts: Of the exchange that its calls belong to.
        url: As `sources.https_url` gives it.
        max_bytes: The most that is taken.
        owner: Is told.
    """

    def __init__(self, parts: ExchangeParts, url: str, *, max_bytes: int, owner: DownloadOwner) -> None:
        self._parts = parts
        self._url = url
        self._max_bytes = max_bytes
        self._owner = owner
        self._redirects = 0
        self._call: UpstreamCall | None = None
        self._data: list[bytes] = []
        self._size = 0

    def begin(self, *, now: float) -> None:
        """Ask for the URL."""
        url = parse_url(self._url, query=True)
        # No provider can have this name, so that nothing that happens here is held against one.
        provider = Provider(name=url.shown.removesuffix(url.path), endpoints={})
        endpoint = Endpoint("https", Origin(url.scheme, url.host, url.port), b"", "none")
        self._parts.calls.start((Candidate(provider, endpoint, ""),), to=self, now=now, single_attempt=True)

    def abort(self) -> None:
        """Stop; the owner hears nothing more."""
        if self._call is not None:
            self._call.abort()

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault:
        """The request."""
        where, mark, query = self._url.partition("://")[2].partition("?")
        target = f"/{where.partition('/')[2]}{mark}{query}".encode("ascii")
        return UpstreamPlan(target=target, method="GET", headers=_HEADERS, raw_status=True, public_only=True)

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """The call that is under way."""
        self._call = call

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """Take it, go where it says, or say why not."""
        if status in _REDIRECTS:
            call.abort()
            return self._redirect(header_tables.first(headers, b"location") or b"", now)
        length = header_tables.first(headers, b"content-length") or b""
        if status != 200:
            self._fail(f"{call.candidate.provider.name} answered {status}", now)
        elif length.isdigit() and int(length[:20]) > self._max_bytes:
            self._too_large(now)
        return None

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Keep a piece."""
        self._size += len(data)
        if self._size > self._max_bytes:
            self._too_large(now)
        elif self._parts.memory.reserve(len(data), now=now):
            self._data.append(data)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """That was all."""
        self._owner.downloaded(b"".join(self._data), now=now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """There is nothing, or not all of it."""
        self._owner.download_failed(fault.message, now=now)

    def _redirect(self, location: bytes, now: float) -> None:
        from urllib.parse import urljoin  # rarely needed, and not free to import

        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            return self._fail(f"more than {MAX_REDIRECTS} redirects", now)
        try:
            self._url = https_url(urljoin(self._url, location.decode("ascii")))
        except (BadSource, ValueError):
            return self._fail("it redirects to what is no https: URL", now)
        return self.begin(now=now)

    def _too_large(self, now: float) -> None:
        self._fail(f"it is larger than {self._max_bytes // (1024 * 1024)} MB", now)

    def _fail(self, reason: str, now: float) -> None:
        self.abort()
        self._owner.download_failed(reason, now=now)
