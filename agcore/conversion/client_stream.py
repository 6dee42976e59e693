"""A client's event stream, as events or as an array of them, whose announcements wait for its first content.

Until something was shown, a stream that fails can still become an honest error, or another attempt.
"""

from __future__ import annotations


class DeferredPreamble:
    """A client's stream, as events or as an array of them, whose announcements wait for its first content."""

    def __init__(self, *, framing: str) -> None:
        self.committed = False
        """Something was passed on that cannot be taken back."""
        self._array = framing == "array"
        self._elements = 0
        self._held: list[bytes] = []

    @property
    def holding(self) -> bool:
        """True while announcements wait for content."""
        return bool(self._held)

    def release(self) -> bytes:
        """The announcements held so far, which commits the stream."""
        self.committed = True
        held, self._held = b"".join(self._held), []
        return held

    def _ended(self, frame: bytes) -> bytes:
        """A frame after which nothing comes."""
        return self._element(frame) + b"]" if self._array else frame

    def _element(self, frame: bytes) -> bytes:
        # Gemini's taps and writer make each frame one `data: ` line.
        self._elements += 1
        lead = b"[" if self._elements == 1 else b",\r\n"
        return lead + frame.removeprefix(b"data: ").strip()
