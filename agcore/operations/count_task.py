"""The task of counting a request's tokens: by the provider's own counter where it has one, else by an estimate.

An estimate says that it is one, in a header of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from agcore.codecs import json_text
from agcore.config.values import Endpoint
from agcore.conversation.losses import Losses
from agcore.conversion.base import Conversion, Outgoing, WholeAnswer
from agcore.conversion.passthrough import PassThrough
from agcore.dialects import task_registry
from agcore.dialects.shared.no_answer import needs
from agcore.operations.asking import Asking
from agcore.operations.endpoints import not_asked, one_of
from agcore.operations.task import Task
from agcore.operations.tasks import edited_body, passing_profile, read_generation
from agcore.protocol.fault import Fault, invalid
from agcore.routing.candidates import Candidate
from agcore.routing.catalog import Target

if TYPE_CHECKING:
    from agcore.conversation.token_estimate import TokenCount
    from agcore.conversation.values import Conversation
    from agcore.dialects.tasks import ClientTask


_COUNTS: Final = ("input_tokens", "totalTokens", "total_tokens")
"""Members of which an answer has the one that its dialect calls the count."""


def count(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion | Fault:
    """Ask a candidate's counter, in its own dialect."""
    counter = task_registry.tokens().upstreams.get(candidate.endpoint.dialect)
    if counter is None:
        return Fault(status=501, message=f"provider {candidate.provider.name!r} has no counter")
    at, upstream, losses = asking.destination(candidate), asking.upstream(candidate), Losses()
    manners = passing_profile(asking, candidate)
    headers, target = asking.json_headers(candidate, translated=manners is None), counter.target({}, at)
    if manners is not None:
        body, _ = edited_body(asking, candidate, manners, losses)
        request = Outgoing(target, headers, body=body)
        shown = asking.shown_model(candidate)
        return PassThrough(request, upstream, shown_model=shown, losses=losses, judge=needs(*_COUNTS))

    from agcore.conversion.media import TranslatedCount
    from agcore.conversion.translation import Translation

    conversation = counted_conversation(asking)
    if isinstance(conversation, Fault):
        return conversation
    rendered = Translation(asking.dialect.traits.name, asking.model_target(candidate), conversation, Losses()).rendered
    (body,) = counter.write_requests(rendered, at, Losses())
    return TranslatedCount(
        Outgoing(target, headers, body=body),
        upstream,
        client=counting_client(asking),
        half=counter,
        at=at,
        model=asking.summary.model,
        otherwise=partial(estimated, asking, conversation),
    )


def counting_client(asking: Asking) -> ClientTask[dict[str, object], dict[str, object], TokenCount]:
    """Returns the functions that read and write token counts in the client's dialect."""
    return task_registry.tokens().clients[asking.dialect.traits.name]


def counted_conversation(asking: Asking) -> Conversation | Fault:
    """The conversation whose tokens are counted, or why the request holds none."""
    from agcore.conversation.values import Invalid

    model = asking.summary.model
    decoded = json_text.decode(asking.members.body)
    assert isinstance(decoded, dict)
    path = asking.request.match.route.path
    try:
        body = counting_client(asking).read_request(decoded, path=path, model=model, losses=Losses())
        return asking.dialect.client.parse_request(body, model=model, stream=False, losses=Losses())
    except Invalid as error:
        return invalid(str(error), param=error.param)


def estimated(asking: Asking, conversation: Conversation) -> WholeAnswer:
    """An estimate, which says that it is one."""
    from agcore.conversation.token_estimate import TokenCount, estimate
    from agcore.conversion.media import ESTIMATED

    count = TokenCount(estimate(conversation), estimated=True)
    written = counting_client(asking).write_answer(count, {}, model=asking.summary.model, created=0)
    return WholeAnswer(written.body, headers=ESTIMATED, local=True)


def estimate_of(asking: Asking) -> WholeAnswer | Fault:
    """An estimate for a request that nobody counts."""
    conversation = counted_conversation(asking)
    return conversation if isinstance(conversation, Fault) else estimated(asking, conversation)


def count_here(asking: Asking, candidates: Sequence[Candidate]) -> WholeAnswer | Fault | None:
    """An estimate where none of the candidates has a counter."""
    counters = task_registry.tokens().upstreams
    return None if any(each.endpoint.dialect in counters for each in candidates) else estimate_of(asking)


def count_all_the_same(asking: Asking, fault: Fault) -> WholeAnswer | Fault | None:
    """An estimate where a counter is missing or broken, which is no reason for an error."""
    return None if fault.status in (400, 413, 422, 429) else estimate_of(asking)


def counter_at(asking: Asking, target: Target) -> Endpoint | None:
    """The client's own dialect, else one that can count, else any: then an estimate will have to do."""
    counting = one_of(tuple(task_registry.tokens().upstreams), asking, target)
    return counting or target.provider.preferred_endpoint


COUNT: Final = Task(
    read=read_generation,
    endpoint=counter_at,
    unserved=not_asked,
    convert=count,
    local=count_here,
    rescue=count_all_the_same,
    free=True,
    waits_for_cooldown=False,
)
"""Token counts of Messages, Gemini and Responses requests."""
