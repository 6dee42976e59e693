"""What a configuration says of models over the shipped tables: `[capabilities."glob"]`, and models of a tables file.

A setting is a member of `Profile` or of `VendorProfile`. Where both have it (tools, schemas, sampling), it is meant of
both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.codecs.globs import is_glob, literal_length, matches
from agcore.models.profiles import CAPABILITY_FIELDS, REASONING_KINDS
from agcore.models.vendor_profile import VENDOR_CHOICES, VENDOR_FIELDS, VendorProfile

Overrides: TypeAlias = Mapping[str, Mapping[str, object]]
"""Glob -> member -> a checked value."""

OVERRIDE_FIELDS: Final[Mapping[str, type]] = {
    **CAPABILITY_FIELDS,
    **{name: kind for name, kind in VENDOR_FIELDS.items() if name not in CAPABILITY_FIELDS},
}
"""What may be set, and of which type: lists are of strings."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "reasoning": REASONING_KINDS,
    **{name: words for name, words in VENDOR_CHOICES.items() if name not in CAPABILITY_FIELDS},
}
"""What may be set -> the words it takes, where it takes one of some."""

_TYPE_NAMES: Final = {bool: "true or false", int: "a whole number", str: "a string", list: "a list of strings"}


def override_problem(field: str, value: object) -> str:
    """The end of a sentence that says what is wrong with a setting of `[capabilities."glob"]`; empty if nothing is."""
    kind = OVERRIDE_FIELDS.get(field)
    if kind is None:
        return f"is none of {', '.join(OVERRIDE_FIELDS)}"
    if type(value) is not kind:
        return f"must be {_TYPE_NAMES[kind]}"
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return f"must be {_TYPE_NAMES[kind]}"
    if isinstance(value, int) and value < 0:
        return "must not be negative"
    if field in CHOICES and value not in CHOICES[field]:
        return f"must be one of {', '.join(CHOICES[field])}"
    return ""


def settings(model: str, overrides: Overrides) -> dict[str, object]:
    """What is set for a model.

    Returns:
        Member -> value, lists as tuples. For each member the matching glob with the most literal characters counts, a
        plain name before a glob, then the earlier one.
    """
    return {member: value for member, (value, _) in placed_settings(model, overrides).items()}


def placed_settings(model: str, overrides: Overrides) -> dict[str, tuple[object, str]]:
    """What is set for a model, each with the glob that it stands under."""
    hits = [pattern for pattern in overrides if matches(pattern, model)]
    hits.reverse()  # the sort is stable: of two equals the earlier one is to come last, and to win
    hits.sort(key=lambda pattern: (literal_length(pattern), not is_glob(pattern)))
    return {
        member: (tuple(value) if isinstance(value, list) else value, pattern)
        for pattern in hits
        for member, value in overrides[pattern].items()
    }


def vendor_override(manners: VendorProfile, changes: Mapping[str, object]) -> VendorProfile:
    """Returns a vendor profile with what is set."""
    own = {name: value for name, value in changes.items() if name in VENDOR_FIELDS}
    if "sampling" in own:
        own["sampling"] = "taken" if own["sampling"] else "fixed"
    return msgspec.structs.replace(manners, **own) if own else manners
