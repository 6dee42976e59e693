"""A streamed transcript on its way from an upstream of one dialect to a client of another."""

from __future__ import annotations

from typing import Final

from agcore.codecs.sse import Frame
from agcore.conversation.transcripts import Transcript
from agcore.dialects.base import FrameKind
from agcore.dialects.tasks import TranscriptReader, TranscriptWriter
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


class TranscriptTap:
    """The upstream's events as the client's; see `base.StreamTap`."""

    response: Final = None

    def __init__(self, reader: TranscriptReader, writer: TranscriptWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._texts: list[str] = []

    @property
    def usage(self) -> Usage | None:
        """Usage of the stream, as far as the upstream told it."""
        return self._reader.usage

    @property
    def finished(self) -> bool:
        """True once the transcript is complete."""
        return self._reader.finished

    @property
    def fault(self) -> Fault | None:
        """Failure of the stream; None while all is well."""
        return self._reader.fault

    def read(self, frame: Frame) -> tuple[FrameKind, bytes]:
        """Returns the kind of a frame, and the client's event for what was said in it."""
        text = self._reader.feed(frame)
        if self._reader.fault is not None:
            return FrameKind.ERROR, b""
        if not text:
            return FrameKind.LIFECYCLE, b""
        self._texts.append(text)
        return FrameKind.CONTENT, self._writer.feed(text)

    def closing(self) -> bytes:
        """The event with the whole transcript."""
        reader = self._reader
        transcript = Transcript(text="".join(self._texts), usage=reader.usage, audio_input=reader.audio_input)
        return self._writer.end(transcript)

    def error(self, fault: Fault, request_id: str) -> bytes:
        """The event that ends the client's stream in an error."""
        return self._writer.error(fault, request_id)
