"""Token counts: by the provider's own counter where it has one, else by an estimate that says it is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.config.values import Endpoint, Provider
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount, estimate
from agcore.conversation.values import Conversation, Invalid
from agcore.dialects import task_registry
from agcore.dialects.tasks import ClientTask, Destination
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

ESTIMATED: Final[Headers] = ((b"x-agcore-count", b"estimate"),)


class CountTokens(PassThrough):
    """Token counts of Messages, Gemini and Responses requests."""

    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """The counter of the endpoint's dialect."""
        counter = task_registry.tokens().upstreams.get(candidate.endpoint.dialect)
        return None if counter is None else counter.target({}, self.destination(candidate))

    def destination(self, candidate: Candidate) -> Destination:
        """Where a candidate's requests go."""
        profile = self.services.catalog.profile(candidate.model)
        return Destination(candidate.endpoint.prefix, candidate.model, profile, self.path_parts)

    def start(self, candidates: Sequence[Candidate], *, now: float, further: bool = False) -> None:
        """Ask a counter if there is one, else estimate."""
        counters = task_registry.tokens().upstreams
        if all(candidate.endpoint.dialect not in counters for candidate in candidates):
            return self._estimate(now)
        return super().start(candidates, now=now, further=further)

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """The client's own dialect, else one that can count, else any: then an estimate will have to do."""
        for dialect in (self.dialect.traits.name, *task_registry.tokens().upstreams):
            if dialect in provider.endpoints:
                return provider.endpoints[dialect]
        return next(iter(provider.endpoints.values()))

    def plan_for(self, members: Members, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Ask the provider's counter in its own dialect. What it says is not worth waiting for another attempt."""
        if candidate.endpoint.dialect == self.dialect.traits.name:
            plan = super().plan_for(members, candidate, now=now)
            return msgspec.structs.replace(plan, wait_for_cooldown=False) if isinstance(plan, UpstreamPlan) else plan
        target = self.upstream_target(candidate)
        if target is None:
            return Fault(status=501, message=f"provider {candidate.provider.name!r} has no counter")
        try:
            body = self._translated(candidate)
        except Invalid as error:
            return invalid(str(error), param=error.param)
        return msgspec.structs.replace(self.plan(target, body), wait_for_cooldown=False)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The provider's count, in the client's shape."""
        if not self.translated:
            return super().call_end(call, now=now)
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return self._estimate(now)
        counter = task_registry.tokens().upstreams[call.candidate.endpoint.dialect]
        count = counter.read_answer(answer, {}, self.destination(call.candidate))
        if isinstance(count, Fault):
            return self._estimate(now)
        call.commit()
        return self._answer_count(count, self.calls.provenance(call), now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A counter that is missing or broken is no reason for an error."""
        if fault.status in (400, 413, 422, 429):
            return super().call_failed(call, fault, now=now)
        return self._estimate(now)

    def consumed(self, *, received: int) -> int:
        """Nothing: no vendor charges for counting."""
        return 0

    def _estimate(self, now: float) -> None:
        try:
            count = TokenCount(estimate(self._conversation()), estimated=True)
        except Invalid as error:
            return self.client.fail(invalid(str(error), param=error.param), now=now)
        return self._answer_count(count, ESTIMATED, now)

    def _answer_count(self, count: TokenCount, headers: Headers, now: float) -> None:
        written = self._client.write_answer(count, {}, model=self.ask.model, created=int(now))
        self.client.answer(200, written.body, headers=headers, now=now)

    @property
    def _client(self) -> ClientTask[dict[str, object], dict[str, object], TokenCount]:
        return task_registry.tokens().clients[self.dialect.traits.name]

    def _decoded(self) -> dict[str, object]:
        """The request as a generation request."""
        match = self.request.match
        decoded = json_text.decode(self._members.body)
        assert isinstance(decoded, dict)
        return self._client.read_request(decoded, path=match.route.path, model=self.ask.model, losses=Losses())

    def _conversation(self) -> Conversation:
        parse = self.dialect.client.parse_request
        return parse(self._decoded(), model=self.ask.model, stream=False, losses=Losses())

    def _translated(self, candidate: Candidate) -> bytes:
        from agcore.conversion.translation import Translation
        from agcore.operations.generate import model_target

        target = model_target(candidate, self.services.catalog)
        rendered = Translation(self.dialect.traits.name, target, self._conversation(), Losses()).rendered
        counter = task_registry.tokens().upstreams[target.dialect]
        (body,) = counter.write_requests(rendered, self.destination(candidate), Losses())
        return body
