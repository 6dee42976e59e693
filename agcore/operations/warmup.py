"""Warming up: open a connection to each provider and check each of its keys, with the cheapest request there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import msgspec

from agcore.codecs.json_splice import parse
from agcore.config.values import ASKED_MODEL, Provider
from agcore.dialects.shared.model_ids import MAX_IDS
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.provider_lists import ListReader, list_candidate
from agcore.protocol.fault import Fault, invalid
from agcore.state.cooldowns import Cooldown
from agcore.upstream.model_list import LISTING

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts


class Warmup(ListReader):
    """`{"provider"?, "model"?}` -> for each key of each provider meant: ok, latency in milliseconds, error.

    What is asked for is the provider's model list, which is then known to those who list models. Of a list that was
    read it is told how many `models` it has, and which targets of `[models]` are `missing` from it. A provider that has
    none (404, 405) is reachable all the same, and is reported so; whether its key is good stays unknown then.

    Every key is asked once, cooling or not, and the pool learns what came of it: a list that was read ends whatever
    the key was left alone for, for a model or as a whole. `cooling` says for how many seconds it still is, and why.
    """

    metered: ClassVar[bool] = True

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._results: dict[str, dict[str, object]] = {}
        self._begun: dict[UpstreamCall, float] = {}
        self._latency: dict[UpstreamCall, float] = {}
        self._cooling: dict[str, list[dict[str, object]]] = {}

    def run(self, body: bytes, *, now: float) -> None:
        """Start as many calls as may run at once."""
        providers = self._providers(body)
        if isinstance(providers, Fault):
            return self.client.fail(providers, now=now)
        outside = self.services.outside
        cooling: dict[tuple[str, str], list[tuple[str, Cooldown]]] = {}
        for (name, id, model), cooldown in outside.cooling(now=now):
            if model != LISTING:
                cooling.setdefault((name, id), []).append((model, cooldown))
        candidates = []
        for provider in providers:
            for key in outside.keys(provider):
                result: dict[str, object] = {"provider": provider.name, "key": key.label}
                self._results[key.label] = result
                left_alone = _told(cooling, provider.name, key.id, now)
                if left_alone:
                    result["cooling"] = self._cooling[key.label] = left_alone
                if provider.has_credential:
                    candidates.append(list_candidate(provider, key=key.id))
                else:
                    result.update(ok=False, error="no key is configured")
        return self.read_lists(candidates, once=True, now=now)

    def list_begun(self, call: UpstreamCall, *, now: float) -> None:
        """From here on the time counts."""
        self._begun[call] = now

    def list_came(self, call: UpstreamCall, *, now: float) -> None:
        """The key was taken; the time for the list itself does not count."""
        self._latency[call] = now - self._begun[call]

    def list_read(self, call: UpstreamCall, ids: tuple[str, ...] | None, *, now: float) -> None:
        """The provider can be used."""
        provider = call.candidate.provider
        if ids is None:
            self._settle(
                call, {"ok": True, "note": "it answered, but not with a model list: is the base URL right?"}, now
            )
            return
        self._results[call.key.label].pop("cooling", None)
        self.services.outside.lift(provider.name, call.key.id, began=self._begun[call])
        self.services.outside.keep_list(provider, ids, now=now)
        missing = self._missing(provider, ids)
        self._settle(call, {"ok": True, "models": len(ids), **({"missing": missing} if missing else {})}, now)

    def list_failed(self, provider: Provider, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """The provider cannot be used as configured, unless it merely has no list."""
        if fault.status in (404, 405):
            self._settle(call, {"ok": True, "note": "reachable; it has no model list, so the key was not checked"}, now)
        else:
            self._settle(call, {"ok": False, "status": fault.status, "error": fault.message}, now)

    def all_read(self, *, now: float) -> None:
        """Answer."""
        targets = list(self._results.values())
        body = {"ok": all(target["ok"] for target in targets), "targets": targets}
        self.client.answer(200, msgspec.json.encode(body), now=now)

    def _providers(self, body: bytes) -> list[Provider] | Fault:
        members = parse(body or b"{}")
        name, model = members.value("provider"), members.value("model")
        providers = list(self.services.config.providers)
        if name is not None:
            providers = [provider for provider in providers if provider.name == name]
            if not providers:
                known = ", ".join(provider.name for provider in self.services.config.providers)
                return invalid(f"no provider is called {name!r}; there are: {known}", param="provider", status=404)
        if model is not None:
            if not isinstance(model, str):
                return invalid("`model` must be a string", param="model")
            found = self.resolve(model)
            if isinstance(found, Fault):
                return found
            serving = {target.provider.name for target in found.targets}
            providers = [provider for provider in providers if provider.name in serving]
        return providers

    def _settle(self, call: UpstreamCall, result: dict[str, object], now: float) -> None:
        latency = self._latency.get(call, now - self._begun[call])
        self._results[call.key.label].update(latency_ms=round(latency * 1000, 1), **result)

    def _missing(self, provider: Provider, ids: tuple[str, ...]) -> list[str]:
        """The models that `[models]` names at this provider and its list does not. Ollama leaves out `:latest`."""
        if len(ids) == MAX_IDS:
            return []
        steps = (step for rule in self.services.config.models for step in rule.steps)
        named = dict.fromkeys(model for step in steps for name, model in step if name == provider.name)
        known = {ASKED_MODEL, *ids, *(id.removesuffix(":latest") for id in ids)}
        return [model for model in named if model not in known]


def _told(
    known: Mapping[tuple[str, str], list[tuple[str, Cooldown]]], provider: str, key: str, now: float
) -> list[dict[str, object]]:
    """Returns the cooldowns of a key, for one model or for all, as the answer lists them."""
    found = [*known.get((provider, key), ()), *(known.get((provider, ""), ()) if key else ())]
    return [
        {
            **({"model": model} if model else {}),
            "until_seconds": round(cooldown.until - now, 1),
            "reason": cooldown.reason,
        }
        for model, cooldown in found
    ]
