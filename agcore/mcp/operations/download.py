"""Fetches what a client named by its URL: over https, from public addresses, up to a size.

The address is checked after the name was resolved, by the frontend (`OpenUpstream.public_only`), and so is that of
every place that an answer redirects to. No credential and no header of the client's goes along. Nothing is tried twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from agcore.codecs import header_fields as header_tables
from agcore.codecs.url import parse_url
from agcore.config.values import Endpoint, Provider
from agcore.machines.call_events import CallEvent, Data, End, Failed, Head, NeedPlan
from agcore.machines.upstream_call import UpstreamCall
from agcore.mcp.sources import BadSource, https_url
from agcore.protocol.http import Headers, Origin
from agcore.routing.candidates import Candidate
from agcore.upstream.body import CollectedBody
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final[Headers] = ((b"accept", b"*/*"), (b"accept-encoding", b"identity"), header_tables.USER_AGENT)


class DownloadOwner(Protocol):
    """The receiver of a finished download: one of these methods is called, once."""

    def downloaded(self, data: bytes, *, now: float) -> None:
        """All of it."""

    def download_failed(self, reason: str, *, now: float) -> None:
        """The download failed; `reason` is a sentence for people."""


class Download:
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
        self._call: UpstreamCall
        self._body = CollectedBody(parts.memory, limit=max_bytes)

    def begin(self, *, now: float) -> None:
        """Ask for the URL."""
        url = parse_url(self._url, query=True)
        # No provider can have this name, so that nothing that happens here is held against one.
        provider = Provider(name=url.shown.removesuffix(url.path), endpoints={})
        more_cas = self._parts.services.config.proxy.ca_file
        endpoint = Endpoint("https", Origin(url.scheme, url.host, url.port, more_cas=more_cas), b"", "none")
        self._call = self._parts.calls.start(
            (Candidate(provider, endpoint, ""),), to=self, now=now, single_attempt=True
        )

    def abort(self) -> None:
        """Stop; the owner hears nothing more."""
        self._call.abort()

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Takes an event of the call to one URL."""
        if isinstance(event, Data):
            if not self._body.add(event.data, now=now):
                self._too_large(now)
        elif isinstance(event, NeedPlan):
            call.proceed(self._plan(), now=now)
        elif isinstance(event, Head):
            self._receive_head(call, event, now)
        elif isinstance(event, End):
            self._owner.downloaded(self._body.take(), now=now)
        elif isinstance(event, Failed):
            self._owner.download_failed(event.fault.message, now=now)

    def _plan(self) -> UpstreamPlan:
        where, mark, query = self._url.partition("://")[2].partition("?")
        target = f"/{where.partition('/')[2]}{mark}{query}".encode("ascii")
        return UpstreamPlan(target=target, method="GET", headers=_HEADERS, raw_status=True, public_only=True)

    def _receive_head(self, call: UpstreamCall, head: Head, now: float) -> None:
        """Take it, go where it says, or say why not."""
        if head.status in _REDIRECTS:
            call.abort()
            return self._redirect(header_tables.first(head.headers, b"location") or b"", now)
        length = header_tables.first(head.headers, b"content-length") or b""
        if head.status != 200:
            self._fail(f"{call.candidate.provider.name} answered {head.status}", now)
        elif length.isdigit() and int(length[:20]) > self._max_bytes:
            self._too_large(now)
        return None

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
