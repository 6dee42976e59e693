"""Embeddings: to a provider of the client's own dialect as they are, else translated between OpenAI's and Gemini's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.conversation import embeddings
from agcore.conversation.embeddings import EmbeddingRequest
from agcore.conversation.token_estimate import of_texts
from agcore.conversation.usage import Usage
from agcore.conversation.values import Invalid
from agcore.dialects.gemini import traits as gemini
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.count_tokens import ESTIMATED
from agcore.operations.media import Media
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.routing.selection import Candidate
from agcore.upstream.request import UpstreamPlan


class Embeddings(Media):
    """`/v1/embeddings`, `:embedContent` and `:batchEmbedContents`."""

    speaking: ClassVar[tuple[str, ...]] = ("openai", "gemini")
    subject: ClassVar[str] = "embeddings"

    _asked: EmbeddingRequest | None = None
    """The request, where it is translated."""

    def plan_for(self, members: Members, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the request through, or write it anew for an endpoint of the other dialect."""
        self._asked = None
        if candidate.endpoint.dialect == self.dialect.NAME:
            return super().plan_for(members, candidate, now=now)
        try:
            self._asked = asked = self._parse(members)
        except Invalid as error:
            return invalid(str(error), param=error.param)
        except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
            return invalid(str(error))
        if candidate.endpoint.dialect == "gemini":
            body = embeddings.render_gemini(asked, model=candidate.model)
            target = gemini.action_target(
                candidate.endpoint.prefix, self.match_there(), candidate.model, b"batchEmbedContents"
            )
        else:
            body = embeddings.render_openai(asked, model=candidate.model)
            target = candidate.endpoint.prefix + b"/embeddings"
        return self.plan(target, json_text.encode(body))

    def _parse(self, members: Members) -> EmbeddingRequest:
        match = self.request.match
        assert match is not None
        body = json_text.decode(members.body)
        assert isinstance(body, dict)
        if self.dialect.NAME == "openai":
            return embeddings.parse_openai(body, self._losses)
        batch = match.route.path.endswith(":batchEmbedContents")
        return embeddings.parse_gemini(body, self._losses, model=self.ask.model, batch=batch)

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
        read = embeddings.read_gemini if call.candidate.endpoint.dialect == "gemini" else embeddings.read_openai
        found = read(answer, count=len(self._asked.texts))
        if isinstance(found, Fault):
            return call.reject(found, now=now)
        call.commit()
        self.usage = found.usage
        headers = self.headers_down(call, ())
        if self.dialect.NAME == "gemini":
            body = embeddings.answer_gemini(found, self._asked)
        else:
            tokens = of_texts(self._asked.texts) if found.usage is None else found.usage.input
            headers = headers if found.usage is not None else (*headers, *ESTIMATED)
            body = embeddings.answer_openai(found, self._asked, model=self.ask.model, tokens=tokens)
        return self.exchange.answer(200, json_text.encode(body), headers=headers, now=now)

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """As media count, or as Gemini counts where it does."""
        return super().read_usage(answer) or gemini.read_usage(answer)
