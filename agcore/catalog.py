"""Model names: what clients ask for, and where it goes.

A `Catalog` is made from one `Config` and never changes. A name is resolved by the first of these rules that knows it:

1. `[models]`: a line that is the name itself;
2. `[models]`: of the globs that match, the one with the most literal characters, then the one written first;
3. `provider/model`: the first segment is a provider's name, all of the rest (slashes too) its model;
4. the first provider, in the order of the configuration, one of whose `models` matches; it gets the name as it is.

Listings show what can be enumerated of these rules: the literal names of `[models]` and of providers, and for globs the
matching ids of the shipped model table, unlisted ones apart. A bare `*` says nothing about what stands behind it: for a
provider whose preset belongs to one vendor it lists that vendor's ids, anywhere else it lists nothing. Each candidate
is then resolved like any request, so that what is listed exists, and goes where the list says it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agcore.config import Config, ModelRule, Provider
from agcore.globs import is_glob, literal_length, matches
from agcore.profiles import KNOWN_IDS, Profile, capability_problem, profile

PRESET_VENDORS: Final[Mapping[str, str]] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "zai": "zai",
    "deepseek": "deepseek",
    "mistral": "mistral",
    "xai": "xai",
    "moonshot": "moonshot",
}
"""Preset -> the vendor in the model table whose models stand behind it. Aggregators and local servers are absent."""

_NEAR: Final = 5
_NEAR_LENGTH: Final = 100


class Target(msgspec.Struct, frozen=True):
    """One place to send a request to."""

    provider: Provider
    model: str
    """The name of the model there."""


class Resolution(msgspec.Struct, frozen=True):
    """Where a name goes."""

    requested: str
    targets: tuple[Target, ...]
    """At least one, in the order to be tried."""
    rule: str
    """The rule that decided, for people: `[models] glob "claude-haiku-*"`."""


class Miss(msgspec.Struct, frozen=True):
    """A name that goes nowhere."""

    near: tuple[str, ...]
    """Up to five listed names that look like it, best first; only such as the allow list permits."""
    denied: bool = False
    """The name would resolve, but is not on the allow list."""


class ListedModel(msgspec.Struct, frozen=True):
    """One line of a listing."""

    id: str
    """What clients ask for."""
    provider: str
    """The name of the provider tried first."""
    model: str
    """The name of the model there."""
    profile: Profile
    """That model's profile, overrides applied."""

    @property
    def display_name(self) -> str:
        """The model's own name, or the id where that is an alias of something else."""
        return self.profile.display_name if self.id == self.model else self.id


class Catalog:
    """The model names of one configuration.

    Args:
        config: Its `[models]` name configured providers, and its `[capabilities]` known fields with fitting values.

    Raises:
        ValueError: Where they do not; the message names the line.
    """

    def __init__(self, config: Config) -> None:
        for pattern, fields in config.capabilities.items():
            for field, value in fields.items():
                if problem := capability_problem(field, value):
                    raise ValueError(f'[capabilities."{pattern}"] {field} {problem}')
        self._providers = {provider.name: provider for provider in config.providers}
        self._capabilities = config.capabilities
        self._rules = config.models
        self._exact: dict[str, Resolution] = {}
        globs: list[tuple[str, tuple[Target, ...], str]] = []
        for rule in config.models:
            targets = self._targets(rule)
            if is_glob(rule.pattern):
                globs.append((rule.pattern, targets, f'[models] glob "{rule.pattern}"'))
            else:
                self._exact.setdefault(rule.pattern, Resolution(rule.pattern, targets, f'[models] "{rule.pattern}"'))
        self._globs = sorted(globs, key=lambda entry: -literal_length(entry[0]))
        self._listed: tuple[ListedModel, ...] | None = None

    def resolve(self, model: str, *, allowed: Sequence[str] = ()) -> Resolution | Miss:
        """Find where `model` goes.

        Args:
            model: The name a client asked for, without Gemini's `models/`.
            allowed: The allow list of the client's key; empty for all.
        """
        resolution = self._resolve(model)
        if resolution is not None and self.allowed(model, allowed):
            return resolution
        return Miss(self._near(model, allowed), denied=resolution is not None)

    def allowed(self, name: str, patterns: Sequence[str]) -> bool:
        """Tell whether an allow list permits `name`, as it is or without its `provider/`; an empty list permits all."""
        if not patterns:
            return True
        prefix, _, rest = name.partition("/")
        names = (name, rest) if prefix in self._providers else (name,)
        return any(matches(pattern, candidate) for pattern in patterns for candidate in names)

    def ids(self, *, allowed: Sequence[str] = ()) -> tuple[ListedModel, ...]:
        """List the known names, each once: those of `[models]` first, then provider by provider.

        Args:
            allowed: The allow list of the client's key; empty for all.
        """
        if self._listed is None:
            listed = (self.listed(name) for name in dict.fromkeys(self._candidates()))
            self._listed = tuple(entry for entry in listed if entry is not None)
        return tuple(entry for entry in self._listed if self.allowed(entry.id, allowed))

    def listed(self, model: str, *, allowed: Sequence[str] = ()) -> ListedModel | None:
        """Give the line a listing has, or would have, for `model`; None where it does not resolve."""
        resolution = self._resolve(model)
        if resolution is None or not self.allowed(model, allowed):
            return None
        first = resolution.targets[0]
        return ListedModel(model, first.provider.name, first.model, self.profile(first.model))

    def profile(self, model: str) -> Profile:
        """Give the profile of a provider's model, with the overrides of this configuration."""
        return profile(model, self._capabilities)

    def _resolve(self, model: str) -> Resolution | None:
        exact = self._exact.get(model)
        if exact is not None:
            return exact
        if not model:
            return None
        for pattern, targets, rule in self._globs:
            if matches(pattern, model):
                return Resolution(model, targets, rule)
        prefix, _, rest = model.partition("/")
        if rest and prefix in self._providers:
            return Resolution(model, (Target(self._providers[prefix], rest),), "provider/model")
        for provider in self._providers.values():
            for pattern in provider.models:
                if matches(pattern, model):
                    rule = f'providers "{provider.name}" models "{pattern}"'
                    return Resolution(model, (Target(provider, model),), rule)
        return None

    def _targets(self, rule: ModelRule) -> tuple[Target, ...]:
        for name, _ in rule.targets:
            if name not in self._providers:
                raise ValueError(f'[models] "{rule.pattern}" names the provider "{name}", which is not configured')
        return tuple(Target(self._providers[name], model) for name, model in rule.targets)

    def _candidates(self) -> Iterable[str]:
        for rule in self._rules:
            yield from _expand(rule.pattern, vendor="")
        for provider in self._providers.values():
            vendor = PRESET_VENDORS.get(provider.preset, "")
            for pattern in provider.models:
                yield from _expand(pattern, vendor=vendor)

    def _near(self, model: str, allowed: Sequence[str]) -> tuple[str, ...]:
        # Imported here: a miss is rare, and difflib costs more to load than this module.
        from difflib import get_close_matches

        names = {entry.id.lower(): entry.id for entry in self.ids(allowed=allowed)}
        wanted = model[:_NEAR_LENGTH].lower()  # the search is quadratic, and the name is a client's
        near = get_close_matches(wanted, names, _NEAR) or get_close_matches(wanted.rpartition("/")[2], names, _NEAR)
        return tuple(names[name] for name in near)


def _expand(pattern: str, *, vendor: str) -> Iterable[str]:
    """The ids that `pattern` lists; `vendor` is whose models a bare `*` means, empty for nobody's."""
    if not is_glob(pattern):
        return (pattern,)
    known = (profile(name) for name in KNOWN_IDS if matches(pattern, name))
    bare = literal_length(pattern) == 0
    return (entry.model for entry in known if entry.listed and (not bare or entry.vendor == vendor))
