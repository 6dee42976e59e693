"""Pictures drawn and edited: passed on to OpenAI's dialect, or drawn by Google's models for clients of that dialect.

What passes on is `Media`'s and `Upload`'s affair. For Gemini's and Imagen's models the request is read, divided into
calls of their kind and handed to a `Drawing`. A way whose model draws nothing, or cannot do what is asked, is ruled out
before anything is sent: the next one may be able to.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from agcore.codecs import json_text
from agcore.codecs.multipart import boundary_of, read_form
from agcore.conversation.images import ImageRequest
from agcore.conversation.losses import refusal
from agcore.conversation.values import Invalid
from agcore.dialects.gemini import images as images_google
from agcore.dialects.gemini import traits as gemini
from agcore.dialects.gemini.images import Method
from agcore.dialects.openai import images as images_openai
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.drawing import Drawing
from agcore.operations.generate import SSE_HEADERS
from agcore.operations.media import Media
from agcore.operations.upload import Upload
from agcore.protocol.fault import Fault, invalid
from agcore.routing.selection import Candidate
from agcore.upstream.request import UpstreamPlan


class Images(Media):
    """`/v1/images/generations`, and `/v1/images/edits` in JSON."""

    speaking: ClassVar[tuple[str, ...]] = ("openai", "gemini")
    subject: ClassVar[str] = "images"

    _drawing: Drawing | None = None
    """The calls that draw, where the request is translated."""
    _rendered = 0
    """Bytes of their requests, which are accounted for as long as they may be repeated."""

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan | Fault | None:
        """Pass the request on, or have its pictures drawn by calls of their own."""
        self.exchange.release_memory(self._rendered)
        self._rendered = 0
        self._drawing = None
        if candidate.endpoint.dialect == self.dialect.NAME:
            return super().call_plan(call, candidate, now=now)
        self.start_anew(candidate)
        profile = self.services.catalog.profile(candidate.model)
        if profile.vendor and not profile.image_output:
            return invalid(f"{candidate.model!r} at {candidate.provider.name!r} draws no pictures", param="model")
        request = self._read()
        if isinstance(request, Fault):
            return request
        method = images_google.method_of(profile)
        bodies = self._bodies(request, method, candidate.model)
        on_loss = self.services.config.proxy.on_loss
        refused = refusal(self._losses, model=candidate.model, dialect=candidate.endpoint.dialect, on_loss=on_loss)
        if refused is not None:
            return refused
        size = sum(map(len, set(bodies)))
        if not self.exchange.reserve(size, now=now):
            return None
        self._rendered = size
        self._drawing = Drawing(
            self,
            msgspec.structs.replace(request, images=(), mask=None),  # the bodies have them
            method,
            target=gemini.action_target(
                candidate.endpoint.prefix, self.match_there(), candidate.model, method.encode("ascii")
            ),
            bodies=bodies,
            candidate=candidate,
            instead_of=call,
            losses=self._losses,
        )
        # An upstream of the client's own dialect may answer with no stream, which one that is open could not take.
        if request.stream and all(each.endpoint.dialect != self.dialect.NAME for each in self._drawing.later):
            self.exchange.expect_stream(SSE_HEADERS, keepalive=self.dialect.KEEPALIVE, now=now)
        self._drawing.begin(now=now)
        return None

    def _read(self) -> ImageRequest | Fault:
        try:
            return self.read_request()
        except Invalid as error:
            return invalid(str(error), param=error.param)
        except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
            return invalid(str(error))

    def read_request(self) -> ImageRequest | Fault:
        """What the client wants drawn. Raises `Invalid`, or another ValueError, for what cannot be read."""
        match = self.request.match
        assert match is not None
        body = json_text.decode(self._members.body)
        assert isinstance(body, dict)
        edit = match.route.path.endswith("/edits")
        return (images_openai.parse_edit if edit else images_openai.parse_generation)(body, self._losses)

    def _bodies(self, request: ImageRequest, method: Method, model: str) -> list[bytes]:
        """The body of each call."""
        counts = images_google.division(request, method)
        if method == "generateContent":
            body = json_text.encode(images_google.render_gemini(request, model=model, losses=self._losses))
            return [body] * len(counts)
        bodies = {
            count: json_text.encode(
                images_google.render_imagen(request, model=model, images=count, losses=self._losses)
            )
            for count in dict.fromkeys(counts)
        }
        return [bodies[count] for count in counts]

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A stream that opens before the upstream answered tells where it is going to come from."""
        if self._drawing is not None:
            self.exchange.stream_head((*SSE_HEADERS, *self.headers_down(call, ())))

    def keepalive(self, usual: bytes) -> bytes:
        """What keeps a stream alive that its first picture opened, while the next one is drawn."""
        return usual if self._drawing is None else self.dialect.KEEPALIVE


class ImageForms(Images, Upload):
    """`/v1/images/edits` as a form."""

    def read_request(self) -> ImageRequest | Fault:
        """What the form asks for."""
        boundary = boundary_of(self.request.head.headers)
        assert isinstance(boundary, bytes)  # `Upload` has looked
        form = read_form(b"".join(self._held), boundary)
        if isinstance(form, Fault):
            return form
        return images_openai.parse_edit_form(form.fields, form.files, self._losses)
