"""A stream on its way through, between an upstream and a client of the same dialect.

Frames pass byte for byte, but for the edits that the dialect's tap makes. What is added is order: announcements wait
for the first content (so that a stream which fails at once can still become an honest error, or another attempt),
nothing follows the terminal event, and an upstream that stops early is a fault and never a quiet end.
"""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import CUT, EMPTY, Meaning, StreamTap
from agcore.fault import Fault
from agcore.sse import Decoder, SSELimitError

MAX_HELD: Final = 256 * 1024
"""Bytes of announcements that are held back; more than any vendor sends before content."""


class StreamPass:
    """Bytes of the upstream in, bytes for the client out."""

    def __init__(self, tap: StreamTap, *, framing: str) -> None:
        self.tap = tap
        self.terminal = False
        """The dialect's last event was passed on."""
        self.committed = False
        """Something was passed on that cannot be taken back."""
        self.fault: Fault | None = None
        """Set when the stream failed; nothing more is to be fed."""
        self._decoder = Decoder()
        self._array = framing == "array"
        self._elements = 0
        self._held: list[bytes] = []
        self._held_size = 0

    @property
    def holding(self) -> bool:
        """Whether announcements wait for content."""
        return bool(self._held)

    @property
    def complete(self) -> bool:
        """Whether an end now would be a proper one."""
        return self.terminal or (self.committed and self.tap.finished)

    def feed(self, data: bytes) -> bytes:
        """What the client gets for a piece of the upstream's body. Look at `fault` and `terminal` afterwards."""
        out: list[bytes] = []
        try:
            for frame in self._decoder.feed(data):
                if self.terminal or self.fault is not None:
                    break
                meaning, piece = self.tap.read(frame)
                self._pass(meaning, piece, out)
        except SSELimitError as error:
            self.fault = Fault(status=502, message=f"the upstream's stream is out of bounds: {error}")
        return b"".join(out)

    def end(self) -> bytes:
        """The upstream ended its body: what the client still gets. `fault` is set if the end came too early."""
        out: list[bytes] = []
        last = self._decoder.close()
        if last is not None and not self.terminal:
            self._pass(*self.tap.read(last), out)
        if self.fault is None and not self.complete:
            self.fault = CUT if self.committed else EMPTY
        if self.fault is None:
            out.append(self._finish())
        return b"".join(out)

    def finish(self) -> bytes:
        """End a stream whose answer is complete although its upstream's body is not."""
        return self._finish()

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""
        self.committed = True
        held, self._held = b"".join(self._held), []
        return held

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The bytes that end the client's stream in an error."""
        frame = self.tap.error(fault, request_id)
        return self._element(frame) + b"]" if self._array else frame

    def _finish(self) -> bytes:
        closing = b"" if self.terminal and not self._array else self.tap.closing()
        return closing + b"]" if self._array else closing

    def _pass(self, meaning: Meaning, piece: bytes, out: list[bytes]) -> None:
        if meaning is Meaning.ERROR:
            self.fault = self.tap.fault or CUT
            return
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

    def _element(self, frame: bytes) -> bytes:
        # Gemini's taps write each frame as one `data: ` line.
        self._elements += 1
        lead = b"[" if self._elements == 1 else b",\r\n"
        return lead + frame.removeprefix(b"data: ").strip()
