"""How many examples a property is tried with: a number of its own, scaled by the profile that the run goes by."""

from __future__ import annotations

from hypothesis import settings

PROFILES = {"quick": 25, "deep": 1000}
"""Examples of a property that names no number: `quick` for every run, the same ones each time; `deep` to explore."""


def register() -> None:
    """Make the profiles known, and `quick` the one to go by; `--hypothesis-profile=deep` chooses the other."""
    # Examples share the machine with whatever else runs on it: how long one takes says nothing.
    settings.register_profile("quick", max_examples=PROFILES["quick"], derandomize=True, deadline=None)
    settings.register_profile("deep", max_examples=PROFILES["deep"], deadline=None)
    settings.load_profile("quick")


def examples(number: int) -> settings:
    """Give settings for a property that is tried more or less often than others.

    Args:
        number: How many examples it would get where others get a hundred.

    """
    return settings(max_examples=max(1, number * settings().max_examples // 100))
