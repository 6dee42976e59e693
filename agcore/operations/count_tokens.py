"""Token counts: by the provider's own counter where it has one, else by an estimate that says it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.config.values import Endpoint, Provider
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid
from agcore.dialects import DIALECTS
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.routing.selection import Candidate
from agcore.upstream.request import UpstreamPlan

_COUNTERS: Final = ("anthropic", "gemini", "openai_responses")
"""Dialects that have a counter."""

ESTIMATED: Final[Headers] = ((b"x-agcore-count", b"estimate"),)

_COUNTED: Final[Mapping[str, frozenset[str]]] = {
    "anthropic": frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}),
    "openai_responses": frozenset(
        {"model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "parallel_tool_calls"}
    ),
}
"""What of a generation request a vendor's counter takes."""


class CountTokens(PassThrough):
    """Token counts of Messages, Gemini and Responses requests."""

    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """The counter of the endpoint's dialect."""
        return DIALECTS[candidate.endpoint.dialect].traits.count_target(
            candidate.endpoint.prefix, self.parts, candidate.model
        )

    def start(self, candidates: Sequence[Candidate], *, now: float, further: bool = False) -> None:
        """Ask a counter if there is one, else estimate."""
        if all(candidate.endpoint.dialect not in _COUNTERS for candidate in candidates):
            return self._estimate(now)
        return super().start(candidates, now=now, further=further)

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """The client's own dialect, else one that can count, else any: then an estimate will have to do."""
        for dialect in (self.dialect.traits.name, *_COUNTERS):
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
        count = None
        if not isinstance(answer, Fault):
            count = answer.get("totalTokens" if call.candidate.endpoint.dialect == "gemini" else "input_tokens")
        if not isinstance(count, int) or count < 1:
            return self._estimate(now)
        call.commit()
        return self._answer_count(count, self.exchange.provenance(call), now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A counter that is missing or broken is no reason for an error."""
        if fault.status in (400, 413, 422, 429):
            return super().call_failed(call, fault, now=now)
        return self._estimate(now)

    def consumed(self, *, received: int) -> int:
        """Nothing: no vendor charges for counting."""
        return 0

    def _estimate(self, now: float) -> None:
        from agcore.conversation.token_estimate import estimate

        try:
            count = estimate(self._conversation())
        except Invalid as error:
            return self.exchange.fail(invalid(str(error), param=error.param), now=now)
        return self._answer_count(count, ESTIMATED, now)

    def _answer_count(self, count: int, headers: Headers, now: float) -> None:
        shapes: Mapping[str, dict[str, object]] = {
            "anthropic": {"input_tokens": count},
            "gemini": {"totalTokens": count},
            "openai_responses": {"object": "response.input_tokens", "input_tokens": count},
        }
        self.exchange.answer(200, msgspec.json.encode(shapes[self.dialect.traits.name]), headers=headers, now=now)

    def _decoded(self) -> dict[str, object]:
        """The request as a generation request: Gemini wraps it, and Anthropic's counter asks for no limit."""
        decoded = json_text.decode(self._members.body)
        assert isinstance(decoded, dict)
        if self.dialect.traits.name == "gemini":
            inner = decoded.get("generateContentRequest", decoded.get("generate_content_request"))
            return inner if isinstance(inner, dict) else decoded
        return {"max_tokens": 1, **decoded} if self.dialect.traits.name == "anthropic" else decoded

    def _conversation(self) -> Conversation:
        parse = self.dialect.client.parse_request
        return parse(self._decoded(), model=self.ask.model, stream=False, losses=Losses())

    def _translated(self, candidate: Candidate) -> bytes:
        from agcore.conversion.translation import Translation
        from agcore.operations.generate import model_target

        target = model_target(candidate, self.services.catalog)
        rendered = Translation(self.dialect.traits.name, target, self._conversation(), Losses()).rendered
        if target.dialect == "gemini":
            return json_text.encode({"generateContentRequest": {"model": f"models/{candidate.model}", **rendered}})
        kept = _COUNTED[target.dialect]
        return json_text.encode({name: value for name, value in rendered.items() if name in kept})
