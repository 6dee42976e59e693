"""Generation: Chat Completions, Completions, Responses, Messages and generateContent, streamed or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import media_type
from agcore.codecs.json_splice import Members
from agcore.codecs.sse import encode
from agcore.conversion.passthrough import PassThroughStream
from agcore.dialects import DIALECTS
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.pass_through import PassThrough
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Report
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

if TYPE_CHECKING:
    from agcore.config.values import Endpoint, Provider
    from agcore.conversion.translated_stream import ClientStream, StreamTranslation
    from agcore.conversion.translation import ModelTarget, Translation
    from agcore.operations.choices import Choices
    from agcore.routing.catalog import Catalog, Resolution

SSE_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
ARRAY_HEADERS: Final[Headers] = ((b"content-type", b"application/json; charset=utf-8"), *SSE_HEADERS[1:])


def translatable(provider: Provider) -> Endpoint | None:
    """The first of a provider's endpoints that requests of any dialect can be translated to."""
    return next((each for name, each in provider.endpoints.items() if DIALECTS[name].translatable), None)


def model_target(candidate: Candidate, catalog: Catalog) -> ModelTarget:
    """Where a translated request goes."""
    from agcore.conversion.translation import ModelTarget  # translating is not free to import

    return ModelTarget(
        candidate.endpoint.dialect, candidate.model, catalog.profile(candidate.model), candidate.provider.signer
    )


class Generate(PassThrough):
    """An answer as a whole, as `PassThrough` has it, or as a stream."""

    _stream: PassThroughStream | StreamTranslation | None = None
    _streaming = False
    _translation: Translation | None = None
    _translated: StreamTranslation | None = None
    _choices: Choices | None = None

    def upstream_target(self, candidate: Candidate) -> bytes | None:
        """The dialect's generation endpoint."""
        prefix = candidate.endpoint.prefix
        return self.dialect.traits.generate_target(prefix, self.path_parts, candidate.model, stream=self.ask.stream)

    def prepare(self, *, now: float) -> None:
        """Make ready for a stream where one was asked for."""
        if self.ask.stream:
            self._open_stream(now)

    def _open_stream(self, now: float) -> None:
        self._streaming = False
        if self._translation is None:
            tap = self.dialect.pass_through.tap(shown_model=self.shown_model, hide_usage=self.hides_usage)
            self._stream = PassThroughStream(tap, framing=self.ask.framing)
        else:
            self._stream = self._translated = self._translation.stream(
                id=self._id, model=self.ask.model, created=int(now), framing=self.ask.framing
            )
        self._expect_stream(now)

    def _expect_stream(self, now: float) -> None:
        self._stream_headers = SSE_HEADERS if self.ask.framing == "sse" else ARRAY_HEADERS
        self.client.expect_stream(self._stream_headers, keepalive=self.dialect.traits.keepalive, now=now)

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self.ask.stream:
            self.client.stream_head((*self._stream_headers, *self.headers_down(call, ())))

    def endpoint_at(self, provider: Provider) -> Endpoint | None:
        """The client's own dialect, else the first that can be translated to."""
        return provider.endpoints.get(self.dialect.traits.name) or translatable(provider)

    def unserved(self, model: str, found: Resolution) -> Fault:
        """Nobody there takes what could be translated."""
        first = found.targets[0].provider
        message = f"model {model!r} is served by {first.name!r}, which speaks {', '.join(first.endpoints)} only"
        return Fault(status=400, message=message, code="translation_not_available", param="model")

    def plan_for(self, members: Members, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the request through, or translate it for an endpoint of another dialect."""
        self._stream = self._translation = self._translated = self._choices = None
        self._streaming = False
        if candidate.endpoint.dialect == self.dialect.traits.name and not self._is_of_another_kind(members):
            return super().plan_for(members, candidate, now=now)
        translation = self._translate(members, candidate)
        if isinstance(translation, Fault):
            return translation
        refusal = translation.refusal(on_loss=self.services.config.proxy.on_loss)
        if refusal is not None:
            return refusal
        self._translation = translation
        self._losses = translation.losses
        self._id = self.services.ids.mint("")
        if translation.others:
            self._divide(translation, candidate, now)
            return None
        self.prepare(now=now)
        return self.plan(self.translated_target(candidate), translation.body)

    def _is_of_another_kind(self, members: Members) -> bool:
        """Whether this is a Responses request on Chat's path, as editors send it (docs/wire/clients.md#editors)."""
        traits = self.dialect.traits
        return (
            traits.stray_history_member is not None
            and traits.history_member not in members
            and traits.stray_history_member in members
        )

    @property
    def translated(self) -> bool:
        """Whether the upstream is asked in words of ours."""
        return self._translation is not None or super().translated

    def _divide(self, translation: Translation, candidate: Candidate, now: float) -> None:
        from agcore.operations.choices import Choices  # translating is not free to import

        call = self.calls.calls[-1]  # which is asking for the plan
        self._choices = Choices(self, translation, candidate=candidate, instead_of=call, id=self._id, now=now)
        if self.ask.stream:
            self._expect_stream(now)
        self._choices.begin(now=now)

    def translated_target(self, candidate: Candidate) -> bytes:
        """Path and query of the generation endpoint of another dialect."""
        traits, prefix = DIALECTS[candidate.endpoint.dialect].traits, candidate.endpoint.prefix
        return traits.generate_target(prefix, self.path_parts, candidate.model, stream=self.ask.stream)

    def edits(self, members: Members) -> tuple[dict[str, bytes | None], bool]:
        """The dialect's own edits, and signatures that are another vendor's taken out."""
        changes, hides_usage = super().edits(members)
        assert self.candidate is not None
        if b"gw1." in members.body or b"Z3cxL" in members.body:
            from agcore.dialects import foreign_signatures  # a conversation that changed vendors is rare

            signer = self.candidate.provider.signer
            changes.update(
                foreign_signatures.edits(self.dialect.traits.name, members, signer=signer, losses=self._losses)
            )
        return changes, hides_usage

    def _translate(self, members: Members, candidate: Candidate) -> Translation | Fault:
        from agcore.conversion.translation import translate  # translating is not free to import

        forgetful = self.dialect.traits.drops_signatures
        return translate(
            self.dialect.traits.name,
            members.body,
            model=self.ask.model,
            stream=self.ask.stream,
            target=model_target(candidate, self.services.catalog),
            signed_calls=self.services.ledger.signatures.of(self.request.client) if forgetful else None,
        )

    def call_head(self, call: UpstreamCall, status: int, headers: Headers, *, now: float) -> None:
        """A stream is one only if its content type says so: a JSON answer to a stream request is read as such."""
        super().call_head(call, status, headers, now=now)
        if self._stream is not None and media_type(headers) == b"text/event-stream":
            self._streaming = True
            self.client.stream_head((*self._stream_headers, *self.headers_down(call, headers)))

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Pass a piece of the stream on."""
        if not self._streaming:
            return super().call_data(call, data, now=now)
        assert self._stream is not None
        was_terminal = self._stream.terminal
        out = self._stream.feed(data).data
        if out:
            call.commit()
            # A Responses stream may end in an upstream's own words about a failure.
            self.client.write(call.scrubbed(out) if self._stream.terminal else out, now=now)
        elif self._stream.holding:
            self.client.defer_preamble(now=now)
        if self._stream.fault is not None:
            call.reject(self._stream.fault, now=now)
        elif self._stream.terminal and not was_terminal:
            self.client.await_upstream_end(now=now)
        return None

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """End the stream, properly or not."""
        if self._stream is None:
            return super().call_end(call, now=now) if self._translation is None else self._answer_whole(call, now)
        if not self._streaming:
            return self._serve_unstreamed(call, now)
        out = self._stream.end().data
        return self._serve_all(call, out, self._stream.fault, now)

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A connection that breaks after the answer was complete takes nothing from it."""
        if self._stream is not None and self._stream.complete and self._stream.fault is None:
            last = self._stream.broken()
            if last is not None and last.data:
                self.client.write(last.data, now=now)
            return self.client.end(now=now)
        if self.asked_unsigned(call, fault, translation=self._translation, now=now):
            self.discard_answer()
            return self.prepare(now=now)
        return super().call_failed(call, fault, now=now)

    def asked_unsigned(self, call: UpstreamCall, fault: Fault, *, translation: Translation | None, now: float) -> bool:
        """Ask once more without signatures where an upstream refused one of its own; whether that was done.

        What was asked without any has none to take out: it is not asked again.
        """
        if fault.status != 400 or not call.asked or self.services.config.proxy.on_loss == "reject":
            return False
        from agcore.dialects import foreign_signatures  # rare

        plan, dialect = call.plan, call.candidate.endpoint.dialect
        if not foreign_signatures.is_refusal(dialect, fault):
            return False
        if translation is not None:
            body = translation.body if translation.unsign() else None
        else:
            assert isinstance(plan.body, bytes)
            body = foreign_signatures.unsigned(dialect, plan.body, losses=self._losses)
        return body is not None and call.repeat(msgspec.structs.replace(plan, body=body), now=now)

    def _answer_whole(self, call: UpstreamCall, now: float) -> None:
        assert self._translation is not None
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        translated = self._translation.answer(answer, id=self._id, model=self.ask.model, created=int(now))
        if isinstance(translated, Fault):
            return call.reject(translated, now=now)
        call.commit()
        body, self.usage = translated
        self.answered(body)
        return self.client.answer(200, body, headers=self.headers_down(call, ()), now=now)

    def _serve_unstreamed(self, call: UpstreamCall, now: float) -> None:
        chunks = self._array_of_chunks(call)
        if chunks is not None:
            return self._serve_all(call, *self._fed(chunks), now)
        answer = self.read_answer(call)
        if isinstance(answer, Fault):
            return call.reject(answer, now=now)
        if self._translated is not None:
            out = self._translated.whole(answer).data
            fault = self._translated.fault
        else:
            try:
                out, fault = self._told_as_stream(call, answer, now)
            except ValueError as error:  # nested too deeply to be written
                out, fault = b"", Fault(status=502, message=f"the upstream's answer cannot be streamed: {error}")
        return self._serve_all(call, out, fault, now)

    def _array_of_chunks(self, call: UpstreamCall) -> list[object] | None:
        """What a Gemini server sends that ignores `alt=sse`: the chunks of its stream as one array."""
        if (
            not DIALECTS[call.candidate.endpoint.dialect].traits.stream_as_array
            or not self._answer
            or not self._answer[0].lstrip().startswith(b"[")
        ):
            return None
        try:
            chunks = json_text.decode(b"".join(self._answer))
        except ValueError:
            return None
        return chunks if isinstance(chunks, list) and chunks else None

    def _fed(self, chunks: Iterable[object]) -> tuple[bytes, Fault | None]:
        """What becomes of a stream that is told all of its events at once."""
        assert self._stream is not None
        out = b"".join(self._stream.feed(encode(json_text.encode(chunk))).data for chunk in chunks)
        if self._stream.fault is None:
            out += self._stream.end().data
        return out, self._stream.fault

    def _serve_all(self, call: UpstreamCall, out: bytes, fault: Fault | None, now: float) -> None:
        if out:
            call.commit()
            self.client.write(out, now=now)
        if fault is not None:
            return call.reject(fault, now=now)
        return self.client.end(now=now)

    def _told_as_stream(self, call: UpstreamCall, answer: dict[str, object], now: float) -> tuple[bytes, Fault | None]:
        """The client's stream for a whole answer of its own dialect."""
        assert self.candidate is not None
        assert isinstance(call.plan.body, bytes)
        assert isinstance(self._stream, PassThroughStream)
        self.client.stream_head((*self._stream_headers, *self.headers_down(call, self._head[1])))
        if self.dialect.traits.whole_is_event:
            return self._fed([answer])
        from agcore.conversion import synthesized_stream  # rare, and translating is not free to import

        told = synthesized_stream.synthesize_stream(
            self.dialect.traits.name,
            answer,
            request=call.plan.body,
            signer=self.candidate.provider.signer,
            id=self.services.ids.mint(""),
            model=self.ask.model,
            created=int(now),
            show_usage=not self.hides_usage,
        )
        if isinstance(told, Fault):
            return b"", told
        out, self.usage = told
        self.answered(b"".join(self._answer))
        return out, None

    def release(self, *, now: float) -> None:
        """Announcements go out although no content came."""
        assert self._outgoing is not None
        if self._choices is None:
            self.calls.calls[-1].commit()
        self.client.write(self._outgoing.release(), now=now)

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """The dialect's own error, fitting to what was sent."""
        outgoing = self._outgoing
        if outgoing is None:  # keepalives were sent, and then no way was left that could be asked
            outgoing = PassThroughStream(
                self.dialect.pass_through.tap(shown_model=None, hide_usage=False), framing=self.ask.framing
            )
        return outgoing.error(fault, self.request.id)

    @property
    def _outgoing(self) -> PassThroughStream | StreamTranslation | ClientStream | None:
        return self._stream if self._choices is None else self._choices.client

    def report(self) -> Report:
        """See `Operation`: the usage is what the stream told."""
        if self._outgoing is not None and self._outgoing.usage is not None:
            self.usage = self._outgoing.usage
        return super().report()
