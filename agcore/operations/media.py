"""Images, audio and moderations, to a provider of the client's own dialect.

Operations that can also be translated build on it: `images`, `transcribe`, `embeddings`.

Answers come in three forms: JSON, which is read whole and checked like any other; event streams of images and
transcripts, whose frames pass as they are until their own terminal event; and everything else (audio, subtitles, plain
text), whose bytes pass as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from agcore.codecs import header_fields as header_tables
from agcore.codecs.header_fields import media_type
from agcore.codecs.json_splice import Members
from agcore.config.values import Endpoint, Provider
from agcore.conversion.passthrough import PassThroughStream
from agcore.dialects import task_registry
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.request_edits import summary_of_body
from agcore.dialects.tasks import Destination
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.generate import SSE_HEADERS
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.protocol.report import Report, Usage
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts


class Media(PassThrough):
    """A JSON request for media, or for numbers about text."""

    speaking: ClassVar[tuple[str, ...]] = ()
    """Dialects that such requests can be translated to, and the client's own; empty where none is translated."""
    subject: ClassVar[str] = ""
    """What `speaking` is needed for, for people."""

    _stream: PassThroughStream | None = None
    _raw = False

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._media = task_registry.media()[self.dialect.traits.name]

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """The client's own dialect, if the provider speaks that, else another that such requests can go to."""
        spoken = (provider.endpoints.get(dialect) for dialect in (self.dialect.traits.name, *self.speaking))
        return next((endpoint for endpoint in spoken if endpoint is not None), None)

    def unserved(self, model: str, found: Resolution) -> Fault:
        """None of the model's providers takes such requests."""
        if not self.speaking:
            return super().unserved(model, found)
        provider = found.targets[0].provider
        message = (
            f"model {model!r} is served by {provider.name!r}, which speaks {', '.join(provider.endpoints)} only; "
            f"{self.subject} need one of {', '.join(self.speaking)}"
        )
        return invalid(message, code="translation_not_available", param="model")

    def read_ask(self, members: Members) -> RequestSummary | Fault:
        """The model, from the path where it stands there, else from the body."""
        match = self.request.match
        if match.model:
            return RequestSummary(model=match.model)
        default = self._media.DEFAULT_MODELS.get(match.route.path)
        if default is not None and members.value("model") is None:
            return RequestSummary(model=default)
        ask = summary_of_body(members, self.path_parts)
        # A stream is recognised by its answer: nothing is opened before it comes.
        return ask if isinstance(ask, Fault) else RequestSummary(model=ask.model)

    def edits(self, members: Members) -> tuple[dict[str, bytes | None], bool]:
        """Only the model's name, and that only where one was given."""
        assert self.candidate is not None
        if "model" not in members and not self.request.match.model:
            return {}, False
        return self.dialect.pass_through.edits(members, self.ask, self.candidate.model)

    def content_fields(self) -> Headers:
        """The client's own: what is wanted may be JSON, audio or text. What is translated is JSON."""
        if self.translated:
            return super().content_fields()
        headers = self.request.head.headers
        accept = header_tables.first(headers, b"accept") or b"*/*"
        return ((b"content-type", self.content_type(headers)), (b"accept", accept))

    def content_type(self, headers: Headers) -> bytes:
        """The type of the body."""
        return b"application/json"

    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """The same path below the provider's prefix."""
        return self._media.target(self.request.match.route.path, self.destination(candidate))

    def destination(self, candidate: Candidate) -> Destination:
        """Where a candidate's requests go."""
        profile = self.services.catalog.profile(candidate.model)
        return Destination(candidate.endpoint.prefix, candidate.model, profile, self.path_parts)

    @property
    def repeatable(self) -> bool:
        """Whether an answer that comes twice is not paid for twice."""
        return self._media.is_repeatable(self.request.match.route.path)

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """Choose by content type how the answer passes."""
        super().call_head(call, status, headers, now=now)
        self._stream = None
        kind = media_type(headers)
        if kind == b"text/event-stream":
            self._stream = PassThroughStream(self._media.StreamTap(), framing="sse")
            self.client.stream_head((*SSE_HEADERS, *self.headers_down(call, headers)))
        elif kind != b"application/json":
            self._raw = True
            call.commit()
            kept = tuple(field for field in headers if field[0] in (b"content-type", b"content-length"))
            self.client.open_answer(status, (*kept, *self.headers_down(call, headers)), now=now)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Pass a piece on, or collect it."""
        if self._raw:
            return self.client.pass_on(data)
        if self._stream is None:
            return super().call_data(call, data, now=now)
        out = self._stream.feed(data).data
        if out:
            call.commit()
            self.client.write(out, now=now)
        if self._stream.fault is not None:
            call.reject(self._stream.fault, now=now)
        return None

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """End as the answer's form demands."""
        if self._raw:
            return self.client.end(now=now)
        if self._stream is None:
            return super().call_end(call, now=now)
        out = self._stream.end().data
        if out:
            call.commit()
            self.client.write(out, now=now)
        if self._stream.fault is not None:
            return call.reject(self._stream.fault, now=now)
        return self.client.end(now=now)

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """What the answer says it consumed."""
        return self._media.read_usage(answer)

    def report(self) -> Report:
        """See `Operation`: the usage is what the stream told."""
        if self._stream is not None:
            self.usage = self._stream.tap.usage
        return super().report()

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """An error event in an event stream; raw bytes can only be broken off."""
        if self._stream is not None:
            return self._stream.error(fault, self.request.id)
        return None if self._raw else self._media.StreamTap().error(fault, self.request.id)
