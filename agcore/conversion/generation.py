"""A generation in another dialect: the attempt's request is a translation's, and its answer is turned back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agcore.codecs import json_text
from agcore.conversion.base import (
    STREAM_HEADERS,
    Answered,
    AttemptConversion,
    Conversion,
    Outgoing,
    Upstream,
    WholeAnswer,
    replay,
)
from agcore.conversion.translated_stream import StreamTranslation
from agcore.conversion.translation import Translation
from agcore.dialects import foreign_signatures
from agcore.dialects.base import RequestSummary
from agcore.dialects.whole_answer import array_of_chunks
from agcore.protocol.fault import Fault


class TranslatedGeneration(AttemptConversion):
    """A generation in another dialect, as a whole or as the stream that was asked for.

    Args:
        request: As it leaves, with the translation's body.
        upstream: Who answers it.
        translation: Of the client's request.
        summary: What the client asks for.
        id: The answer's, without a dialect's prefix.
        created: When the stream began, in seconds since the epoch.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        translation: Translation,
        *,
        summary: RequestSummary,
        id: str,
        created: int,
    ) -> None:
        self._turned: StreamTranslation | None = None
        if summary.stream:
            self._turned = translation.stream(id=id, model=summary.model, created=created, framing=summary.framing)
        super().__init__(
            request,
            upstream,
            losses=translation.losses,
            translated=True,
            stream=self._turned,
            stream_headers=STREAM_HEADERS[summary.framing] if summary.stream else (),
            opens_early=summary.stream,
        )
        self._translation = translation
        self._summary = summary
        self._id = id
        self._answer: Mapping[str, object] | None = None

    @property
    def response(self) -> Mapping[str, object] | None:
        """The whole answer as the client gets it."""
        if self._turned is None:
            return self._answer
        return self._turned.writer.response

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Turn a whole answer, or a stream that came as one array."""
        if self._turned is not None:
            chunks = array_of_chunks(body, dialect=self.upstream.dialect)
            if chunks is not None:
                return replay(self._turned, chunks)
        answer = self.read(body)
        if isinstance(answer, Fault):
            return answer
        if self._turned is not None:
            return self._turned.whole(answer)
        deltas = self._translation.read(answer)
        if isinstance(deltas, Fault):
            return deltas
        home = self._translation.delta_mapper(id=self._id).deltas(deltas)
        self._answer, self._usage = self._translation.written(
            home, id=self._id, model=self._summary.model, created=int(now)
        )
        return WholeAnswer(json_text.mended(json_text.encode(self._answer)))

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """The request written anew, without any signature."""
        translation = self._translation
        if not foreign_signatures.is_refusal(translation.target.dialect, fault) or not translation.unsign():
            return None
        request = msgspec.structs.replace(self.request, body=translation.body)
        return type(self)(request, self.upstream, translation, summary=self._summary, id=self._id, created=int(now))
