"""Multipart uploads: image edits, transcriptions, translations.

The form's `model` decides where the upload goes, and it may stand anywhere in it. Up to `BUFFERED` bytes are held in
memory. A form that is complete by then is sent like any other body. If it is known by then that all who may serve it
take it as it is, the rest passes through as it arrives, as fast as the upstream takes it; if not, all of it is put
aside until it is complete. In each case only the bytes of the model's name change.

What is translated for an upstream of another dialect must be in memory as a whole. So a form that may go there, of at
most `max_whole` bytes, is read back when it is complete; a larger one can only pass through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from agcore.codecs.header_fields import first
from agcore.codecs.multipart import FormScan, boundary_of
from agcore.config.values import Limits
from agcore.dialects.base import RequestSummary
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.media import Media
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers, Patch, Spooled, Streamed
from agcore.protocol.patches import Patcher, patched_length
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan

BUFFERED: Final = 1024 * 1024
"""Bytes of a form that are held in memory."""


class Upload(Media):
    """A form with files."""

    body: ClassVar[BodyPolicy] = BodyPolicy.PIECES
    json_body: ClassVar[bool] = False

    _candidates: tuple[Candidate, ...] = ()
    _patcher: Patcher | None = None
    _streams = False
    _spool = 0

    @classmethod
    def max_body(cls, limits: Limits) -> int:
        """Forms may be larger than JSON."""
        return limits.max_body

    def begin(self, *, now: float) -> None:
        """A form has a boundary, or it is none."""
        boundary = boundary_of(self.request.head.headers)
        if isinstance(boundary, Fault):
            return self.client.fail(boundary, now=now)
        self._scan = FormScan(boundary)
        self._held: list[bytes] = []
        self._size = 0
        return None

    def content_type(self, headers: Headers) -> bytes:
        """The form's own, with its boundary."""
        return first(headers, b"content-type") or b""

    def receive_body(self, data: bytes, *, now: float) -> None:
        """Hold a piece, pass it on, or put it aside."""
        self._size += len(data)
        self._scan.feed(data)
        if self._scan.fault is not None:
            return self.client.fail(self._scan.fault, now=now)
        if self._patcher is not None:
            return self._pass_on(self._patcher.feed(data), now)
        if self._spool:
            self.parts.environment.spool(data)
            if self._candidates and not self._able:
                self.client.fail(self._too_large(), now=now)
            return None
        if self.memory.reserve(len(data), now=now):
            self._held.append(data)
            if self._size > BUFFERED:
                self._overflow(now)
        return None

    def run(self, body: bytes, *, now: float) -> None:
        """The form is complete: send what was held, or end what passed by."""
        self._scan.end()
        if self._scan.fault is not None:
            return self.client.fail(self._scan.fault, now=now)
        if self._streams:
            return self.calls.calls[-1].end_body(now=now)
        return self._ask(now)

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """The form with the model's name of this way."""
        self.start_anew(candidate)
        field = self._scan.fields["model"]
        patches: tuple[Patch, ...] = ()
        if candidate.model != field.value:
            patches = (Patch(field.offset, field.length, candidate.model.encode()),)
        target = self.upstream_target(candidate)
        assert target is not None
        if self._streams:
            self._patcher = Patcher(patches)
            declared = first(self.request.head.headers, b"content-length")
            length = None if declared is None else patched_length(int(declared), patches)
            return self.plan(target, Streamed(self._patcher.feed(b"".join(self._held))), length=length)
        length = patched_length(self._size, patches)
        if self._spool:
            return self.plan(target, Spooled(self._spool, patches), length=length)
        return self.plan(target, Patcher(patches).feed(b"".join(self._held)), length=length)

    def start(self, candidates: Sequence[Candidate], *, now: float, further: bool = False) -> None:
        """Ask. What is not in memory as a whole can only pass through."""
        if self._streams or self._spool:
            candidates = tuple(candidate for candidate in candidates if not self._needs_whole(candidate))
        if candidates:
            self.calls.start(candidates, to=self, now=now, counts_as_retry=further)
        else:
            self.client.fail(self._too_large(), now=now)

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """What was put aside is in memory again."""
        self._held.append(data)
        self._spool = 0
        self.start(self._candidates, now=now)

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """It is lost."""
        self.client.fail(Fault(status=507, message=f"the upload that was put aside {reason}"), now=now)

    @property
    def max_whole(self) -> int:
        """Bytes of a form that is translated."""
        return self.services.config.limits.max_json * 3 // 4  # what is no larger as JSON than JSON may be

    def _needs_whole(self, candidate: Candidate) -> bool:
        return candidate.endpoint.dialect != self.dialect.traits.name

    @property
    def _able(self) -> tuple[Candidate, ...]:
        """The ways that take a form of this size: what came of it, or what the client announced."""
        declared = first(self.request.head.headers, b"content-length")
        size = self._size if declared is None else max(self._size, int(declared))
        return tuple(
            candidate for candidate in self._candidates if size <= self.max_whole or not self._needs_whole(candidate)
        )

    def _overflow(self, now: float) -> None:
        """There is more of the form than is held in memory."""
        if "model" in self._scan.fields and not self._found_ways(now):
            return
        able = self._able
        if self._candidates and not able:
            self.client.fail(self._too_large(), now=now)
        elif not able or any(map(self._needs_whole, able)):
            self._put_aside()
        else:
            # The rest passes by, to whoever takes the beginning.
            self._streams = True
            self.parts.body.pass_through()
            self.start(able, now=now)

    def _ask(self, now: float) -> None:
        if not (self._candidates or self._found_ways(now)):
            return
        if not (self._spool and any(map(self._needs_whole, self._able))):
            self.start(self._candidates, now=now)
        elif self.memory.reserve(self._size, now=now):
            self.parts.environment.read_spool(now=now)

    def _found_ways(self, now: float) -> bool:
        """Find the ways by the form's model; else the request has failed."""
        field = self._scan.fields.get("model")
        if field is None or not field.value:
            self.client.fail(invalid("`model` is required", param="model"), now=now)
            return False
        self.ask = RequestSummary(model=field.value)
        candidates = self.find_candidates(field.value)
        if isinstance(candidates, Fault):
            self.client.fail(candidates, now=now)
            return False
        self._candidates = candidates
        return True

    def _too_large(self) -> Fault:
        message = f"a form for {self.ask.model!r} is translated, and may have at most {self.max_whole} bytes"
        return Fault(status=413, message=message, code="request_too_large")

    def _put_aside(self) -> None:
        for piece in self._held:
            self._spool = self.parts.environment.spool(piece)
        self.memory.release(self._size)
        self._held.clear()

    def _pass_on(self, data: bytes, now: float) -> None:
        if data:
            self._held.clear()  # what follows was not kept: it cannot be said again
            self.calls.calls[-1].send_body(data, now=now)
