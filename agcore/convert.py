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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agcore.codecs import json_text
from agcore.protocol.fault import Fault, invalid

if TYPE_CHECKING:
    from agcore.conversation.losses import Losses
    from agcore.conversion.base import Conversion, Output
    from agcore.conversion.translation import ModelTarget
    from agcore.dialects import ClientDialect, UpstreamDialect
    from agcore.dialects.base import Dialect, RequestSummary
    from agcore.protocol.report import Loss

_UPSTREAM: Final = "the upstream"
"""What errors call it."""


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

    def __init__(self, conversion: Conversion, *, id: str) -> None:
        self._conversion = conversion
        self._id = id
        self.fault: Fault | None = None
        self.finished = False

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for a piece of the upstream's body, cut anywhere; often none."""
        return b"" if self.finished else self._told(self._conversion.feed(data))

    def end(self) -> bytes:
        """The client's last bytes, now that the upstream's body has ended; an error if that came too early."""
        if self.finished:
            return b""
        out = self._told(self._conversion.end())
        self.finished = True
        return out

    def _told(self, output: Output) -> bytes:
        self.fault = output.fault
        self.finished = output.terminal or output.fault is not None
        if output.fault is None or output.terminal:
            return output.data
        return output.data + (self._conversion.error(output.fault, self._id) or b"")


class ConvertedRequest:
    """A client's request as the upstream is asked it, and the way back for the answer. Made by `convert`.

    Attributes:
        source: The client's dialect, as it was given.
        target: The upstream's dialect, as it was given.
        path: Path and query of the request, below a base URL as configurations have it.
        body: The JSON text for the upstream.
        losses: What could not be carried, in the order of the request; nothing is dropped in silence.
    """

    def __init__(
        self,
        made: _Made,
        *,
        source: ClientDialect,
        target: UpstreamDialect,
        path: str,
        id: str,
        created: int,
    ) -> None:
        self.source = source
        self.target = target
        self.path = path
        self.body = made.body
        self.losses: tuple[Loss, ...] = tuple(made.losses)
        self._attempt = made.attempt
        self._id = id
        self._created = created

    @property
    def request(self) -> dict[str, Any]:
        """The JSON object for the upstream.

        Gemini's paths name the model, and whether to stream; the other dialects name both in the object.
        """
        return _object(self.body)

    def answer(self, answer: Mapping[str, Any] | bytes, *, status: int = 200) -> dict[str, Any]:
        """The client's whole answer for the upstream's.

        Args:
            answer: The upstream's body, as bytes or decoded.
            status: The HTTP status that it came with.

        Raises:
            ConversionError: It is an error (by its status, or inside a 200), or no answer. The error's `answer` is what
                to give the client, with the status of its `fault`.
        """
        from agcore.conversion.base import WholeAnswer
        from agcore.dialects.whole_answer import fault_from_answer

        body = answer if isinstance(answer, bytes) else json_text.encode(answer)
        if status >= 300:
            dialect = _dialect(self.target)
            fault = fault_from_answer(dialect, provider=_UPSTREAM, status=status, headers=(), body=body)
            raise _error(fault, self.source, self._id)
        answered = self._attempt(False).whole(body, now=self._created)
        if isinstance(answered, Fault):
            raise _error(answered, self.source, self._id)
        assert isinstance(answered, WholeAnswer)
        return _object(answered.body)

    def stream(self) -> ConvertedStream:
        """A converter for the upstream's event stream; each attempt takes one of its own."""
        return ConvertedStream(self._attempt(True), id=self._id)


def convert(
    request: Mapping[str, Any] | bytes,
    *,
    source: ClientDialect,
    target: UpstreamDialect,
    model: str = "",
    stream: bool | None = None,
    capabilities: Mapping[str, Mapping[str, object]] | None = None,
    signer: str = "",
    vendor: str = "",
    strict: bool = False,
    id: str = "",
    created: int = 0,
) -> ConvertedRequest:
    """Convert a client's request for an upstream.

    Between two dialects the request is translated. Within one, it passes byte for byte but for the name of the model
    and what the gateway would edit, too; what a look-alike of the dialect knows nothing of is told in other words.

    Args:
        request: The client's body, as bytes or decoded.
        source: The client's dialect.
        target: The upstream's dialect.
        model: The upstream's name of the model; empty for the one in the request. A Gemini request names none.
        stream: Whether a stream is asked for; None for what the request says. A Gemini request does not say.
        capabilities: What models take where the shipped table is wrong, as under `[capabilities]` in a configuration.
        signer: Whose reasoning signatures go along, as the presets have it; empty for the vendor of the dialect.
        vendor: Who serves the model, as presets are named; empty when unknown.
        strict: Refuse what would lose more than notes, as `on_loss = "reject"` does.
        id: Of the answer, without a dialect's prefix; empty for one that is derived from the request.
        created: The time of the answer, in whole seconds since the epoch.

    Returns:
        The request for the upstream, and what converts its answer back. The answer's model is the one that the client
        asked for.

    Raises:
        ConversionError: The request is not one of its dialect, means something else without what would be lost, or
            needs more than one request at the upstream, as several answers (`n`) and several prompts may.
        ValueError: There is no such dialect, or none that upstreams are asked in.
    """
    from agcore.conversation.losses import refusal
    from agcore.conversion.translation import ModelTarget
    from agcore.dialects.base import PathParts, RequestSummary
    from agcore.models.known import profile

    client, upstream = _dialect(source), _dialect(target)
    if not upstream.translatable:
        raise ValueError(f"upstreams are not asked in {target!r}")
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
    summary = RequestSummary(model=shown, stream=asked.get("stream") is True if stream is None else stream)
    signer = signer or upstream.traits.signer
    known = profile(model, capabilities, vendor=vendor, dialect=upstream.traits.name)
    place = ModelTarget(upstream.traits.name, model, known, signer)
    if client is upstream:
        made = _passed(body, upstream, summary, place, id=id, created=created)
    else:
        made = _translated(body, client, upstream, summary, place, id=id, created=created)
    if isinstance(made, Fault):
        raise _error(made, source, id)
    policy = "reject" if strict else "report"
    fault = refusal(made.losses, model=model, dialect=upstream.traits.name, on_loss=policy)
    if fault is not None:
        raise _error(fault, source, id)
    path = upstream.traits.generate_target(b"", PathParts(), model, stream=summary.stream).decode("ascii")
    return ConvertedRequest(made, source=source, target=target, path=path, id=id, created=created)


class _Made(msgspec.Struct, frozen=True):
    """A request for the upstream; `attempt` makes what reads an answer to it, whole or (True) streamed."""

    body: bytes
    losses: Losses
    attempt: Callable[[bool], Conversion]


def _translated(
    body: bytes,
    client: Dialect,
    upstream: Dialect,
    summary: RequestSummary,
    target: ModelTarget,
    *,
    id: str,
    created: int,
) -> _Made | Fault:
    from agcore.conversion.base import Outgoing, Upstream
    from agcore.conversion.generation import TranslatedGeneration
    from agcore.conversion.translation import translate

    made = translate(client.traits.name, body, model=summary.model, stream=summary.stream, target=target)
    if isinstance(made, Fault):
        return made
    if made.others:
        count = len(made.others) + 1
        message = f"the upstream gives one answer to a request: this one would take {count} requests"
        return Fault(status=400, message=message, code="not_translatable")
    request, asked = Outgoing(b"", (), body=made.body), Upstream(_UPSTREAM, upstream)

    def attempt(stream: bool) -> Conversion:
        wanted = msgspec.structs.replace(summary, stream=stream)
        return TranslatedGeneration(request, asked, made, summary=wanted, id=id, created=created)

    return _Made(made.body, made.losses, attempt)


def _passed(
    body: bytes, upstream: Dialect, summary: RequestSummary, target: ModelTarget, *, id: str, created: int
) -> _Made | Fault:
    from agcore.codecs.json_splice import BodyError, parse
    from agcore.conversation.losses import Losses
    from agcore.conversion.base import Outgoing, Upstream
    from agcore.conversion.passthrough import Generation, GenerationPassThrough
    from agcore.dialects import foreign_signatures, lookalikes

    losses, model, signer, manners = Losses(), target.model, target.signer, target.profile.upstream
    try:
        members = parse(body)
        if lookalikes.is_foreign(upstream.traits.name, members, manners):
            return _translated(body, upstream, upstream, summary, target, id=id, created=created)
        changes, hides_usage = upstream.pass_through.edits(members, summary, model)
        members = parse(members.edited(changes))
        changes = foreign_signatures.edits(upstream.traits.name, members, signer=signer, losses=losses)
        if upstream.traits.stream_path is None and summary.stream != (members.value("stream") is True):
            changes["stream"] = b"true" if summary.stream else b"false"
        members = parse(members.edited(changes))
        edited = members.edited(lookalikes.edits(upstream.traits.name, members, manners, losses))
    except BodyError as error:
        return invalid(str(error))
    request, asked = Outgoing(b"", (), body=edited), Upstream(_UPSTREAM, upstream)
    shown = None if model == summary.model else summary.model

    def attempt(stream: bool) -> Conversion:
        wanted = msgspec.structs.replace(summary, stream=stream)
        generation = Generation(wanted, shown, hides_usage, signer, lambda: id)
        return GenerationPassThrough(request, asked, generation, losses=losses)

    return _Made(edited, losses, attempt)


def _dialect(name: str) -> Dialect:
    from agcore.config.values import dialect_of
    from agcore.dialects import DIALECTS

    found = DIALECTS.get(dialect_of(name))
    if found is None:
        raise ValueError(f"{name!r} is none of {', '.join(DIALECTS)}")
    return found


def _object(data: bytes) -> dict[str, Any]:
    value = json_text.decode(data)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _error(fault: Fault, source: str, request_id: str) -> ConversionError:
    return ConversionError(fault, _object(_dialect(source).render_error(fault, request_id)))
