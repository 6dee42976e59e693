"""Embeddings: to a provider of the client's own dialect as they are, else translated between OpenAI's and Gemini's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from agcore import embeddings, json_text
from agcore.call import Call
from agcore.conversation import Invalid
from agcore.dialects import gemini
from agcore.embeddings import EmbeddingRequest
from agcore.fault import Fault, invalid
from agcore.inputs import Headers
from agcore.json_members import Members
from agcore.operations.base import resolve
from agcore.operations.count_tokens import ESTIMATED
from agcore.operations.media import Media
from agcore.operations.pass_through import Way
from agcore.tokens import of_texts
from agcore.usage import Usage

SPEAKING: Final = ("openai", "gemini")
"""Dialects that have embeddings."""


class Embeddings(Media):
    """`/v1/embeddings`, `:embedContent` and `:batchEmbedContents`."""

    _asked: EmbeddingRequest | None = None
    """The request, where it is translated."""

    def find_way(self, model: str) -> Way | Fault:
        """The first provider that has embeddings, in the client's own dialect if it speaks that."""
        found = resolve(self.request, self.services, model)
        if isinstance(found, Fault):
            return found
        for target in found.targets:
            for dialect in (self.dialect.NAME, *SPEAKING):
                endpoint = target.provider.endpoints.get(dialect)
                if endpoint is not None:
                    return Way(provider=target.provider, endpoint=endpoint, model=target.model)
        provider = found.targets[0].provider
        message = (
            f"model {model!r} is served by {provider.name!r}, which speaks {', '.join(provider.endpoints)} only; "
            f"embeddings need one of {', '.join(SPEAKING)}"
        )
        return invalid(message, code="translation_not_available", param="model")

    def forward(self, members: Members, way: Way, *, now: float) -> None:
        """Pass the request through, or write it anew for an endpoint of the other dialect."""
        if way.endpoint.dialect == self.dialect.NAME:
            return super().forward(members, way, now=now)
        try:
            self._asked = asked = self._parse(members)
        except Invalid as error:
            return self.exchange.fail(invalid(str(error), param=error.param), now=now)
        if way.endpoint.dialect == "gemini":
            body = embeddings.render_gemini(asked, model=way.model)
            path = f"/v1beta/models/{quote(way.model, safe='/-._~@:')}:batchEmbedContents"
        else:
            body = embeddings.render_openai(asked, model=way.model)
            path = "/embeddings"
        target = way.endpoint.prefix + path.encode("ascii")
        return self.ask_upstream(way, target, json_text.encode(body), now=now)

    def _parse(self, members: Members) -> EmbeddingRequest:
        match = self.request.match
        assert match is not None
        body = json_text.decode(members.body)
        assert isinstance(body, dict)
        if self.dialect.NAME == "openai":
            return embeddings.parse_openai(body, self._losses)
        batch = match.route.path.endswith(":batchEmbedContents")
        return embeddings.parse_gemini(body, self._losses, model=self.ask.model, batch=batch)

    def content_fields(self) -> Headers:
        """A translated answer is JSON, whatever else the client would take."""
        if self._asked is None:
            return super().content_fields()
        return ((b"content-type", b"application/json"), (b"accept", b"application/json"))

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """A translated answer is read whole, whatever type it says it has."""
        if self._asked is None:
            return super().call_head(call, status, headers, now=now)
        self._head = (status, headers)
        return None

    def call_end(self, call: Call, *, now: float) -> None:
        """The vectors, in the client's shape."""
        if self._asked is None:
            return super().call_end(call, now=now)
        answer = self.read_answer(call, now=now)
        if isinstance(answer, Fault):
            return self.exchange.fail(answer, now=now)
        read = embeddings.read_gemini if call.plan.endpoint.dialect == "gemini" else embeddings.read_openai
        found = read(answer, count=len(self._asked.texts))
        if isinstance(found, Fault):
            return self.exchange.fail(call.presentable(found), now=now)
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
