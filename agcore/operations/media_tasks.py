"""The tasks about media and embeddings, one row each: how a request is read, who takes it, and how it is converted.

What a task needs only where it is translated loads with the first such request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.header_fields import first
from agcore.codecs.multipart import Form
from agcore.config.values import Limits, dialect_name
from agcore.conversation.losses import Losses, refusal
from agcore.conversion.base import Conversion, Division, Outgoing
from agcore.conversion.passthrough import PassThroughStream, ReadUsage
from agcore.dialects import task_registry
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.no_answer import needs, no_answer
from agcore.dialects.shared.request_edits import summary_of_body
from agcore.dialects.tasks import ImagesClient, MediaTask, TranscriptsClient
from agcore.operations.asking import JSON, Asking
from agcore.operations.endpoints import not_asked, one_of, own_dialect, speaks_only
from agcore.operations.fan_out import later_than
from agcore.operations.held_form import HeldForm
from agcore.operations.task import Convert, FormRules, Task
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Body
from agcore.protocol.report import Usage
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution

if TYPE_CHECKING:
    from agcore.conversation.images import ImageRequest
    from agcore.conversation.transcripts import TranscriptRequest


def read_media(asking: Asking) -> RequestSummary | Fault:
    """The model: from the path where it stands there, else from the body. A stream is recognised by its answer."""
    if asking.parts.model:
        return RequestSummary(model=asking.parts.model)
    content = asking.content
    if isinstance(content, HeldForm):
        return RequestSummary(model=content.model)
    default = media_of(asking).DEFAULT_MODELS.get(asking.request.match.route.path)
    if default is not None and asking.members.value("model") is None:
        return RequestSummary(model=default)
    summary = summary_of_body(asking.members, asking.parts)
    return summary if isinstance(summary, Fault) else RequestSummary(model=summary.model)


def media_of(asking: Asking) -> MediaTask:
    """Returns the functions that read and write media in the client's dialect."""
    return task_registry.media()[asking.dialect.traits.name]


_HELD: Final[Mapping[str, str]] = {
    "/v1/images/generations": "data",
    "/v1/images/edits": "data",
    "/v1/moderations": "results",
}
"""Route -> the member without which its answer is none."""


def pass_media(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion:
    """Pass a request for media through, whatever its body is."""
    return passed_media(asking, candidate, read_usage=media_of(asking).read_usage)


def passed_media(asking: Asking, candidate: Candidate, *, read_usage: ReadUsage) -> Conversion:
    """A request for media that passes through: of its body, only the model's name changes."""
    from agcore.conversion.media import MediaPassThrough

    held = _HELD.get(asking.request.match.route.path)
    shown_model = asking.shown_model(candidate)
    return MediaPassThrough(
        passed_request(asking, candidate),
        asking.upstream(candidate),
        media_of(asking),
        shown_model=shown_model,
        read_usage=read_usage,
        judge=None if held is None else needs(held),
    )


def passed_embeddings(asking: Asking, candidate: Candidate) -> Conversion:
    """A request for vectors that passes through."""
    from agcore.conversion.embeddings import EmbeddingsPassThrough, asked_form

    return EmbeddingsPassThrough(
        passed_request(asking, candidate),
        asking.upstream(candidate),
        media_of(asking),
        shown_model=asking.shown_model(candidate),
        read_usage=embedding_usage,
        judge=judge_embeddings,
        base64=None if asking.parts.model else asked_form(asking.members.body),
    )


def passed_request(asking: Asking, candidate: Candidate) -> Outgoing:
    """The client's request as it leaves for an upstream of its own dialect, under the upstream's name of the model."""
    media, content = media_of(asking), asking.content
    sent = asking.request.head.headers
    kind, length = JSON, None
    body: Body
    if isinstance(content, HeldForm):
        kind = first(sent, b"content-type") or b""
        body, length = content.outgoing(candidate.model)
    elif "model" in asking.members or asking.parts.model:
        changes, _ = asking.dialect.pass_through.edits(asking.members, asking.summary, candidate.model)
        body = asking.members.edited(changes)
    else:
        body = asking.members.edited({})
    headers = asking.headers(
        candidate, (b"content-type", kind), (b"accept", first(sent, b"accept") or b"*/*"), translated=False
    )
    target = media.target(asking.request.match.route.path, asking.destination(candidate))
    return Outgoing(target, headers, body=body, length=length)


def is_repeatable(asking: Asking) -> bool:
    """Returns True where answering the request twice is not paid for twice."""
    return media_of(asking).is_repeatable(asking.request.match.route.path)


def need_one_of(dialects: Callable[[], Sequence[str]], subject: str, asking: Asking, found: Resolution) -> Fault:
    """None of the model's providers speaks what `subject` needs."""
    return speaks_only(asking, found, why=f"; {subject} need one of {', '.join(map(dialect_name, dialects()))}")


def media_task(
    convert: Convert, dialects: Callable[[], Sequence[str]], subject: str, *, form: FormRules | None = None
) -> Task:
    """A task that passes through, or is translated for one of some dialects."""
    return Task(
        read=read_media,
        endpoint=lambda asking, target: one_of(dialects(), asking, target),
        unserved=partial(need_one_of, dialects, subject),
        convert=convert,
        repeatable=is_repeatable,
        form=form,
        media=True,
    )


MEDIA: Final = Task(
    read=read_media,
    endpoint=own_dialect,
    unserved=not_asked,
    convert=pass_media,
    repeatable=is_repeatable,
    media=True,
)
"""Images, audio and moderations that pass through."""


def embed(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion | Fault:
    """Pass a request for embeddings through, or write it anew for a candidate of another dialect."""
    if not asking.is_translated(candidate):
        return passed_embeddings(asking, candidate)

    from agcore.conversation.values import Invalid
    from agcore.conversion.media import TranslatedTask

    task, at, losses, model = task_registry.embeddings(), asking.destination(candidate), Losses(), asking.summary.model
    client, half = task.clients[asking.dialect.traits.name], task.upstreams[candidate.endpoint.dialect]
    try:
        body = json_text.decode(asking.members.body)
        assert isinstance(body, dict)
        asked = client.read_request(body, path=asking.request.match.route.path, model=model, losses=losses)
    except Invalid as error:
        return invalid(str(error), param=error.param)
    except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
        return invalid(str(error))
    (sent,) = half.write_requests(asked, at, losses)
    request = Outgoing(half.target(asked, at), asking.json_headers(candidate, translated=True), body=sent)
    upstream = asking.upstream(candidate)
    return TranslatedTask(request, upstream, client=client, half=half, asked=asked, at=at, model=model, losses=losses)


def judge_embeddings(answer: dict[str, object]) -> Fault | None:
    """What an answer failed of that should hold vectors, in either dialect."""
    several = answer.get("data", answer.get("embeddings"))
    vectors = several if isinstance(several, list) else [answer.get("embedding")]
    said = (each.get("embedding", each.get("values")) if isinstance(each, dict) else None for each in vectors)
    return None if any(said) else no_answer(answer)


def embedding_usage(answer: Mapping[str, object]) -> Usage | None:
    """Returns the usage as media count it, else in the words of another dialect, which some providers use."""
    return next(filter(None, (media.read_usage(answer) for media in task_registry.media().values())), None)


EMBED: Final = media_task(embed, lambda: task_registry.embeddings().dialects, "embeddings")
"""Embeddings."""


def draw(
    asking: Asking, candidate: Candidate, candidates: Sequence[Candidate], now: float
) -> Conversion | Division | Fault:
    """Pass a request for pictures through, or have them drawn by calls of a candidate's own kind.

    A candidate whose model draws nothing, or cannot do what is asked, is ruled out: the next one may be able to.
    """
    if not asking.is_translated(candidate):
        return pass_media(asking, candidate, candidates, now)

    from agcore.conversion.drawing import Drawing

    task, at, losses = task_registry.images(), asking.destination(candidate), Losses()
    client, half = task.clients[asking.dialect.traits.name], task.upstreams[candidate.endpoint.dialect]
    if at.profile.vendor and not at.profile.image_output:
        return invalid(f"{candidate.model!r} at {candidate.provider.name!r} draws no pictures", param="model")
    wanted = read_drawing(asking, client, losses)
    if isinstance(wanted, Fault):
        return wanted
    bodies = half.write_requests(wanted, at, losses)
    refused = refused_for(asking, candidate, losses)
    if refused is not None:
        return refused
    headers, target = asking.json_headers(candidate, translated=True), half.target(wanted, at)
    later = later_than(candidate, candidates)
    return Drawing(
        msgspec.structs.replace(wanted, images=(), mask=None),  # the bodies have them
        [Outgoing(target, headers, body=body) for body in bodies],
        asking.upstream(candidate),
        client=client,
        half=half,
        media=media_of(asking),
        at=at,
        model=asking.summary.model,
        losses=losses,
        # An upstream of the client's own dialect may answer with no stream, which one that is open could not take.
        opens_early=wanted.stream and all(map(asking.is_translated, later)),
    )


def read_drawing(asking: Asking, client: ImagesClient, losses: Losses) -> ImageRequest | Fault:
    """Returns the pictures that a client asks for in neutral form, or what is wrong with the request."""
    from agcore.conversation.values import Invalid

    content = asking.content
    body: Form | dict[str, object] | Fault
    try:
        if isinstance(content, HeldForm):
            body = content.read()
        else:
            decoded = json_text.decode(asking.members.body)
            assert isinstance(decoded, dict)
            body = decoded
        if isinstance(body, Fault):
            return body
        path = asking.request.match.route.path
        return client.read_request(body, path=path, model=asking.summary.model, losses=losses)
    except Invalid as error:
        return invalid(str(error), param=error.param)
    except ValueError as error:  # what passes as it is may be nested deeper than what has to be looked into
        return invalid(str(error))


def refused_for(asking: Asking, candidate: Candidate, losses: Losses) -> Fault | None:
    """The 400 for losses that the request, or the configuration, does not accept."""
    on_loss = asking.services.config.proxy.on_loss
    return refusal(losses, model=candidate.model, dialect=candidate.endpoint.dialect, on_loss=on_loss)


def form_too_large(asking: Asking) -> Fault:
    """Returns the fault of a translated form that does not fit into JSON."""
    most = as_json(asking.services.config.limits)
    message = f"a form for {asking.summary.model!r} is translated, and may have at most {most} bytes"
    return Fault(status=413, message=message, code="request_too_large")


def as_json(limits: Limits) -> int:
    """Bytes of a form that may be written as JSON, where base64 lets them grow by 4/3."""
    return limits.max_json * 3 // 4


DRAW: Final = media_task(draw, lambda: task_registry.images().dialects, "images")
"""Pictures drawn, and edits in JSON."""

EDIT: Final = msgspec.structs.replace(DRAW, form=FormRules(as_json, form_too_large))
"""Edits of pictures that come as a form."""


# Transcripts.

ROOM: Final = 256 * 1024
"""Bytes of a form beside its recording."""


def max_audio() -> int:
    """Bytes of the largest recording that is translated."""
    return max(each.MAX_AUDIO for each in task_registry.transcripts().upstreams.values())


def max_recording_form(limits: Limits) -> int:
    """Bytes of a form that may be translated: a recording, and room for the other fields."""
    return max_audio() + ROOM


def transcribe(asking: Asking, candidate: Candidate, candidates: Sequence[Candidate], now: float) -> Conversion | Fault:
    """Pass a recording through, or write it into a request of another dialect."""
    if not asking.is_translated(candidate):
        return pass_media(asking, candidate, candidates, now)

    from agcore.conversion.media import TranslatedTask
    from agcore.conversion.transcript_stream import TranscriptTap

    task, at, losses = task_registry.transcripts(), asking.destination(candidate), Losses()
    client, half = task.clients[asking.dialect.traits.name], task.upstreams[candidate.endpoint.dialect]
    asked = read_recording(asking, client, losses)
    if isinstance(asked, Fault):
        return asked
    if len(asked.audio) > half.MAX_AUDIO:
        return recording_too_large(asking)
    refused = refused_for(asking, candidate, losses)
    if refused is not None:
        return refused
    stream = None
    if asked.stream:
        stream = PassThroughStream(TranscriptTap(half.StreamReader(), client.StreamWriter()), framing="sse")
    (body,) = half.write_requests(asked, at, losses)
    headers = asking.json_headers(candidate, translated=True, stream=asked.stream)
    return TranslatedTask(
        Outgoing(half.target(asked, at), headers, body=body),
        asking.upstream(candidate),
        client=client,
        half=half,
        asked=msgspec.structs.replace(asked, audio=b""),
        at=at,
        model=asking.summary.model,
        losses=losses,
        stream=stream,
        # An upstream of the client's own dialect may answer with no stream, which one that is open could not take.
        opens_early=asked.stream and all(map(asking.is_translated, candidates)),
        held=len(body),
    )


def read_recording(asking: Asking, client: TranscriptsClient, losses: Losses) -> TranscriptRequest | Fault:
    """Returns the transcript that a client asks for in neutral form, or what is wrong with the request."""
    from agcore.conversation.values import Invalid

    assert isinstance(asking.content, HeldForm)
    form = asking.content.read()
    if isinstance(form, Fault):
        return form
    path = asking.request.match.route.path
    try:
        return client.read_request(form, path=path, model=asking.summary.model, losses=losses)
    except Invalid as error:
        return invalid(str(error), param=error.param)


def recording_too_large(asking: Asking) -> Fault:
    """Returns the fault of a recording that is too long to be translated."""
    most = max_audio() // (1024 * 1024)
    message = f"a recording for {asking.summary.model!r} may have at most {most} MiB; send it in parts, or compressed"
    return Fault(status=413, message=message, code="request_too_large", param="file")


TRANSCRIBE: Final = media_task(
    transcribe,
    lambda: task_registry.transcripts().dialects,
    "recordings",
    form=FormRules(max_recording_form, recording_too_large),
)
"""Transcripts and translations of recordings."""
