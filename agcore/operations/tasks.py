"""The tasks about conversations, one row each: how a request is read, who takes it, and how it is converted.

What a task needs only where it is translated loads with the first such request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from agcore.codecs.json_splice import parse
from agcore.conversation.losses import Losses, refusal
from agcore.conversion.base import Conversion, Division, Outgoing, WholeAnswer
from agcore.conversion.passthrough import Generation, GenerationPassThrough, PassThrough
from agcore.dialects import DIALECTS
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.no_answer import needs
from agcore.machines.outside import ClientSignatures
from agcore.operations import named_methods
from agcore.operations.asking import Asking
from agcore.operations.endpoints import generation_endpoint, not_generated
from agcore.operations.remember import echoed, items_of, remember
from agcore.operations.task import Task
from agcore.protocol.fault import Fault, invalid
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Resolution

if TYPE_CHECKING:
    from agcore.conversion.translation import Translation
    from agcore.models.vendor_profile import VendorProfile

# What tasks share.


def read_generation(asking: Asking) -> RequestSummary | Fault:
    """The model, and whether a stream is wanted."""
    parts = asking.parts
    summary = asking.dialect.pass_through.read_summary(asking.members, parts)
    if isinstance(summary, Fault):
        return summary
    model, mark = summary.model, asking.dialect.traits.model_mark
    if mark and model.endswith(mark[-1]):
        model = asking.dialect.traits.plain_model(model)
    if parts.method and asking.services.catalog.says(f"{model}:{parts.method}"):
        model = f"{model}:{parts.method}"
    return summary if model == summary.model else msgspec.structs.replace(summary, model=model)


def edited_body(asking: Asking, candidate: Candidate, upstream: VendorProfile, losses: Losses) -> tuple[bytes, bool]:
    """The client's body with the edits that it needs at a candidate, and whether usage must be hidden on the way back.

    Args:
        asking: The request.
        candidate: Whom it passes to.
        upstream: What is known of the candidate, from `passing_profile`.
        losses: Where it is recorded what had to be left out.

    Raises:
        BodyError: The body cannot be edited.
    """
    members, traits = asking.members, asking.dialect.traits
    changes, hides_usage = asking.dialect.pass_through.edits(members, asking.summary, candidate.model)
    if b"gw1." in members.body or b"Z3cxL" in members.body:
        from agcore.dialects import foreign_signatures  # a conversation that changed vendors is rare

        members = parse(members.edited(changes))
        changes = foreign_signatures.edits(traits.name, members, signer=candidate.provider.signer, losses=losses)
    if upstream.is_particular:
        from agcore.dialects import lookalikes  # most upstreams are whom they seem to be

        members = parse(members.edited(changes))
        changes = lookalikes.edits(traits.name, members, upstream, losses)
    return members.edited(changes), hides_usage


def passing_profile(asking: Asking, candidate: Candidate) -> VendorProfile | None:
    """Returns what is known of a candidate that is asked in the client's own words; None where it is asked in words of
    the gateway's, in another dialect or for it alone."""
    if asking.is_translated(candidate):
        return None
    upstream = asking.services.catalog.upstream_profile(candidate.provider, candidate.endpoint, candidate.model)
    if upstream.is_particular:
        from agcore.dialects.lookalikes import is_foreign  # most upstreams are whom they seem to be

        if is_foreign(asking.dialect.traits.name, asking.members, upstream):
            return None
    return upstream


# Generation.


def generate(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion | Division | Fault:
    """Pass a generation through, or translate it for an endpoint of another dialect."""
    summary = asking.summary
    if asking.parts.method and named_methods.is_named(asking):
        return named_methods.pass_method(asking, candidate)
    traits = DIALECTS[candidate.endpoint.dialect].traits
    target = traits.generate_target(candidate.endpoint.prefix, asking.parts, candidate.model, stream=summary.stream)
    manners = passing_profile(asking, candidate)
    if manners is None or is_stray(asking):
        return translated(asking, candidate, target, now)
    losses = Losses()
    body, hides_usage = edited_body(asking, candidate, manners, losses)
    if losses:
        name, on_loss = candidate.endpoint.dialect, asking.services.config.proxy.on_loss
        refused = refusal(losses, model=candidate.model, dialect=name, on_loss=on_loss)
        if refused is not None:
            return refused
    headers = asking.json_headers(candidate, translated=False, stream=summary.stream)
    generation = Generation(
        summary,
        asking.shown_model(candidate),
        hides_usage,
        candidate.provider.signer,
        partial(asking.services.outside.mint, ""),
    )
    return GenerationPassThrough(
        Outgoing(target, headers, body=body), asking.upstream(candidate), generation, losses=losses
    )


def is_stray(asking: Asking) -> bool:
    """Returns True for a Responses request on Chat's path, as editors send it (docs/wire/clients.md#editors)."""
    traits, members = asking.dialect.traits, asking.members
    stray = traits.stray_history_member
    return stray is not None and traits.history_member not in members and stray in members


def translated(asking: Asking, candidate: Candidate, target: bytes, now: float) -> Conversion | Division | Fault:
    """Write a generation anew for a candidate, as several calls where one gives too few answers."""
    from agcore.conversion.choices import Choices
    from agcore.conversion.generation import TranslatedGeneration
    from agcore.conversion.translation import NO_CACHE

    summary = asking.summary
    if asking.dialect.pass_through.fills_cache(asking.members):
        return invalid(NO_CACHE, code="not_translatable")
    translation = translation_of(asking, candidate)
    if isinstance(translation, Fault):
        return translation
    headers = asking.json_headers(candidate, translated=True, stream=summary.stream)
    upstream, id = asking.upstream(candidate), asking.services.outside.mint("")
    if translation.others:
        return Choices(
            translation,
            upstream,
            request=lambda body: Outgoing(target, headers, body=body),
            summary=summary,
            id=id,
            created=int(now),
        )
    outgoing = Outgoing(target, headers, body=translation.body)
    return TranslatedGeneration(outgoing, upstream, translation, summary=summary, id=id, created=int(now))


def translation_of(asking: Asking, candidate: Candidate) -> Translation | Fault:
    """The translation of a request for a candidate, unless it loses what must not be lost."""
    from agcore.conversion.translation import translate

    summary, services = asking.summary, asking.services
    target = asking.model_target(candidate)
    # Thoughts in plain text have no safe place in any client's dialect: a client may not even have asked to see them.
    wanted = target.profile.upstream.reasoning_content in ("taken", "demanded")
    remembers = asking.dialect.traits.drops_signatures or wanted
    translation = translate(
        asking.dialect.traits.name,
        asking.members.body,
        model=summary.model,
        stream=summary.stream,
        target=target,
        signed_calls=ClientSignatures(services.outside, asking.request.client) if remembers else None,
    )
    if isinstance(translation, Fault):
        return translation
    refused = translation.refusal(on_loss=services.config.proxy.on_loss)
    if refused is not None:
        return refused
    echoed(translation, asking.earlier)
    return translation


def fill_nothing(asking: Asking, candidates: Sequence[Candidate]) -> WholeAnswer | Fault | None:
    """The empty answer to a request that only fills a cache, where no candidate has one to fill in that way."""
    dialect = asking.dialect
    for candidate in candidates:
        if candidate.endpoint.dialect == dialect.traits.name:
            return None
    if not dialect.pass_through.fills_cache(asking.members):
        return None
    from agcore.conversion.empty_answer import empty_answer

    summary = asking.summary
    return empty_answer(
        asking.dialect.traits.name,
        asking.members.body,
        model=summary.model,
        stream=summary.stream,
        id=asking.services.outside.mint(""),
        framing=summary.framing,
    )


GENERATE: Final = Task(
    read=read_generation,
    endpoint=generation_endpoint,
    unserved=not_generated,
    convert=generate,
    local=fill_nothing,
)
"""Chat Completions, Completions, Messages and generateContent, streamed or not."""

RESPOND: Final = remember(GENERATE)
"""Responses, which may go on from an earlier one."""


# Compaction. Where a provider of another dialect answers, its model sums the conversation up.


def read_compaction(asking: Asking) -> RequestSummary | Fault:
    """The model. A compaction is not streamed."""
    summary = read_generation(asking)
    return summary if isinstance(summary, Fault) else msgspec.structs.replace(summary, stream=False)


def compact(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion | Fault:
    """Pass a compaction through, or ask for a summary in another dialect."""
    manners = passing_profile(asking, candidate)
    if manners is None or manners.lookalike:
        return summed_up(asking, candidate, now)
    losses = Losses()
    body, _ = edited_body(asking, candidate, manners, losses)
    headers = asking.json_headers(candidate, translated=False)
    request = Outgoing(candidate.endpoint.prefix + b"/responses/compact", headers, body=body)
    return PassThrough(
        request,
        asking.upstream(candidate),
        shown_model=asking.shown_model(candidate),
        losses=losses,
        judge=needs("output"),
    )


def summed_up(asking: Asking, candidate: Candidate, now: float) -> Conversion | Fault:
    """Ask a candidate for a summary: a compaction is a generation whose `input` ends in a trigger of it."""
    from agcore.conversion.compaction import TranslatedCompaction

    items = items_of(asking.members)
    if items.startswith(b"["):
        triggered = items[:-1] + (b"," if items[1:-1].strip() else b"") + b'{"type":"compaction_trigger"}]'
        content = parse(asking.members.edited({"input": triggered}))
        asking = msgspec.structs.replace(asking, content=content)
    translation = translation_of(asking, candidate)
    if isinstance(translation, Fault):
        return translation
    traits = DIALECTS[candidate.endpoint.dialect].traits
    target = traits.generate_target(candidate.endpoint.prefix, asking.parts, candidate.model, stream=False)
    return TranslatedCompaction(
        Outgoing(target, asking.json_headers(candidate, translated=True), body=translation.body),
        asking.upstream(candidate),
        translation,
        summary=asking.summary,
        id=asking.services.outside.mint(""),
        created=int(now),
    )


def no_compaction(asking: Asking, found: Resolution) -> Fault:
    """Nobody there can do it: a 501, after which clients summarise by themselves, as for any other vendor."""
    name, model = found.targets[0].provider.name, asking.summary.model
    message = f"model {model!r} is served by {name!r}, which has no compaction; summarise the conversation instead"
    return Fault(status=501, message=message, code="not_supported", param="model")


COMPACT: Final = remember(
    Task(
        read=read_compaction,
        endpoint=generation_endpoint,
        unserved=no_compaction,
        convert=compact,
    ),
    stores=False,
)
"""A conversation made shorter; the answer is none to go on from."""
