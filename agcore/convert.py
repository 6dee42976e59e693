"""One request and its answer, or its stream, between two dialects: the translator of the gateway without the gateway.

    converted = agcore.convert(request, source=..., target=..., model=...)
    upstreams = post(base_url + converted.path, converted.body)
    answer = converted.answer(upstreams)  # or converted.stream(), fed with the bytes of an event stream

Nothing is read or drawn: the same arguments give the same bytes. `losses` lists what the upstream's dialect or model
has no word for; a request that would mean something else without such a thing raises `ConversionError`.

The dialects are loaded by the first call, because most users of the core convert nothing by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agcore.codecs import json_text
from agcore.protocol.fault import Fault

if TYPE_CHECKING:
    from agcore.conversion.translation import Translation
    from agcore.dialects import ClientDialect, UpstreamDialect
    from agcore.dialects.base import Dialect, Traits
    from agcore.protocol.report import Loss


class ConversionError(ValueError):
    """A request or an answer that cannot be converted.

    Attributes:
        fault: What is wrong, with the HTTP status that fits it.
        answer: The same error as the source's dialect words it, for the client.
    """

    def __init__(self, fault: Fault, answer: dict[str, Any]) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.answer = answer


class ConvertedStream:
    """The client's event stream, made from the upstream's. Made by `ConvertedRequest.stream`.

    All that `feed` and `end` return, joined, is a well-formed stream of the source's dialect, whatever the upstream
    does. Announcements wait for the first content, so that a stream that fails at once can still be answered otherwise:
    `fault` is set then, and what was returned with it is all that there is of the stream.

    Attributes:
        fault: How the stream failed; None while it has not. Its error is part of the bytes that were returned.
        finished: The client's stream has ended, by a fault or properly. Later calls return nothing.
    """

    def __init__(self, translation: Translation, *, id: str, model: str, created: int) -> None:
        self._stream = translation.stream(id=id, model=model, created=created, framing="sse")
        self._id = id
        self.fault: Fault | None = None
        self.finished = False

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for a piece of the upstream's body, cut anywhere; often none."""
        return b"" if self.finished else self._checked(self._stream.feed(data).data)

    def end(self) -> bytes:
        """The client's last bytes, now that the upstream's body has ended; an error if that came too early."""
        return b"" if self.finished else self._checked(self._stream.end().data)

    def _checked(self, out: bytes) -> bytes:
        self.fault = self._stream.fault
        self.finished = self.fault is not None or self._stream.terminal
        return out if self.fault is None else out + self._stream.error(self.fault, self._id)


class ConvertedRequest:
    """A client's request as the upstream is asked it, and the way back for the answer. Made by `convert`.

    Attributes:
        source: The client's dialect, as it was given.
        target: The upstream's dialect, as it was given.
        path: Path and query of the request, below a base URL as configurations have it.
        request: The JSON object for the upstream. Gemini's paths name the model, and whether to stream; the other
            dialects name both in the object.
    """

    def __init__(
        self,
        translation: Translation,
        *,
        source: ClientDialect,
        target: UpstreamDialect,
        path: str,
        model: str,
        id: str,
        created: int,
    ) -> None:
        self.source = source
        self.target = target
        self.path = path
        self.request: dict[str, Any] = translation.rendered
        self._translation = translation
        self._model = model
        self._id = id
        self._created = created

    @property
    def body(self) -> bytes:
        """The JSON of `request`, as the gateway would send it."""
        return self._translation.body

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What could not be carried, in the order of the request; nothing is dropped in silence."""
        return tuple(self._translation.losses)

    def answer(self, answer: Mapping[str, Any] | bytes, *, status: int = 200) -> dict[str, Any]:
        """The client's whole answer for the upstream's.

        Args:
            answer: The upstream's body, as bytes or decoded.
            status: The HTTP status that it came with.

        Raises:
            ConversionError: It is an error (by its status, or inside a 200), or no answer. The error's `answer` is what
                to give the client, with the status of its `fault`.
        """
        from agcore.dialects import DIALECTS
        from agcore.dialects.whole_answer import fault_from_answer, read_object

        body = answer if isinstance(answer, bytes) else json_text.encode(answer)
        dialect = DIALECTS[self._translation.target.dialect]
        if status >= 300:
            fault = fault_from_answer(dialect, provider="the upstream", status=status, headers=(), body=body)
            raise _error(fault, self.source, self._id)
        read = read_object(body, dialect=dialect, provider="the upstream", status=status, headers=())
        if isinstance(read, Fault):
            raise _error(read, self.source, self._id)
        written = self._translation.answer(read, id=self._id, model=self._model, created=self._created)
        if isinstance(written, Fault):
            raise _error(written, self.source, self._id)
        return _object(written[0])

    def stream(self) -> ConvertedStream:
        """A converter for the upstream's event stream; each attempt takes one of its own."""
        return ConvertedStream(self._translation, id=self._id, model=self._model, created=self._created)


def convert(
    request: Mapping[str, Any] | bytes,
    *,
    source: ClientDialect,
    target: UpstreamDialect,
    model: str = "",
    stream: bool | None = None,
    capabilities: Mapping[str, Mapping[str, object]] | None = None,
    signer: str = "",
    strict: bool = False,
    id: str = "",
    created: int = 0,
) -> ConvertedRequest:
    """Convert a client's request for an upstream of another dialect.

    Args:
        request: The client's body, as bytes or decoded.
        source: The client's dialect.
        target: The upstream's dialect.
        model: The upstream's name of the model; empty for the one in the request. A Gemini request names none.
        stream: Whether a stream is asked for; None for what the request says. A Gemini request does not say.
        capabilities: What models take where the shipped table is wrong, as under `[capabilities]` in a configuration.
        signer: Whose reasoning signatures go along, as the presets have it; empty for the vendor of the dialect.
        strict: Refuse what would lose more than notes, as `on_loss = "reject"` does.
        id: Of the answer, without a dialect's prefix; empty for one that is derived from the request.
        created: The time of the answer, in whole seconds since the epoch.

    Returns:
        The request for the upstream, and what converts its answer back. The answer's model is the one that the client
        asked for.

    Raises:
        ConversionError: The request is not one of its dialect, means something else without what would be lost, or
            needs more than one request at the upstream, as several answers (`n`) and several prompts may.
        ValueError: There is no such dialect, or the two are one.
    """
    from agcore.conversion.translation import ModelTarget, translate
    from agcore.dialects import DIALECTS
    from agcore.dialects.base import PathParts
    from agcore.models.profiles import profile

    client = _registered(source, DIALECTS).name
    upstream = _registered(target, {name: each for name, each in DIALECTS.items() if each.translatable})
    if client == upstream.name:
        raise ValueError(f"both sides speak {source}: there is nothing to convert")
    body = request if isinstance(request, bytes) else json_text.encode(request)
    id = id or hashlib.blake2s(body, digest_size=12).hexdigest()
    try:
        asked = _object(body)
    except ValueError:
        raise _error(Fault(status=400, message="the request is not a JSON object"), source, id) from None
    named = asked.get("model")
    shown = named if isinstance(named, str) and named else model
    if not shown:
        raise _error(Fault(status=400, message="the request names no model", param="model"), source, id)
    model = model or shown
    streamed = asked.get("stream") is True if stream is None else stream
    place = ModelTarget(upstream.name, model, profile(model, capabilities), signer or upstream.signer)
    translation = translate(client, body, model=shown, stream=streamed, target=place)
    if isinstance(translation, Fault):
        raise _error(translation, source, id)
    fault = translation.refusal(on_loss="reject" if strict else "report")
    if fault is not None:
        raise _error(fault, source, id)
    if translation.others:
        count = len(translation.others) + 1
        message = f"{target} gives one answer to a request: this one would take {count} requests"
        raise _error(Fault(status=400, message=message, code="not_translatable"), source, id)
    path = upstream.generate_target(b"", PathParts(), model, stream=streamed).decode("ascii")
    return ConvertedRequest(translation, source=source, target=target, path=path, model=shown, id=id, created=created)


def _registered(name: str, registry: Mapping[str, Dialect]) -> Traits:
    from agcore.dialects import OTHER_NAMES

    found = registry.get(OTHER_NAMES.get(name, name))
    if found is None:
        raise ValueError(f"{name!r} is none of {', '.join(registry)}")
    return found.traits


def _object(data: bytes) -> dict[str, Any]:
    value = json_text.decode(data)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _error(fault: Fault, source: str, request_id: str) -> ConversionError:
    from agcore.dialects import DIALECTS, OTHER_NAMES

    errors = DIALECTS[OTHER_NAMES.get(source, source)].errors
    return ConversionError(fault, _object(errors.render_error(fault, request_id)))
