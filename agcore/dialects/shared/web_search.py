"""Web search that a vendor runs: how much it reads, for what place, which sites (docs/wire/tools.md#web-search).

All dialects but Google's know the same terms, in other places: Chat nests the place once more than the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.conversation.losses import Losses
from agcore.conversation.values import HostedTool
from agcore.dialects.shared.unread import note_unread

_Object: TypeAlias = dict[str, object]


class Terms(msgspec.Struct, frozen=True):
    """What a search is told."""

    context_size: str = ""
    """`low`, `medium` or `high`."""
    location: Mapping[str, str] = {}
    """`city`, `region`, `country` and `timezone`, as far as they are known."""
    allowed: tuple[str, ...] = ()
    """The only domains to search."""
    blocked: tuple[str, ...] = ()
    """Domains not to search."""
    most: object = None
    """How often to search at most."""


_KNOWN: Final = frozenset({
    "type", "name", "search_context_size", "user_location", "filters", "allowed_domains", "blocked_domains", "max_uses",
})  # fmt: skip


def terms_of(hosted: HostedTool, losses: Losses) -> Terms:
    """What a client tells a search, in any dialect; nothing of what is of another type than it should be."""
    value = hosted.value if isinstance(hosted.value, Mapping) else {}
    note_unread(value, _KNOWN, "tools.web_search.", losses)
    size, place, filters = value.get("search_context_size"), value.get("user_location"), value.get("filters")
    if isinstance(place, Mapping) and isinstance(place.get("approximate"), Mapping):
        place = place["approximate"]
    known = place if isinstance(place, Mapping) else {}
    domains = filters if isinstance(filters, Mapping) else value
    return Terms(
        context_size=size if isinstance(size, str) else "",
        location={
            name: said
            for name in ("city", "region", "country", "timezone")
            if isinstance(said := known.get(name), str) and said
        },
        allowed=_texts(domains.get("allowed_domains")),
        blocked=_texts(domains.get("blocked_domains")),
        most=value.get("max_uses"),
    )


def chat_options(terms: Terms, losses: Losses) -> _Object:
    """Chat's `web_search_options`."""
    _note_lost({"allowed_domains": terms.allowed, "blocked_domains": terms.blocked, "max_uses": terms.most}, losses)
    options = _sized(terms)
    if terms.location:
        options["user_location"] = {"type": "approximate", "approximate": dict(terms.location)}
    return options


def responses_tool(terms: Terms, losses: Losses) -> _Object:
    """The tool of Responses."""
    _note_lost({"blocked_domains": terms.blocked, "max_uses": terms.most}, losses)
    tool: _Object = {"type": "web_search", **_sized(terms), **_placed(terms)}
    if terms.allowed:
        tool["filters"] = {"allowed_domains": list(terms.allowed)}
    return tool


def anthropic_tool(terms: Terms, losses: Losses) -> _Object:
    """Anthropic's tool, which takes either kind of domains."""
    if terms.context_size:
        losses.add("tools.web_search.search_context_size", "the upstream chooses how much it reads", weight="note")
    tool: _Object = {"type": "web_search_20250305", "name": "web_search", **_placed(terms)}
    if terms.allowed:
        tool["allowed_domains"] = list(terms.allowed)
    elif terms.blocked:
        tool["blocked_domains"] = list(terms.blocked)
    return tool


def note_untold(terms: Terms, losses: Losses) -> None:
    """Record all terms, for a search that is told nothing."""
    settings = {
        "search_context_size": terms.context_size,
        "user_location": terms.location,
        "allowed_domains": terms.allowed,
        "blocked_domains": terms.blocked,
        "max_uses": terms.most,
    }
    _note_lost(settings, losses)


def _note_lost(settings: Mapping[str, object], losses: Losses) -> None:
    for name, value in settings.items():
        if value:
            losses.add(f"tools.web_search.{name}", "the upstream's web search has no such setting")


def _sized(terms: Terms) -> _Object:
    return {"search_context_size": terms.context_size} if terms.context_size else {}


def _placed(terms: Terms) -> _Object:
    return {"user_location": {"type": "approximate", **terms.location}} if terms.location else {}


def _texts(values: object) -> tuple[str, ...]:
    return tuple(each for each in values if isinstance(each, str)) if isinstance(values, list) else ()
