"""Model names: what clients ask for, and where it goes.

A `Catalog` is made from one `Config` and never changes. A name is resolved by the first of these rules that knows it:

1. `[models]`: a line that is the name itself;
2. `[models]`: of the globs that match, the one with the most literal characters, then the one written first;
3. `provider/model`: the first segment is a provider's name, all of the rest (slashes too) its model;
4. the providers one of whose `models` matches, one after the other in the order of the configuration; each gets the
   name as it is. Behind the first, a bare `*` does not count: it would send a name to somebody who may not know it.

For clients of a dialect with a table of its own, `[models.anthropic]`, the lines of that table are as good as the
general ones, and better where both are equal: with the name itself (1), or with as many literal characters (2). The
table adds to the general lines and hides none of them otherwise; a long general glob still beats its short one.

A line gives one or more *steps*, to be tried in order, and a step one or more targets, which are *pooled*: requests are
spread over them by the `weight` of their providers, each target counting with the whole of it. Choosing is not done
here: a `Resolution` has all targets in the order written, and each knows its step. The model `*` of a target is the
name asked for, without the `provider/` it may have in front. A target that a line holds twice, perhaps only for some
names, stays where it stands first, so that nothing is tried twice and pools stay what their weights say.

Listings show what can be enumerated of these rules: the literal names of `[models]` and of providers, and for globs the
matching ids of the shipped model table, unlisted ones apart, and apart from servers of weights on one's own machine,
which name what they have in a way of their own (`qwen3:8b`). A bare `*` says nothing about what stands behind it: for a
provider whose preset belongs to one vendor it lists that vendor's ids, anywhere else it lists nothing. Each candidate
is then resolved like any request, so that what is listed exists, and goes where the list says it goes.

What providers say themselves that they have can be added to a listing. An id that matches its provider's `models` is
listed as it is if that name leads to this provider, at the first attempt or a later one. A name that belongs to others
gets `provider/` in front; where `[models]` sends even that elsewhere, it is left out. Resolving never depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

import msgspec

from agcore.codecs.globs import is_glob, literal_length, matches
from agcore.codecs.url import is_loopback
from agcore.config.presets import PRESETS
from agcore.config.values import ASKED_MODEL, Config, Endpoint, ModelRule, Provider, dialect_name
from agcore.dialects import ALIASES, DIALECTS
from agcore.models.listing import ListedModel
from agcore.models.profiles import Profile
from agcore.models.vendor_profile import VENDOR_FIELDS, VendorProfile, VendorRow

if TYPE_CHECKING:
    from agcore.models.overrides import Overrides

SERVERS_OF_WEIGHTS: Final = frozenset({"ollama", "lmstudio", "vllm", "llamacpp"})
"""Vendors that serve weights which their owner has loaded, under names that no table knows."""
_REMEMBERED: Final = 1024
"""Names whose resolution is kept, if they are not longer than this."""
_LONGEST_REMEMBERED: Final = 200
_NEAR: Final = 5
_NEAR_LENGTH: Final = 100

_Place: TypeAlias = tuple[str, str, str]
"""A provider's name, a dialect, and a model there."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class FindProfile(Protocol):
    """`models.known.profile`."""

    def __call__(  # noqa: D102
        self,
        model: str,
        overrides: Overrides,
        *,
        vendor: str = ...,
        dialect: str = ...,
        rows: tuple[VendorRow, ...] = ...,
    ) -> Profile: ...


class Target(msgspec.Struct, frozen=True):
    """One place to send a request to."""

    provider: Provider
    model: str
    """The name of the model there."""
    step: int = 0
    """Targets with equal numbers are pooled; they count from 0 in the order of trial, and none is left out."""


class Resolution(msgspec.Struct, frozen=True):
    """The targets that a name stands for."""

    requested: str
    targets: tuple[Target, ...]
    """At least one, by ascending `step`; those of one step as they were written."""
    rule: str
    """The rule that decided, for people: `[models] glob "claude-haiku-*"`."""


class Miss(msgspec.Struct, frozen=True):
    """A name that goes nowhere."""

    near: tuple[str, ...]
    """Up to five listed names that look like it, best first; only such as the allow list permits."""
    denied: bool = False
    """The name would resolve, but is not on the allow list."""


class _Lines(msgspec.Struct, frozen=True):
    """The lines of `[models]` that hold for some clients."""

    exact: Mapping[str, ModelRule]
    globs: tuple[ModelRule, ...]
    """The ones to be preferred first."""


class Catalog:
    """The model names of one configuration.

    Args:
        config: Its `[models]` name configured providers, and its `[capabilities]` known fields with fitting values.

    Raises:
        ValueError: Where they do not; the message names the line.
    """

    def __init__(self, config: Config) -> None:
        if config.capabilities:
            from agcore.models.overrides import override_problem  # rarely any

            for pattern, fields in config.capabilities.items():
                for field, value in fields.items():
                    if problem := override_problem(field, value):
                        raise ValueError(f'[capabilities."{pattern}"] {field} {problem}')
        self._providers = {provider.name: provider for provider in config.providers}
        tabled = config.tables.models
        self._overrides = {
            pattern: {**tabled.get(pattern, {}), **config.capabilities.get(pattern, {})}
            for pattern in (*config.capabilities, *(name for name in tabled if name not in config.capabilities))
        }
        self._capabilities = config.capabilities
        self._rows = config.tables.profiles
        self._rules = config.models
        for rule in self._rules:
            for name in (name for step in rule.steps for name, _ in step):
                if name not in self._providers:
                    raise ValueError(f'{_shown(rule)} names the provider "{name}", which is not configured')
        own = tuple(dict.fromkeys(rule.dialect for rule in self._rules if rule.dialect))
        self.dialects: Final = tuple(map(dialect_name, own))
        """The dialects whose clients have lines of their own, as configurations call them."""
        self._lines = {dialect: _lines(self._rules, dialect) for dialect in ("", *own)}
        spoken = {name: dialect.traits.name for name, dialect in ALIASES.items()}
        self._kinds = {name: kind for name, kind in spoken.items() if kind in own}
        self._kinds.update((name, kind) for kind in own for name in (kind, dialect_name(kind)))
        self._resolved: dict[tuple[str, str], Resolution | None] = {}
        self._profiles: dict[_Place, Profile] = {}
        self._upstreams: dict[_Place, VendorProfile] = {}
        self._carrying: dict[tuple[str, str], Endpoint | None] = {}
        self._listed: dict[str, tuple[ListedModel, ...]] = {}
        self._offered: dict[tuple[str, str], tuple[Sequence[str], tuple[ListedModel, ...]]] = {}

    def resolve(self, model: str, *, allowed: Sequence[str] = (), dialect: str = "") -> Resolution | Miss:
        """Find where `model` goes.

        Args:
            model: The name a client asked for, without Gemini's `models/`.
            allowed: The allow list of the client's key; empty for all.
            dialect: What the client speaks; empty for the general rules.
        """
        resolution = self._resolve(model, self._kinds.get(dialect, ""))
        if resolution is not None and (not allowed or self.allowed(model, allowed)):
            return resolution
        return Miss(self._near(model, allowed, dialect), denied=resolution is not None)

    def allowed(self, name: str, patterns: Sequence[str]) -> bool:
        """Tell whether an allow list permits `name`, as it is or without its `provider/`; an empty list permits all."""
        if not patterns:
            return True
        prefix, _, rest = name.partition("/")
        names = (name, rest) if prefix in self._providers else (name,)
        return any(matches(pattern, candidate) for pattern in patterns for candidate in names)

    def says(self, model: str) -> bool:
        """Tell whether this very name is written in the configuration, rather than matched by a glob of it."""
        _, rest = self._split(model)
        written = any(rest in provider.models for provider in self._providers.values())
        return written or any(rule.pattern == model for rule in self._rules)

    def ids(
        self, *, allowed: Sequence[str] = (), dialect: str = "", offered: Mapping[str, Sequence[str]] | None = None
    ) -> tuple[ListedModel, ...]:
        """List the known names, each once: those of `[models]` first, then provider by provider, then what is offered.

        Args:
            allowed: The allow list of the client's key; empty for all.
            dialect: What the client speaks; empty for the general rules.
            offered: Provider -> the ids that it says it has.
        """
        kind = self._kinds.get(dialect, "")
        if kind not in self._listed:
            entries = (self.listed(name, dialect=kind) for name in dict.fromkeys(self._candidates(kind)))
            self._listed[kind] = tuple(entry for entry in entries if entry is not None)
        listed = {entry.id: entry for entry in self._listed[kind]}
        for name, ids in (offered or {}).items():
            for entry in self._offers(name, ids, kind):
                listed.setdefault(entry.id, entry)
        return tuple(entry for entry in listed.values() if self.allowed(entry.id, allowed))

    def listed(self, model: str, *, allowed: Sequence[str] = (), dialect: str = "") -> ListedModel | None:
        """Give the line a listing has, or would have, for `model`; None where it does not resolve."""
        resolution = self._resolve(model, self._kinds.get(dialect, ""))
        if resolution is None or not self.allowed(model, allowed):
            return None
        first = resolution.targets[0]
        return ListedModel(model, first.provider.name, first.model, self.profile(first.model))

    def profile(self, model: str) -> Profile:
        """Give the profile of a provider's model, with the overrides of this configuration."""
        return _find_profile()(model, self._overrides)

    def profile_at(self, provider: Provider, endpoint: Endpoint, model: str) -> Profile:
        """Give the profile of a model as an endpoint of its provider serves it."""
        place = (provider.name, endpoint.dialect, model)
        found = self._profiles.get(place)
        if found is None:
            vendor = vendor_of(provider, endpoint)
            found = _find_profile()(model, self._overrides, vendor=vendor, dialect=endpoint.dialect, rows=self._rows)
            _keep(self._profiles, place, found)
        return found

    def endpoint(self, target: Target) -> Endpoint | None:
        """Give the endpoint of a target that carries most of a conversation; None where none takes any."""
        place = (target.provider.name, target.model)
        if place not in self._carrying:
            endpoints = target.provider.endpoints
            manners = self.upstream_profile(target.provider, target.provider.preferred_endpoint, target.model)
            carrying = (endpoints.get(name) for name in manners.endpoints or DIALECTS if DIALECTS[name].translatable)
            found = next((endpoint for endpoint in carrying if endpoint is not None), None)
            _keep(self._carrying, place, found)
        return self._carrying[place]

    def manners(self, target: Target) -> tuple[tuple[str, object, str], ...]:
        """Give what is known of who serves a target where clients of other dialects are sent.

        Returns:
            `endpoint` and `vendor`, then members of the vendor profile: name, value, and where that is from. Dialects
            have the names that configurations give them.
        """
        from agcore.models.overrides import placed_settings
        from agcore.models.vendor_profiles import facts

        endpoint = self.endpoint(target) or target.provider.preferred_endpoint
        vendor = vendor_of(target.provider, endpoint)
        rows = facts(vendor, target.model, endpoint.dialect, self._rows)
        found = {name: (value, source) for name, value, source in rows}
        for name, (value, pattern) in placed_settings(target.model, self._overrides).items():
            if name in VENDOR_FIELDS:
                own = name in self._capabilities.get(pattern, {})
                found[name] = (value, f'[capabilities."{pattern}"]' if own else f'proxy.tables: [models."{pattern}"]')
        named = (
            (name, tuple(map(dialect_name, value)) if isinstance(value, tuple) else value, source)
            for name, (value, source) in found.items()
        )
        return (("endpoint", dialect_name(endpoint.dialect), ""), ("vendor", vendor, ""), *named)

    def upstream_profile(self, provider: Provider, endpoint: Endpoint, model: str) -> VendorProfile:
        """Give the vendor profile alone of a model as an endpoint of its provider serves it."""
        place = (provider.name, endpoint.dialect, model)
        found = self._upstreams.get(place)
        if found is None:
            from agcore.models.overrides import settings, vendor_override
            from agcore.models.vendor_profiles import vendor_profile  # many rows

            found = vendor_profile(vendor_of(provider, endpoint), model, endpoint.dialect, self._rows)
            found = vendor_override(found, settings(model, self._overrides))
            _keep(self._upstreams, place, found)
        return found

    def _resolve(self, model: str, kind: str) -> Resolution | None:
        """Follow the rules, or remember where they led: clients ask for few names, again and again."""
        if len(model) > _LONGEST_REMEMBERED:
            return self._follow(model, kind)
        if (model, kind) not in self._resolved:
            _keep(self._resolved, (model, kind), self._follow(model, kind))
        return self._resolved[model, kind]

    def _follow(self, model: str, kind: str) -> Resolution | None:
        if not model:
            return None
        lines = self._lines[kind]
        rule = lines.exact.get(model) or next((glob for glob in lines.globs if matches(glob.pattern, model)), None)
        if rule is not None:
            return Resolution(model, self._chain(rule, model), _shown(rule))
        prefix, rest = self._split(model)
        if prefix:
            return Resolution(model, (Target(self._providers[prefix], rest),), "provider/model")
        return self._serving(model)

    def _split(self, model: str) -> tuple[str, str]:
        """The provider that a name starts with, empty for none, and the rest."""
        prefix, _, rest = model.partition("/")
        return (prefix, rest) if rest and prefix in self._providers else ("", model)

    def _chain(self, rule: ModelRule, model: str) -> tuple[Target, ...]:
        _, asked = self._split(model)
        targets: dict[tuple[str, str], Target] = {}
        number = 0
        for step in rule.steps:
            before = len(targets)
            for name, written in step:
                there = asked if written == ASKED_MODEL else written
                targets.setdefault((name, there), Target(self._providers[name], there, number))
            number += len(targets) > before
        return tuple(targets.values())

    def _serving(self, model: str) -> Resolution | None:
        serving: list[tuple[Provider, str]] = []
        for provider in self._providers.values():
            for pattern in provider.models:
                if matches(pattern, model) and not (serving and _is_bare(pattern)):
                    serving.append((provider, pattern))
                    break
        if not serving:
            return None
        targets = tuple(Target(provider, model, step) for step, (provider, _) in enumerate(serving))
        sources = ", then ".join(f'"{provider.name}" models "{pattern}"' for provider, pattern in serving)
        return Resolution(model, targets, f"providers {sources}")

    def _candidates(self, kind: str) -> Iterable[str]:
        for rule in self._rules:
            if rule.dialect in ("", kind):
                yield from self._expanded(rule.pattern, kind, vendor="")
        for provider in self._providers.values():
            vendor = PRESETS[provider.preset].vendor if provider.preset in PRESETS else ""
            for pattern in provider.models:
                yield from self._expanded(pattern, kind, vendor=vendor)

    def _expanded(self, pattern: str, kind: str, *, vendor: str) -> Iterable[str]:
        """What `pattern` lists, but for names of the table that a server of weights would be asked for."""
        for name in _expand(pattern, vendor=vendor):
            found = self._resolve(name, kind) if is_glob(pattern) else None
            target = None if found is None else found.targets[0]
            if (
                target is None
                or target.model != name
                or vendor_of(target.provider, target.provider.preferred_endpoint) not in SERVERS_OF_WEIGHTS
            ):
                yield name

    def _offers(self, name: str, ids: Sequence[str], kind: str) -> tuple[ListedModel, ...]:
        """The lines for what a provider offers. The last ones are kept: there may be thousands."""
        last = self._offered.get((name, kind))
        if last is not None and last[0] == ids:
            return last[1]
        provider = self._providers[name]
        mine = (id for id in ids if any(matches(pattern, id) for pattern in provider.models))
        entries = tuple(entry for id in mine if (entry := self._offer(provider, id, kind)) is not None)
        self._offered[name, kind] = (ids, entries)
        return entries

    def _offer(self, provider: Provider, id: str, kind: str) -> ListedModel | None:
        """The line for one such id, under the shorter of its names that leads to its provider."""
        for name in (id, f"{provider.name}/{id}"):
            found = self._resolve(name, kind)
            if found and any(target.model == id and target.provider is provider for target in found.targets):
                return self.listed(name, dialect=kind)
        return None

    def _near(self, model: str, allowed: Sequence[str], dialect: str) -> tuple[str, ...]:
        # Imported here: a miss is rare, and difflib costs more to load than this module.
        from difflib import get_close_matches

        names = {entry.id.lower(): entry.id for entry in self.ids(allowed=allowed, dialect=dialect)}
        wanted = model[:_NEAR_LENGTH].lower()  # the search is quadratic, and the name is a client's
        near = get_close_matches(wanted, names, _NEAR) or get_close_matches(wanted.rpartition("/")[2], names, _NEAR)
        return tuple(names[name] for name in near)


def _keep(kept: dict[_K, _V], key: _K, value: _V) -> None:
    """Remember a value, and at most so many."""
    if len(kept) >= _REMEMBERED:
        kept.clear()
    kept[key] = value


def vendor_of(provider: Provider, endpoint: Endpoint) -> str:
    """Returns who serves at an endpoint, as rows of vendor profiles name it.

    The first of these counts: a host that is known; the provider's preset; its name, if a preset has the same; the
    usual port of a server on one's own machine; its name, which rows of one's own may say.
    """
    from agcore.models.vendor_hosts import VENDOR_OF_PORT, vendor_at_host  # asked once for each place

    host = endpoint.origin.host
    named = vendor_at_host(host) or provider.preset or (provider.name if provider.name in PRESETS else "")
    return named or (VENDOR_OF_PORT.get(endpoint.origin.port, "") if is_loopback(host) else "") or provider.name


@cache
def _find_profile() -> FindProfile:
    # What only passes through needs no profile, and the table of models is long.
    from agcore.models.known import profile

    return profile


def _lines(rules: Iterable[ModelRule], dialect: str) -> _Lines:
    """Returns the rules for clients of `dialect`; sorting is stable, so that its own lines stay before general ones."""
    exact: dict[str, ModelRule] = {}
    globs: list[ModelRule] = []
    for rule in sorted((rule for rule in rules if rule.dialect in ("", dialect)), key=lambda rule: not rule.dialect):
        if is_glob(rule.pattern):
            globs.append(rule)
        else:
            exact.setdefault(rule.pattern, rule)
    return _Lines(exact, tuple(sorted(globs, key=lambda rule: -literal_length(rule.pattern))))


def _shown(rule: ModelRule) -> str:
    table = f"models.{dialect_name(rule.dialect)}" if rule.dialect else "models"
    return f'[{table}] {"glob " if is_glob(rule.pattern) else ""}"{rule.pattern}"'


def _is_bare(pattern: str) -> bool:
    return literal_length(pattern) == 0


def _expand(pattern: str, *, vendor: str) -> Iterable[str]:
    """The ids that `pattern` lists; `vendor` is whose models a bare `*` means, empty for nobody's."""
    if not is_glob(pattern):
        return (pattern,)
    from agcore.models.known import KNOWN_IDS, profile

    known = (profile(name) for name in KNOWN_IDS if matches(pattern, name))
    return (entry.model for entry in known if entry.listed and (not _is_bare(pattern) or entry.vendor == vendor))
