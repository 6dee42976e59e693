"""Multipart uploads: image edits, transcriptions, translations.

The form's `model` decides where the upload goes, and it may stand anywhere in it. Up to `BUFFERED` bytes are held in
memory. A form that is complete by then is sent like any other body. If its model is known by then, the rest passes
through as it arrives, as fast as the upstream takes it; if not, all of it is put aside until the model is found. In
each case only the bytes of the model's name change.
"""

from __future__ import annotations

from typing import ClassVar, Final

from agcore.config import Limits
from agcore.dialects.base import Ask
from agcore.effects import Body, Patch, Spooled, Streamed
from agcore.fault import Fault, invalid
from agcore.headers import first
from agcore.inputs import Headers
from agcore.multipart_form import FormScan, boundary_of
from agcore.operations.media import Media
from agcore.patches import Patcher, patched_length

BUFFERED: Final = 1024 * 1024
"""Bytes of a form that are held in memory."""


class Upload(Media):
    """A form with files."""

    json_body: ClassVar[bool] = False

    _patcher: Patcher | None = None
    _spool = 0

    @classmethod
    def max_body(cls, limits: Limits) -> int:
        """Forms may be larger than JSON."""
        return limits.max_body

    def begin(self, *, now: float) -> None:
        """A form has a boundary, or it is none."""
        boundary = boundary_of(self.request.head.headers)
        if isinstance(boundary, Fault):
            return self.exchange.fail(boundary, now=now)
        self._scan = FormScan(boundary)
        self._held: list[bytes] = []
        self._size = 0
        return None

    def content_type(self, headers: Headers) -> bytes:
        """The form's own, with its boundary."""
        return first(headers, b"content-type") or b""

    def take(self, data: bytes, *, now: float) -> None:
        """Hold a piece, pass it on, or put it aside."""
        self._size += len(data)
        self._scan.feed(data)
        if self._scan.fault is not None:
            return self.exchange.fail(self._scan.fault, now=now)
        if self._patcher is not None:
            return self._pass_on(self._patcher.feed(data), now)
        if self._spool:
            self.exchange.spool(data)
            return None
        if not self.exchange.reserve(len(data), now=now):
            return None
        self._held.append(data)
        if self._size > BUFFERED:
            if "model" in self._scan.fields:
                self._stream_on(now)
            else:
                self._put_aside()
        return None

    def complete(self, *, now: float) -> None:
        """The form is complete: send what was held, or end what passed by."""
        self._scan.end()
        if self._scan.fault is not None:
            return self.exchange.fail(self._scan.fault, now=now)
        if self._patcher is not None:
            return self.exchange.calls[-1].end_body(now=now)
        patches = self._find_patches()
        if isinstance(patches, Fault):
            return self.exchange.fail(patches, now=now)
        length = patched_length(self._size, patches)
        if self._spool:
            return self._send(Spooled(self._spool, patches), length=length, now=now)
        body = Patcher(patches).feed(b"".join(self._held))
        self._held.clear()
        return self._send(body, length=length, now=now)

    def _stream_on(self, now: float) -> None:
        patches = self._find_patches()
        if isinstance(patches, Fault):
            return self.exchange.fail(patches, now=now)
        self._patcher = Patcher(patches)
        declared = first(self.request.head.headers, b"content-length")
        length = None if declared is None else patched_length(int(declared), patches)
        begun = self._patcher.feed(b"".join(self._held))
        self._held.clear()
        self._send(Streamed(begun), length=length, now=now)
        return self.exchange.upload()

    def _put_aside(self) -> None:
        for piece in self._held:
            self._spool = self.exchange.spool(piece)
        self._held.clear()

    def _pass_on(self, data: bytes, now: float) -> None:
        if data:
            self.exchange.calls[-1].send(data, now=now)

    def _find_patches(self) -> tuple[Patch, ...] | Fault:
        """Find the way by the form's model; what must change in the form for it."""
        field = self._scan.fields.get("model")
        if field is None or not field.value:
            return invalid("`model` is required", param="model")
        self.ask = Ask(model=field.value)
        way = self.find_way(field.value)
        if isinstance(way, Fault):
            return way
        self.way = way
        if way.model == field.value:
            return ()
        return (Patch(field.offset, field.length, way.model.encode()),)

    def _send(self, body: Body, *, length: int | None, now: float) -> None:
        assert self.way is not None
        target = self.upstream_target(self.way)
        assert target is not None
        self.ask_upstream(self.way, target, body, length=length, now=now)
