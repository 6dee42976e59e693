"""The admin API: what the gateway knows of its keys at present, and forgetting that a key is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agcore.codecs.json_splice import parse
from agcore.codecs.moment_text import iso
from agcore.config.values import ClientKey, Provider
from agcore.machines.services import GatewayServices
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault, invalid
from agcore.routing.candidates import Credential
from agcore.state.cooldowns import Cooldown
from agcore.upstream.model_list import LISTING


class Status(BaseOperation):
    """The keys of all providers with their cooldowns, what client keys may still use, and what is under way.

    A cooldown with a `model` is for this one only. Moments are RFC 3339, spans are seconds. `requests` are those that
    an upstream is being asked for.
    """

    def begin(self, *, now: float) -> None:
        """200 with all of it."""
        outside, config = self.services.outside, self.services.config
        condition = outside.status()
        cooling = outside.cooling(now=now)
        busy = 0
        keys = []
        for provider, key in _keys(self.services):
            requests = outside.in_flight(provider.name, key.id)
            busy += requests
            concerned = [each for each in cooling if _concerns(each[0], provider, key)]
            keys.append(_key(provider, key, concerned, requests, now))
        body = {
            "version": self.services.version,
            "uptime": round(now - condition.started, 3),
            "draining": condition.draining,
            "requests": busy,
            "keys": keys,
            "clients": [self._client(key, now) for key in config.proxy.keys],
            "state": {"url": "memory:", "file": config.pool.state_file},
        }
        self.client.answer(200, msgspec.json.encode(body), now=now)

    def _client(self, key: ClientKey, now: float) -> dict[str, object]:
        left = self.services.outside.allowance(key, now=now)
        limits = {"rpm": key.rpm, "tpm": key.tpm, "concurrency": key.concurrency}
        rest = {"requests_left": left.requests, "tokens_left": left.tokens, "requests": left.in_flight}
        told: dict[str, object] = {"name": key.name}
        if key.expires is not None:
            told |= {"expires": iso(key.expires), "expired": now >= key.expires}
        if key.limited:
            told |= {name: value for name, value in (limits | rest).items() if value is not None}
        return told


class Reset(BaseOperation):
    """`{"key": "openai#1"}`, `{"key": "openai"}` or `{"all": true}` -> `{"reset": [...]}`.

    What is listed are the keys that were left alone, for a model or as a whole, and are no longer.
    """

    def run(self, body: bytes, *, now: float) -> None:
        """Forget why they were left alone."""
        chosen = self._chosen(body)
        if isinstance(chosen, Fault):
            return self.client.fail(chosen, now=now)
        outside = self.services.outside
        # Asked of all before any is lifted: keys of one provider share what is said of the provider.
        cooling = outside.cooling(now=now)
        lifted = [key.label for provider, key in chosen if any(_concerns(each[0], provider, key) for each in cooling)]
        for provider, key in chosen:
            outside.lift(provider.name, key.id, began=now)
        return self.client.answer(200, msgspec.json.encode({"reset": lifted}), now=now)

    def _chosen(self, body: bytes) -> list[tuple[Provider, Credential]] | Fault:
        members = parse(body or b"{}")
        name, everything = members.value("key"), members.value("all")
        if not (everything is True and name is None) and not (isinstance(name, str) and everything is None):
            return invalid('say which: {"key": "PROVIDER#N"}, {"key": "PROVIDER"} or {"all": true}', param="key")
        known = list(_keys(self.services))
        chosen = [(provider, key) for provider, key in known if name in (None, provider.name, key.label)]
        if name is not None and not chosen:
            labels = ", ".join(key.label for _, key in known) or "none"
            return invalid(f"no key is called {name!r}; there are: {labels}", param="key", status=404)
        return chosen


def _keys(services: GatewayServices) -> Iterator[tuple[Provider, Credential]]:
    """All keys, in the order of the configuration."""
    for provider in services.config.providers:
        for key in services.outside.keys(provider):
            yield provider, key


def _concerns(subject: tuple[str, str, str], provider: Provider, key: Credential) -> bool:
    name, id, model = subject
    return name == provider.name and id in (key.id, "") and model != LISTING


def _key(
    provider: Provider,
    key: Credential,
    cooling: list[tuple[tuple[str, str, str], Cooldown]],
    busy: int,
    now: float,
) -> dict[str, object]:
    whole = [cooldown for (_, _, model), cooldown in cooling if not model]
    if not provider.has_credential:
        state = "no key"
    elif any(cooldown.refused for _, cooldown in cooling):
        state = "refused"
    elif whole:
        state = "cooling"
    else:
        state = "limited for models" if cooling else "ready"
    return {
        "key": key.label,
        "provider": provider.name,
        "state": state,
        "requests": busy,
        "cooldowns": [
            {
                **({"model": model} if model else {}),
                "kind": cooldown.failure.value,
                "reason": cooldown.reason,
                "since": iso(cooldown.since),
                "until": iso(cooldown.until),
                "until_seconds": round(cooldown.until - now, 1),
                "probe_seconds": round(max(cooldown.probe_at - now, 0.0), 1),
            }
            for (_, _, model), cooldown in cooling
        ],
    }
