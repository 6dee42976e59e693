"""The calls of one exchange: whose a leg is, who hears of a call, which timer is next, and what all may still spend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from agcore.codecs.header_fields import field_value
from agcore.config.values import Config
from agcore.machines.call_context import CallContext
from agcore.machines.call_events import CallEvent
from agcore.machines.outside import Outside
from agcore.machines.timers import Timer, Timers
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.effects import Effect
from agcore.protocol.http import Headers
from agcore.protocol.inputs import UpstreamInput
from agcore.routing.candidates import Candidate, Selection
from agcore.upstream.hops import onward

if TYPE_CHECKING:
    from agcore.machines.coded_answers import CodedAnswers


class CallReceiver(Protocol):
    """Hears what comes of the calls that were started for it."""

    def receive(self, call: UpstreamCall, event: CallEvent, *, now: float) -> None:
        """Take in an event of `call`; it is delivered after whatever caused it has returned."""


class CallSet:
    """The calls of one exchange.

    Args:
        config: Has the timeouts, and the attempts of a request, the first one included. What a call takes beyond its
            first, another one lacks.
        outside: Has the credentials, and the hash of which the gateway's mark is made.
        headers: Of the client's request.
        effects: Takes the commands for the driver.
        timers: Of the exchange.
    """

    def __init__(
        self, config: Config, outside: Outside, headers: Headers, *, effects: list[Effect], timers: Timers
    ) -> None:
        self.calls: list[UpstreamCall] = []
        """All of them, in order."""
        self.receivers: dict[UpstreamCall, CallReceiver] = {}
        """Who hears of each."""
        self.events: list[tuple[UpstreamCall, CallEvent]] = []
        """What the calls report and nobody has heard yet."""
        self.live: dict[int, UpstreamCall] = {}
        """Leg -> the call whose live leg it is."""
        self.coded: CodedAnswers | None = None
        """The answers that are decoded; None where there was none yet."""
        self._limits = config.limits
        self._timers = timers
        self._outside = outside
        self._headers = headers
        self._patience = config.retry.patience
        self._began = 0.0
        self._context = CallContext(
            selector=outside,
            timeouts=config.timeouts,
            retries_left=config.retry.attempts - 1,
            effects=effects,
            events=self.events,
            live=self.live,
        )

    def __str__(self) -> str:
        return ", ".join(f"leg {leg} {call.state.value}" for leg, call in self.live.items())

    def start(
        self,
        candidates: Sequence[Candidate],
        *,
        to: CallReceiver,
        now: float,
        conversation_key: bytes | None = None,
        single_attempt: bool = False,
        counts_as_retry: bool = False,
        first: Selection | None = None,
        patient: bool = False,
    ) -> UpstreamCall:
        """Ask upstreams, and have `to` hear what comes of it; for the rest see `UpstreamCall`."""
        if not self.calls:
            self.limit_time(now)
            self._context.hops = onward(self._headers, self._outside.digest)
        call = UpstreamCall(
            candidates,
            self._context,
            conversation_key=conversation_key,
            single_attempt=single_attempt,
            counts_as_retry=counts_as_retry,
            first=first,
            patient=patient,
        )
        self.calls.append(call)
        self.receivers[call] = to
        call.start(now=now)
        return call

    def receive_coded(self, call: UpstreamCall, input: UpstreamInput, *, now: float) -> None:
        """Take in the head of a coded answer, or what follows it."""
        if self.coded is None:
            from agcore.machines.coded_answers import CodedAnswers  # answers should not be coded

            self.coded = CodedAnswers(self.live, most=self._limits.max_json)
        self.coded.receive(call, input, now=now)

    def limit_time(self, now: float) -> None:
        """The time for all attempts counts from now: from the first call, or from an upload's last piece."""
        self._began = now
        self._context.patient_until = now + self._patience
        self._context.first_content_by = now + self._context.timeouts.request
        self._timers[Timer.REQUEST] = self._context.first_content_by

    @property
    def first_content_by(self) -> float:
        """End of the time for all attempts, in absolute seconds."""
        return self._context.first_content_by

    @property
    def time(self) -> float:
        """Seconds that all attempts have together: those of a provider with a longer time of its own count."""
        return self._context.first_content_by - self._began

    @property
    def asked(self) -> bool:
        """True once an attempt was made."""
        return any(call.asked for call in self.calls)

    @property
    def may_retry(self) -> bool:
        """True while an attempt is left beside the first one."""
        return self._context.retries_left > 0

    @property
    def attempts(self) -> int:
        """The attempts so far; calls that were made side by side count as one."""
        further = 0
        for call in self.calls:
            if call.attempts:
                further += call.attempts - (not call.counts_as_retry)
        return further + 1

    def provenance(self, call: UpstreamCall) -> Headers:
        """The header fields that tell where the answer of `call` comes from."""
        assert call.selection is not None
        candidate = call.selection.candidate
        model: Headers = ((b"x-agcore-model", field_value(candidate.model)),) if candidate.model else ()
        provider = (b"x-agcore-provider", field_value(candidate.provider.name))
        return (provider, *model, (b"x-agcore-attempts", b"%d" % self.attempts))

    @property
    def latest_provenance(self) -> Headers:
        """The header fields that tell who was asked last; none where nobody was."""
        asked = [call for call in self.calls if call.asked]
        return self.provenance(asked[-1]) if asked else ()

    @property
    def trail(self) -> list[str]:
        """The failed attempts of all calls."""
        return [attempt.happened for call in self.calls for attempt in call.failed]

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of a live leg."""
        if not self.live:
            return None
        return min((at for call in self.live.values() if (at := call.timers.next) is not None), default=None)

    def expire(self, *, now: float) -> bool:
        """Fire one timer that is due, and say whether there was one. What it triggers may disarm the others."""
        for call in self.live.values():
            timer = call.timers.pop_due(now)
            if timer is not None:
                call.expire(timer, now=now)
                return True
        return False

    def written(self, *, now: float) -> None:
        """A slow write is over."""
        for call in self.live.values():
            call.written(now=now)

    def abort(self) -> None:
        """Give all of them up."""
        for call in tuple(self.live.values()):
            call.abort()
        for call, _ in self.events:
            call.abort()
        self.events.clear()
        self.receivers.clear()  # which know this set: nothing that is over waits for the cyclic collector
