"""The vocabulary of routing: where a request may go, with what credential, and why it may go nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2s
from typing import Final

import msgspec

from agcore.config.values import Endpoint, Provider, Secret
from agcore.state.cooldowns import CredentialModel

SECRET_LENGTH: Final = 8
"""Characters; a shorter key, such as local servers are given, is no secret."""


class Candidate(msgspec.Struct, frozen=True):
    """A place that may answer a request."""

    provider: Provider
    endpoint: Endpoint
    model: str
    """The upstream's name for the model; empty where there is none."""
    step: int = 0
    """Candidates of one step share the work; a later step is for when no earlier one answers."""
    key: str | None = None
    """The fingerprint of the only key that will do; None where any of the provider's does."""


class Credential(msgspec.Struct, frozen=True):
    """The credential for one attempt."""

    label: str
    """Name of the key for people and events: `provider#2`."""
    secret: Secret | None
    """None for a provider that needs no key."""
    id: str = ""
    """Fingerprint of the key; empty without a key."""

    def hidden_in(self, text: str) -> str:
        """The text with the key's label in its place. What is too short to guard anything may be part of any word."""
        secret = "" if self.secret is None else self.secret.reveal()
        return text.replace(secret, self.label) if len(secret) >= SECRET_LENGTH else text


class Selection(msgspec.Struct, frozen=True):
    """The candidate and the credential of the next attempt; the key counts as busy until `Selector.done`."""

    candidate: Candidate
    key: Credential

    @property
    def slot(self) -> CredentialModel:
        """Provider, fingerprint and model, which tell selections apart."""
        return (self.candidate.provider.name, self.key.id, self.candidate.model)

    @property
    def subjects(self) -> tuple[CredentialModel, ...]:
        """Everything whose cooldown concerns it."""
        provider, key, model = self.slot
        return ((provider, key, model), (provider, key, ""), (provider, "", ""))


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Nothing to do before this moment."""

    until: float


class Exhausted(msgspec.Struct, frozen=True, tag=True):
    """No candidate is open, and none will be soon."""

    until: float | None
    """End of the first limit, in seconds since the epoch; None where only refused keys are left, or nobody."""
    reasons: tuple[str, ...] = ()
    """`label: what happened`, one for each candidate that is closed."""


def credentials(provider: Provider) -> tuple[Credential, ...]:
    """All keys of a provider by their labels, each once; one without a secret where it needs none."""
    keys: dict[str, Credential] = {}
    for number, secret in enumerate(provider.keys or (None,), 1):
        fingerprint = "" if secret is None else _fingerprint(secret)
        keys.setdefault(fingerprint, Credential(f"{provider.name}#{number}", secret, fingerprint))
    return tuple(keys.values())


def _fingerprint(secret: Secret) -> str:
    return blake2s(secret.reveal().encode(), digest_size=8, person=b"agcorekf").hexdigest()


def without_key(
    candidates: Iterable[Candidate], chosen: Selection, keys: Iterable[Credential]
) -> tuple[Candidate, ...]:
    """The candidates with the other ones of `keys`, all that the provider has, in place of what was chosen."""
    here = chosen.candidate
    others = [msgspec.structs.replace(here, key=key.id) for key in keys if here.key is None and key.id != chosen.key.id]
    return tuple(one for each in candidates for one in (others if each is here else (each,)))


def elsewhere(candidates: Iterable[Candidate], left: Candidate) -> tuple[Candidate, ...]:
    """The candidates that are not the place that is `left`, with whatever key."""
    here = msgspec.structs.replace(left, key=None)
    return tuple(each for each in candidates if msgspec.structs.replace(each, key=None) != here)


def own_key(candidate: Candidate, keys: Iterable[Credential]) -> Credential:
    """The one of `keys`, all that the provider has, that a candidate names; the first where it names none."""
    return next(key for key in keys if candidate.key in (None, key.id))
