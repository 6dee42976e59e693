"""Cooldowns: the credentials that are left alone, with the reason and the time.

A cooldown belongs to a key and a model (a rate limit, an error), to a key (money, a revoked key) or to a provider (no
connection). Its length is what the vendor named, else it doubles with each failure in a row. Of two the longer one
counts, but a limit, which forbids, counts more than a refusal. A long one is probed in between with one request, since
vendors lift limits early; a success ends what was noted before it began, and nothing that came to light later.

The store is bounded, and holds no secret: keys go by a fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.protocol.fault import FailureKind
from agcore.protocol.state import CooldownCleared, CooldownDelta

MAX_COOLDOWNS: Final = 4096
SHORTEST: Final = 1.0
"""Seconds: no named wait is taken for less, or many keys with a tiny wait would make a storm."""
LONGEST: Final = 31 * 86_400.0
PROBE: Final = 300.0
"""Seconds after which a cooling key is tried once, though its cooldown goes on."""
VERDICT: Final = 10.0
"""Seconds for which the outcome of such a trial is waited for, by those who would all ask at once otherwise."""
RECHECK: Final = 1.0
"""Seconds, more or less, between their looks at it."""
REASON_LENGTH: Final = 300


class Backoff(msgspec.Struct, frozen=True):
    """Lengths of a cooldown, in seconds, when the vendor names no time."""

    first: float
    """Seconds after the first failure; each further one in a row doubles it."""
    longest: float


BACKOFF: Final[Mapping[FailureKind, Backoff]] = {
    FailureKind.RATE_LIMITED: Backoff(5, 60),
    FailureKind.QUOTA_EXCEEDED: Backoff(300, 3600),
    FailureKind.CREDENTIAL_REJECTED: Backoff(60, 3600),
    FailureKind.OVERLOADED: Backoff(0.5, 30),
    FailureKind.UPSTREAM_ERROR: Backoff(0.25, 30),
    FailureKind.UNREACHABLE: Backoff(0.25, 30),
}
"""Failures that cool; the others say nothing about a key."""

TRANSIENT: Final = frozenset({FailureKind.OVERLOADED, FailureKind.UPSTREAM_ERROR, FailureKind.UNREACHABLE})
"""Failures that may be over at any moment: such a key is avoided, not closed."""

CredentialModel: TypeAlias = tuple[str, str, str]
"""Provider, fingerprint, model; fingerprint and model are empty in subjects that stand for all."""


class Cooldown(msgspec.Struct, array_like=True):
    """The reason and the times for which a subject is left alone."""

    failure: FailureKind
    since: float
    until: float
    probe_at: float
    failures: int
    reason: str
    refused: bool
    """The key is of no use for anything, until somebody does something about it."""

    @property
    def limits(self) -> bool:
        """True where the cooldown forbids: a limit does, a refusal and a mere warning do not."""
        return self.failure not in TRANSIENT and not self.refused


class Cooldowns:
    """All known cooldowns, by the subjects that they concern.

    Args:
        fraction: Gives numbers from 0 up to 1, for jitter.
    """

    def __init__(self, fraction: Callable[[], float]) -> None:
        self.changes = 0
        """Grows with every change that is worth saving."""
        self._fraction = fraction
        self.known: dict[CredentialModel, Cooldown] = {}
        """What was noted, cooling or not. It is nearly always empty, which is all that is worth asking from outside."""
        self._merged: dict[CredentialModel, tuple[Cooldown, ...]] = {}
        """Where deltas were merged: those of which none is both newer than another and outranks it."""
        self._cleared: dict[CredentialModel, float] = {}
        """When the latest answered attempt began, of subjects that had a cooldown."""

    def __len__(self) -> int:
        return len(self.known)

    def get(self, subject: CredentialModel) -> Cooldown | None:
        """Returns the cooldown of one subject, over or not; None where there was none."""
        return self.known.get(subject)

    def longest(self, subjects: Iterable[CredentialModel], *, now: float) -> Cooldown | None:
        """The cooldown that lasts longest: of limits, which forbid, else of refusals, else of mere warnings."""
        found = [self.known.get(subject) for subject in subjects]
        cooling = [each for each in found if each is not None and each.until > now]
        return max(
            cooling, key=lambda each: (each.failure not in TRANSIENT, not each.refused, each.until), default=None
        )

    def cooling(self, *, now: float) -> Iterator[tuple[CredentialModel, Cooldown]]:
        """Returns the cooldowns that hold at present; an empty fingerprint or model stands for all."""
        return ((subject, cooldown) for subject, cooldown in self.known.items() if cooldown.until > now)

    def probe(self, subjects: Iterable[CredentialModel], *, now: float) -> None:
        """One request tries what is cooling: the next one does not probe as well."""
        for subject in subjects:
            cooldown = self.known.get(subject)
            if cooldown is not None and min(cooldown.probe_at, cooldown.until) <= now:
                cooldown.probe_at = now + PROBE

    def probed_until(self, subjects: Iterable[CredentialModel], *, now: float) -> float | None:
        """Returns when to look again at what somebody tries after a cooldown; None where nobody does."""
        for subject in subjects:
            cooldown = self.known.get(subject)
            if cooldown is not None and cooldown.until <= now < cooldown.probe_at - PROBE + VERDICT:
                return now + RECHECK * (0.5 + self._fraction())
        return None

    def succeeded(self, subjects: Iterable[CredentialModel], *, began: float) -> None:
        """An attempt that began then was answered: what was known of its subjects at that time is over."""
        for subject in subjects:
            cooldown = self.known.get(subject)
            if cooldown is not None and cooldown.since <= began:
                self._forget(subject)
                self._mark(subject, began)

    def lift(self, provider: str, key: str, *, began: float) -> None:
        """A key, by its fingerprint, works: what was known then of it, of its models and of its provider is over."""
        subjects = [subject for subject in self.known if subject[0] == provider and subject[1] in (key, "")]
        self.succeeded(subjects, began=began)

    def cool(
        self,
        subject: CredentialModel,
        failure: FailureKind,
        *,
        refused: bool,
        wait: float | None,
        reason: str,
        began: float,
        now: float,
    ) -> None:
        """Leave a subject alone.

        Args:
            subject: Whom.
            failure: What an attempt failed of; one of `BACKOFF`.
            refused: The key was refused as such.
            wait: Seconds that the vendor named.
            reason: For people, without a secret.
            began: When the attempt began. Failures of attempts that ran at the same time count as one.
            now: Seconds since the epoch.
        """
        old, backoff = self.known.get(subject), BACKOFF[failure]
        failures = 1
        if old is not None and now <= old.until + 2 * BACKOFF[old.failure].longest:
            failures = old.failures + (began >= old.since)
        if wait is None:
            seconds = min(backoff.first * 2 ** min(failures - 1, 30), backoff.longest)
            until = now + seconds * (0.75 + 0.5 * self._fraction())
        else:
            until = now + min(max(wait, SHORTEST), LONGEST)
        limits = failure not in TRANSIENT and not refused
        if old is not None and old.until > until and not (limits and old.refused):
            failure, until, reason, refused = old.failure, old.until, old.reason, old.refused
        self.known.pop(subject, None)
        self._merged.pop(subject, None)
        self.known[subject] = Cooldown(
            failure, now, until, min(until, now + PROBE), failures, reason[:REASON_LENGTH], refused
        )
        if len(self.known) > MAX_COOLDOWNS:
            self._shrink(now)

    def restore(self, subject: CredentialModel, cooldown: Cooldown) -> None:
        """Put back what was known of a subject, in place of anything else."""
        self.known[subject] = cooldown

    def delta(self, subject: CredentialModel) -> CooldownDelta | CooldownCleared | None:
        """Returns what other gateways should know of a subject; None where nothing was ever known."""
        cooldown = self.known.get(subject)
        if cooldown is None:
            cleared = self._cleared.get(subject)
            return None if cleared is None else CooldownCleared(*subject, began=cleared)
        return CooldownDelta(
            *subject,
            failure=cooldown.failure,
            since=cooldown.since,
            until=cooldown.until,
            failures=cooldown.failures,
            reason=cooldown.reason,
            refused=cooldown.refused,
        )

    def merge(self, delta: CooldownDelta | CooldownCleared) -> None:
        """Take in what another gateway learned. The order in which deltas come makes no difference.

        A clearing ends what came to light until its attempt began, whenever that is heard of. What is left counts
        together: since when is the latest of all, until when says the one with the highest rank.
        """
        subject = (delta.provider, delta.key, delta.model)
        if isinstance(delta, CooldownCleared):
            self._mark(subject, delta.began)
            entries = self._entries(subject)
        else:
            probe_at = min(delta.until, delta.since + PROBE)
            new = Cooldown(
                delta.failure, delta.since, delta.until, probe_at, delta.failures, delta.reason, delta.refused
            )
            entries = (*self._entries(subject), new)
        cleared = self._cleared.get(subject)
        entries = tuple(each for each in entries if cleared is None or each.since > cleared)
        entries = tuple(
            each for number, each in enumerate(entries) if not any(_covers(entries, other, number) for other in entries)
        )
        if not entries:
            if subject in self.known:
                self._forget(subject)
            return
        newest, highest = max(entries, key=_age), max(entries, key=_rank)
        self._merged[subject] = entries
        self.known[subject] = Cooldown(
            highest.failure,
            newest.since,
            highest.until,
            min(highest.until, newest.since + PROBE),
            newest.failures,
            highest.reason,
            highest.refused,
        )
        self.changes += highest.failure not in TRANSIENT
        if len(self.known) > MAX_COOLDOWNS:
            self._shrink(newest.since)

    def _entries(self, subject: CredentialModel) -> tuple[Cooldown, ...]:
        own = self.known.get(subject)
        return self._merged.get(subject) or (() if own is None else (own,))

    def _mark(self, subject: CredentialModel, began: float) -> None:
        self._cleared[subject] = max(self._cleared.pop(subject, began), began)
        if len(self._cleared) > MAX_COOLDOWNS:
            del self._cleared[next(iter(self._cleared))]

    def _forget(self, subject: CredentialModel) -> None:
        self._merged.pop(subject, None)
        self.changes += self.known.pop(subject).failure not in TRANSIENT

    def _shrink(self, now: float) -> None:
        for subject in [subject for subject, each in self.known.items() if each.until <= now]:
            del self.known[subject]
        if len(self.known) > MAX_COOLDOWNS:
            del self.known[min(self.known, key=lambda subject: self.known[subject].until)]
        self._merged = {subject: each for subject, each in self._merged.items() if subject in self.known}


def _rank(cooldown: Cooldown) -> tuple[object, ...]:
    """Returns a sort key: limits count more, then what lasts longer; the rest decides between equals."""
    return (cooldown.limits, cooldown.until, cooldown.refused, cooldown.failure.value, cooldown.reason)


def _age(cooldown: Cooldown) -> tuple[object, ...]:
    return (cooldown.since, cooldown.failures)


def _covers(entries: tuple[Cooldown, ...], other: Cooldown, number: int) -> bool:
    """Returns True where `other` says all that the entry `number` says, and more; of equal ones the first does."""
    each = entries[number]
    if other is each:
        return False
    mine, its = (_age(each), _rank(each)), (_age(other), _rank(other))
    if mine == its:
        return any(earlier is other for earlier in entries[:number])
    return its[0] >= mine[0] and its[1] >= mine[1]
