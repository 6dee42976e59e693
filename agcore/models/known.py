"""The profile of every model's name: from the shipped table, then the user's overrides.

`profile` finds one for every name. The first of these counts: the row whose id is the name; the family glob with the
most literal characters; both again for the part after the last slash (`openai/gpt-4.1`, as aggregators write it), and
for that in lower case (`Qwen3.8-27B`, as weights are called); a default. The default is generous where a wrong guess
costs an upstream's own error message (tools, images, sampling parameters) and careful where a wrong guess would change
a request (reasoning). `[capabilities."glob"]` then overrides field by field.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Final

import msgspec

from agcore.codecs.globs import literal_length, matches
from agcore.models.overrides import Overrides, settings, vendor_override
from agcore.models.profiles import CAPABILITY_FIELDS, Profile
from agcore.models.table import FAMILIES, MODELS, REASONING, Row
from agcore.models.vendor_profile import VendorRow
from agcore.models.vendor_profiles import own_name, short_name, vendor_profile

_EPOCH_ORDINAL: Final = datetime.date(1970, 1, 1).toordinal()
_LONGEST_NAME: Final = 256
_FLAGS: Final = tuple(name for name, kind in CAPABILITY_FIELDS.items() if kind is bool)
_ROWS: Final[dict[str, Row]] = {row[0]: row for row in MODELS}
_FAMILIES: Final = sorted(FAMILIES, key=lambda family: -literal_length(family[0]))

KNOWN_IDS: Final[tuple[str, ...]] = tuple(_ROWS)
"""The ids of the shipped table, in its order."""


def profile(
    model: str,
    overrides: Overrides | None = None,
    *,
    vendor: str = "",
    dialect: str = "openai_chat",
    rows: tuple[VendorRow, ...] = (),
) -> Profile:
    """The profile of a model.

    Args:
        model: A model's name at its provider; any text.
        overrides: `Config.capabilities`, checked. Setting `reasoning` alone also sets the levels and budgets usual for
            that kind.
        vendor: Who serves it, as presets are named; empty when unknown.
        dialect: What the endpoint speaks.
        rows: Further rows of vendor profiles, behind the shipped ones.

    Returns:
        The default profile for a name that nothing is known of.
    """
    if len(model) > _LONGEST_NAME:
        found = _unknown(model)
    else:
        found = _served_by(model, vendor, dialect, rows) if rows else _served(model, vendor, dialect)
    changes = settings(model, overrides) if overrides else {}
    if not changes:
        return found
    upstream = vendor_override(found.upstream, changes)
    if "reasoning" in changes and changes["reasoning"] != found.reasoning:
        _, efforts, min_budget, max_budget = REASONING[str(changes["reasoning"])]
        usual = {"efforts": efforts, "min_budget": min_budget, "max_budget": max_budget}
        changes = usual | changes
    own = {name: value for name, value in changes.items() if name in CAPABILITY_FIELDS}
    return msgspec.structs.replace(found, **own, upstream=upstream)


@lru_cache(maxsize=1024)
def _served(model: str, vendor: str, dialect: str) -> Profile:
    return _served_by(model, vendor, dialect, ())


def _served_by(model: str, vendor: str, dialect: str, rows: tuple[VendorRow, ...]) -> Profile:
    """The profile of `model` by the shipped tables, and by further rows."""
    known, upstream = _known(model), vendor_profile(vendor, model, dialect, rows)
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
    for name in dict.fromkeys((model, own_name(model), short_name(model))):
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
