"""Warming up: open a connection to each provider and check a key, with the cheapest request there is."""

from __future__ import annotations

from typing import Final

import msgspec

from agcore.call import Call, Plan
from agcore.config import Endpoint, Provider
from agcore.fault import Fault, invalid
from agcore.headers import REQUIRED_UP, USER_AGENT
from agcore.inputs import Headers
from agcore.json_members import parse
from agcore.operations.base import Operation, resolve

MAX_PARALLEL: Final = 8
"""Calls under way at once."""

MAX_LIST: Final = 1024 * 1024
"""Bytes of a model list that are read for the sake of its connection."""

_LISTS: Final = {"anthropic": b"/v1/models?limit=1", "gemini": b"/v1beta/models?pageSize=1"}


class Warmup(Operation):
    """`{"provider"?, "model"?}` -> for each provider meant: ok, latency in milliseconds, error.

    What is asked for is the provider's model list. A provider that has none (404, 405) is reachable all the same, and
    is reported so; whether its key is good stays unknown then.
    """

    def run(self, body: bytes, *, now: float) -> None:
        """Start as many calls as may run at once."""
        self._results: dict[str, dict[str, object]] = {}
        self._begun: dict[Call, float] = {}
        self._live: set[Call] = set()
        self._read: dict[Call, int] = {}
        providers = self._providers(body)
        if isinstance(providers, Fault):
            return self.exchange.fail(providers, now=now)
        self._waiting = list(reversed(providers))
        for provider in providers:
            self._results[provider.name] = {"provider": provider.name}
        for _ in range(MAX_PARALLEL):
            self._next(now)
        return self._maybe_finish(now)

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """The key was taken. The list itself is read and forgotten, so that its connection can be used again."""
        self._settle(call, {"ok": True}, now)

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """A list of absurd length costs its connection."""
        self._read[call] = self._read.get(call, 0) + len(data)
        if self._read[call] > MAX_LIST:
            call.abort()
            self.call_end(call, now=now)

    def call_end(self, call: Call, *, now: float) -> None:
        """Done with this provider."""
        self._live.discard(call)
        self._next(now)
        self._maybe_finish(now)

    def call_failed(self, call: Call, fault: Fault, *, now: float) -> None:
        """The provider cannot be used as configured, unless it merely has no list."""
        if fault.status in (404, 405):
            self._settle(call, {"ok": True, "note": "reachable; it has no model list, so the key was not checked"}, now)
        else:
            self._settle(call, {"ok": False, "error": fault.message}, now)
        self.call_end(call, now=now)

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
            found = resolve(self.request, self.services, model)
            if isinstance(found, Fault):
                return found
            serving = {target.provider.name for target in found.targets}
            providers = [provider for provider in providers if provider.name in serving]
        return providers

    def _next(self, now: float) -> None:
        while self._waiting:
            provider = self._waiting.pop()
            if provider.keys or all(endpoint.auth == "none" for endpoint in provider.endpoints.values()):
                endpoint = next(iter(provider.endpoints.values()))
                plan = Plan(
                    provider=provider,
                    endpoint=endpoint,
                    method="GET",
                    target=endpoint.prefix + _LISTS.get(endpoint.dialect, b"/models"),
                    headers=_headers(endpoint),
                )
                call = self.exchange.call(plan, owner=self, now=now)
                self._begun[call] = now
                self._live.add(call)
                return
            self._results[provider.name].update(ok=False, error="no key is configured")

    def _settle(self, call: Call, result: dict[str, object], now: float) -> None:
        latency = round((now - self._begun[call]) * 1000, 1)
        self._results[call.plan.provider.name].update(key=call.key.label, latency_ms=latency, **result)

    def _maybe_finish(self, now: float) -> None:
        if not self._live and not self._waiting:
            targets = list(self._results.values())
            body = {"ok": all(target["ok"] for target in targets), "targets": targets}
            self.exchange.answer(200, msgspec.json.encode(body), now=now)


def _headers(endpoint: Endpoint) -> Headers:
    fields = [(b"accept", b"application/json"), (b"accept-encoding", b"identity"), USER_AGENT]
    required = REQUIRED_UP.get(endpoint.dialect)
    return (*fields, required) if required is not None else tuple(fields)
