"""A stream on its way through, between an upstream and a client of the same dialect.

Frames pass byte for byte, but for the edits that the dialect's tap makes. What is added is order: announcements wait
for the first content (so that a stream which fails at once can still become an honest error, or another attempt),
nothing follows the terminal event, and an upstream that stops early is a fault and never a quiet end.
"""

from __future__ import annotations

from typing import Final

from agcore.codecs.sse import Decoder, Frame
from agcore.conversation.usage import Usage
from agcore.conversion.client_stream import DeferredPreamble
from agcore.dialects.base import Meaning, StreamTap
from agcore.dialects.shared.faults import CUT, EMPTY, out_of_bounds
from agcore.protocol.fault import Fault

MAX_HELD: Final = 256 * 1024
"""Bytes of announcements that are held back; more than any vendor sends before content."""


class PassThroughStream(DeferredPreamble):
    """Bytes of the upstream in, bytes for the client out."""

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
        """What the stream consumed, as far as it told."""
        return self.tap.usage

    @property
    def complete(self) -> bool:
        """Whether an end now would be a proper one."""
        return self.tap.finished

    def feed(self, data: bytes) -> bytes:
        """What the client gets for a piece of the upstream's body. Look at `fault` and `terminal` afterwards."""
        out: list[bytes] = []
        if not self.terminal:
            try:
                for frame in self._decoder.feed(data):
                    if not self._pass(frame, out):
                        break
            except ValueError as error:
                self.fault = out_of_bounds(error)
        return b"".join(out)

    def end(self) -> bytes:
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
            out.append(self.finish())
        return b"".join(out)

    def finish(self) -> bytes:
        """What a stream whose answer is complete still lacks, whether or not its upstream's body ended."""
        closing = self.tap.closing()
        return closing + b"]" if self._array else closing

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error, announcements first: the tap's error fits to them."""
        held = self.release()
        return held + self._ended(self.tap.error(fault, request_id))

    def _pass(self, frame: Frame, out: list[bytes]) -> bool:
        """Pass one frame on; whether another may follow."""
        meaning, piece = self.tap.read(frame)
        if meaning is Meaning.ERROR:
            self.fault = self.tap.fault or CUT
            return False
        if piece and self._array:
            piece = self._element(piece)
        if self.committed:
            out.append(piece)
        elif meaning is Meaning.LIFECYCLE and self._held_size + len(piece) <= MAX_HELD:
            if piece:
                self._held.append(piece)
                self._held_size += len(piece)
        else:
            out.append(self.release())
            out.append(piece)
        self.terminal = meaning is Meaning.TERMINAL
        return not self.terminal
