"""The profile of every model's name: from the shipped table, then the user's overrides.

`profile` finds one for every name. The first of these counts: the row whose id is the name; the family glob with the
most literal characters; both again for the part after the last slash (`openai/gpt-4.1`, as aggregators write it), and
for that in lower case (`Qwen3.8-27B`, as weights are called); a default. The default is generous where a wrong guess
costs an upstream's own error message (tools, images, sampling parameters) and careful where a wrong guess would change
a request (reasoning). `[capabilities."glob"]` then overrides field by field.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from agcore.codecs.globs import is_glob, literal_length, matches
from agcore.models.profiles import CAPABILITY_FIELDS, Profile
from agcore.models.table import FAMILIES, MODELS, REASONING, Row
from agcore.models.vendor_profiles import short_name, vendor_profile

_EPOCH_ORDINAL: Final = datetime.date(1970, 1, 1).toordinal()
_LONGEST_NAME: Final = 256
_FLAGS: Final = tuple(name for name, kind in CAPABILITY_FIELDS.items() if kind is bool)
_ROWS: Final[dict[str, Row]] = {row[0]: row for row in MODELS}
_FAMILIES: Final = sorted(FAMILIES, key=lambda family: -literal_length(family[0]))

KNOWN_IDS: Final[tuple[str, ...]] = tuple(_ROWS)
"""The ids of the shipped table, in its order."""


def profile(
    model: str,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    *,
    vendor: str = "",
    dialect: str = "openai_chat",
) -> Profile:
    """The profile of a model.

    Args:
        model: A model's name at its provider; any text.
        overrides: `Config.capabilities`: glob -> field of `CAPABILITY_FIELDS` -> a checked value. For each field the
            matching glob with the most literal characters counts (a plain name before a glob, then the earlier one).
            Setting `reasoning` alone also sets the levels and budgets usual for that kind.
        vendor: Who serves it, as presets are named; empty when unknown.
        dialect: What the endpoint speaks.

    Returns:
        The default profile for a name that nothing is known of.
    """
    found = _served(model, vendor, dialect) if len(model) <= _LONGEST_NAME else _unknown(model)
    if not overrides:
        return found
    hits = [pattern for pattern in overrides if matches(pattern, model)]
    if not hits:
        return found
    hits.reverse()  # the sort is stable: of two equals the earlier one is to come last, and to win
    hits.sort(key=lambda pattern: (literal_length(pattern), not is_glob(pattern)))
    changes: dict[str, object] = {}
    for pattern in hits:
        changes.update(overrides[pattern])
    if "efforts" in changes:
        changes["efforts"] = tuple(changes["efforts"])  # type: ignore[arg-type] # a list, by CAPABILITY_FIELDS
    if "reasoning" in changes and changes["reasoning"] != found.reasoning:
        _, efforts, min_budget, max_budget = REASONING[str(changes["reasoning"])]
        usual = {"efforts": efforts, "min_budget": min_budget, "max_budget": max_budget}
        changes = usual | changes
    return msgspec.structs.replace(found, **changes)


@lru_cache(maxsize=1024)
def _served(model: str, vendor: str, dialect: str) -> Profile:
    """The profile of `model` by the shipped tables."""
    known, upstream = _known(model), vendor_profile(vendor, model, dialect)
    taken = upstream.sampling == "taken"
    return msgspec.structs.replace(
        known,
        upstream=upstream,
        tools=known.tools and upstream.tools,
        structured_output=known.structured_output and upstream.structured_output,
        sampling=known.sampling and taken,
        penalties=known.penalties and taken,
    )


def _known(model: str) -> Profile:
    """The profile of `model` by the shipped table, or the default one."""
    for name in dict.fromkeys((model, model.rpartition("/")[2], short_name(model))):
        row = _ROWS.get(name)
        if row is not None:
            return _from_row(row, model, row[1])
        for pattern, like in _FAMILIES:
            if matches(pattern, name):
                return _from_row(_ROWS[like], model, model)
    return _unknown(model)


def _unknown(model: str) -> Profile:
    """The default profile."""
    return Profile(model=model, display_name=model)


def _from_row(row: Row, model: str, display_name: str) -> Profile:
    """The profile that a row of the table gives to the name `model`."""
    _, _, vendor, released, context_window, max_output_tokens, reasoning, text = row
    words = text.split()
    created = (datetime.date.fromisoformat(released).toordinal() - _EPOCH_ORDINAL) * 86_400 if released else 0
    values: dict[str, object] = {flag: flag in words for flag in _FLAGS}
    kind, efforts, min_budget, max_budget = REASONING[reasoning]
    values |= {
        "reasoning": kind,
        "efforts": efforts,
        "min_budget": min_budget,
        "max_budget": min(max_budget, max(max_output_tokens - 1, 0)),  # a budget must leave room for an answer
    }
    base = Profile(
        model=model,
        display_name=display_name,
        vendor=vendor,
        created=created,
        listed="unlisted" not in words,
        context_window=context_window,
        max_output_tokens=max_output_tokens,
    )
    return msgspec.structs.replace(base, **values)
