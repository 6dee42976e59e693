"""Which key serves the next attempt, and which keys are left alone for how long.

A request comes with its `Candidate`s: the places that may answer it, in steps. Each way has the keys of its provider.
`choose` walks them in this order and answers with a value:

1. the first step that has keys which this request did not try and which are not cooling. Among its targets the turn
   goes round by the `weight` of their providers, among a provider's keys by its strategy: `sticky` gives a conversation
   the key that it had before (for the vendor's prompt cache) and spreads new ones, `round_robin` takes turns,
   `least_busy` takes the key with the fewest requests under way, and turns among equals;
2. of those that merely had trouble (the vendor failed, was overloaded or unreachable), the one whose cooldown ends
   first: a doubtful way is better than none;
3. what this request tried already and may try again, when its cooldown ends: a `Pause`;
4. where every key was refused (revoked, out of money): the one that is to be probed first. Somebody with one key is
   better served by its vendor's own words than by the gateway's memory of them, and by a key that works again at once;
5. nothing: all keys are limited, and `Exhausted` says when the first of them opens.

A cooldown belongs to a key and a model (a rate limit, an error), to a key (money, a revoked key) or to a provider (no
connection). Its length is what the vendor named, else it doubles with each failure in a row. Of two the longer one
counts, but a limit, which forbids, counts more than a refusal. A long one is probed in between with one request, since
vendors lift limits early; a success ends what was noted before it began, and nothing that came to light later.

Nothing here grows without bound, and nothing holds a secret: keys go by a fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2s
from typing import Final, TypeAlias, TypeVar

import msgspec

from agcore.config.values import Endpoint, Provider, Secret
from agcore.protocol.fault import FailureKind

MAX_COOLDOWNS: Final = 4096
MAX_SEATS: Final = 16_384
"""Conversations whose key is remembered."""
SHORTEST: Final = 1.0
"""Seconds: no named wait is taken for less, or many keys with a tiny wait would make a storm."""
LONGEST: Final = 31 * 86_400.0
PROBE: Final = 300.0
"""Seconds after which a cooling key is tried once, though its cooldown goes on."""
REASON_LENGTH: Final = 300
SECRET_LENGTH: Final = 8
"""Characters; a shorter key, such as local servers are given, is no secret."""


class Backoff(msgspec.Struct, frozen=True):
    """How long a cooldown is when the vendor names no time."""

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
"""Troubles that cool; the others say nothing about a key."""

PASSING: Final = frozenset({FailureKind.OVERLOADED, FailureKind.UPSTREAM_ERROR, FailureKind.UNREACHABLE})
"""Troubles that may be over at any moment: such a key is avoided, not closed."""


class Candidate(msgspec.Struct, frozen=True):
    """A place that may answer a request."""

    provider: Provider
    endpoint: Endpoint
    model: str
    """The upstream's name for the model; empty where there is none."""
    step: int = 0
    """Ways of one step share the work; a later step is for when no earlier one answers."""
    key: str | None = None
    """The fingerprint of the only key that will do; None where any of the provider's does."""


class Credential(msgspec.Struct, frozen=True):
    """The credential for one attempt."""

    label: str
    """How the key is named to people and in Notes: `provider#2`."""
    secret: Secret | None
    """None for a provider that needs no key."""
    id: str = ""
    """Its fingerprint; empty without a key."""

    def hidden_in(self, text: str) -> str:
        """The text with the key's label in its place. What is too short to guard anything may be part of any word."""
        secret = "" if self.secret is None else self.secret.reveal()
        return text.replace(secret, self.label) if len(secret) >= SECRET_LENGTH else text


class Selection(msgspec.Struct, frozen=True):
    """What the next attempt is made with. Its way's key counts as busy until `Pool.done`."""

    candidate: Candidate
    key: Credential

    @property
    def slot(self) -> CredentialModel:
        """What tells it from others."""
        return (self.candidate.provider.name, self.key.id, self.candidate.model)


class Pause(msgspec.Struct, frozen=True):
    """Nothing to do before this moment."""

    until: float


class Exhausted(msgspec.Struct, frozen=True):
    """No way is open, and none will be soon."""

    until: float | None
    """When the first limit ends, in seconds since the epoch; None where there are refused keys only, or no ways."""
    reasons: tuple[str, ...] = ()
    """`label: what happened`, one for each way that is closed."""


CredentialModel: TypeAlias = tuple[str, str, str]
"""Provider, fingerprint, model; fingerprint and model are empty in subjects that stand for all."""

_Name = TypeVar("_Name")


class Cooldown(msgspec.Struct, array_like=True):
    """Why and how long somebody is left alone."""

    trouble: FailureKind
    since: float
    until: float
    probe_at: float
    failures: int
    reason: str
    refused: bool
    """The key is of no use for anything, until somebody does something about it."""


class Selector:
    """The keys of all providers, as far as anything is known about them.

    Args:
        fraction: Gives numbers from 0 up to 1, for jitter.
    """

    def __init__(self, fraction: Callable[[], float]) -> None:
        self.changes = 0
        """Grows with every change that is worth saving."""
        self._fraction = fraction
        self._cooldowns: dict[CredentialModel, Cooldown] = {}
        self._seats: dict[bytes, CredentialModel] = {}
        self._turns: dict[tuple[object, ...], float] = {}
        self._busy: dict[tuple[str, str], int] = {}
        self._keys: dict[int, tuple[Provider, tuple[Credential, ...]]] = {}

    def spreads(self, candidates: Sequence[Candidate]) -> bool:
        """Whether it matters which conversation a request belongs to: only then is it worth finding out."""
        return any(
            candidate.provider.strategy == "sticky"
            and (
                len(candidate.provider.keys) > 1
                or any(other.step == candidate.step for other in candidates if other is not candidate)
            )
            for candidate in candidates
        )

    def choose(
        self,
        candidates: Sequence[Candidate],
        *,
        tried: Collection[CredentialModel] = (),
        seat: bytes | None = None,
        now: float,
    ) -> Selection | Pause | Exhausted:
        """Choose for the next attempt; see the module's text.

        Args:
            ways: In the order of their steps.
            tried: The slots that this request has failed with.
            seat: A hash of the client and its conversation; None where that is unknown.
            now: Seconds since the epoch.
        """
        if len(candidates) == 1 and not self._cooldowns and not tried:
            keys = self.keys(candidates[0].provider)
            if len(keys) == 1 and candidates[0].key in (None, keys[0].id):  # what most requests meet
                return self._take(Selection(candidates[0], keys[0]), None, now)
        fresh: list[Selection] = []
        doubtful: list[tuple[float, Selection]] = []
        again: list[tuple[float, Selection]] = []
        refused: list[tuple[float, Selection]] = []
        limits: list[float] = []
        reasons: dict[str, None] = {}
        for choice in self._choices(candidates):
            if fresh and choice.candidate.step != fresh[0].candidate.step:
                break
            cooldown = self._cooldown(choice, now)
            untried = choice.slot not in tried
            if cooldown is None and untried:
                fresh.append(choice)
            elif cooldown is None:
                again.append((now, choice))
            elif cooldown.trouble in PASSING:
                (doubtful if untried else again).append((cooldown.until, choice))
            elif untried and cooldown.probe_at <= now:
                fresh.append(choice)
            else:
                reasons[f"{choice.key.label}: {cooldown.reason}"] = None
                if not cooldown.refused:
                    limits.append(cooldown.until)
                elif untried:
                    refused.append((cooldown.probe_at, choice))
        if fresh:
            return self._take(self._pick(fresh, seat), seat, now)
        if doubtful:
            return self._take(_soonest(doubtful)[1], seat, now)
        if again:
            until, choice = _soonest(again)
            return self._take(choice, seat, now) if until <= now else Pause(until)
        if refused and not limits:
            return self._take(_soonest(refused)[1], seat, now)
        return Exhausted(min(limits, default=None), tuple(reasons))

    def take(self, choice: Selection) -> Selection:
        """Use a choice once more, or one that was made elsewhere, cooling or not."""
        return self._take(choice, None, None)

    def opens(self, candidates: Sequence[Candidate], *, now: float) -> float | None:
        """When the first of the ways is open: `now` at the earliest, a refused key last; None where there are none."""
        moments: list[float] = []
        refused: list[float] = []
        for choice in self._choices(candidates):
            cooldown = self._cooldown(choice, now)
            if cooldown is None:
                moments.append(now)
            else:
                (refused if cooldown.refused else moments).append(cooldown.until)
        return min(moments or refused, default=None)

    def keys(self, provider: Provider) -> tuple[Credential, ...]:
        """All keys of a provider by their labels, each once; one without a secret where it needs none."""
        found = self._keys.get(id(provider))
        if found is None or found[0] is not provider:
            if len(self._keys) > MAX_COOLDOWNS:
                self._keys.clear()
            keys: dict[str, Credential] = {}
            for number, secret in enumerate(provider.keys or (None,), 1):
                mark = "" if secret is None else _fingerprint(secret)
                keys.setdefault(mark, Credential(f"{provider.name}#{number}", secret, mark))
            found = self._keys[id(provider)] = (provider, tuple(keys.values()))
        return found[1]

    def done(self, choice: Selection) -> None:
        """The attempt is over, however it went."""
        key = (choice.candidate.provider.name, choice.key.id)
        left = self._busy.pop(key, 1) - 1
        if left > 0:
            self._busy[key] = left

    def succeeded(self, choice: Selection, *, began: float) -> None:
        """The attempt was answered: troubles that were known when it began are over."""
        for subject in _subjects(choice) if self._cooldowns else ():
            cooldown = self._cooldowns.get(subject)
            if cooldown is not None and cooldown.since <= began:
                self._forget(subject)

    def failed(
        self,
        choice: Selection,
        trouble: FailureKind,
        *,
        whole_key: bool = False,
        wait: float | None = None,
        reason: str = "",
        began: float,
        now: float,
    ) -> bool:
        """The attempt failed: leave its key alone for a while, if the trouble says so.

        Args:
            choice: What was tried.
            trouble: What it failed of.
            whole_key: It concerns the key for all models: avoid it for the others, too. Only for the model that was
                asked can a named time forbid it, since what else is counted by the same limit is not said.
            wait: Seconds that the vendor named.
            reason: For people, without a secret.
            began: When the attempt began. Failures of attempts that ran at the same time count as one.
            now: Seconds since the epoch.

        Returns:
            Whether that is news: the key was not known to be refused.
        """
        if trouble not in BACKOFF:
            return False
        provider, key, model = choice.slot
        if trouble is FailureKind.UNREACHABLE:
            subjects = [((provider, "", ""), False)]
        elif not whole_key:
            subjects = [((provider, key, model), trouble is FailureKind.CREDENTIAL_REJECTED)]
        elif wait is None or trouble is FailureKind.CREDENTIAL_REJECTED:
            subjects = [((provider, key, ""), True)]
        else:
            subjects = [((provider, key, model), False), ((provider, key, ""), True)]
        news = False
        for subject, refused in subjects:
            old = self._cooldowns.get(subject)
            news = news or (refused and (old is None or not old.refused))
            self._cool(subject, trouble, refused=refused, wait=wait, reason=reason, began=began, now=now)
        self.changes += trouble not in PASSING
        if len(self._cooldowns) > MAX_COOLDOWNS:
            self._shrink(now)
        return news

    def _cool(
        self,
        subject: CredentialModel,
        trouble: FailureKind,
        *,
        refused: bool,
        wait: float | None,
        reason: str,
        began: float,
        now: float,
    ) -> None:
        old, backoff = self._cooldowns.get(subject), BACKOFF[trouble]
        failures = 1
        if old is not None and now <= old.until + 2 * BACKOFF[old.trouble].longest:
            failures = old.failures + (began >= old.since)
        if wait is None:
            seconds = min(backoff.first * 2 ** min(failures - 1, 30), backoff.longest)
            until = now + seconds * (0.75 + 0.5 * self._fraction())
        else:
            until = now + min(max(wait, SHORTEST), LONGEST)
        limits = trouble not in PASSING and not refused
        if old is not None and old.until > until and not (limits and old.refused):
            trouble, until, reason, refused = old.trouble, old.until, old.reason, old.refused
        self._cooldowns.pop(subject, None)
        self._cooldowns[subject] = Cooldown(
            trouble, now, until, min(until, now + PROBE), failures, reason[:REASON_LENGTH], refused
        )

    def cooling(self, *, now: float) -> Iterator[tuple[CredentialModel, Cooldown]]:
        """What is left alone at present; an empty fingerprint or model stands for all."""
        return ((slot, cooldown) for slot, cooldown in self._cooldowns.items() if cooldown.until > now)

    def dump(self, *, now: float) -> bytes:
        """What should survive a restart, as JSON: limits, quotas and refused keys, without a secret."""
        kept = [(slot, each) for slot, each in self.cooling(now=now) if each.trouble not in PASSING]
        return msgspec.json.encode({"version": 1, "cooldowns": kept})

    def load(self, data: bytes, *, now: float) -> None:
        """Take over what `dump` gave. Raises ValueError for anything else."""
        state = msgspec.json.decode(data, type=_State)
        if state.version != 1:
            raise ValueError(f"a state of version {state.version}")
        for slot, cooldown in state.cooldowns[:MAX_COOLDOWNS]:
            if now < cooldown.until <= now + LONGEST and cooldown.trouble in BACKOFF:
                cooldown.since = min(cooldown.since, now)
                cooldown.probe_at = min(cooldown.probe_at, now + PROBE)
                self._cooldowns[slot] = cooldown

    def _choices(self, candidates: Iterable[Candidate]) -> Iterator[Selection]:
        for candidate in candidates:
            for key in self.keys(candidate.provider):
                if candidate.key is None or candidate.key == key.id:
                    yield Selection(candidate, key)

    def _cooldown(self, choice: Selection, now: float) -> Cooldown | None:
        """The cooldown that lasts longest: of limits, which forbid, else of refusals, else of mere warnings."""
        if not self._cooldowns:
            return None
        found = [self._cooldowns.get(subject) for subject in _subjects(choice)]
        cooling = [each for each in found if each is not None and each.until > now]
        return max(cooling, key=lambda each: (each.trouble not in PASSING, not each.refused, each.until), default=None)

    def _pick(self, open: list[Selection], seat: bytes | None) -> Selection:
        if len(open) == 1:
            return open[0]
        if seat is not None:
            held = self._seats.get(seat)
            for choice in open:
                if held == choice.slot and choice.candidate.provider.strategy == "sticky":
                    return choice
        weights = {
            (choice.candidate.provider.name, choice.candidate.model): choice.candidate.provider.weight
            for choice in open
        }
        target = next(iter(weights)) if len(weights) == 1 else self._turn(("step", *weights), weights)
        mine = {
            choice.key.id: choice
            for choice in open
            if (choice.candidate.provider.name, choice.candidate.model) == target
        }
        if next(iter(mine.values())).candidate.provider.strategy == "least_busy":
            busy = {id: self._busy.get((target[0], id), 0) for id in mine}
            fewest = min(busy.values())
            mine = {id: choice for id, choice in mine.items() if busy[id] == fewest}
        return mine[self._turn(("keys", *target), dict.fromkeys(mine, 1.0))]

    def _turn(self, wheel: tuple[object, ...], weights: Mapping[_Name, float]) -> _Name:
        """Smooth weighted turns: each gains its weight, and the one that has most goes and pays for all."""
        if len(self._turns) > MAX_COOLDOWNS:
            self._turns.clear()
        for name, weight in weights.items():
            self._turns[*wheel, name] = self._turns.get((*wheel, name), 0.0) + weight
        first = max(weights, key=lambda name: self._turns[*wheel, name])
        self._turns[*wheel, first] -= sum(weights.values())
        return first

    def _take(self, choice: Selection, seat: bytes | None, now: float | None) -> Selection:
        key = choice.slot[:2]
        self._busy[key] = self._busy.get(key, 0) + 1
        if seat is not None:
            self._seats.pop(seat, None)
            self._seats[seat] = choice.slot
            if len(self._seats) > MAX_SEATS:
                del self._seats[next(iter(self._seats))]
        if now is not None and self._cooldowns:
            for subject in _subjects(choice):
                cooldown = self._cooldowns.get(subject)
                if cooldown is not None and cooldown.probe_at <= now:
                    cooldown.probe_at = now + PROBE  # the next request does not probe as well
        return choice

    def _forget(self, subject: CredentialModel) -> None:
        self.changes += self._cooldowns.pop(subject).trouble not in PASSING

    def _shrink(self, now: float) -> None:
        for subject in [subject for subject, each in self._cooldowns.items() if each.until <= now]:
            del self._cooldowns[subject]
        if len(self._cooldowns) > MAX_COOLDOWNS:
            del self._cooldowns[min(self._cooldowns, key=lambda subject: self._cooldowns[subject].until)]


class _State(msgspec.Struct):
    version: int
    cooldowns: list[tuple[CredentialModel, Cooldown]]


def _fingerprint(secret: Secret) -> str:
    return blake2s(secret.reveal().encode(), digest_size=8, person=b"agcorekf").hexdigest()


def _subjects(choice: Selection) -> tuple[CredentialModel, ...]:
    """Everything whose cooldown concerns a choice."""
    provider, key, model = choice.slot
    return ((provider, key, model), (provider, key, ""), (provider, "", ""))


def _soonest(moments: Sequence[tuple[float, Selection]]) -> tuple[float, Selection]:
    return min(moments, key=lambda each: each[0])
