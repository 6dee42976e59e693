"""Requests and answers between a client and an upstream of the same dialect.

A request passes byte for byte but for the members that the dialect's `edits` names. A JSON answer is read as a whole,
so that a 200 which holds an error still becomes one. Frames of a stream pass byte for byte, but for the edits that the
dialect's tap makes. What is added is order: announcements wait for the first content (so that a stream which fails at
once can still become an honest error, or another attempt), nothing follows the terminal event, and an upstream that
stops early is a fault and never a quiet end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.codecs import json_text
from agcore.codecs.sse import Decoder, Frame
from agcore.conversation.losses import Losses
from agcore.conversion.base import (
    NOTHING,
    STREAM_HEADERS,
    Answered,
    AttemptConversion,
    Conversion,
    Outgoing,
    Output,
    Stream,
    Upstream,
    WholeAnswer,
    replay,
)
from agcore.conversion.client_stream import DeferredPreamble
from agcore.dialects.base import FrameKind, RequestSummary, StreamTap
from agcore.dialects.shared.event_edits import edited
from agcore.dialects.shared.faults import CUT, EMPTY, out_of_bounds
from agcore.dialects.whole_answer import array_of_chunks
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage

ReadUsage: TypeAlias = Callable[[Mapping[str, object]], Usage | None]
Judge: TypeAlias = Callable[[dict[str, object]], Fault | None]

MAX_HELD: Final = 256 * 1024
"""Bytes of announcements that are held back; more than any vendor sends before content."""


class PassThrough(AttemptConversion):
    """A request whose JSON answer passes as it is, under the model's name that the client used.

    Args:
        request: As it leaves.
        upstream: Who answers it, in the client's dialect.
        shown_model: The name that the answer must show; None where the upstream's is the client's.
        losses: What could not be carried.
        stream: As for `AttemptConversion`, with its headers; it is opened early.
        stream_headers: See there.
        read_usage: Reads what the answer consumed; the dialect's own way unless named.
        mend: Mends the answer in place, and tells whether it had to.
        judge: Says what an answer with a success failed of.
    """

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        *,
        shown_model: str | None,
        losses: Losses,
        stream: Stream | None = None,
        stream_headers: Headers = (),
        read_usage: ReadUsage | None = None,
        mend: Callable[[dict[str, object]], bool] | None = None,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(
            request,
            upstream,
            losses=losses,
            translated=False,
            stream=stream,
            stream_headers=stream_headers,
            opens_early=stream is not None,
        )
        self._shown_model = shown_model
        self._read_usage = upstream.dialect.pass_through.read_usage if read_usage is None else read_usage
        self._mend = mend
        self._judge = judge
        self._answer: dict[str, object] | None = None

    @property
    def response(self) -> Mapping[str, object] | None:
        """The answer."""
        return self._answer

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Check the answer and show it."""
        body = json_text.mended(body)
        answer = self.judged(self.read(body))
        if isinstance(answer, Fault):
            return answer
        self._answer = answer
        self._usage = self._read_usage(answer)
        body = self._mended(answer, body if body.lstrip().startswith(b"{") else json_text.encode(answer))
        member = self.upstream.dialect.traits.model_member
        if self._shown_model is not None and member in answer:
            body = edited(body, answer, {member: msgspec.json.encode(self._shown_model)})
        return WholeAnswer(body, failed=bool(answer.get("error")))

    def judged(self, answer: dict[str, object] | Fault) -> dict[str, object] | Fault:
        """The answer, or what it failed of although it is an object."""
        if isinstance(answer, Fault) or self._judge is None:
            return answer
        return self._judge(answer) or answer

    def _mended(self, answer: dict[str, object], body: bytes) -> bytes:
        try:
            return json_text.encode(answer) if self._mend is not None and self._mend(answer) else body
        except ValueError:  # nested too deeply to be written: it passes as it is
            return body


class Generation(msgspec.Struct, frozen=True):
    """The facts that a generation which passes through is made with, beside its request."""

    summary: RequestSummary
    shown_model: str | None
    """The name that the answer must show; None where the upstream's is the client's."""
    hides_usage: bool
    """Only the gateway asked for usage: the client does not see it."""
    signer: str
    """Whose signatures the answer holds."""
    mint: Callable[[], str]
    """Makes the id of an answer that has none."""


class GenerationPassThrough(PassThrough):
    """A generation, as a whole or as the stream that was asked for."""

    def __init__(self, request: Outgoing, upstream: Upstream, generation: Generation, *, losses: Losses) -> None:
        summary, shown_model = generation.summary, generation.shown_model
        self._tap: StreamTap | None = None
        stream = None
        if summary.stream:
            self._tap = upstream.dialect.pass_through.tap(shown_model=shown_model, hide_usage=generation.hides_usage)
            stream = PassThroughStream(self._tap, framing=summary.framing)
        super().__init__(
            request,
            upstream,
            shown_model=shown_model,
            losses=losses,
            stream=stream,
            stream_headers=() if stream is None else STREAM_HEADERS[summary.framing],
            mend=upstream.dialect.pass_through.mend_answer,
            judge=upstream.dialect.pass_through.judge,
        )
        self._generation = generation

    @property
    def response(self) -> Mapping[str, object] | None:
        """The response as the stream announced it, or the whole answer."""
        announced = None if self._tap is None else self._tap.response
        return self._answer if announced is None else announced

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Show the answer, as a stream where one was asked for."""
        if self.stream is None:
            return super().whole(body, now=now)
        chunks = array_of_chunks(body, dialect=self.upstream.dialect)
        if chunks is not None:
            return replay(self.stream, chunks)
        answer = self.judged(self.read(body))
        if isinstance(answer, Fault):
            return answer
        try:
            if self.upstream.dialect.traits.whole_is_event:
                return replay(self.stream, [answer])
            return self._synthesized(answer, now)
        except ValueError as error:  # nested too deeply to be written
            return Fault(status=502, message=f"the upstream's answer cannot be streamed: {error}")

    def _synthesized(self, answer: dict[str, object], now: float) -> Output | Fault:
        from agcore.conversion.synthesized_stream import synthesize_stream  # rare, and translating is not free

        assert isinstance(self.request.body, bytes)
        generation = self._generation
        told = synthesize_stream(
            self.upstream.dialect.traits.name,
            answer,
            request=self.request.body,
            signer=generation.signer,
            id=generation.mint(),
            model=generation.summary.model,
            created=int(now),
            show_usage=not generation.hides_usage,
        )
        if isinstance(told, Fault):
            return told
        self._answer = answer
        out, self._usage = told
        return Output(out, terminal=True)

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """Returns a conversion of the same bytes without the signatures in them; None where that is no remedy."""
        from agcore.dialects import foreign_signatures  # rare

        dialect = self.upstream.dialect.traits.name
        if not foreign_signatures.is_refusal(dialect, fault):
            return None
        assert isinstance(self.request.body, bytes)
        body = foreign_signatures.unsigned(dialect, self.request.body, losses=self.losses)
        if body is None:
            return None
        request = msgspec.structs.replace(self.request, body=body)
        return GenerationPassThrough(request, self.upstream, self._generation, losses=self.losses)


class PassThroughStream(DeferredPreamble):
    """An upstream's stream, watched by a dialect's tap on its way to the client."""

    def __init__(self, tap: StreamTap, *, framing: str) -> None:
        super().__init__(framing=framing)
        self.tap = tap
        self.terminal = False
        """The dialect's last event was passed on."""
        self.fault: Fault | None = None
        """Set when the stream failed; nothing more is to be fed."""
        self._decoder = Decoder()
        self._held_size = 0

    @property
    def usage(self) -> Usage | None:
        """Usage of the stream, as far as the upstream told it."""
        return self.tap.usage

    @property
    def complete(self) -> bool:
        """True where an end of the body now would be a proper one."""
        return self.tap.finished

    def feed(self, data: bytes) -> Output:
        """Returns what the client gets for a piece of the upstream's body."""
        if self.terminal:
            return NOTHING
        out: list[bytes] = []
        try:
            for frame in self._decoder.feed(data):
                if not self._pass(frame, out):
                    break
        except ValueError as error:
            self.fault = out_of_bounds(error)
        data = b"".join(out)
        return Output(data, not data and bool(self._held), self.terminal, self.fault)

    def end(self) -> Output:
        """The upstream ended its body: what the client still gets. `fault` is set if the end came too early."""
        out: list[bytes] = []
        if not self.terminal:
            try:
                last = self._decoder.close()
                if last is not None:
                    self._pass(last, out)
            except ValueError as error:
                self.fault = out_of_bounds(error)
        if self.fault is None and not self.complete:
            self.fault = CUT if self.committed else EMPTY
        if self.fault is None:
            out.append(self._closing())
        return Output(b"".join(out), terminal=self.fault is None, fault=self.fault)

    def broken(self) -> Output | None:
        """Returns what a stream still lacks whose upstream broke off; None where the answer is not complete."""
        return Output(self._closing(), terminal=True) if self.complete and self.fault is None else None

    def _closing(self) -> bytes:
        closing = self.tap.closing()
        return closing + b"]" if self._array else closing

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error, announcements first: the tap's error fits to them."""
        held = self.release()
        return held + self._ended(self.tap.error(fault, request_id))

    def _pass(self, frame: Frame, out: list[bytes]) -> bool:
        """Pass one frame on; whether another may follow."""
        meaning, piece = self.tap.read(frame)
        if meaning is FrameKind.ERROR:
            self.fault = self.tap.fault or CUT
            return False
        if piece and self._array:
            piece = self._element(piece)
        if self.committed:
            out.append(piece)
        elif meaning is FrameKind.LIFECYCLE and self._held_size + len(piece) <= MAX_HELD:
            if piece:
                self._held.append(piece)
                self._held_size += len(piece)
        else:
            out.append(self.release())
            out.append(piece)
        self.terminal = meaning is FrameKind.TERMINAL
        return not self.terminal
