"""Embeddings: to a provider of the client's own dialect as they are, else translated for one of another dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.conversation.embeddings import EmbeddingRequest
from agcore.conversation.values import Invalid
from agcore.dialects import task_registry
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.count_tokens import ESTIMATED
from agcore.operations.media import Media
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan


class Embeddings(Media):
    """`/v1/embeddings`, `:embedContent` and `:batchEmbedContents`."""

    speaking: ClassVar[tuple[str, ...]] = task_registry.embeddings().dialects
    subject: ClassVar[str] = "embeddings"

    _asked: EmbeddingRequest | None = None
    """The request, where it is translated."""

    def plan_for(self, members: Members, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the request through, or write it anew for an endpoint of the other dialect."""
        self._asked = None
        if candidate.endpoint.dialect == self.dialect.traits.name:
            return super().plan_for(members, candidate, now=now)
        try:
            self._asked = asked = self._read(members)
        except Invalid as error:
            return invalid(str(error), param=error.param)
        except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
            return invalid(str(error))
        upstream, at = task_registry.embeddings().upstreams[candidate.endpoint.dialect], self.destination(candidate)
        (body,) = upstream.write_requests(asked, at, self._losses)
        return self.plan(upstream.target(asked, at), body)

    def _read(self, members: Members) -> EmbeddingRequest:
        match = self.request.match
        body = json_text.decode(members.body)
        assert isinstance(body, dict)
        client = task_registry.embeddings().clients[self.dialect.traits.name]
        return client.read_request(body, path=match.route.path, model=self.ask.model, losses=self._losses)

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """A translated answer is read whole, whatever type it says it has."""
        if self._asked is None:
            return super().call_head(call, status, headers, now=now)
        self._head = (status, headers)
        return None

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The vectors, in the client's shape."""
        if self._asked is None:
            return super().call_end(call, now=now)
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        task = task_registry.embeddings()
        upstream = task.upstreams[call.candidate.endpoint.dialect]
        found = upstream.read_answer(answer, self._asked, self.destination(call.candidate))
        if isinstance(found, Fault):
            return call.reject(found, now=now)
        call.commit()
        self.usage = found.usage
        client = task.clients[self.dialect.traits.name]
        written = client.write_answer(found, self._asked, model=self.ask.model, created=int(now))
        headers = self.headers_down(call, ())
        if written.estimated:
            headers = (*headers, *ESTIMATED)
        return self.client.answer(200, written.body, headers=headers, now=now)

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """As media count, or as those of another dialect do: some providers answer in that one's words."""
        return next(filter(None, (media.read_usage(answer) for media in task_registry.media().values())), None)
