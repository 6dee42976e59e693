"""Embeddings that pass through: vectors in the form that was asked for (docs/wire/openai-media.md#embeddings).

OpenAI's SDKs ask for base64 of 32-bit floats and decode whatever comes, so that a list of numbers becomes zeros in some
of them, without an error. Servers that only resemble OpenAI ignore the form, or refuse it.
"""

from __future__ import annotations

import struct

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import parse
from agcore.conversion.base import Answered, Conversion, Outgoing, Upstream, WholeAnswer
from agcore.conversion.media import MediaPassThrough
from agcore.conversion.passthrough import Judge, ReadUsage
from agcore.dialects.openai.embeddings import packed, unpacked
from agcore.dialects.shared.event_edits import edited
from agcore.dialects.tasks import MediaTask
from agcore.protocol.fault import Fault

_OTHER_NUMBERS = ("output_dtype", "embedding_types")
"""Members by which vendors of their own kind (Voyage, Mistral, Cohere) are asked for other numbers than floats."""


class EmbeddingsPassThrough(MediaPassThrough):
    """A request for vectors. `base64` is True where base64 was asked for, False for numbers, None for another form."""

    def __init__(
        self,
        request: Outgoing,
        upstream: Upstream,
        media: MediaTask,
        *,
        shown_model: str | None,
        read_usage: ReadUsage,
        judge: Judge | None,
        base64: bool | None,
    ) -> None:
        super().__init__(request, upstream, media, shown_model=shown_model, read_usage=read_usage, judge=judge)
        self._base64 = base64

    def whole(self, body: bytes, *, now: float) -> Answered:
        """Show the vectors in the form that was asked for."""
        shown = super().whole(body, now=now)
        if not isinstance(shown, WholeAnswer) or self._answer is None or self._base64 is None:
            return shown
        data = self._answer.get("data")
        items = data if isinstance(data, list) else []
        formed = [_formed(item, pack=self._base64) for item in items]
        if formed == items:
            return shown
        changed = {**self._answer, "data": formed}
        return msgspec.structs.replace(shown, body=edited(shown.body, changed, {"data": json_text.encode(formed)}))

    def unsigned(self, fault: Fault, *, now: float) -> Conversion | None:
        """The request anew without a form, where `fault` refuses the one that was asked for."""
        assert isinstance(self.request.body, bytes)
        refused = "encoding_format" in fault.message or "base64" in fault.message or fault.param == "encoding_format"
        members = parse(self.request.body)
        if not refused or "encoding_format" not in members or self._base64 is None:
            return None
        return EmbeddingsPassThrough(
            msgspec.structs.replace(self.request, body=members.edited({"encoding_format": None})),
            self.upstream,
            self._media,
            shown_model=self._shown_model,
            read_usage=self._read_usage,
            judge=self._judge,
            base64=self._base64,
        )


def asked_form(body: bytes) -> bool | None:
    """Whether a request asks for base64 or for numbers; None where it asks for numbers that are no floats."""
    members = parse(body)
    form = members.value("encoding_format")
    if any(members.value(name) not in (None, "float", ["float"]) for name in _OTHER_NUMBERS):
        return None
    return {None: False, "float": False, "base64": True}.get(form if isinstance(form, str | None) else "")


def _formed(item: object, *, pack: bool) -> object:
    """An entry of the answer with its vector in the form that was asked for; itself where that cannot be."""
    if not isinstance(item, dict):
        return item
    vector = item.get("embedding")
    try:
        if pack and isinstance(vector, list):
            return {**item, "embedding": packed(vector)}
        if not pack and isinstance(vector, str):
            return {**item, "embedding": unpacked(vector)}
    except (ValueError, OverflowError, struct.error):  # no numbers, none of 32 bits, no base64
        return item
    return item
