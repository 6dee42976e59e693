"""The keys that clients show, made from `[proxy]` and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agcore.config.problems import at, quoted
from agcore.config.reading import Reading
from agcore.config.secrets import Vault
from agcore.config.values import ClientKey, Secret


def client_keys(
    values: Mapping[str, Any], reading: Reading, vault: Vault, environ: Mapping[str, str]
) -> tuple[ClientKey, ...]:
    """The client keys of `[proxy]`: `api_key`, or what stands in for it in the environment, then `[[proxy.keys]]`."""
    keys: dict[str, ClientKey] = {}
    owners: dict[str, str] = {}
    """Secret -> where it stands."""
    if "api_key" in values:
        where = "proxy.api_key"
        secret = vault.resolve(values["api_key"], where, required=True)
    else:
        where = "AGCORE_API_KEY (environment)"
        written = environ.get("AGCORE_API_KEY", "").strip()
        secret = vault.cleaned(written, where, required=True) if written else None
    if secret:
        keys["default"] = ClientKey("default", Secret(secret))
        owners[secret] = where
        vault.client_keys[secret] = values.get("api_key")
    for index, entry in enumerate(values.get("keys") or ()):
        path = at("proxy.keys", index)
        if entry is None:
            continue
        for key in ("name", "key"):
            if key not in entry:
                reading.problem(at(path, key), "missing", hint="every [[proxy.keys]] has a name and a key")
        name, secret = entry.get("name"), vault.resolve(entry.get("key"), at(path, "key"), required=True)
        if name in keys:
            reading.problem(at(path, "name"), f"{quoted(name)} is the name of another client key", hint="names differ")
        if secret in owners:
            reading.problem(at(path, "key"), f"the same key as {owners[secret]}", hint="keys differ")
        if entry.get("models") == []:
            hint = "leave it out to allow all models"
            reading.problem(at(path, "models"), "an empty list", allowed="a list of model names or globs", hint=hint)
        reading.question_globs(entry.get("models"), at(path, "models"))
        if name and secret:
            owners.setdefault(secret, at(path, "key"))
            vault.client_keys.setdefault(secret, entry["key"])
            limits = {key: entry[key] for key in ("expires", "rpm", "tpm", "concurrency", "admin") if key in entry}
            keys.setdefault(name, ClientKey(name, Secret(secret), tuple(entry.get("models") or ()), **limits))
    return tuple(keys.values())


def admin_key(written: str | None, keys: tuple[ClientKey, ...], reading: Reading, vault: Vault) -> Secret | None:
    """The key of the admin API, which must be no client key."""
    path = "proxy.admin_key"
    text = vault.resolve(written or None, path, required=True)
    if text is None:
        return None
    for key in keys:
        if key.key.reveal() == text:
            hint = "for one key that does both, write admin = true at that key"
            reading.problem(path, f"the same key as the client key {quoted(key.name)}", hint=hint)
    return Secret(text)
