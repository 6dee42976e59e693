"""The providers' own model lists: how they are asked for, how they are read, and how long what was read is kept.

Vendors write their lists in few shapes: OpenAI and Anthropic have `data` with an `id` in each entry, Google has
`models` with a `name`, and some who follow OpenAI send the bare array. What an answer holds beyond that is not needed,
and an answer of another shape is no list, never an error.

A list is kept under the name of its provider and the address that it came from, so that another address means another
list. It is read anew after `FRESH` seconds. Where that fails, the old one counts until it is `STALE`, and nobody is
asked again for a while, so that a provider that is down does not delay every client that lists models.

Only listings look in here. Where a name goes depends on the configuration alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import USER_AGENT
from agcore.config.values import Endpoint, Provider
from agcore.dialects import DIALECTS
from agcore.protocol.http import Headers, Origin

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a list that are read."""
MAX_IDS: Final = 2000
"""Ids of one list that are kept."""
MAX_ID_LENGTH: Final = 256
MAX_LISTS: Final = 256

FRESH: Final = 600.0
"""Seconds after which a list is read anew."""
STALE: Final = 3600.0
"""Seconds after which a list that could not be read anew counts no more."""
AFTER_FAILURE: Final = 60.0
"""Seconds for which a provider that failed is not asked again."""
AFTER_DELAY: Final = 10.0
"""Seconds likewise for one that was merely slow: now its connection may be warm."""

LISTING: Final = "model list"
"""Stands for the model in a `Way`: what a list fails of says nothing about the models that a key is good for."""

_SERVED: Final = frozenset({"generateContent", "embedContent", "predict"})
"""Google's models that have methods, but none of these, can be reached by no route of the gateway."""


def asked_endpoint(provider: Provider) -> Endpoint:
    """The endpoint at which a provider is asked for its list: the one it prefers."""
    return next(iter(provider.endpoints.values()))


def has_credential(provider: Provider) -> bool:
    """Whether a provider can be asked at all: it has a key, or needs none."""
    return bool(provider.keys) or all(endpoint.auth == "none" for endpoint in provider.endpoints.values())


def list_target(endpoint: Endpoint) -> bytes:
    """The request target of the model list."""
    return endpoint.prefix + DIALECTS[endpoint.dialect].traits.list_path.encode("ascii")


def list_headers(endpoint: Endpoint) -> Headers:
    """The fields of the request for it, without credentials."""
    fields = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"), USER_AGENT)
    return (*fields, *DIALECTS[endpoint.dialect].traits.headers_required)


def read_ids(body: bytes) -> tuple[str, ...] | None:
    """The ids of a provider's list, each once and in its order; None for what is no model list.

    Left out are ids that are no printable text or longer than `MAX_ID_LENGTH`, and what comes after `MAX_IDS`.
    """
    try:
        value = json_text.decode(body)
    except ValueError:
        return None
    if isinstance(value, dict):
        value = value.get("data", value.get("models"))
    if not isinstance(value, list):
        return None
    return tuple(islice(dict.fromkeys(_ids(value)), MAX_IDS))


def _ids(entries: list[object]) -> Iterator[str]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        id = entry.get("id")
        if id is None and isinstance(name := entry.get("name"), str):
            id = name.removeprefix("models/")
        methods = entry.get("supportedGenerationMethods")
        if isinstance(methods, list) and not any(isinstance(each, str) and each in _SERVED for each in methods):
            continue
        if isinstance(id, str) and 0 < len(id) <= MAX_ID_LENGTH and id.isprintable():
            yield id


_Source: TypeAlias = tuple[str, str, Origin, bytes]


class _Kept(msgspec.Struct):
    ids: tuple[str, ...] = ()
    read_at: float = -math.inf
    ask_at: float = -math.inf


class ProviderLists:
    """The lists that were read; times are seconds since the epoch."""

    def __init__(self) -> None:
        self._kept: dict[_Source, _Kept] = {}

    def ids(self, provider: Provider, *, now: float) -> tuple[str, ...]:
        """What is known of a provider's list; empty for nothing."""
        kept = self._kept.get(_source(provider))
        return kept.ids if kept is not None and now - kept.read_at < STALE else ()

    def due(self, provider: Provider, *, now: float) -> bool:
        """Whether its list should be read."""
        kept = self._kept.get(_source(provider))
        return kept is None or kept.ask_at <= now

    def store(self, provider: Provider, ids: tuple[str, ...], *, now: float) -> None:
        """Keep what was read."""
        self._put(provider, _Kept(ids, now, now + FRESH))

    def failed(self, provider: Provider, *, now: float, pause: float = AFTER_FAILURE) -> None:
        """Take note that the list could not be read; nobody should try again for `pause` seconds."""
        kept = self._kept.get(_source(provider), _Kept())
        self._put(provider, _Kept(kept.ids, kept.read_at, now + pause))

    def _put(self, provider: Provider, kept: _Kept) -> None:
        source = _source(provider)
        self._kept.pop(source, None)
        self._kept[source] = kept
        if len(self._kept) > MAX_LISTS:
            del self._kept[next(iter(self._kept))]


def _source(provider: Provider) -> _Source:
    endpoint = asked_endpoint(provider)
    return (provider.name, endpoint.dialect, endpoint.origin, endpoint.prefix)
