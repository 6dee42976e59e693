"""Generation: Chat Completions, Completions, Responses, Messages and generateContent, streamed or not."""

from __future__ import annotations

from typing import Final

from agcore.call import Call
from agcore.fault import Fault
from agcore.headers import media_type
from agcore.inputs import Headers
from agcore.operations.pass_through import PassThrough, Way
from agcore.stream_pass import StreamPass

SSE_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
ARRAY_HEADERS: Final[Headers] = ((b"content-type", b"application/json; charset=utf-8"), *SSE_HEADERS[1:])


class Generate(PassThrough):
    """An answer as a whole, as `PassThrough` has it, or as a stream."""

    _stream: StreamPass | None = None
    _streaming = False

    def upstream_target(self, way: Way) -> bytes | None:
        """The dialect's generation endpoint."""
        assert self.request.match is not None
        return self.dialect.generate_target(way.endpoint.prefix, self.request.match, way.model, self.ask)

    def prepare(self, *, now: float) -> None:
        """Make ready for a stream where one was asked for."""
        if self.ask.stream:
            tap = self.dialect.StreamTap(shown_model=self.shown_model, hide_usage=self.hides_usage)
            self._stream = StreamPass(tap, framing=self.ask.framing)
            self._stream_headers = SSE_HEADERS if self.ask.framing == "sse" else ARRAY_HEADERS
            self.exchange.expect_stream(self._stream_headers, keepalive=self.dialect.KEEPALIVE, now=now)

    def called(self, call: Call) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self._stream is not None:
            self.exchange.stream_head((*self._stream_headers, *self.exchange.provenance(call)))

    def call_head(self, call: Call, status: int, headers: Headers, *, now: float) -> None:
        """A stream is one only if its content type says so: a JSON answer to a stream request is read as such."""
        super().call_head(call, status, headers, now=now)
        if self._stream is not None and media_type(headers) == b"text/event-stream":
            self._streaming = True
            self.exchange.stream_head((*self._stream_headers, *self.headers_down(call, headers)))

    def call_data(self, call: Call, data: bytes, *, now: float) -> None:
        """Pass a piece of the stream on."""
        if not self._streaming:
            return super().call_data(call, data, now=now)
        assert self._stream is not None
        was_terminal = self._stream.terminal
        out = self._stream.feed(data)
        if out:
            # A Responses stream may end in an upstream's own words about a failure.
            self.exchange.write(call.scrubbed(out) if self._stream.terminal else out, now=now)
        elif self._stream.holding:
            self.exchange.hold(now=now)
        if self._stream.fault is not None:
            self.exchange.fail(call.presentable(self._stream.fault), now=now)
        elif self._stream.terminal and not was_terminal:
            self.exchange.linger(now=now)
        return None

    def call_end(self, call: Call, *, now: float) -> None:
        """End the stream, properly or not."""
        if self._stream is None:
            return super().call_end(call, now=now)
        if not self._streaming:
            return self._fail_unstreamed(call, now)
        out = self._stream.end()
        if out:
            self.exchange.write(out, now=now)
        if self._stream.fault is not None:
            return self.exchange.fail(call.presentable(self._stream.fault), now=now)
        return self.exchange.end(now=now)

    def call_failed(self, call: Call, fault: Fault, *, now: float) -> None:
        """A connection that breaks after the answer was complete takes nothing from it."""
        if self._stream is not None and self._stream.complete:
            out = self._stream.finish()
            if out:
                self.exchange.write(out, now=now)
            return self.exchange.end(now=now)
        return super().call_failed(call, fault, now=now)

    def _fail_unstreamed(self, call: Call, now: float) -> None:
        answer = self.read_answer(call, now=now)
        if not isinstance(answer, Fault):
            message = f"{call.plan.provider.name} answered a stream request with a whole JSON answer"
            answer = Fault(status=502, message=message, code="upstream_invalid_answer")
        self.exchange.fail(answer, now=now)

    def release(self, *, now: float) -> None:
        """Announcements go out although no content came."""
        assert self._stream is not None
        self.exchange.write(self._stream.release(), now=now)

    def error_in_stream(self, fault: Fault) -> bytes | None:
        """The dialect's own error, fitting to what was sent."""
        assert self._stream is not None
        return self._stream.error(fault, self.request.id)

    def row(self) -> dict[str, object]:
        """Usage as the stream told it."""
        if self._stream is not None and self._stream.tap.usage is not None:
            self.usage = self._stream.tap.usage
        return super().row()
