"""Event streams that come where a whole answer was asked for (docs/wire/streams.md#answers-of-another-kind)."""

from __future__ import annotations

from collections.abc import Iterator

from agcore.codecs.header_fields import media_type
from agcore.codecs.sse import Decoder, Frame
from agcore.dialects.base import Dialect, FrameKind
from agcore.dialects.shared.faults import CUT, EMPTY, out_of_bounds
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers

_BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")


def folded(body: bytes, chunks: object, *, dialect: Dialect, headers: Headers) -> dict[str, object] | Fault | None:
    """The whole answer that a stream tells, or what it failed of; None for what is no stream.

    Args:
        body: The whole stream.
        chunks: What the body spells as JSON, such as the chunks of a stream in one array.
        dialect: What the upstream speaks.
        headers: Of the answer.
    """
    fold = dialect.pass_through.fold
    if fold is None:
        return None
    if isinstance(chunks, list):
        array = dialect.traits.stream_as_array and bool(chunks)
        events = [chunk for chunk in chunks if isinstance(chunk, dict)]
        return fold(events) if array and len(events) == len(chunks) else None
    if media_type(headers) != b"text/event-stream" and not body[:200].lstrip().startswith(_BEGINNINGS):
        return None
    read, finished, told = dialect.pass_through.events(), False, list[dict[str, object]]()
    try:
        for frame in _frames(body):
            event = read.read(frame)
            if event.kind is FrameKind.ERROR:
                return event.fault
            finished = finished or event.finished
            if event.data:
                told.append(event.data)
            if event.kind is FrameKind.TERMINAL:
                break
    except ValueError as error:
        return out_of_bounds(error)
    if not finished:
        return CUT if told else EMPTY
    return fold(told)


def _frames(body: bytes) -> Iterator[Frame]:
    decoder = Decoder()
    yield from decoder.feed(body)
    last = decoder.close()
    if last is not None:
        yield last
