"""Multipart uploads: image edits, transcriptions, translations.

The form's `model` decides where the upload goes, and it may stand anywhere in it. Up to `BUFFERED` bytes are held in
memory. A form that is complete by then is sent like any other body. If it is known by then that all who may serve it
take it as it is, the rest passes through as it arrives, as fast as the upstream takes it; if not, all of it is put
aside until it is complete.

What is translated for an upstream of another dialect must be in memory as a whole. So a form that may go there, of at
most `FormRules.max_whole` bytes, is read back when it is complete; a larger one can only pass through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.multipart import boundary_of
from agcore.machines.operation import ExchangeParts
from agcore.operations.forward import Forward
from agcore.operations.held_form import HeldForm
from agcore.operations.task import FormRules, Task
from agcore.protocol.fault import Fault, invalid
from agcore.routing.candidates import Candidate

BUFFERED: Final = 1024 * 1024
"""Bytes of a form that are held in memory."""


class Upload(Forward):
    """One request whose body is a form; `rules` are those of the task."""

    def __init__(self, parts: ExchangeParts, task: Task, rules: FormRules) -> None:
        super().__init__(parts, task)
        self._rules = rules
        self._candidates: tuple[Candidate, ...] = ()
        self._form: HeldForm

    def begin(self, *, now: float) -> None:
        """A form has a boundary, or it is none."""
        headers = self.request.head.headers
        boundary = boundary_of(headers)
        if isinstance(boundary, Fault):
            return self.client.fail(boundary, now=now)
        self._form = HeldForm(headers, boundary, coded=bool(self.request.codings))
        return None

    def receive_body(self, data: bytes, *, now: float) -> None:
        """Hold a piece, pass it on, or put it aside."""
        form = self._form
        fault = form.add(data)
        if fault is not None:
            return self.client.fail(fault, now=now)
        if form.begun:
            out = form.patched(data)
            if out:
                self.calls.calls[-1].send_body(out, now=now)
            return None
        if form.spooled:
            self.parts.environment.spool(data)
            if self._candidates and not self._able:
                self.client.fail(self._rules.too_large(self.asking), now=now)
            return None
        if self.memory.reserve(len(data), now=now):
            form.hold(data)
            if form.size > BUFFERED:
                self._overflow(now)
        return None

    def run(self, body: bytes, *, now: float) -> None:
        """The form is complete: send what was held, or end what passed by."""
        form = self._form
        form.scan.end()
        if form.scan.fault is not None:
            return self.client.fail(form.scan.fault, now=now)
        if form.passes:
            return self.calls.calls[-1].end_body(now=now)
        if not (self._candidates or self._found_candidates(now)):
            return None
        if not (form.spooled and any(map(self.asking.is_translated, self._able))):
            return self.ask(self._candidates, now=now)
        if self.memory.reserve(form.size, now=now):
            self.parts.environment.read_spool(now=now)
        return None

    def ask(self, candidates: Sequence[Candidate], *, counts_as_retry: bool = False, now: float) -> None:
        """Ask. What is not in memory as a whole can only pass through."""
        if self._form.passes or self._form.spooled:
            candidates = tuple(each for each in candidates if not self.asking.is_translated(each))
        if candidates:
            super().ask(candidates, counts_as_retry=counts_as_retry, now=now)
        else:
            self.client.fail(self._rules.too_large(self.asking), now=now)

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        """Takes the form that was put aside and has been read back."""
        self._form.restore(data)
        self.ask(self._candidates, now=now)

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        """The form is lost."""
        self.client.fail(Fault(status=507, message=f"the upload that was put aside {reason}"), now=now)

    @property
    def _able(self) -> tuple[Candidate, ...]:
        """The candidates that take a form of this size: what came of it, or what the client announced."""
        most = self._rules.max_whole(self.services.config.limits)
        fits = self._form.announced <= most
        return tuple(each for each in self._candidates if fits or not self.asking.is_translated(each))

    def _overflow(self, now: float) -> None:
        """There is more of the form than is held in memory."""
        if "model" in self._form.scan.fields and not self._found_candidates(now):
            return
        able = self._able
        if self._candidates and not able:
            self.client.fail(self._rules.too_large(self.asking), now=now)
        elif not able or any(map(self.asking.is_translated, able)):
            self._put_aside()
        else:
            # The rest passes by, to whoever takes the beginning.
            self._form.passes = True
            self.parts.body.pass_through()
            self.ask(able, now=now)

    def _found_candidates(self, now: float) -> bool:
        """Find the candidates by the form's model; else the request has failed."""
        if not self._form.model:
            self.client.fail(invalid("`model` is required", param="model"), now=now)
            return False
        candidates = self.read(msgspec.structs.replace(self.asking, content=self._form), now=now)
        if isinstance(candidates, Fault):
            self.client.fail(candidates, now=now)
            return False
        self._candidates = candidates
        return True

    def _put_aside(self) -> None:
        for piece in self._form.pieces():
            self._form.spooled = self.parts.environment.spool(piece)
        self.memory.release(self._form.size)
