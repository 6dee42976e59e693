"""An upstream's event stream of one dialect, made into the client's of another.

`UpstreamStream` reads, `ClientStream` writes, `StreamTranslation` is both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from agcore.codecs.sse import Decoder, Frame
from agcore.conversation import compaction
from agcore.conversation.values import Cited, Consumed, Delta, Finished, Started
from agcore.conversion.base import NOTHING, Output
from agcore.conversion.client_stream import DeferredPreamble
from agcore.dialects import DIALECTS
from agcore.dialects.base import ResponseWriter
from agcore.dialects.shared.faults import EMPTY, out_of_bounds
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

if TYPE_CHECKING:
    from agcore.conversion.translation import Translation

_NOT_CONTENT: Final = (Started, Consumed, Cited)


class UpstreamStream:
    """An upstream's event stream, read into deltas as the client may see them."""

    def __init__(self, translation: Translation, *, id: str) -> None:
        self.terminal = False
        """The stream's last event was read."""
        self.fault: Fault | None = None
        self.finished = False
        """Some choice was finished: an end now is a proper one."""
        self._unsummed = translation.conversation.compacts
        """A summary is wanted, and nothing was said yet."""
        self._translation = translation
        self._mapper = translation.delta_mapper(id=id)
        self._decoder = Decoder()
        self._reader = DIALECTS[translation.target.dialect].upstream.reader(signer=translation.target.signer)

    def feed(self, data: bytes) -> list[Delta]:
        """Returns the deltas in a piece of the body, after which `fault` and `terminal` may be set."""
        deltas: list[Delta] = []
        if not self.terminal and self.fault is None:
            try:
                for frame in self._decoder.feed(data):
                    deltas += self._read(frame)
                    if self._reader.fault is not None:
                        break
                    if self._reader.terminal:
                        deltas += self._end()
                        break
            except ValueError as error:
                self.fault = out_of_bounds(error)
        return deltas

    def end(self) -> list[Delta]:
        """The body ended. `fault` is set if that came too early."""
        deltas: list[Delta] = []
        if not self.terminal and self.fault is None:
            try:
                last = self._decoder.close()
            except ValueError as error:
                self.fault = out_of_bounds(error)
                return deltas
            if last is not None:
                deltas += self._read(last)
            if self.fault is None:
                deltas += self._end()
        return deltas

    def whole(self, answer: dict[str, object]) -> list[Delta]:
        """Returns the deltas of an upstream that answered a stream request as a whole."""
        deltas = self._translation.read(answer)
        if isinstance(deltas, Fault):
            self.fault = deltas
            return []
        self.terminal = True
        return self._seen(deltas)

    def _end(self) -> list[Delta]:
        deltas = self._seen(self._reader.end())
        self.fault = self._reader.fault
        if self.fault is None and not self.finished:
            self.fault = EMPTY
        if self.fault is None and self._unsummed:
            self.fault = compaction.NO_SUMMARY
        self.terminal = self.fault is None
        return deltas

    def _read(self, frame: Frame) -> list[Delta]:
        deltas = self._seen(self._reader.feed(frame))
        self.fault = self._reader.fault
        return deltas

    def _seen(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if isinstance(delta, Finished):
                self.finished = True
        self._unsummed = self._unsummed and not compaction.is_told(deltas)
        return list(self._mapper.deltas(deltas))


class ClientStream(DeferredPreamble):
    """Deltas written as a client's event stream. Announcements are held back until there is content."""

    def __init__(self, writer: ResponseWriter, *, framing: str) -> None:
        super().__init__(framing=framing)
        self.usage: Usage | None = None
        self.writer = writer

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """The bytes for deltas; none while only announcements came."""
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Consumed):
                self.usage = delta.usage
            self._put(self.writer.feed(delta), out, content=not isinstance(delta, _NOT_CONTENT))
        return b"".join(out)

    def close(self) -> bytes:
        """The bytes that end the stream."""
        out: list[bytes] = []
        self._put(self.writer.end(), out, content=True)
        if self._array:
            out.append(b"]")
        return b"".join(out)

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the stream in an error, announcements first."""
        held = self.release()
        return held + self._ended(self.writer.error(fault, request_id))

    def _put(self, data: bytes, out: list[bytes], *, content: bool) -> None:
        if data and self._array:
            data = b"".join(self._element(frame) for frame in data.split(b"\r\n\r\n") if frame)
        if self.committed:
            out.append(data)
        elif content:
            out.append(self.release())
            out.append(data)
        elif data:
            self._held.append(data)


class StreamTranslation:
    """One upstream's stream made into the client's; the same face as `PassThroughStream`."""

    def __init__(self, upstream: UpstreamStream, client: ClientStream) -> None:
        self._upstream = upstream
        self._client = client

    @property
    def terminal(self) -> bool:
        """The client's stream was ended."""
        return self._upstream.terminal

    @property
    def fault(self) -> Fault | None:
        """Set when the upstream's stream failed; nothing more is to be fed."""
        return self._upstream.fault

    @property
    def usage(self) -> Usage | None:
        """Usage of the stream, as far as the upstream told it."""
        return self._client.usage

    @property
    def writer(self) -> ResponseWriter:
        """The writer of the client's stream."""
        return self._client.writer

    @property
    def complete(self) -> bool:
        """True where an end of the body now would be a proper one."""
        return self.terminal or (self._client.committed and self._upstream.finished)

    def feed(self, data: bytes) -> Output:
        """Returns what the client gets for a piece of the upstream's body."""
        upstream = self._upstream
        return NOTHING if upstream.terminal else self._written(upstream.feed(data))

    def whole(self, answer: dict[str, object]) -> Output:
        """The client's stream for an upstream that answered a stream request as a whole."""
        return self._written(self._upstream.whole(answer))

    def end(self) -> Output:
        """The upstream ended its body: what the client still gets. `fault` is set if the end came too early."""
        return Output(terminal=True) if self.terminal else self._written(self._upstream.end())

    def broken(self) -> Output | None:
        """Returns what a stream still lacks whose upstream broke off; None where the answer is not complete."""
        return self.end() if self.complete and self.fault is None else None

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""
        return self._client.release()

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error."""
        return self._client.error(fault, request_id)

    def _written(self, deltas: list[Delta]) -> Output:
        upstream, client = self._upstream, self._client
        out = client.write(deltas)
        if upstream.terminal:
            out += client.close()
        return Output(out, not out and client.holding, upstream.terminal, upstream.fault)
