"""One refusal of a vendor's: when, in which words, and where that was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = dict[str, Any]


class Sent(msgspec.Struct, frozen=True):
    """A request, as far as rules look at it."""

    body: Json
    betas: frozenset[str] = frozenset()
    """What `anthropic-beta` names."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor does not take."""

    id: str
    words: str
    """The vendor's, with `x` where it names something of the request."""
    source: str
    """Where they were seen: a page, or `owner/name#number`."""
    breaks: Callable[[Sent], bool]
    bad: Json
    """Members that make a request break the rule, laid over one that its door takes."""
    status: int = 400


def broken(rules: tuple[Rule, ...], sent: Sent) -> Rule | None:
    """Returns the first rule that a request breaks."""
    return next((rule for rule in rules if rule.breaks(sent)), None)


def objects(value: object) -> Iterator[Json]:
    """Yields every object within a JSON value, the outer before the inner."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def unknown(value: Json, names: str) -> bool:
    """Whether an object has a member beside these."""
    return bool(value.keys() - set(names.split()))
