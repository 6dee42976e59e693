"""Transcripts and translations of recordings: passed on to the client's own dialect, or translated for another one.

What passes on is `Upload`'s affair. For another dialect the recording becomes part of a JSON document, so that the form
is held in memory, up to `MAX_FORM`, as long as its model may go there: that keeps both kinds of candidates open for
failover. A form that grows beyond that, or announces it, can only go to candidates that take it as it is.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import media_type
from agcore.codecs.multipart import boundary_of, read_form
from agcore.codecs.sse import encode
from agcore.conversation.losses import refusal
from agcore.conversation.transcripts import TranscriptRequest
from agcore.conversation.values import Invalid
from agcore.conversion.passthrough import PassThroughStream
from agcore.conversion.transcript_stream import TranscriptTap
from agcore.dialects import task_registry
from agcore.dialects.base import RequestSummary
from agcore.dialects.tasks import TranscriptsClient, TranscriptsUpstream
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.generate import SSE_HEADERS
from agcore.operations.pass_through import PassThrough
from agcore.operations.upload import Upload
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

MAX_AUDIO: Final = max(each.MAX_AUDIO for each in task_registry.transcripts().upstreams.values())
"""Bytes of the largest recording that is translated."""
MAX_FORM: Final = MAX_AUDIO + 256 * 1024
"""Bytes of a form that may be held in memory: a recording, and room for the other fields."""


class Transcribe(Upload):
    """`/v1/audio/transcriptions` and `/v1/audio/translations`."""

    speaking: ClassVar[tuple[str, ...]] = task_registry.transcripts().dialects
    subject: ClassVar[str] = "recordings"

    _asked: TranscriptRequest | None = None
    """The request without its recording, where it is translated."""
    _streaming = False
    _rendered = 0
    """Bytes of the translated request, which are accounted for as long as it may be repeated."""

    @property
    def max_whole(self) -> int:
        """A recording that may be translated, and the other fields."""
        return MAX_FORM

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the form on, or write a request of another dialect."""
        self.memory.release(self._rendered)
        self._rendered = 0
        self._asked = self._stream = None
        self._streaming = False
        self.ask = RequestSummary(model=self.ask.model)
        if not self._needs_whole(candidate):
            return super().call_plan(call, candidate, now=now)
        self.start_anew(candidate)
        task = task_registry.transcripts()
        client, upstream = task.clients[self.dialect.traits.name], task.upstreams[candidate.endpoint.dialect]
        asked = self._read_form(client, upstream, candidate)
        if isinstance(asked, Fault):
            return asked
        if asked.stream:
            self.ask = RequestSummary(model=self.ask.model, stream=True)
            tap = TranscriptTap(upstream.StreamReader(), client.StreamWriter())
            self._stream = PassThroughStream(tap, framing="sse")
            # An upstream of the client's own dialect may answer with no stream, which one that is open could not take.
            if all(map(self._needs_whole, call.candidates)):
                self.client.expect_stream(SSE_HEADERS, keepalive=self.dialect.traits.keepalive, now=now)
        at = self.destination(candidate)
        (body,) = upstream.write_requests(asked, at, self._losses)
        if not self.memory.reserve(len(body), now=now):
            return None
        self._rendered = len(body)
        self._asked = msgspec.structs.replace(asked, audio=b"")
        return self.plan(upstream.target(asked, at), body)

    def _read_form(
        self, client: TranscriptsClient, upstream: TranscriptsUpstream, candidate: Candidate
    ) -> TranscriptRequest | Fault:
        boundary = boundary_of(self.request.head.headers)
        assert isinstance(boundary, bytes)
        form = read_form(b"".join(self._held), boundary)
        if isinstance(form, Fault):
            return form
        match = self.request.match
        try:
            asked = client.read_request(form, path=match.route.path, model=self.ask.model, losses=self._losses)
        except Invalid as error:
            return invalid(str(error), param=error.param)
        if len(asked.audio) > upstream.MAX_AUDIO:
            return self._too_large()
        on_loss = self.services.config.proxy.on_loss
        return (
            refusal(self._losses, model=candidate.model, dialect=candidate.endpoint.dialect, on_loss=on_loss) or asked
        )

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self._stream is not None:
            self.client.stream_head((*SSE_HEADERS, *self.headers_down(call, ())))

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """A translated answer is a stream if it says so and one was asked for; else it is read whole."""
        if self._asked is None:
            return super().call_head(call, status, headers, now=now)
        self._head = (status, headers)
        self._streaming = self._stream is not None and media_type(headers) == b"text/event-stream"
        return None

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Pass a piece of a stream on, or collect it."""
        if self._asked is None or self._streaming:
            return super().call_data(call, data, now=now)
        return PassThrough.call_data(self, call, data, now=now)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """The transcript, in the form that the client wants."""
        if self._asked is None or self._streaming:
            return super().call_end(call, now=now)
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        if self._stream is not None:
            # A whole answer has the shape of a stream's only event.
            super().call_data(call, encode(json_text.encode(answer)), now=now)
            return None if self._stream.fault is not None else super().call_end(call, now=now)
        task = task_registry.transcripts()
        upstream = task.upstreams[call.candidate.endpoint.dialect]
        found = upstream.read_answer(answer, self._asked, self.destination(call.candidate))
        if isinstance(found, Fault):
            return call.reject(found, now=now)
        call.commit()
        self.usage = found.usage
        client = task.clients[self.dialect.traits.name]
        written = client.write_answer(found, self._asked, model=self.ask.model, created=int(now))
        headers = self.headers_down(call, ())
        return self.client.answer(200, written.body, headers=headers, content_type=written.content_type, now=now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A connection that breaks after the transcript was complete takes nothing from it."""
        if self._asked is not None and self._stream is not None and self._stream.complete:
            last = self._stream.broken()
            if last is not None:
                self.client.write(last.data, now=now)
            return self.client.end(now=now)
        return super().call_failed(call, fault, now=now)

    def _too_large(self) -> Fault:
        message = (
            f"a recording for {self.ask.model!r} may have at most {MAX_AUDIO // (1024 * 1024)} MiB; "
            "send it in parts, or compressed"
        )
        return Fault(status=413, message=message, code="request_too_large", param="file")
