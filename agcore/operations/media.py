"""Images, audio and moderations, to a provider of the client's own dialect.

Operations that can also be translated build on it: `images`, `transcribe`, `embeddings`.

Answers come in three forms: JSON, which is read whole and checked like any other; event streams of images and
transcripts, whose frames pass as they are until their own terminal event; and everything else (audio, subtitles, plain
text), whose bytes pass as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote

from agcore.codecs import header_fields as header_tables
from agcore.codecs import json_text
from agcore.codecs.header_fields import media_type
from agcore.codecs.json_splice import Members
from agcore.codecs.sse import Frame
from agcore.config.values import Endpoint, Provider
from agcore.conversation.usage import Usage
from agcore.conversion.passthrough import PassThroughStream
from agcore.dialects.base import Meaning, RequestSummary, ask_of_body
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai_chat import traits as openai_chat
from agcore.dialects.openai_responses import traits as openai_responses
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.generate import SSE_HEADERS
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.routing.catalog import Resolution
from agcore.routing.selection import Candidate

DEFAULT_MODELS: Final = {"/v1/moderations": "omni-moderation-latest"}
"""What OpenAI documents for a request that names no model. Elsewhere a missing one is a 400: nothing is guessed."""

_TERMINAL: Final = frozenset(
    {"image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done"}
)


class MediaTap:
    """Watches the events of streamed images, transcripts and speech."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. Several images end in several terminal events, so none of them ends the stream."""
        if frame.data is None or frame.data.strip() == b"[DONE]":
            return Meaning.LIFECYCLE, frame.raw
        try:
            event = json_text.decode(frame.data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.fault = Fault(status=502, message="the upstream sent an event that is not JSON")
            return Meaning.ERROR, b""
        if event.get("type") == "error" or event.get("error"):
            self.fault = openai_error.parse_error(502, event.get("error") or event)
            return Meaning.ERROR, b""
        self.usage = read_usage(event) or self.usage
        self.finished = self.finished or event.get("type") in _TERMINAL
        return Meaning.CONTENT, frame.raw

    def closing(self) -> bytes:
        """Nothing: these streams end with their connection."""
        return b""

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event."""
        return b"event: error\n" + openai_error.stream_error(fault, request_id)


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage of an answer or an event: images, transcripts and speech count as Responses do, embeddings as Chat does."""
    usage = answer.get("usage")
    if not isinstance(usage, Mapping) or usage.get("type") == "duration":
        return None
    read = openai_responses.read_usage if "input_tokens" in usage else openai_chat.read_usage
    return read(answer)


class Media(PassThrough):
    """A JSON request for media, or for numbers about text."""

    speaking: ClassVar[tuple[str, ...]] = ()
    """Dialects that such requests can be translated to, and the client's own; empty where none is translated."""
    subject: ClassVar[str] = ""
    """What `speaking` is needed for, for people."""

    _stream: PassThroughStream | None = None
    _raw = False

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """The client's own dialect, if the provider speaks that, else another that such requests can go to."""
        spoken = (provider.endpoints.get(dialect) for dialect in (self.dialect.NAME, *self.speaking))
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
        assert match is not None
        if match.model:
            return RequestSummary(model=match.model)
        default = DEFAULT_MODELS.get(match.route.path)
        if default is not None and members.value("model") is None:
            return RequestSummary(model=default)
        ask = ask_of_body(members)
        # A stream is recognised by its answer: nothing is opened before it comes.
        return ask if isinstance(ask, Fault) else RequestSummary(model=ask.model)

    def edits(self, members: Members) -> tuple[dict[str, bytes | None], bool]:
        """Only the model's name, and that only where one was given."""
        assert self.candidate is not None
        assert self.request.match is not None
        if "model" not in members and not self.request.match.model:
            return {}, False
        return self.dialect.edits(members, self.ask, self.candidate.model)

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
        match = self.request.match
        assert match is not None
        if match.model:
            action = match.route.path.rpartition(":")[2]
            path = f"/{match.version}/{match.collection}/{quote(candidate.model, safe='/-._~@:')}:{action}"
        else:
            path = match.route.path.removeprefix("/v1")
        return candidate.endpoint.prefix + path.encode("ascii")

    @property
    def repeatable(self) -> bool:
        """An image or a recording that was made twice was also paid for twice."""
        assert self.request.match is not None
        path = self.request.match.route.path
        return not (path.startswith(("/v1/images", "/v1/audio")) or path.endswith(":predict"))

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """Choose by content type how the answer passes."""
        super().call_head(call, status, headers, now=now)
        self._stream = None
        kind = media_type(headers)
        if kind == b"text/event-stream":
            self._stream = PassThroughStream(MediaTap(), framing="sse")
            self.exchange.stream_head((*SSE_HEADERS, *self.headers_down(call, headers)))
        elif kind != b"application/json":
            self._raw = True
            call.commit()
            kept = tuple(field for field in headers if field[0] in (b"content-type", b"content-length"))
            self.exchange.open_answer(status, (*kept, *self.headers_down(call, headers)), now=now)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Pass a piece on, or collect it."""
        if self._raw:
            return self.exchange.pass_on(data)
        if self._stream is None:
            return super().call_data(call, data, now=now)
        out = self._stream.feed(data)
        if out:
            call.commit()
            self.exchange.write(out, now=now)
        if self._stream.fault is not None:
            call.reject(self._stream.fault, now=now)
        return None

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """End as the answer's form demands."""
        if self._raw:
            return self.exchange.end(now=now)
        if self._stream is None:
            return super().call_end(call, now=now)
        out = self._stream.end()
        if out:
            call.commit()
            self.exchange.write(out, now=now)
        if self._stream.fault is not None:
            return call.reject(self._stream.fault, now=now)
        return self.exchange.end(now=now)

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """See the function of that name."""
        return read_usage(answer)

    def row(self) -> dict[str, object]:
        """Usage as the stream told it."""
        if self._stream is not None:
            self.usage = self._stream.tap.usage
        return super().row()

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """An error event in an event stream; raw bytes can only be broken off."""
        if self._stream is not None:
            return self._stream.error(fault, self.request.id)
        return None if self._raw else MediaTap().error(fault, self.request.id)
