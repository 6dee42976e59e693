"""The lists of models that providers gave, and the time for which each is kept.

A list is kept under the name of its provider and the address that it came from, so that another address means another
list. It is read anew after `FRESH` seconds. Where that fails, the old one counts until it is `STALE`, and nobody is
asked again for a while, so that a provider that is down does not delay every client that lists models.

Only listings look in here. Where a name goes depends on the configuration alone.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from agcore.config.values import Provider
from agcore.protocol.state import ModelListDelta

MAX_LISTS: Final = 256

FRESH: Final = 600.0
"""Seconds after which a list is read anew."""
STALE: Final = 3600.0
"""Seconds after which a list that could not be read anew counts no more."""
AFTER_FAILURE: Final = 60.0
"""Seconds for which a provider that failed is not asked again."""
AFTER_DELAY: Final = 10.0
"""Seconds likewise for one that was merely slow: now its connection may be warm."""


class _Kept(msgspec.Struct):
    ids: tuple[str, ...] = ()
    read_at: float = -math.inf
    ask_at: float = -math.inf


class ProviderLists:
    """The lists that were read; times are seconds since the epoch."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def ids(self, provider: Provider, *, now: float) -> tuple[str, ...]:
        """Returns the model ids that a provider listed; empty where nothing is known."""
        kept = self._kept.get(_source(provider))
        return kept.ids if kept is not None and now - kept.read_at < STALE else ()

    def due(self, provider: Provider, *, now: float) -> bool:
        """Returns True where the provider's list should be read."""
        kept = self._kept.get(_source(provider))
        return kept is None or kept.ask_at <= now

    def store(self, provider: Provider, ids: tuple[str, ...], *, now: float) -> None:
        """Keep what was read."""
        self._put(provider, _Kept(ids, now, now + FRESH))

    def failed(self, provider: Provider, *, now: float, pause: float = AFTER_FAILURE) -> None:
        """Take note that the list could not be read; nobody should try again for `pause` seconds."""
        kept = self._kept.get(_source(provider), _Kept())
        self._put(provider, _Kept(kept.ids, kept.read_at, now + pause))

    def delta(self, provider: Provider) -> ModelListDelta | None:
        """Returns what other gateways should know of a provider's list; None where none was read."""
        source = _source(provider)
        kept = self._kept.get(source)
        return None if kept is None or kept.read_at == -math.inf else ModelListDelta(source, kept.ids, kept.read_at)

    def merge(self, delta: ModelListDelta) -> None:
        """Take in what another gateway read; the latest reading counts."""
        kept = self._kept.get(delta.source, _Kept())
        if (kept.read_at, kept.ids) < (delta.read_at, delta.ids):
            self._put_source(delta.source, _Kept(delta.ids, delta.read_at, max(kept.ask_at, delta.read_at + FRESH)))

    def _put(self, provider: Provider, kept: _Kept) -> None:
        self._put_source(_source(provider), kept)

    def _put_source(self, source: str, kept: _Kept) -> None:
        self._kept.pop(source, None)
        self._kept[source] = kept
        if len(self._kept) > MAX_LISTS:
            del self._kept[next(iter(self._kept))]


def _source(provider: Provider) -> str:
    endpoint = provider.preferred_endpoint
    origin, prefix = endpoint.origin, endpoint.prefix.decode("latin-1")
    return f"{provider.name} {endpoint.dialect} {origin.scheme}://{origin.host}:{origin.port}{prefix}"
