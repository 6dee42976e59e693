"""The profile that the rows of `family_rows`, `vendor_rows` and `lookalike_rows` add up to.

    upstream = vendor_profile("deepseek", "deepseek-v4-pro", "openai_chat")

Rows are merged in the order of `ROWS`, from the general to the special: families of models wherever they are served,
then vendors, then families at a vendor. A later row overrides single members of an earlier one. To add a fact, add a
row: who serves (`vendors`), which models (`models`, globs of lower-case names without what stands before the last
slash), in which dialects, what that changes, and where it is documented or was seen.
"""

from __future__ import annotations

import re
from typing import Final

from agcore.models.family_rows import FAMILIES
from agcore.models.lookalike_rows import LOOKALIKES
from agcore.models.vendor_profile import VendorProfile, VendorRow
from agcore.models.vendor_rows import VENDORS

_LONGEST_NAME: Final = 256
_POINT: Final = re.compile(r"(?<=\d)p(?=\d)")

ROWS: Final[tuple[VendorRow, ...]] = (*FAMILIES, *VENDORS, *LOOKALIKES)
"""All rows, in the order in which they are merged."""


def own_name(model: str) -> str:
    """Returns a model's name without what aggregators and paths put before it.

    Fireworks writes `kimi-k2p6` for `kimi-k2.6`.
    """
    return _POINT.sub(".", model.replace("\\", "/").rpartition("/")[2])


def short_name(model: str) -> str:
    """Returns a model's name as rows match it: its own name, in lower case."""
    return own_name(model).lower()


def vendor_profile(vendor: str, model: str, dialect: str, rows: tuple[VendorRow, ...] = ()) -> VendorProfile:
    """Returns the profile of one endpoint for one model.

    Args:
        vendor: Who serves, as presets are named; empty when unknown.
        model: The model's name there; any text.
        dialect: What the endpoint speaks, as the core names it.
        rows: Further rows, behind the shipped ones.
    """
    members = {name: value for name, value, _ in facts(vendor, model, dialect, rows)}
    return VendorProfile(vendor=vendor, **members)  # type: ignore[arg-type] # by a test of all rows


def facts(vendor: str, model: str, dialect: str, rows: tuple[VendorRow, ...] = ()) -> list[tuple[str, object, str]]:
    """Returns what the rows say of a model: member, value and source, the general before the special."""
    name = short_name(model)
    if len(name) > _LONGEST_NAME:
        return []
    concerned = (row for row in (*ROWS, *rows) if row.concerns(vendor, name, dialect))
    return [(member, value, row.source) for row in concerned for member, value in row.members.items()]
