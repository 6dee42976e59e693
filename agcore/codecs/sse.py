"""Event streams (`text/event-stream`): bytes to frames and back.

A stream is a sequence of frames; a frame is everything up to and including the blank line that ends it. The decoder
cuts the stream into frames and reads the fields of each, by the WHATWG rules for event streams (HTML, section 9.2.6).
It goes further than they do in two points, because a gateway relays what it reads: a frame without data (a comment, a
lone `event:`, an extra blank line) is reported too, and each frame keeps its exact bytes in `raw`.

The contract, held by property tests:

* The frames depend on the bytes only, never on how they were cut into pieces.
* The concatenated `raw` of all frames is the stream, byte for byte, but for two things. One leading byte order mark
  vanishes; and where a blank line ends in a bare `\\r`, `raw` ends in `\\r\\n`. That is the only normalisation: such a
  frame is reported at once, before it can be known whether a `\\n` follows, so `raw` always has the `\\n` and one that
  does follow is swallowed.
* Work is linear in the size of the stream. The search for a blank line resumes where it stopped, and a frame that
  came in many pieces is copied once.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

DEFAULT_MAX_LINE: Final = 32 * 1024 * 1024
"""Bytes. Generated images and encrypted reasoning come as one line of several megabytes."""
DEFAULT_MAX_EVENT: Final = 32 * 1024 * 1024
"""Bytes."""

_BOM: Final = b"\xef\xbb\xbf"
# Two line ends in a row, where `\r\n` counts as one: nothing but `\n\n`, `\n\r`, `\r\r` and these with a `\n` behind.
_BLANK_LINE: Final = re.compile(rb"[\r\n](?:(?<=\n)\n|\r\n?)")
_JSON: Final = msgspec.json.Decoder(msgspec.Raw)


class SSELimitError(ValueError):
    """A line or an event of the stream is larger than the decoder was told to accept."""


class Frame(msgspec.Struct, frozen=True):
    """One frame of an event stream."""

    raw: bytes
    """The bytes of the frame, blank line included (see the module's note on a bare `\\r`)."""
    data: bytes | None = None
    """The `data` lines joined by `\\n`, malformed UTF-8 replaced by U+FFFD; None without such a line."""
    event: str | None = None
    """The event type; None when absent or empty."""
    id: str | None = None
    """The last event id set by this frame, where empty resets it; None when the frame sets none."""


class Decoder:
    """Cuts one event stream into frames.

    `max_line` bounds a line without its line end, `max_event` a frame without its blank line, both in bytes. The
    decoder holds at most one unfinished frame, so `max_event` also bounds its memory.
    """

    truncated: bool
    """After `close`: the stream ended inside a frame that could not be made sense of."""
    scanned: int
    """How many bytes the search for blank lines has looked at so far; linear in the size of the stream."""

    def __init__(self, *, max_line: int = DEFAULT_MAX_LINE, max_event: int = DEFAULT_MAX_EVENT) -> None:
        self.truncated = False
        self.scanned = 0
        self._max_line = max_line
        self._max_event = max_event
        self._pending = bytearray()  # the unfinished frame
        self._scan = 0  # where in it the search for a blank line resumes
        self._line = 0  # where in it the unfinished line starts
        self._at_start = True  # a byte order mark may still come
        self._swallow_lf = False  # the last frame ended in a bare `\r`
        self._has_cr = False
        self._broken: str | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next piece of the stream.

        Returns:
            The frames that are now complete, in order.

        Raises:
            SSELimitError: A limit is exceeded, and no frame before the offence is left to return. The decoder is dead:
                each later call raises it again.
        """
        frames = [] if self._broken else self._split(data)
        if self._broken and not frames:
            raise SSELimitError(self._broken)
        return frames

    def close(self) -> Frame | None:
        """Report the end of the stream. Nothing may be fed afterwards.

        Returns:
            The last frame, if the stream lacked only its ending: the data of the unfinished frame is complete JSON or
            `[DONE]`. Its `raw` is completed with the missing line ends. Otherwise None; `truncated` then says whether
            bytes were left over.

        Raises:
            SSELimitError: As from `feed`.
        """
        raw = bytes(self._pending)
        self._pending.clear()
        self._broken = self._broken or self._excess(raw)
        if self._broken:
            raise SSELimitError(self._broken)
        if not raw:
            return None
        if not raw.endswith((b"\r", b"\n")):
            raw += b"\n"
        # A `\n` behind a final `\r` would belong to that line end, and end no line of its own.
        frame = _parse(raw + (b"\r\n" if raw.endswith(b"\r") else b"\n"))
        if frame.data is not None and (frame.data == b"[DONE]" or _is_json(frame.data)):
            return frame
        self.truncated = True
        return None

    def _split(self, data: bytes) -> list[Frame]:
        if self._at_start:
            data = self._after_bom(data)
            if self._at_start:
                return []
        elif self._swallow_lf and data:
            self._swallow_lf = False
            data = data.removeprefix(b"\n")
        self._has_cr = self._has_cr or b"\r" in data

        frames: list[Frame] = []
        pending = self._pending
        buffer: bytes | bytearray = data
        start = scan = 0
        if pending:
            pending += data
            buffer, scan = pending, self._scan
        while (end := self._find_end(buffer, start, scan)) >= 0:
            if buffer is pending:
                buffer = bytes(pending)
                pending.clear()
                self._line = 0
            raw = bytes(buffer[start:end])
            if end - start > self._max_line or end - start > self._max_event:
                self._broken = self._excess(raw[: -2 if raw.endswith(b"\r\n") else -1])
                if self._broken:
                    return frames
            if raw.endswith(b"\r"):
                raw += b"\n"
                self._swallow_lf = end == len(buffer)
            frames.append(_parse(raw))
            start = scan = end
        if buffer is not pending:
            pending += buffer[start:]
            scan = 0
        if pending:
            self._hold(scan)
        return frames

    def _after_bom(self, data: bytes) -> bytes:
        """Return what follows the byte order mark; nothing, and keep the bytes, while it may be incomplete."""
        data = bytes(self._pending) + data
        self._pending.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._pending += data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _find_end(self, buffer: bytes | bytearray, start: int, scan: int) -> int:
        """Find where the frame at `start` ends, looking from `scan` on; -1 when it is unfinished."""
        if scan == start and buffer.startswith((b"\n", b"\r"), start):
            end = start + (2 if buffer.startswith(b"\r\n", start) else 1)
        elif self._has_cr:
            match = _BLANK_LINE.search(buffer, scan)
            end = match.end() if match else -1
        else:
            end = buffer.find(b"\n\n", scan)
            end = end + 2 if end >= 0 else -1
        self.scanned += (end if end >= 0 else len(buffer)) - scan
        return end

    def _hold(self, scan: int) -> None:
        """Note how far the unfinished frame was searched, of which the bytes from `scan` on are new; check its size."""
        pending = self._pending
        self._scan = len(pending) - 1  # the last byte may be the first line end of two
        self._line = max(self._line, pending.rfind(b"\n", scan) + 1, pending.rfind(b"\r", scan) + 1)
        if len(pending) > self._max_event or len(pending) - self._line > self._max_line:
            self._broken = self._excess(bytes(pending))
            pending.clear()

    def _excess(self, frame: bytes) -> str | None:
        """Say which limit `frame`, without its blank line, exceeds, if any."""
        if len(frame) > self._max_event:
            return f"an event of the stream is larger than {self._max_event} bytes"
        if len(frame) > self._max_line and max(map(len, _lines(frame))) > self._max_line:
            return f"a line of the stream is longer than {self._max_line} bytes"
        return None


def encode(data: bytes, *, event: str | None = None) -> bytes:
    """Render one frame that carries `data`, over as many `data` lines as it has lines.

    Args:
        data: The payload, UTF-8. Its line ends of any kind arrive as `\n` at the other end.
        event: The event type, one line; no `event` line without it.

    Returns:
        The frame, blank line included.
    """
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + b"\ndata: ".join(_lines(data)) + b"\n\n"


def _lines(text: bytes) -> list[bytes]:
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.split(b"\n")


def _parse(raw: bytes) -> Frame:
    """Read the fields of a whole frame."""
    data: list[bytes] = []
    event = last_id = None
    for line in _lines(raw)[:-2]:  # the last two are the blank line and the nothing behind it
        # A comment is a field without a name, and falls through like every name not known here (`retry` too).
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode(errors="replace") or None
        elif name == b"id" and b"\0" not in value:
            last_id = value.decode(errors="replace")
    if not data:
        return Frame(raw, None, event, last_id)
    joined = b"\n".join(data)
    if not joined.isascii():
        joined = joined.decode(errors="replace").encode()
    return Frame(raw, joined, event, last_id)


def _is_json(data: bytes) -> bool:
    try:
        _JSON.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
