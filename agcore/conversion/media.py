"""Everything beside conversations: media that pass through, and tasks that are translated.

Answers to what passes through come in three forms: JSON, which is read whole and checked like any other; event streams
of images and transcripts, whose frames pass as they are until their own terminal event; and everything else (audio,
subtitles, plain text), whose bytes pass as they come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Never, Protocol, TypeVar

from agcore.codecs.header_fields import media_type
from agcore.conversation.losses import Losses
from agcore.conversation.token_estimate import TokenCount
from agcore.conversion.base import (
    SSE_HEADERS,
    Answered,
    AttemptConversion,
    Outgoing,
    Output,
    Passing,
    Stream,
    Upstream,
    WholeAnswer,
    is_event_stream,
    replay,
)
from agcore.conversion.passthrough import Judge, PassThrough, PassThroughStream, ReadUsage
from agcore.dialects.tasks import ClientTask, Destination, MediaTask, UpstreamTask
from agcore.dialects.whole_answer import is_page
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage

ESTIMATED: Final[Headers] = ((b"x-agcore-count", b"estimate"),)
"""Tells that the tokens in an answer were estimated here."""

Asked = TypeVar("Asked")


class Counted(Protocol):
    """An upstream's answer, which may say what it consumed."""

    @property
    def usage(self) -> Usage | None:
        """None where the upstream did not count."""


Found = TypeVar("Found", bound=Counted)


class MediaPassThrough(PassThrough):
    """A request for media, or for numbers about text, whose answer shows by its content type how it passes.

    Args:
        request: As it leaves.
        upstream: Who answers it, in the client's dialect.
        media: What that dialect knows of its media.
        shown_model: The name that a JSON answer must show; None where the upstream's is the client's.
        read_usage: Reads what a JSON answer consumed.
        judge: Says what a JSON answer failed of; None where any object is an answer.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        media: MediaTask,
        *,
        shown_model: str | None,
        read_usage: ReadUsage,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(
            request, upstream, shown_model=shown_model, losses=Losses(), read_usage=read_usage, judge=judge
        )
        self._media = media
        self._passing = Passing.WHOLE

    def head(self, status: int, headers: Headers) -> Passing:
        """Choose by content type."""
        super().head(status, headers)
        if is_event_stream(headers):
            self.stream = PassThroughStream(self._media.StreamTap(), framing="sse")
            self.stream_headers = SSE_HEADERS
            self._passing = Passing.STREAM
        elif media_type(headers) != b"application/json" and not is_page(headers):
            self._passing = Passing.RAW
        return self._passing

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Show the answer. Some servers call mere text HTML; a page is none."""
        kind = media_type(self._headers)
        if kind != b"application/json" and not is_page((), body):
            return WholeAnswer(body, content_type=kind)
        return super().whole(body, now=now)

    def feed(self, data: bytes) -> Output:
        """Pass a piece on. Nothing is announced: a comment that comes first waits with the rest."""
        output = super().feed(data)
        return Output(output.data, fault=output.fault)

    def broken(self) -> Output | None:
        """Several pictures end in several terminal events: only the connection's end tells that all have come."""
        return None

    def error(self, fault: Fault, request_id: str) -> bytes | None:
        """An error event in an event stream; raw bytes can only be broken off."""
        if self._passing is Passing.RAW:
            return None
        return super().error(fault, request_id) or self._media.StreamTap().error(fault, request_id)


class TranslatedTask(AttemptConversion, Generic[Asked, Found]):
    """A task that is translated for an upstream of another dialect, by the two dialects' halves of it.

    Args:
        request: As it leaves, written by `half`.
        upstream: Who answers it.
        client: The half of the client's dialect.
        half: The half of the upstream's dialect.
        asked: What the client asks for.
        at: Where the request goes.
        model: The name that the answer shows.
        losses: What could not be carried.
        stream: The stream that the client asked for.
        opens_early: See `Answering.opens_early`.
        held: See `Answering.held`.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        *,
        client: ClientTask[Never, Asked, Found],
        half: UpstreamTask[Asked, Found],
        asked: Asked,
        at: Destination,
        model: str,
        losses: Losses,
        stream: Stream | None = None,
        opens_early: bool = False,
        held: int = 0,
    ) -> None:
        super().__init__(
            request,
            upstream,
            losses=losses,
            translated=True,
            stream=stream,
            stream_headers=() if stream is None else SSE_HEADERS,
            opens_early=opens_early,
            held=held,
        )
        self._client = client
        self._half = half
        self._asked = asked
        self._at = at
        self._model = model

    def whole(self, body: bytes, *, now: float) -> Answered:
        """The answer, in the client's shape; a stream's only event where one was asked for."""
        answer = self.read(body)
        if isinstance(answer, Fault):
            return answer
        if self.stream is not None:
            return replay(self.stream, [answer])
        found = self._half.read_answer(answer, self._asked, self._at)
        if isinstance(found, Fault):
            return found
        self._usage = found.usage
        written = self._client.write_answer(found, self._asked, model=self._model, created=int(now))
        return WholeAnswer(written.body, written.content_type, ESTIMATED if written.estimated else ())


class TranslatedCount(AttemptConversion):
    """A token count by the counter of another dialect, or an estimate where what that says is no count.

    Args:
        request: As it leaves, written by `half`.
        upstream: Who answers it.
        client: The half of the client's dialect.
        half: The half of the upstream's dialect.
        at: Where the request goes.
        model: The name that the client asked for.
        otherwise: Makes the estimate.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        *,
        client: ClientTask[Never, dict[str, object], TokenCount],
        half: UpstreamTask[dict[str, object], TokenCount],
        at: Destination,
        model: str,
        otherwise: Callable[[], WholeAnswer],
    ) -> None:
        super().__init__(request, upstream, losses=Losses(), translated=True)
        self._client = client
        self._half = half
        self._at = at
        self._model = model
        self._otherwise = otherwise

    def whole(self, body: bytes, *, now: float) -> Answered:
        """The count, in the client's shape."""
        answer = self.read(body)
        count = answer if isinstance(answer, Fault) else self._half.read_answer(answer, {}, self._at)
        if isinstance(count, Fault):
            return self._otherwise()
        return WholeAnswer(self._client.write_answer(count, {}, model=self._model, created=int(now)).body)
