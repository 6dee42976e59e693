"""Pictures drawn and edited: passed on to the client's own dialect, or drawn by models of another one.

What passes on is `Media`'s and `Upload`'s affair. For models of another dialect the request is read, divided into calls
of their kind and handed to a `Drawing`. A way whose model draws nothing, or cannot do what is asked, is ruled out
before anything is sent: the next one may be able to.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from agcore.codecs import json_text
from agcore.codecs.multipart import Form, boundary_of, read_form
from agcore.conversation.images import ImageRequest
from agcore.conversation.losses import refusal
from agcore.conversation.values import Invalid
from agcore.dialects import task_registry
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.drawing import Drawing
from agcore.operations.generate import SSE_HEADERS
from agcore.operations.media import Media
from agcore.operations.upload import Upload
from agcore.protocol.fault import Fault, invalid
from agcore.routing.candidates import Candidate
from agcore.upstream.request import UpstreamPlan


class Images(Media):
    """`/v1/images/generations`, and `/v1/images/edits` in JSON."""

    speaking: ClassVar[tuple[str, ...]] = task_registry.images().dialects
    subject: ClassVar[str] = "images"

    _drawing: Drawing | None = None
    """The calls that draw, where the request is translated."""
    _rendered = 0
    """Bytes of their requests, which are accounted for as long as they may be repeated."""

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the request on, or have its pictures drawn by calls of their own."""
        self.memory.release(self._rendered)
        self._rendered = 0
        self._drawing = None
        if candidate.endpoint.dialect == self.dialect.traits.name:
            return super().call_plan(call, candidate, now=now)
        self.start_anew(candidate)
        at = self.destination(candidate)
        if at.profile.vendor and not at.profile.image_output:
            return invalid(f"{candidate.model!r} at {candidate.provider.name!r} draws no pictures", param="model")
        request = self._read()
        if isinstance(request, Fault):
            return request
        upstream = task_registry.images().upstreams[candidate.endpoint.dialect]
        bodies = upstream.write_requests(request, at, self._losses)
        on_loss = self.services.config.proxy.on_loss
        refused = refusal(self._losses, model=candidate.model, dialect=candidate.endpoint.dialect, on_loss=on_loss)
        if refused is not None:
            return refused
        size = sum(map(len, set(bodies)))
        if not self.memory.reserve(size, now=now):
            return None
        self._rendered = size
        self._drawing = Drawing(
            self,
            msgspec.structs.replace(request, images=(), mask=None),  # the bodies have them
            at,
            bodies=bodies,
            candidate=candidate,
            instead_of=call,
            losses=self._losses,
        )
        # An upstream of the client's own dialect may answer with no stream, which one that is open could not take.
        if request.stream and all(each.endpoint.dialect != self.dialect.traits.name for each in self._drawing.later):
            self.client.expect_stream(SSE_HEADERS, keepalive=self.dialect.traits.keepalive, now=now)
        self._drawing.begin(now=now)
        return None

    def _read(self) -> ImageRequest | Fault:
        match = self.request.match
        client = task_registry.images().clients[self.dialect.traits.name]
        try:
            body = self.decoded()
            if isinstance(body, Fault):
                return body
            return client.read_request(body, path=match.route.path, model=self.ask.model, losses=self._losses)
        except Invalid as error:
            return invalid(str(error), param=error.param)
        except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
            return invalid(str(error))

    def decoded(self) -> dict[str, object] | Form | Fault:
        """The request's body as an object or a form. Raises ValueError for what cannot be read."""
        body = json_text.decode(self._members.body)
        assert isinstance(body, dict)
        return body

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self._drawing is not None:
            self.client.stream_head((*SSE_HEADERS, *self.headers_down(call, ())))

    def keepalive(self, usual: bytes) -> bytes:
        """What keeps a stream alive that its first picture opened, while the next one is drawn."""
        return usual if self._drawing is None else self.dialect.traits.keepalive


class ImageForms(Images, Upload):
    """`/v1/images/edits` as a form."""

    def decoded(self) -> dict[str, object] | Form | Fault:
        """The form, or what is wrong with it."""
        boundary = boundary_of(self.request.head.headers)
        assert isinstance(boundary, bytes)  # `Upload` has looked
        return read_form(b"".join(self._held), boundary)
