"""Methods of Google's API that no route has, such as `batchGenerateContent`: only a Gemini provider can know them."""

from __future__ import annotations

from agcore.codecs.header_fields import first
from agcore.conversion.base import Conversion, Outgoing
from agcore.dialects import task_registry
from agcore.operations.asking import JSON, Asking
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate


def is_named(asking: Asking) -> bool:
    """Returns True where the path names such a method, and not a model whose name only looks so."""
    return asking.parts.method != "" and asking.summary.model == asking.parts.model


def pass_method(asking: Asking, candidate: Candidate) -> Conversion | Fault:
    """The request as it came for a provider of the client's dialect; a 501 for all others."""
    method, provider = asking.parts.method, candidate.provider.name
    if asking.is_translated(candidate):
        message = f"{method!r} is no method of this gateway, and {provider!r} speaks another dialect than Google's"
        return Fault(status=501, message=message, code="not_supported")

    from agcore.conversion.media import MediaPassThrough  # which passes answers of any kind

    traits = asking.dialect.traits
    changes, _ = asking.dialect.pass_through.edits(asking.members, asking.summary, candidate.model)
    path = "/{version}/{collection}/{model}:" + method
    target = traits.target(candidate.endpoint.prefix, path, asking.parts, candidate.model)
    query = asking.request.target.raw_query
    accept = first(asking.request.head.headers, b"accept") or b"*/*"
    headers = asking.headers(candidate, (b"content-type", JSON), (b"accept", accept), translated=False)
    return MediaPassThrough(
        Outgoing(target + b"?" + query if query else target, headers, body=asking.members.edited(changes)),
        asking.upstream(candidate),
        task_registry.media()[traits.name],
        shown_model=asking.shown_model(candidate),
        read_usage=asking.dialect.pass_through.read_usage,
    )
