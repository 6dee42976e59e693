"""Selection of the credential that serves the next attempt, and of who is left alone after a failure.

A request comes with its `Candidate`s: the places that may answer it, in steps. Each candidate has the keys of its
provider. `choose` walks them in this order and answers with a value:

1. the first step that has keys which this request did not try and which are not cooling. Among its targets the turn
   goes round by the `weight` of their providers, among a provider's keys by its strategy: `sticky` gives a conversation
   the key that it had before (for the vendor's prompt cache) and spreads new ones, `round_robin` takes turns,
   `least_busy` takes the key with the fewest requests in flight, and turns among equals;
2. of those that merely had trouble (the vendor failed, was overloaded or unreachable), the one whose cooldown ends
   first: a doubtful candidate is better than none;
3. what this request tried already and may try again, when its cooldown ends: a `Pause`;
4. where every key was refused (revoked, out of money): the one that is to be probed first. Somebody with one key is
   better served by its vendor's own words than by the gateway's memory of them, and by a key that works again at once;
5. nothing: all keys are limited, and `Exhausted` says when the first of them opens.

How long a key is left alone, `state.cooldowns` says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from agcore.config.values import Provider
from agcore.protocol.fault import FailureKind
from agcore.routing.balancing import pick
from agcore.routing.candidates import Candidate, Credential, Exhausted, Pause, Selection, credentials
from agcore.state.affinity import Affinity
from agcore.state.cooldowns import BACKOFF, TRANSIENT, Cooldowns, CredentialModel
from agcore.state.turns import Turns

MAX_PROVIDERS: Final = 4096
"""Providers whose credentials are remembered; each configuration brings new ones."""


class Selector:
    """The rules of selection over what is known of all keys."""

    def __init__(self, cooldowns: Cooldowns, affinity: Affinity, turns: Turns) -> None:
        self.cooldowns = cooldowns
        self._affinity = affinity
        self._turns = turns
        self._keys: dict[int, tuple[Provider, tuple[Credential, ...]]] = {}

    def choose(
        self,
        candidates: Sequence[Candidate],
        *,
        tried: Collection[CredentialModel] = (),
        waited: bool = False,
        conversation: bytes | None = None,
        now: float,
    ) -> Selection | Pause | Exhausted:
        """Returns the candidate and the credential for the next attempt, a pause before it, or why there is none.

        Args:
            candidates: In the order of their steps.
            tried: The slots that this request has failed with.
            waited: It has paused for a cooldown, as others may have: while one of them finds out, the rest wait on.
            conversation: A hash of the client and its conversation; None where that is unknown.
            now: Seconds since the epoch.
        """
        if len(candidates) == 1 and not self.cooldowns.known and not tried:
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
            cooldown = self.cooldowns.longest(choice.subjects, now=now) if self.cooldowns.known else None
            untried = not tried or choice.slot not in tried
            probed = self.cooldowns.probed_until(choice.subjects, now=now) if waited and cooldown is None else None
            if probed is not None:
                again.append((probed, choice))
            elif cooldown is None and untried:
                fresh.append(choice)
            elif cooldown is None:
                again.append((now, choice))
            elif cooldown.failure in TRANSIENT:
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
            picked = pick(fresh, conversation=conversation, affinity=self._affinity, turns=self._turns)
            return self._take(picked, conversation, now)
        if doubtful:
            return self._take(_soonest(doubtful)[1], conversation, now)
        if again:
            until, choice = _soonest(again)
            return self._take(choice, conversation, now) if until <= now else Pause(until)
        if refused and not limits:
            return self._take(_soonest(refused)[1], conversation, now)
        return Exhausted(min(limits, default=None), tuple(reasons))

    def take(self, choice: Selection) -> Selection:
        """Use a selection once more, or one that was made elsewhere, cooling or not."""
        self._turns.began(choice.slot[:2])
        return choice

    def done(self, choice: Selection) -> None:
        """The attempt is over, however it went."""
        self._turns.ended((choice.candidate.provider.name, choice.key.id))

    def opens(self, candidates: Sequence[Candidate], *, now: float) -> float | None:
        """Returns when the first candidate opens, `now` at the earliest, a refused key last; None for no candidates."""
        moments: list[float] = []
        refused: list[float] = []
        for choice in self._choices(candidates):
            cooldown = self.cooldowns.longest(choice.subjects, now=now)
            if cooldown is None:
                moments.append(now)
            else:
                (refused if cooldown.refused else moments).append(cooldown.until)
        return min(moments or refused, default=None)

    def keys(self, provider: Provider) -> tuple[Credential, ...]:
        """All credentials of a provider: see `candidates.credentials`."""
        found = self._keys.get(id(provider))
        if found is None or found[0] is not provider:
            if len(self._keys) > MAX_PROVIDERS:
                self._keys.clear()
            found = self._keys[id(provider)] = (provider, credentials(provider))
        return found[1]

    def succeeded(self, choice: Selection, *, began: float) -> None:
        """The attempt was answered: failures that were known when it began are over."""
        if self.cooldowns.known:
            self.cooldowns.succeeded(choice.subjects, began=began)

    def failed(
        self,
        choice: Selection,
        failure: FailureKind,
        *,
        whole_key: bool = False,
        wait: float | None = None,
        reason: str = "",
        began: float,
        now: float,
    ) -> bool:
        """The attempt failed: leave its key alone for a while, if the failure says so.

        Args:
            choice: What was tried.
            failure: What it failed of.
            whole_key: It concerns the key for all models: avoid it for the others, too. `wait` closes only this key
                for this model: the vendor does not say which other models share the limit.
            wait: Seconds that the vendor named.
            reason: For people, without a secret.
            began: When the attempt began. Failures of attempts that ran at the same time count as one.
            now: Seconds since the epoch.

        Returns:
            Whether that is news: the key was not known to be refused.
        """
        if failure not in BACKOFF:
            return False
        provider, key, model = choice.slot
        if failure is FailureKind.UNREACHABLE:
            subjects = [((provider, "", ""), False)]
        elif not whole_key:
            subjects = [((provider, key, model), failure is FailureKind.CREDENTIAL_REJECTED)]
        elif wait is None or failure is FailureKind.CREDENTIAL_REJECTED:
            subjects = [((provider, key, ""), True)]
        else:
            subjects = [((provider, key, model), False), ((provider, key, ""), True)]
        news = False
        for subject, refused in subjects:
            old = self.cooldowns.get(subject)
            news = news or (refused and (old is None or not old.refused))
            self.cooldowns.cool(subject, failure, refused=refused, wait=wait, reason=reason, began=began, now=now)
        self.cooldowns.changes += failure not in TRANSIENT
        return news

    def _choices(self, candidates: Iterable[Candidate]) -> Iterator[Selection]:
        for candidate in candidates:
            for key in self.keys(candidate.provider):
                if candidate.key is None or candidate.key == key.id:
                    yield Selection(candidate, key)

    def _take(self, choice: Selection, conversation: bytes | None, now: float) -> Selection:
        slot = choice.slot
        self._turns.began(slot[:2])
        if conversation is not None:
            self._affinity.keep(conversation, slot, now=now)
        if self.cooldowns.known:
            self.cooldowns.probe(choice.subjects, now=now)
        return choice


def _soonest(moments: Sequence[tuple[float, Selection]]) -> tuple[float, Selection]:
    return min(moments, key=lambda each: each[0])
